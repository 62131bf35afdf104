//! Conditions: CEL over the fields of the customer and what steps came to. A small part of CEL, on purpose: names
//! compared with values, joined by `&&`, `||` and `!`. No arithmetic, no functions, no lookups: so a condition that was
//! accepted always has an answer once its values are there, and its list of names is exact.
//!
//! A value in quotes is read as what it is compared with: `'50.00 USD'` as an amount, `'2026-08'` as a month. Amounts
//! are compared in minor units of one currency. A name with `-` in it is written with `_`.

use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::{CallExpr, Expr, IdedExpr, ListExpr, LiteralValue, SourceInfo, operators};
use cel::parser::Parser;
use cel::{Context, Value};

use crate::dictionary::FieldType;
use crate::source::{Diagnostic, Span, Spanned, code, did_you_mean};

/// Longest condition, in bytes.
pub const MAX_CONDITION: usize = 500;
/// Deepest nesting of brackets and of `&&`, `||` and `!`.
pub const MAX_NESTED: u16 = 16;
/// Most mistakes of one condition that are told.
const MAX_TOLD: usize = 5;
/// The parser descends once for each sign at worst; this is far more than [`MAX_CONDITION`] signs need.
const STACK: usize = 32 << 20;

/// What a name in a condition stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A text, equal or not.
    Text,
    /// An amount.
    Money,
    /// `2026-08`.
    Month,
    /// `2026-08-31`.
    Date,
    /// A whole number.
    Count,
    /// One of these words.
    OneOf(Vec<String>),
}

impl Type {
    /// The type of a field.
    #[must_use]
    pub fn of(field: FieldType) -> Self {
        match field {
            FieldType::Text | FieldType::Phone => Type::Text,
            FieldType::Money => Type::Money,
            FieldType::Month => Type::Month,
            FieldType::Date => Type::Date,
            FieldType::Count => Type::Count,
        }
    }

    fn has_order(&self) -> bool {
        !matches!(self, Type::Text | Type::OneOf(_))
    }

    /// How a value of it is written, for people.
    fn example(&self) -> String {
        match self {
            Type::Text => "a text: `'…'`".to_owned(),
            Type::Money => "an amount: `'50.00 USD'`".to_owned(),
            Type::Month => "a month: `'2026-08'`".to_owned(),
            Type::Date => "a day: `'2026-08-31'`".to_owned(),
            Type::Count => "a whole number: `3`".to_owned(),
            Type::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`'{word}'`")).collect();
                format!("one of {}", words.join(", "))
            }
        }
    }
}

/// A value that a condition is decided with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A text, a month, a day or a word.
    Text(String),
    /// Minor units of a currency.
    Money(i64, String),
    /// A whole number.
    Count(i64),
}

/// Why a condition has no answer. Never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undecided {
    /// This name has no value.
    Missing(String),
    /// Amounts of different currencies.
    Currencies,
    /// This name's value is not of its type.
    WrongType(String),
}

/// A condition that has passed its check.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// As it was written.
    pub text: String,
    /// The names that it reads, as the dictionary and the steps have them.
    pub reads: BTreeSet<String>,
    tree: IdedExpr,
    types: BTreeMap<String, Type>,
    currency: Option<String>,
}

impl Eq for Condition {}

