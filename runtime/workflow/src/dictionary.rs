//! What the fields are and how sure we must be: the data dictionary (`fields.yaml`) and the assurance policy
//! (`policies/assurance.yaml`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::source::{Diagnostic, Document, Fields, Item, Reader, Spanned, code, did_you_mean};

/// Most characters that a field may say it has at the longest.
pub const MAX_LONGEST: i64 = 1000;

/// What kind of data a field is. The law speaks of classes, never of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Class {
    /// Card number and what is kept with it.
    Pan,
    /// Sensitive authentication data: the security code. Never stored (PCI DSS 3.3.1).
    Sad,
    /// Bank account.
    Bank,
    /// Government id.
    Govid,
    /// Health.
    Phi,
    /// Personal.
    Pii,
    /// A consent and its words.
    Consent,
    /// What was said.
    Comms,
    /// Recorded sound.
    Recording,
    /// A risk signal.
    Risk,
    /// What opens something: a code, a link.
    Key,
    /// Known to everyone.
    Public,
}

impl Class {
    /// Every class with its name.
    pub const ALL: [(&'static str, Class); 12] = [
        ("PAN", Class::Pan),
        ("SAD", Class::Sad),
        ("BANK", Class::Bank),
        ("GOVID", Class::Govid),
        ("PHI", Class::Phi),
        ("PII", Class::Pii),
        ("CONSENT", Class::Consent),
        ("COMMS", Class::Comms),
        ("RECORDING", Class::Recording),
        ("RISK", Class::Risk),
        ("KEY", Class::Key),
        ("PUBLIC", Class::Public),
    ];

    /// The class of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
    }

    /// Its name: `PHI`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, class)| *class == self).map_or("", |(name, _)| name)
    }

    /// Card data: may go from capture to a gateway and nowhere else.
    #[must_use]
    pub fn is_card(self) -> bool {
        matches!(self, Class::Pan | Class::Sad)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How sure we are of who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Nobody was asked.
    L0,
    /// Something that the customer controls.
    L1,
    /// A one-time proof over a checked channel, fresh.
    L2,
}

impl Level {
    /// Every level with its name, weakest first.
    pub const ALL: [(&'static str, Level); 3] = [("L0", Level::L0), ("L1", Level::L1), ("L2", Level::L2)];

    /// The level of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
    }

    /// Its name: `L2`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The form of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Any text.
    Text,
    /// A phone number, E.164.
    Phone,
    /// Minor units and a currency.
    Money,
    /// A month of a year.
    Month,
    /// A day.
    Date,
    /// A whole number.
    Count,
}

impl FieldType {
    pub(crate) const ALL: [(&'static str, FieldType); 6] = [
        ("text", FieldType::Text),
        ("phone", FieldType::Phone),
        ("money", FieldType::Money),
        ("month", FieldType::Month),
        ("date", FieldType::Date),
        ("count", FieldType::Count),
    ];

    /// Its name: `money`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, ty)| *ty == self).map_or("", |(name, _)| name)
    }
}

/// Who has a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Kept for each customer, encrypted.
    Customer,
    /// The organisation itself.
    Sender,
    /// Made by Selvedge.
    Host,
}

impl Source {
    pub(crate) const ALL: [(&'static str, Source); 3] =
        [("customer", Source::Customer), ("sender", Source::Sender), ("host", Source::Host)];
}

/// One field of the dictionary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldInfo {
    /// The form of its value.
    #[serde(rename = "type")]
    pub ty: FieldType,
    /// The class that decides where it may go.
    pub class: Class,
    /// Who has it.
    pub source: Source,
    /// One line for people.
    pub about: String,
    /// A customer has a value of it for each item of its group; a `for-each` over the group names one of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub list: bool,
    /// The most characters that a text has. What comes in longer is refused; a text message may only name what has an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest: Option<usize>,
}

impl FieldInfo {
    /// The most characters that a value has where it is read, if that is known.
    #[must_use]
    pub fn most_characters(&self) -> Option<usize> {
        match self.ty {
            FieldType::Text => self.longest,
            FieldType::Phone => Some(16),
            // `EUR 9,999,999,999.99`
            FieldType::Money => Some(20),
            // `September 2026` and `September 30, 2026`
            FieldType::Month => Some(14),
            FieldType::Date => Some(18),
            FieldType::Count => Some(20),
        }
    }
}

/// The data dictionary: every field that a workflow, a template or a grant may name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dictionary {
    /// By path: `account.balance`.
    pub fields: BTreeMap<String, FieldInfo>,
}

