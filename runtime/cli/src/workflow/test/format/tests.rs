use proptest::prelude::*;

use super::*;

fn definition() -> Definition {
    let house = crate::workflow::House::open().unwrap().unwrap();
    house.compile("healthcare-balance").unwrap()
}

fn mistakes(text: &str) -> String {
    let found = read("workflows/x/tests/t.yaml", text, &definition()).unwrap_err();
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_slip_in_a_story_is_told_with_its_place() {
    let text = r#"
given:
  now: "2026-11-23 10:04 America/Chicaco"
  customer: { fields: { patient.mobil: "+1", account.balance: "$375.5", sender.name: x }, flag: [] }
  vendors: { card: [paid], sim: [clean] }
stories:
  - story: A story
    when:
      - code: rite
      - pay: now
    then: { ending: complete, path: [identty], money: [{ step: plan, amount: 3 }] }
"#;
    insta::assert_snapshot!(mistakes(text));
}

#[test]
fn a_story_goes_over_what_all_share() {
    let text = r#"
given:
  now: "2026-11-23 10:04 America/Chicago"
  customer:
    fields: { patient.mobile: "+13125550142", account.balance: "$375.50" }
    zones: [America/Chicago]
    consents: [{ purpose: billing, channel: sms }]
  vendors: { sim: raised }
stories:
  - story: A story
    given: { customer: { fields: { account.balance: "$10.00" }, consents: [] }, vendors: { sim: clear } }
    when: [{ wait: 2d }, { customer: { flags: [opted-out] } }]
    then: { ending: failed }
"#;
    let stories = read("t.yaml", text, &definition()).unwrap();
    let story = &stories[0];
    assert_eq!(story.cast.fields["account.balance"], r#"{"minor":1000,"currency":"USD"}"#);
    assert_eq!(story.cast.fields["patient.mobile"], "+13125550142");
    assert_eq!((story.cast.customer.zones.len(), story.cast.customer.consents.len()), (1, 0));
    assert_eq!(story.vendors["brightline-sim"], [Reply::Does]);
    let Act::Customer(later, _) = &story.when[1].value else { panic!("{:?}", story.when) };
    assert_eq!((later.flags.as_slice(), later.zones.len()), (["opted-out".to_owned()].as_slice(), 1));
}

/// The shipped stories, for spoiling.
const SHIPPED: &str = include_str!("../../../../../../workflows/healthcare-balance/tests/payment.yaml");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is done to the text, it is read or its mistakes have places.
    #[test]
    fn spoilt_stories_are_read_or_have_places(at in 0usize..120, cut in 0usize..40, other in "\\PC{0,20}") {
        let definition = SHARED.get_or_init(definition);
        let spoilt = SHIPPED.lines().enumerate().map(|(number, line)| match number {
            n if n == at => format!("{}{other}", line.chars().take(cut).collect::<String>()),
            _ => line.to_owned(),
        });
        let text = spoilt.collect::<Vec<_>>().join("\n");
        for found in read("t.yaml", &text, definition).err().into_iter().flatten() {
            prop_assert!(found.span.is_some(), "{found}");
        }
    }
}

static SHARED: std::sync::OnceLock<Definition> = std::sync::OnceLock::new();
