//! `record`: what a workflow writes down of a customer is in the record, and every contact after it is decided by it.

use selvedge_engine::fact::{Noted, Word};
use selvedge_engine::run::At;
use selvedge_engine::{Definition, Engine, Fact, Packs};

use crate::house::{House, facts, maria};

const TEXT: &str = "  - communicate: { id: ID, over: texts, to: patient.mobile, template: note }\n";
const WITHDRAWN: &str =
    "  - record: { id: no-more, fact: { withdrawal: { channel: sms, purpose: billing, words: \"No more texts\" } } }\n";
const AGREED: &str =
    "  - record: { id: again, fact: { consent: { channel: sms, purpose: billing, words: \"Text me\" } } }\n";

fn text(id: &str) -> String {
    TEXT.replace("ID", id)
}

async fn stands(engine: &Engine, id: &selvedge_engine::ports::store::RunId) -> At {
    engine.settle(id).await.unwrap().at()
}

#[test]
fn after_a_withdrawal_no_text_leaves_in_this_interaction_or_another() {
    let house = House::new(&format!("{}{WITHDRAWN}{}", text("first"), text("second")));
    house.life(async |engine| {
        let id = house.open(engine, &[]).await;
        assert_eq!(stands(engine, &id).await, At::End("failed".into()));
        let word = Word { channel: "sms".into(), purpose: "billing".into(), words: "No more texts".into() };
        let noted = facts(engine, &id).await.into_iter().find_map(|fact| match fact {
            Fact::Noted { what, .. } => Some(what),
            _ => None,
        });
        assert_eq!(noted, Some(Noted::Withdrawal(word)));
        let other = engine.open(&id.tenant, "story", "c_1", "call", &maria()).await.unwrap();
        assert_eq!(stands(engine, &other).await, At::End("failed".into()));
    });
    assert_eq!(house.vendor.steps(), ["first"]);
}

#[test]
fn who_agrees_again_is_texted_again() {
    let house = House::new(&format!("{WITHDRAWN}  - wait: {{ id: day, for: 1d }}\n{AGREED}{}", text("welcome")));
    house.life(async |engine| {
        let id = house.open(engine, &[]).await;
        engine.settle(&id).await.unwrap();
        house.clock.advance(crate::house::DAY);
        assert_eq!(stands(engine, &id).await, At::End("completed".into()));
    });
    assert_eq!(house.vendor.steps(), ["welcome"]);
}

#[test]
fn a_flag_that_is_written_down_holds_over_the_life_of_the_process() {
    let flag = "  - record: { id: stopped, fact: { flag: opted-out } }\n  - wait: { id: day, for: 1d }\n";
    let house = House::new(&format!("{flag}{}", text("later")));
    let id = house.life(async |engine| {
        let id = house.open(engine, &[]).await;
        engine.settle(&id).await.unwrap();
        id
    });
    house.clock.advance(crate::house::DAY);
    house.life(async |engine| assert_eq!(stands(engine, &id).await, At::End("failed".into())));
    assert!(house.vendor.steps().is_empty());
}

#[test]
fn a_flag_that_no_rule_asks_about_is_not_published() {
    let house = House::new("  - record: { id: stopped, fact: { flag: opted-oud } }\n");
    let found =
        Definition::compile(&house.files, "story", &crate::house::connectors(), &Packs::default()).err().unwrap();
    assert_eq!(
        found[0].to_string(),
        "W111: `stopped` writes down the flag `opted-oud`, which no rule asks about\n  help: did you mean `opted-out`?"
    );
}

#[test]
fn what_branches_write_down_together_is_all_on_file() {
    let flag = |id: &str, flag: &str| format!("        - steps: [record: {{ id: {id}, fact: {{ {flag} }} }}]\n");
    let branches = format!(
        "  - parallel:\n      id: both\n      branches:\n{}{}",
        flag("stopped", "flag: opted-out"),
        flag("asked", "conversation: call")
    );
    let house = House::new(&format!("{branches}{}", text("later")));
    house.life(async |engine| {
        let id = house.open(engine, &[]).await;
        assert_eq!(stands(engine, &id).await, At::End("failed".into()), "the text after the branches is refused");
        let noted: Vec<String> = facts(engine, &id)
            .await
            .into_iter()
            .filter_map(|fact| match fact {
                Fact::Noted { node, .. } => Some(node),
                _ => None,
            })
            .collect();
        assert_eq!(noted, ["stopped", "asked"]);
    });
    assert!(house.vendor.steps().is_empty());
}
