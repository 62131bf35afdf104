//! Calls that we place: the contact rules are asked before anybody dials, and what they say is a record.

use selvedge_engine::{Engine, EngineError, Fact};
use selvedge_policy::Verdict;

use crate::house::{DAY, House, TENANT, WORKFLOW, facts, maria};

/// One call a day, and a week of quiet after a conversation.
const RULES: &str = "
pack: House
owner: Us
status: unreviewed
rules:
  - { id: house.calls, cite: c, seen: primary, about: A., jurisdiction: US, effective: 2020-01-01, applies: { channels: [call], purposes: [billing] }, then: { at-most: { contacts: 1, of: [call], within: 24h, per: customer } } }
  - { id: house.quiet, cite: c, seen: primary, about: A., jurisdiction: US, effective: 2020-01-01, applies: { channels: [call], purposes: [billing] }, then: { quiet: { after: conversation, of: [call], days: 7, per: customer } } }
";
const STEPS: &str = "
  - verify: { id: identity, level: L2, by: code, over: texts, to: patient.mobile, template: code, check: sim, answer-within: 10m, tries: 3, valid: 30m }
  - communicate: { id: thanks, over: texts, to: patient.mobile, template: note }
";

fn house() -> House {
    let house =
        House::new(STEPS).with("story/workflow.yaml", |text| text.replace("starts: call", "starts: outgoing-call"));
    house.with("rules/house.yaml", |_| RULES.into())
}

/// Calls once more: the record of a refusal with the rules behind it, where it is refused.
async fn call(engine: &Engine) -> Result<(), (String, Vec<String>)> {
    match engine.open(TENANT, WORKFLOW, "c_1", "call", &maria()).await {
        Ok(_) => Ok(()),
        Err(EngineError::NoCall { interaction, reasons, .. }) => {
            Err((interaction, reasons.into_iter().map(|reason| reason.rule).collect()))
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn of_two_calls_at_once_one_is_refused_and_its_record_says_why() {
    let house = house();
    house.life(async |engine| {
        let first = house.open(engine, &[]).await;
        house.clock.advance(DAY);
        let refused: Vec<_> =
            <[_; 2]>::from(tokio::join!(call(engine), call(engine))).into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 1, "{refused:?}");
        let (interaction, rules) = &refused[0];
        assert_eq!(rules, &["house.calls"]);
        let id = selvedge_engine::ports::store::RunId { interaction: interaction.clone(), ..first };
        engine.settle(&id).await.unwrap();
        let record = facts(engine, &id).await;
        let [Fact::Opened { .. }, Fact::ContactDecided { channel, decision, .. }, Fact::Closed { ending }] =
            &record[..]
        else {
            panic!("{record:#?}")
        };
        assert_eq!((channel.as_str(), ending.as_str()), ("call", "failed"));
        assert!(matches!(decision.verdict, Verdict::Defer { .. }), "{decision:?}");
    });
}

#[test]
fn who_proved_who_they_are_was_spoken_with_and_is_not_called_for_a_week() {
    let house = house();
    house.life(async |engine| {
        let id = house.open(engine, &[]).await;
        house.clock.advance(DAY);
        // Nobody answered the first call: it was no conversation.
        let spoken = engine.open(TENANT, WORKFLOW, "c_1", "call", &maria()).await.unwrap();
        engine.settle(&id).await.unwrap();
        engine.settle(&spoken).await.unwrap();
        assert!(engine.give_code(&spoken, &house.vendor.code(), Some(maria())).await.unwrap());
        engine.settle(&spoken).await.unwrap();
        house.clock.advance(DAY);
        assert_eq!(call(engine).await.unwrap_err().1, ["house.quiet"]);
        house.clock.advance(6 * DAY);
        assert_eq!(call(engine).await, Ok(()));
    });
}