impl Condition {
    /// Reads a condition and checks its types. `names` says what may be named.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn read(written: &Spanned<String>, names: &BTreeMap<String, Type>) -> Result<Self, Vec<Diagnostic>> {
        let text = &written.value;
        if text.len() > MAX_CONDITION {
            let message = format!("the condition has {} bytes; at most {MAX_CONDITION} are read", text.len());
            let help = "divide it: several `if:` of one `choose` are asked in their order";
            return Err(vec![Diagnostic::new(code::BEYOND_LIMITS, message).at(&written.span).help(help)]);
        }
        let apart = || read(written, names);
        let read = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, apart);
            thread.ok().and_then(|thread| thread.join().ok())
        });
        read.unwrap_or_else(|| {
            let message = "the condition cannot be looked at: there is no memory for it";
            Err(vec![Diagnostic::new(code::BEYOND_LIMITS, message).at(&written.span).help("try again")])
        })
    }

    /// Whether it holds with these values.
    ///
    /// # Errors
    /// Where a value is missing, is not what its name stands for, or is money of another currency.
    pub fn holds(&self, values: &BTreeMap<String, Given>) -> Result<bool, Undecided> {
        let mut context = Context::empty();
        let mut currency = self.currency.as_deref();
        for (name, ty) in &self.types {
            let wrong = || Undecided::WrongType(name.clone());
            match (ty, values.get(name).ok_or_else(|| Undecided::Missing(name.clone()))?) {
                (Type::Count, Given::Count(count)) => context.add_variable_from_value(name, *count),
                (Type::Money, Given::Money(minor, of)) => {
                    if *currency.get_or_insert(of) != of {
                        return Err(Undecided::Currencies);
                    }
                    context.add_variable_from_value(name, *minor);
                }
                (Type::Text | Type::OneOf(_), Given::Text(text)) => context.add_variable_from_value(name, text.clone()),
                (Type::Month, Given::Text(text)) if is_month(text) => {
                    context.add_variable_from_value(name, text.clone());
                }
                (Type::Date, Given::Text(text)) if is_date(text) => context.add_variable_from_value(name, text.clone()),
                _ => return Err(wrong()),
            }
        }
        // INVARIANT: the check lets nothing through that CEL could fail at; a property test holds it.
        match context.resolve(&self.tree) {
            Ok(Value::Bool(holds)) => Ok(holds),
            _ => Err(Undecided::WrongType(self.text.clone())),
        }
    }
}

fn read(written: &Spanned<String>, names: &BTreeMap<String, Type>) -> Result<Condition, Vec<Diagnostic>> {
    let parser = Parser::new().max_recursion_depth(MAX_NESTED).error_recovery_limit(1);
    let (tree, source) = parser.parse_with_source_info(&written.value).map_err(|errors| {
        let places = errors.errors.iter().take(1).map(|error| {
            let offset = usize::try_from(error.pos.1).unwrap_or(1).saturating_sub(1);
            let place = if error.pos.0 == 1 { inside(written, offset) } else { written.span.clone() };
            let help = "write it as `account.balance > '50.00 USD' && visit.kind == 'emergency'`";
            Diagnostic::new(code::BAD_CONDITION, "this is no condition from here on").at(&place).help(help)
        });
        places.collect::<Vec<_>>()
    })?;
    let mut check = Check { written, names, source, found: Vec::new(), types: BTreeMap::new(), currency: None };
    let tree = check.truth(&tree, 0);
    if check.found.is_empty() && check.types.is_empty() {
        let message = "the condition asks about nothing, and so always has the same answer";
        check.found.push(
            Diagnostic::new(code::BAD_CONDITION, message)
                .at(&written.span)
                .help("name a field, or leave the choice out"),
        );
    }
    match tree {
        Some(tree) if check.found.is_empty() => Ok(Condition {
            text: written.value.clone(),
            reads: check.types.keys().cloned().collect(),
            tree,
            types: check.types,
            currency: check.currency,
        }),
        _ => {
            check.found.truncate(MAX_TOLD);
            Err(check.found)
        }
    }
}

/// The place of a sign of the text. Where the text was written with escapes or over several lines, its beginning.
fn inside(written: &Spanned<String>, offset: usize) -> Span {
    let signs = written.value.chars().count();
    let quote = match written.span.len.checked_sub(signs) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return written.span.clone(),
    };
    if !written.value.is_ascii() || written.value.contains('\n') {
        return written.span.clone();
    }
    Span { column: written.span.column + quote + offset.min(signs), len: 0, ..written.span.clone() }
}

struct Check<'a> {
    written: &'a Spanned<String>,
    names: &'a BTreeMap<String, Type>,
    source: SourceInfo,
    found: Vec<Diagnostic>,
    types: BTreeMap<String, Type>,
    currency: Option<String>,
}

/// One side of a comparison.
enum Side {
    Name(String, Type),
    Value,
    List(Vec<IdedExpr>),
}

