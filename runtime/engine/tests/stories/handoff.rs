//! A chat becomes a call, or goes to a colleague: what is carried, what is asked for again, and what is refused.

use selvedge_engine::handoff::{HandedOver, Handoff};
use selvedge_engine::operate::Act;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::run::At;
use selvedge_engine::{Engine, EngineError, Fact, Run};

use crate::house::{House, colleague, facts, maria};

const MINUTE: i64 = 60_000_000;
const BALANCE: (&str, &str) = ("account.balance", "{\"minor\":37550,\"currency\":\"USD\"}");
const STEPS: &str = "
  - verify: { id: identity, level: L2, by: code, over: texts, to: patient.mobile, template: code, check: sim, answer-within: 10m, tries: 3, valid: 30m }
  - handoff: { id: phone, to: call, within: 2h, step-up: identity }
  - disclose: { id: owed, fields: [account.balance], over: call }
  - offer: { id: plan, total: account.balance, payments: 3, every: month, answer-within: 15m }
  - approve: { id: second-look, terms: plan, of: supervisor, within: 1d }
";

fn house() -> House {
    House::new(STEPS).with("story/workflow.yaml", |text| text.replace("starts: call", "starts: chat"))
}

/// A chat in which the customer has proved who they are.
async fn chat(house: &House, engine: &Engine) -> RunId {
    let id = house.open(engine, &[BALANCE]).await;
    assert_eq!(engine.settle(&id).await.unwrap().channel, "chat");
    assert!(engine.give_code(&id, &house.vendor.code(), Some(maria())).await.unwrap());
    engine.settle(&id).await.unwrap();
    id
}

async fn hand_over(engine: &Engine, id: &RunId, channel: &str, agent: &str) -> Result<Run, EngineError> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let to = Handoff { channel: some(channel), agent: some(agent) };
    engine.operate(id, Act::Handoff(to), "the balance is said on a call", maria()).await
}

async fn handed(engine: &Engine, id: &RunId) -> Vec<HandedOver> {
    let all = facts(engine, id).await.into_iter();
    all.filter_map(|fact| if let Fact::HandedOver(handed) = fact { Some(*handed) } else { None }).collect()
}

#[test]
fn what_was_proved_is_carried_with_the_time_that_is_left_and_not_asked_for_again() {
    let house = house();
    house.life(async |engine| {
        let id = chat(&house, engine).await;
        house.clock.advance(20 * MINUTE);
        let run = hand_over(engine, &id, "call", "").await.unwrap();
        assert_eq!((run.channel.as_str(), run.at()), ("call", At::Node("plan".into())));
        assert_eq!(house.vendor.steps(), ["identity"], "no second challenge");

        let all = handed(engine, &id).await;
        let [handed] = &all[..] else { panic!("{all:?}") };
        assert_eq!((handed.from.channel.as_str(), handed.to.channel.as_str()), ("chat", "call"));
        assert_eq!((handed.by.as_str(), handed.to.agent.as_str()), ("person:maria (billing-agent)", "person:maria"));
        let [proof] = &handed.assertions[..] else { panic!("{handed:?}") };
        assert_eq!((proof.level.name(), proof.scope.as_str(), proof.valid_for), ("L2", id.interaction.as_str(), 600));
        let consents: Vec<_> = handed.consents.iter().map(|c| (c.purpose.as_str(), c.channel.as_str())).collect();
        assert_eq!((consents, handed.payments.len()), (vec![("billing", "sms")], 0));
    });
    house.life(async |engine| {
        let id = engine.list("riverside", 1).await.unwrap().remove(0).interaction;
        let id = RunId { tenant: "riverside".into(), interaction: id };
        assert_eq!(engine.settle(&id).await.unwrap().channel, "call", "also after the process has ended");
    });
}

#[test]
fn a_proof_that_ran_out_on_the_way_is_asked_for_again_and_nothing_is_said_before() {
    let house = house();
    house.life(async |engine| {
        let id = chat(&house, engine).await;
        house.clock.advance(30 * MINUTE);
        let run = hand_over(engine, &id, "call", "").await.unwrap();
        assert_eq!(run.at(), At::Node("phone.answer".into()));
        assert_eq!((house.vendor.steps(), run.disclosed.len()), (vec!["identity".into(), "phone".into()], 0));
        assert!(handed(engine, &id).await[0].assertions.is_empty(), "nothing holds, so nothing is carried");
        assert!(engine.give_code(&id, &house.vendor.code(), Some(maria())).await.unwrap());
        let run = engine.settle(&id).await.unwrap();
        assert_eq!((run.at(), run.disclosed.len()), (At::Node("plan".into()), 1));
    });
}

#[test]
fn a_colleague_takes_over_at_any_time_and_approves_no_terms_of_theirs() {
    let house = house();
    house.life(async |engine| {
        let id = chat(&house, engine).await;
        let run = hand_over(engine, &id, "", "ben").await.unwrap();
        assert_eq!((run.channel.as_str(), run.held_by.as_str()), ("chat", "person:ben"));
        assert_eq!((run.opened_by.as_str(), run.at()), ("person:maria", At::Node("phone.handoff".into())));

        let run = hand_over(engine, &id, "call", "").await.unwrap();
        let terms = run.offers["plan"].terms.clone();
        engine.answer(&id, "plan", true, &terms, colleague("ben", "billing-agent")).await.unwrap();
        engine.settle(&id).await.unwrap();
        for own in ["maria", "ben"] {
            let refused = engine.approve(&id, "second-look", &terms, true, colleague(own, "supervisor")).await;
            assert!(matches!(refused, Err(EngineError::NotYours { .. })), "{own}: {refused:?}");
        }
        engine.approve(&id, "second-look", &terms, true, colleague("sam", "supervisor")).await.unwrap();
    });
}

#[test]
fn a_handoff_that_makes_no_sense_says_why_and_changes_nothing() {
    let house = house();
    house.life(async |engine| {
        let id = house.open(engine, &[BALANCE]).await;
        engine.settle(&id).await.unwrap();
        let refused = async |channel: &str, agent: &str| hand_over(engine, &id, channel, agent).await.unwrap_err();
        insta::assert_snapshot!(refused("call", "").await, @"the interaction cannot be handed over: at `identity`, no handoff to a call is awaited");
        insta::assert_snapshot!(refused("fax", "").await, @"the interaction cannot be handed over: at `identity`, the workflow `story` has no step that goes on in that channel");
        let long = "b".repeat(65);
        for agent in ["", "no name", "<b>", &long] {
            let refused = refused("", agent).await;
            assert!(matches!(refused, EngineError::BadValue { .. }), "{agent}: {refused}");
        }
        house.clock.advance(11 * MINUTE);
        assert_eq!(engine.settle(&id).await.unwrap().at(), At::End("failed".into()));
        let over = refused("", "ben").await;
        assert!(matches!(over, EngineError::NotNow { .. }), "{over}");
        assert!(handed(engine, &id).await.is_empty());
    });
}

#[test]
fn nobody_waits_for_a_handoff_for_ever() {
    let house = house();
    house.life(async |engine| {
        let id = chat(&house, engine).await;
        house.clock.advance(120 * MINUTE);
        assert_eq!(engine.settle(&id).await.unwrap().at(), At::End("failed".into()));
    });
}