impl Dictionary {
    /// Reads `fields.yaml`.
    ///
    /// # Errors
    /// Every mistake in the file.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let tree = Document::parse(file, text)?;
        let reader = Reader::new();
        let mut fields = BTreeMap::new();
        for (path, info) in reader.item(&tree, "the data dictionary").map(&["fields"]).required("fields").entries() {
            if !is_path(&path.value) {
                let message = format!("`{}` is no name of a field", path.value);
                let form = "write it as `group.name`, in lower case, with `-` between words";
                reader.report(Diagnostic::new(code::WRONG_TYPE, message).at(&path.span).help(form));
            }
            if let Some(info) = field_info(&info.map(&["type", "class", "source", "about", "list", "longest"])) {
                fields.insert(path.value, info);
            }
        }
        reader.finish(Some(Self { fields }))
    }

    /// The field of this path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&FieldInfo> {
        self.fields.get(path)
    }

    /// The class of this path.
    #[must_use]
    pub fn class(&self, path: &str) -> Option<Class> {
        self.get(path).map(|info| info.class)
    }

    /// The field whose value lies at this place: `account.balance`, or of a list that of one item, `loan.balance#3`.
    #[must_use]
    pub fn at(&self, place: &str) -> Option<&FieldInfo> {
        let (path, item) = place.split_once('#').map_or((place, None), |(path, item)| (path, Some(item)));
        let numbered =
            item.map(|item| item.parse::<u32>().is_ok_and(|number| number > 0 && number.to_string() == item));
        self.get(path).filter(|info| numbered.unwrap_or(!info.list) && info.list == item.is_some())
    }

    /// The group of a field of which a customer has several: `loan` of `loan.balance`.
    #[must_use]
    pub fn list_of<'p>(&self, path: &'p str) -> Option<&'p str> {
        self.get(path).filter(|info| info.list)?;
        path.split('.').next()
    }

    /// The complaint that a path is in no dictionary, with the nearest one that is.
    #[must_use]
    pub fn unknown(&self, path: &str) -> Diagnostic {
        let near = did_you_mean(path, self.fields.keys().map(String::as_str)).filter(|help| help.starts_with("did"));
        Diagnostic::new(code::UNKNOWN_FIELD, format!("`{path}` is no field of the data dictionary")).help(
            near.unwrap_or_else(|| "add it to `workflows/fields.yaml` with its type, class and source".to_owned()),
        )
    }
}

fn field_info(info: &Fields<'_, '_>) -> Option<FieldInfo> {
    let ty = word(&info.required("type"), &FieldType::ALL);
    let class = word(&info.required("class"), &Class::ALL);
    let source = word(&info.required("source"), &Source::ALL);
    let about = info.required("about").text();
    let list = info.optional("list");
    let list = if list.is_given() { list.flag()?.value } else { false };
    let longest = info.optional("longest");
    let longest = longest.is_given().then(|| longest.count(1..=MAX_LONGEST)).flatten();
    let longest = longest.and_then(|longest| usize::try_from(longest.value).ok());
    Some(FieldInfo { ty: ty?, class: class?, source: source?, about: about?.value, list, longest })
}

/// One of the words of a table.
pub(crate) fn word<T: Copy>(item: &Item<'_, '_>, table: &[(&str, T)]) -> Option<T> {
    let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    let chosen = item.one_of(&names)?;
    table.iter().find(|(name, _)| *name == chosen.value).map(|(_, value)| *value)
}

/// `account.balance`: at least two parts, lower-case letters, digits and hyphens, each part beginning with a letter.
fn is_path(path: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    path.len() <= 64 && path.contains('.') && path.split('.').all(part)
}