impl Check<'_> {
    fn place(&self, id: u64) -> Span {
        let offset = self.source.offset_for(id).map_or(0, |(start, _)| start as usize);
        inside(self.written, offset)
    }

    fn refuse<T>(&mut self, id: u64, message: impl Into<String>, help: impl Into<String>) -> Option<T> {
        let place = self.place(id);
        self.found.push(Diagnostic::new(code::BAD_CONDITION, message).at(&place).help(help));
        None
    }

    /// A part that is true or false, with names and values as the evaluation wants them.
    fn truth(&mut self, part: &IdedExpr, depth: u16) -> Option<IdedExpr> {
        if depth > MAX_NESTED {
            let (message, help) = ("this is nested too deeply", "divide it into several `if:`");
            return self.refuse(part.id, message, help);
        }
        let Expr::Call(call) = &part.expr else {
            let message = "this is neither true nor false";
            return self.refuse(part.id, message, "compare a name with a value: `account.balance > '50.00 USD'`");
        };
        let args = match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, right]) => {
                let (left, right) = (self.truth(left, depth + 1), self.truth(right, depth + 1));
                vec![left?, right?]
            }
            (operators::LOGICAL_NOT, [inner]) => vec![self.truth(inner, depth + 1)?],
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => self.compared(part, false, left, right)?,
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [left, right],
            ) => self.compared(part, true, left, right)?,
            (operators::IN, [left, right]) => self.among(part, left, right)?,
            _ => {
                let help =
                    "compare names with values by `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, and join by `&&`, `||`, `!`";
                return self.refuse(part.id, "a condition does not work anything out", help);
            }
        };
        let call = CallExpr { func_name: call.func_name.clone(), target: None, args };
        Some(IdedExpr { id: part.id, expr: Expr::Call(call) })
    }

    /// Both sides of a comparison, of one type.
    fn compared(&mut self, part: &IdedExpr, ordered: bool, left: &IdedExpr, right: &IdedExpr) -> Option<Vec<IdedExpr>> {
        let (one, other) = (self.side(left), self.side(right));
        let ty = match (one?, other?) {
            (Side::Name(name, ty), Side::Name(another, other)) if ty != other => {
                let message = format!("`{name}` and `{another}` are not of the same type");
                return self.refuse(part.id, message, format!("compare `{name}` with {}", ty.example()));
            }
            (Side::Name(_, ty), Side::Name(..) | Side::Value) | (Side::Value, Side::Name(_, ty)) => ty,
            (Side::List(_), _) | (_, Side::List(_)) => {
                return self.refuse(part.id, "a list is compared by `in`", "write `name in ['one', 'other']`");
            }
            (Side::Value, Side::Value) => {
                let message = "two values are compared, and so the answer is always the same";
                return self.refuse(part.id, message, "name a field on one side");
            }
        };
        if ordered && !ty.has_order() {
            return self.refuse(part.id, "texts have no order here", "compare them by `==`, `!=` or `in`");
        }
        let (left, right) = (self.put(left, &ty), self.put(right, &ty));
        Some(vec![left?, right?])
    }

    /// A name and the values that it may be one of.
    fn among(&mut self, part: &IdedExpr, left: &IdedExpr, right: &IdedExpr) -> Option<Vec<IdedExpr>> {
        let (one, other) = (self.side(left), self.side(right));
        let (Side::Name(_, ty), Side::List(elements)) = (one?, other?) else {
            return self.refuse(
                part.id,
                "`in` has a name before it and a list after it",
                "write `name in ['one', 'other']`",
            );
        };
        let elements: Vec<Option<IdedExpr>> = elements.iter().map(|element| self.put(element, &ty)).collect();
        let elements = elements.into_iter().collect::<Option<Vec<IdedExpr>>>()?;
        let list = IdedExpr { id: right.id, expr: Expr::List(ListExpr::new(elements)) };
        Some(vec![self.put(left, &ty)?, list])
    }

    fn side(&mut self, part: &IdedExpr) -> Option<Side> {
        match &part.expr {
            Expr::Literal(_) => Some(Side::Value),
            Expr::List(list) => Some(Side::List(list.elements.clone())),
            Expr::Ident(_) | Expr::Select(_) => self.name(part).map(|(name, ty)| Side::Name(name, ty)),
            _ => {
                let minus = matches!(&part.expr, Expr::Call(call) if call.func_name == operators::SUBSTRACT);
                let help = if minus {
                    "a name with `-` in it is written with `_` here: `account.due_date`"
                } else {
                    "put a name or a value on each side; amounts are worked out by steps, not by conditions"
                };
                self.refuse(part.id, "a condition does not work anything out", help)
            }
        }
    }

    /// The name that `account.balance` spells, and what it stands for.
    fn name(&mut self, part: &IdedExpr) -> Option<(String, Type)> {
        let (mut parts, mut at) = (Vec::new(), part);
        while let Expr::Select(select) = &at.expr {
            if select.test {
                return self.refuse(
                    part.id,
                    "there is no `has` here",
                    "a name without a value leads the run to its end",
                );
            }
            parts.push(select.field.replace('_', "-"));
            at = &select.operand;
        }
        let Expr::Ident(first) = &at.expr else {
            return self.refuse(part.id, "this is no name", "write it as `account.balance`");
        };
        parts.push(first.replace('_', "-"));
        parts.reverse();
        let name = parts.join(".");
        let Some(ty) = self.names.get(&name) else {
            let near =
                did_you_mean(&name, self.names.keys().map(String::as_str)).filter(|help| help.starts_with("did"));
            let help = near.unwrap_or_else(|| {
                "name a field of the customer from `workflows/fields.yaml`; write a `-` of its name as `_`".to_owned()
            });
            let place = self.place(at.id);
            let message = format!("`{name}` is nothing that a condition can ask about");
            self.found.push(Diagnostic::new(code::UNKNOWN_FIELD, message).at(&place).help(help));
            return None;
        };
        self.types.insert(name.clone(), ty.clone());
        Some((name, ty.clone()))
    }

    /// A name as a variable, or a value as its type wants it.
    fn put(&mut self, part: &IdedExpr, ty: &Type) -> Option<IdedExpr> {
        let expr = match &part.expr {
            Expr::Literal(value) => Expr::Literal(self.value(part.id, value, ty)?),
            Expr::List(_) => {
                return self.refuse(part.id, "there is no list in a list", format!("write {}", ty.example()));
            }
            _ => match self.side(part)? {
                Side::Name(name, known) if known == *ty => Expr::Ident(name),
                _ => return self.refuse(part.id, "this is of another type", format!("write {}", ty.example())),
            },
        };
        Some(IdedExpr { id: part.id, expr })
    }

    fn value(&mut self, id: u64, value: &LiteralValue, ty: &Type) -> Option<LiteralValue> {
        let text = match value {
            LiteralValue::String(text) => Some(text.inner()),
            _ => None,
        };
        let fits = match (ty, text) {
            (Type::Text, Some(_)) => true,
            (Type::Month, Some(text)) => is_month(text),
            (Type::Date, Some(text)) => is_date(text),
            (Type::Count, None) => matches!(value, LiteralValue::Int(_)),
            (Type::OneOf(words), Some(text)) => {
                if let Some(near) = did_you_mean(text, words.iter().map(String::as_str))
                    && !words.iter().any(|word| word == text)
                {
                    return self.refuse(id, format!("it can never be `{text}`"), near);
                }
                words.iter().any(|word| word == text)
            }
            (Type::Money, Some(text)) => return self.money(id, text),
            _ => false,
        };
        if !fits {
            return self.refuse(
                id,
                "this value is of another type than what it is compared with",
                format!("write {}", ty.example()),
            );
        }
        Some(value.clone())
    }

    /// `50.00 USD`, in minor units.
    fn money(&mut self, id: u64, text: &str) -> Option<LiteralValue> {
        let Some((minor, currency)) = money(text) else {
            let help = format!("write {}, with all digits of the currency", Type::Money.example());
            return self.refuse(id, "this is no amount", help);
        };
        if self.currency.get_or_insert_with(|| currency.clone()) != &currency {
            let message = "amounts of two currencies cannot be compared";
            return self.refuse(id, message, "ask about one currency in one condition");
        }
        Some(LiteralValue::Int(minor.into()))
    }
}

/// `50.00 USD` and nothing looser: all digits of the currency, no sign, no spaces elsewhere.
fn money(text: &str) -> Option<(i64, String)> {
    let (amount, code) = text.split_once(' ')?;
    let currency = iso_currency::Currency::from_code(code)?;
    let digits = usize::from(currency.exponent().unwrap_or(0));
    let (whole, part) = match amount.split_once('.') {
        Some((whole, part)) if digits > 0 => (whole, part),
        None if digits == 0 => (amount, ""),
        _ => return None,
    };
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || part.len() != digits || !plain(whole) || !plain(part) {
        return None;
    }
    Some((format!("{whole}{part}").parse().ok()?, code.to_owned()))
}

/// `2026-08`. Months and days in this form have the order of their texts.
fn is_month(text: &str) -> bool {
    text.len() == 7 && is_date(&format!("{text}-01"))
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
mod tests;
