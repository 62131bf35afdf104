//! What a condition may say, and that what it may say always has an answer.

use proptest::prelude::*;

use super::*;

fn names() -> BTreeMap<String, Type> {
    let named = [
        ("account.balance", Type::Money),
        ("account.month", Type::Month),
        ("account.due-date", Type::Date),
        ("patient.name", Type::Text),
        ("visits.count", Type::Count),
        ("review.answer", Type::OneOf(vec!["yes".into(), "no".into()])),
    ];
    named.map(|(name, ty)| (name.to_owned(), ty)).into()
}

fn values() -> BTreeMap<String, Given> {
    let text = |text: &str| Given::Text(text.to_owned());
    let given = [
        ("account.balance", Given::Money(37_550, "USD".into())),
        ("account.month", text("2026-10")),
        ("account.due-date", text("2026-11-30")),
        ("patient.name", text("Ada")),
        ("visits.count", Given::Count(3)),
        ("review.answer", text("yes")),
    ];
    given.map(|(name, value)| (name.to_owned(), value)).into()
}

/// A condition as it stands in `if: "…"` on line 9, column 13.
fn read(text: &str) -> Result<Condition, Vec<Diagnostic>> {
    let span = Span { file: "w.yaml".into(), line: 9, column: 13, len: text.chars().count() + 2 };
    Condition::read(&Spanned::new(text.to_owned(), span), &names())
}

fn holds(text: &str) -> bool {
    read(text).unwrap_or_else(|found| panic!("{text}: {found:?}")).holds(&values()).unwrap()
}