/// How sure we must be of who it is, what may travel where, and what counts as a proof of identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assurance {
    /// Who answers for the policy.
    pub owner: String,
    /// `unreviewed` until counsel signs.
    pub status: String,
    /// The law behind the levels.
    pub cite: String,
    /// The law behind `carry`.
    pub carry_cite: String,
    /// The level that showing a class needs. A class that is absent is never shown.
    pub disclose: BTreeMap<Class, Level>,
    /// The level that a payment needs.
    pub pay: Level,
    /// The level that changing a payment method needs.
    pub change_method: Level,
    /// What may travel where: medium -> classes.
    pub carry: BTreeMap<String, BTreeSet<Class>>,
    /// The level that a method proves. A method that is absent proves nothing.
    pub methods: BTreeMap<String, Level>,
}

impl Assurance {
    /// Reads `policies/assurance.yaml`.
    ///
    /// # Errors
    /// Every mistake in the file.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let tree = Document::parse(file, text)?;
        let reader = Reader::new();
        let top = reader.item(&tree, "the assurance policy").map(&[
            "owner",
            "status",
            "cite",
            "levels",
            "carry",
            "carry-cite",
            "methods",
        ]);
        let owner = top.required("owner").text();
        let status = top.required("status").text();
        let cite = top.required("cite").text();
        let carry_cite = top.required("carry-cite").text();
        let levels = top.required("levels").map(&["disclose", "pay", "change-method"]);
        let class_named = |name: &Spanned<String>| {
            let class = Class::named(&name.value);
            if class.is_none() {
                let message = format!("`{}` is no class of data", name.value);
                let help = did_you_mean(&name.value, Class::ALL.iter().map(|(known, _)| *known));
                reader.report(Diagnostic::new(code::WRONG_TYPE, message).at(&name.span).maybe_help(help));
            }
            class
        };
        let disclose = by_name(&levels.required("disclose"), class_named, |item| word(item, &Level::ALL));
        let pay = word(&levels.required("pay"), &Level::ALL);
        let change_method = word(&levels.required("change-method"), &Level::ALL);
        let carry = by_name(&top.required("carry"), any_name, |item| {
            Some(item.items().iter().filter_map(|class| word(class, &Class::ALL)).collect::<BTreeSet<Class>>())
        });
        let methods = by_name(&top.required("methods"), any_name, |item| word(item, &Level::ALL));
        let read = || {
            Some(Self {
                owner: owner?.value,
                status: status?.value,
                cite: cite?.value,
                carry_cite: carry_cite?.value,
                disclose,
                pay: pay?,
                change_method: change_method?,
                carry,
                methods,
            })
        };
        reader.finish(read())
    }

    /// The level that showing this class needs; `None`: it is never shown.
    #[must_use]
    pub fn to_disclose(&self, class: Class) -> Option<Level> {
        self.disclose.get(&class).copied()
    }

    /// Whether this class may travel by this medium. Card data never does, whatever the policy says.
    #[must_use]
    pub fn carries(&self, medium: &str, class: Class) -> bool {
        !class.is_card() && self.carry.get(medium).is_some_and(|classes| classes.contains(&class))
    }

    /// The level that a method proves.
    #[must_use]
    pub fn method(&self, name: &str) -> Level {
        self.methods.get(name).copied().unwrap_or(Level::L0)
    }
}

/// Any name that the author chose.
fn any_name(name: &Spanned<String>) -> Option<String> {
    Some(name.value.clone())
}

/// A map from names to values, both read. `key` and `value` report what is wrong; it is left out.
fn by_name<K: Ord, V>(
    item: &Item<'_, '_>,
    key: impl Fn(&Spanned<String>) -> Option<K>,
    value: impl Fn(&Item<'_, '_>) -> Option<V>,
) -> BTreeMap<K, V> {
    let read = item.entries().into_iter().map(|(name, item)| (key(&name), value(&item)));
    read.filter_map(|(key, value)| Some((key?, value?))).collect()
}

/// The number that a customer's text came from, which its answer goes to.
pub const TEXT_FROM: &str = "text.from";
/// The purposes of what answers a text.
pub const ANSWERING: [&str; 2] = ["opt-out", "help"];

/// Most items of one list of a customer's.
pub const MAX_ITEMS: u32 = 500;

/// Where the value of one item's field lies: `loan.balance#3`.
#[must_use]
pub fn of_item(path: &str, item: u32) -> String {
    format!("{path}#{item}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = include_str!("../../../workflows/fields.yaml");
    const ASSURANCE: &str = include_str!("../../../workflows/policies/assurance.yaml");

    #[test]
    fn the_shipped_dictionary_says_what_a_balance_is() {
        let dictionary = Dictionary::read("workflows/fields.yaml", FIELDS).unwrap();
        let balance = dictionary.get("account.balance").unwrap();
        assert_eq!((balance.ty, balance.class, balance.source), (FieldType::Money, Class::Phi, Source::Customer));
        assert_eq!(dictionary.class("card.code"), Some(Class::Sad));
    }

    #[test]
    fn the_shipped_policy_shows_a_balance_at_l2_and_a_card_number_never() {
        let assurance = Assurance::read("workflows/policies/assurance.yaml", ASSURANCE).unwrap();
        assert_eq!(assurance.to_disclose(Class::Phi), Some(Level::L2));
        assert_eq!(assurance.to_disclose(Class::Pan), None);
        assert!(!assurance.carries("sms", Class::Phi) && assurance.carries("page", Class::Phi));
        assert_eq!((assurance.method("code"), assurance.method("mother's maiden name")), (Level::L2, Level::L0));
    }

    #[test]
    fn no_policy_can_let_card_data_travel() {
        let careless = ASSURANCE.replace("sms:  [PUBLIC,", "sms:  [PAN, SAD, PUBLIC,");
        assert_ne!(careless, ASSURANCE);
        let assurance = Assurance::read("a.yaml", &careless).unwrap();
        assert!(!assurance.carries("sms", Class::Pan) && !assurance.carries("sms", Class::Sad));
    }

    #[test]
    fn levels_are_ordered_and_written_by_name() {
        assert!(Level::L0 < Level::L1 && Level::L1 < Level::L2);
        assert_eq!(serde_json::to_string(&Level::L2).unwrap(), "\"L2\"");
        assert_eq!(serde_json::to_string(&Class::Phi).unwrap(), "\"PHI\"");
        assert!(Class::ALL.iter().all(|(name, class)| Class::named(name) == Some(*class) && class.name() == *name));
    }

    #[test]
    fn mistakes_in_the_dictionary_are_told_together() {
        let text = "fields:\n  Balance: { type: mony, class: PHI, source: customer, about: x }\n  a.b: { type: text, clas: PII, source: host, about: x }\n";
        let found = Dictionary::read("fields.yaml", text).unwrap_err();
        insta::assert_snapshot!(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @r"
        W104 fields.yaml:2:3: `Balance` is no name of a field
          help: write it as `group.name`, in lower case, with `-` between words
        W104 fields.yaml:2:20: `type` should be one of `text`, `phone`, `money`, `month`, `date`, `count`; found the text `mony`
          help: did you mean `money`?
        W102 fields.yaml:3:22: `clas` is no key of `a.b`
          help: did you mean `class`?
        W103 fields.yaml:3:8: `a.b` needs the key `class`
          help: add `class: …`
        ");
    }

    #[test]
    fn mistakes_in_the_policy_are_told_together() {
        let text =
            ASSURANCE.replace("PHI: L2", "PHY: L2").replace("pay: L2", "pay: L9").replace("code: L2", "code: [L2]");
        let found = Assurance::read("assurance.yaml", &text).unwrap_err();
        insta::assert_snapshot!(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @r"
        W104 assurance.yaml:12:5: `PHY` is no class of data
          help: did you mean `PHI`?
        W104 assurance.yaml:14:8: `pay` should be one of `L0`, `L1`, `L2`; found the text `L9`
        W104 assurance.yaml:26:9: `code` should be a text; found a list
        ");
    }
}