fn told(text: &str) -> String {
    read(text).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_condition_compares_fields_with_values() {
    for yes in [
        "account.balance > '375.49 USD'",
        "account.balance == '375.50 USD'",
        "'1000.00 USD' > account.balance",
        "account.month >= '2026-10'",
        "account.due_date < '2026-12-01'",
        "patient.name != 'Bob'",
        "visits.count in [1, 2, 3]",
        "review.answer == 'yes' && !(visits.count > 3)",
        "visits.count > 3 || account.month in ['2026-09', '2026-10']",
        "account.balance == account.balance",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in
        ["account.balance > '375.50 USD'", "account.month < '2026-10'", "review.answer in ['no']", "visits.count in []"]
    {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn what_it_reads_is_exactly_known() {
    let condition = read("account.due_date < '2026-12-01' || visits.count == 1").unwrap();
    assert_eq!(condition.reads, BTreeSet::from(["account.due-date".to_owned(), "visits.count".to_owned()]));
}

#[test]
fn mistakes_are_told_where_they_are() {
    insta::assert_snapshot!(told("account.balance > 50"), @r"
        W123 w.yaml:9:32: this value is of another type than what it is compared with
          help: write an amount: `'50.00 USD'`
        ");
    insta::assert_snapshot!(told("account.balance > '50 USD'"), @r"
        W123 w.yaml:9:32: this is no amount
          help: write an amount: `'50.00 USD'`, with all digits of the currency
        ");
    insta::assert_snapshot!(told("account.balance > '50.00 USD' && account.balance < '9.00 EUR'"), @r"
        W123 w.yaml:9:65: amounts of two currencies cannot be compared
          help: ask about one currency in one condition
        ");
    insta::assert_snapshot!(told("account.balanse > '50.00 USD' && patient.name < 'B'"), @r"
        W112 w.yaml:9:14: `account.balanse` is nothing that a condition can ask about
          help: did you mean `account.balance`?
        W123 w.yaml:9:60: texts have no order here
          help: compare them by `==`, `!=` or `in`
        ");
    insta::assert_snapshot!(told("account.due-date < '2026-12-01'"), @r"
        W123 w.yaml:9:25: a condition does not work anything out
          help: a name with `-` in it is written with `_` here: `account.due_date`
        ");
    insta::assert_snapshot!(told("visits.count + 1 > 3"), @r"
        W123 w.yaml:9:27: a condition does not work anything out
          help: put a name or a value on each side; amounts are worked out by steps, not by conditions
        ");
    insta::assert_snapshot!(told("review.answer == 'yess'"), @r"
        W123 w.yaml:9:31: it can never be `yess`
          help: did you mean `yes`?
        ");
    insta::assert_snapshot!(told("account.month > '2026-13'"), @r"
        W123 w.yaml:9:30: this value is of another type than what it is compared with
          help: write a month: `'2026-08'`
        ");
    insta::assert_snapshot!(told("account.balance == account.month"), @r"
        W123 w.yaml:9:30: `account.balance` and `account.month` are not of the same type
          help: compare `account.balance` with an amount: `'50.00 USD'`
        ");
    insta::assert_snapshot!(told("1 == 1"), @r"
        W123 w.yaml:9:16: two values are compared, and so the answer is always the same
          help: name a field on one side
        ");
    insta::assert_snapshot!(told("visits.count"), @r"
        W123 w.yaml:9:20: this is neither true nor false
          help: compare a name with a value: `account.balance > '50.00 USD'`
        ");
    insta::assert_snapshot!(told("true"), @r"
        W123 w.yaml:9:14: this is neither true nor false
          help: compare a name with a value: `account.balance > '50.00 USD'`
        ");
    insta::assert_snapshot!(told("visits.count > 3 &&"), @r"
        W123 w.yaml:9:33: this is no condition from here on
          help: write it as `account.balance > '50.00 USD' && visit.kind == 'emergency'`
        ");
    insta::assert_snapshot!(told("has(visits.count)"), @r"
        W123 w.yaml:9:17: this is neither true nor false
          help: compare a name with a value: `account.balance > '50.00 USD'`
        ");
    insta::assert_snapshot!(told("[1].exists(x, x == visits.count)"), @r"
        W123 w.yaml:9:24: this is neither true nor false
          help: compare a name with a value: `account.balance > '50.00 USD'`
        ");
}

#[test]
fn a_condition_without_its_values_has_no_answer() {
    let condition = read("account.balance > '50.00 USD' || visits.count > 1").unwrap();
    let with = |name: &str, value: Option<Given>| {
        let mut values = values();
        values.remove(name);
        values.extend(value.map(|value| (name.to_owned(), value)));
        condition.holds(&values)
    };
    assert_eq!(with("visits.count", None), Err(Undecided::Missing("visits.count".into())));
    assert_eq!(with("account.balance", Some(Given::Money(1, "EUR".into()))), Err(Undecided::Currencies));
    assert_eq!(with("visits.count", Some(Given::Text("3".into()))), Err(Undecided::WrongType("visits.count".into())));
}

#[test]
fn no_text_is_too_deep_or_too_long_to_be_refused() {
    let deep = |open: &str, close: &str| format!("{}visits.count > 1{}", open.repeat(80), close.repeat(80));
    for text in [deep("(", ")"), deep("!(", ")"), deep("[", ""), deep("true ? ", ""), deep("-(", ")")] {
        assert!(read(&text).is_err(), "{text}");
    }
    assert!(read(&format!("visits.count > 1{}", " || visits.count > 1".repeat(50))).is_err());
    assert!(read(&format!("a{} > 1", ".b".repeat(240))).is_err());
    let wide = format!("visits.count > 1{}", " || visits.count > 1".repeat(20));
    assert!(read(&wide).unwrap().holds(&values()).unwrap());
}

/// Parts that conditions are made of, and some that they are not.
const PARTS: &[&str] = &[
    "account.balance",
    "account.month",
    "account.due_date",
    "patient.name",
    "visits.count",
    "review.answer",
    "x.y",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "&&",
    "||",
    "!",
    "(",
    ")",
    "[",
    "]",
    ",",
    "'50.00 USD'",
    "'1.00 EUR'",
    "'2026-08'",
    "'2026-08-31'",
    "'yes'",
    "''",
    "3",
    "-1",
    "2.5",
    "null",
    "true",
    "+",
    "?",
    ":",
    ".",
    "\"a\"",
    "{",
    "}",
    "size(",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_accepted_always_has_an_answer(parts in prop::collection::vec(prop::sample::select(PARTS), 0..12)) {
        if let Ok(condition) = read(&parts.join(" ")) {
            // Amounts of another currency than the condition's have no answer, which `Undecided::Currencies` says.
            let mut values = values();
            let currency = condition.currency.clone().unwrap_or_else(|| "USD".into());
            values.insert("account.balance".into(), Given::Money(37_550, currency));
            prop_assert!(condition.holds(&values).is_ok(), "{}", condition.text);
        }
    }

    #[test]
    fn whatever_is_well_formed_is_accepted_and_means_what_it_says(
        cents in 0i64..100_000, limit in 0i64..100_000, count in 0i64..9, few in 0i64..9, and in any::<bool>()
    ) {
        let join = if and { "&&" } else { "||" };
        let text = format!("account.balance >= '{}.{:02} USD' {join} !(visits.count == {few})", limit / 100, limit % 100);
        let mut values = values();
        values.insert("account.balance".into(), Given::Money(cents, "USD".into()));
        values.insert("visits.count".into(), Given::Count(count));
        let (left, right) = (cents >= limit, count != few);
        let expected = if and { left && right } else { left || right };
        prop_assert_eq!(read(&text).unwrap().holds(&values), Ok(expected));
    }

    #[test]
    fn nothing_makes_it_panic(text in "\\PC{0,80}") {
        let _ = read(&text);
    }
}
