//! Campaigns: one interaction with each customer of a list, from any node, at one pace.

use std::collections::BTreeSet;

use selvedge_engine::campaign::{Act, Campaign, Plan, Stage, interaction_of};
use selvedge_engine::ports::campaigns::{Campaigns, Pace, Progress};
use selvedge_engine::ports::store::{Journal, RunId, Store};
use selvedge_engine::run::Phase;
use selvedge_engine::switches::{Over, Scope};
use selvedge_engine::{Engine, EngineError};

use super::house::{House, WORKFLOW, supervisor};
use super::support::{Place, TENANT};

const SECOND: i64 = 1_000_000;
const NAME: &str = "november";

fn plan() -> Plan {
    Plan {
        workflow: WORKFLOW.into(),
        channel: "campaign".into(),
        per_minute: 1000,
        at_once: 1000,
        customers: None,
        after: None,
    }
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("c_{n}")).collect()
}

/// A house with so many customers, who agreed to texts.
async fn house<P: Place>(place: &P, count: usize) -> (House<P::Store>, Engine) {
    let house = House::over(place.open().await).await;
    let engine = house.running();
    for id in ids(count) {
        house.customer(&engine, &id, true).await;
    }
    (house, engine)
}

async fn start(engine: &Engine, plan: Plan, customers: Vec<String>) -> Campaign {
    engine.start_campaign(TENANT, NAME, plan, customers.into_iter(), &supervisor()).await.unwrap()
}

/// Looks until there is nothing to do.
async fn conduct(engine: &Engine) {
    for _ in 0..100 {
        if !engine.conduct_once(TENANT).await.unwrap() {
            return;
        }
    }
    panic!("there is always something to do");
}

async fn opened(store: &impl Store) -> BTreeSet<String> {
    store.runs(TENANT, 1000).await.unwrap().into_iter().map(|run| run.summary.customer).collect()
}

async fn progress(engine: &Engine) -> Progress {
    engine.campaign_progress(TENANT, NAME).await.unwrap().1
}

/// Everybody who was taken up, waiting or not.
fn taken(progress: Progress) -> u64 {
    progress.open + progress.waiting
}

pub async fn each_customer_is_opened_once_by_whatever_node_and_however_often_it_is_started(place: impl Place) {
    let (house, engine) = house(&place, 20).await;
    let other = house.engine();
    start(&engine, plan(), ids(20)).await;
    let again = engine.start_campaign(TENANT, NAME, plan(), ids(20).into_iter(), &supervisor()).await;
    assert!(matches!(again, Err(EngineError::CampaignThere { .. })), "{again:?}");
    tokio::join!(conduct(&engine), conduct(&other));
    assert_eq!(house.store.runs(TENANT, 1000).await.unwrap().len(), 20);
    assert_eq!(opened(&house.store).await, ids(20).into_iter().collect());
    let progress = progress(&other).await;
    assert_eq!((progress.queued, taken(progress)), (0, 20));
}

pub async fn a_pace_is_one_over_all_nodes(place: impl Place) {
    let (house, engine) = house(&place, 9).await;
    let other = house.engine();
    start(&engine, Plan { per_minute: 3, at_once: 5, ..plan() }, ids(9)).await;
    for expected in [3, 5, 5] {
        tokio::join!(conduct(&engine), conduct(&other));
        assert_eq!(opened(&house.store).await.len(), expected);
        house.clock.on(61 * SECOND);
    }
    assert_eq!(opened(&house.store).await, ids(5).into_iter().collect(), "in the order of the list");
}

pub async fn whom_a_dead_node_took_up_is_taken_up_again(place: impl Place) {
    let (house, engine) = house(&place, 4).await;
    start(&engine, plan(), ids(4)).await;
    let pace = Pace { per_minute: 2, at_once: 10 };
    let dead = house.store.take(TENANT, NAME, pace, engine.now(), 10).await.unwrap();
    assert_eq!(dead.len(), 2);
    conduct(&engine).await;
    assert_eq!(opened(&house.store).await, ["c_2".to_owned(), "c_3".to_owned()].into());
    house.clock.on(31 * SECOND);
    conduct(&engine).await;
    assert_eq!(opened(&house.store).await, ids(4).into_iter().collect());
    assert_eq!(house.store.runs(TENANT, 1000).await.unwrap().len(), 4);
}

pub async fn a_paused_campaign_takes_nobody_up_and_a_stopped_one_never_again(place: impl Place) {
    let (house, engine) = house(&place, 3).await;
    let other = house.engine();
    start(&engine, Plan { at_once: 1, ..plan() }, ids(3)).await;
    conduct(&engine).await;
    let who = supervisor();
    let act = |act, reason| engine.steer_campaign(TENANT, NAME, act, reason, &who);
    assert!(matches!(act(Act::Pause, " ").await, Err(EngineError::NoReason)));
    act(Act::Pause, "the text has a slip").await.unwrap();
    assert!(matches!(act(Act::Pause, "once more").await, Err(EngineError::CampaignNot { .. })));
    unanswered(&house, &engine, "c_0").await;
    conduct(&other).await;
    assert_eq!(opened(&house.store).await.len(), 1, "the first one is over, and nobody comes after it");
    act(Act::Resume, "the text is right now").await.unwrap();
    conduct(&other).await;
    assert_eq!(opened(&house.store).await.len(), 2);
    act(Act::Stop, "enough").await.unwrap();
    unanswered(&house, &engine, "c_1").await;
    conduct(&other).await;
    conduct(&engine).await;
    assert_eq!(opened(&house.store).await.len(), 2);
    assert!(matches!(act(Act::Resume, "not yet").await, Err(EngineError::CampaignNot { .. })));
    let (campaign, progress) = engine.campaign_progress(TENANT, NAME).await.unwrap();
    assert_eq!((campaign.stage, progress.queued), (Stage::Stopped, 1));
    assert_eq!(campaign.held.unwrap().1, "enough");
    assert!(house.store.going(TENANT).await.unwrap().is_empty(), "nothing is left to do for it");
}

/// The customer is asked for the code and never gives it.
async fn unanswered<S: Store + Clone + 'static>(house: &House<S>, engine: &Engine, customer: &str) {
    let id = RunId { tenant: TENANT.into(), interaction: interaction_of(TENANT, NAME, customer) };
    house.until(engine, &id, |run| matches!(run.phase(), Phase::Waiting(_))).await;
    house.clock.on(3600 * SECOND);
    settled(house, engine, customer).await;
}

/// The customer's interaction is over.
async fn settled<S: Store + Clone + 'static>(house: &House<S>, engine: &Engine, customer: &str) {
    let id = RunId { tenant: TENANT.into(), interaction: interaction_of(TENANT, NAME, customer) };
    house.until(engine, &id, |run| run.closed).await;
}

pub async fn a_condition_lists_those_for_whom_it_holds(place: impl Place) {
    let (house, engine) = house(&place, 3).await;
    let bo = vec![("patient.name".to_owned(), secrecy::SecretString::from("Bo Example".to_owned()))];
    house.field(&engine, "c_1", &bo).await;
    let sensitive = Plan { customers: Some("account.balance > '10.00 USD'".into()), ..plan() };
    let refused = engine.start_campaign(TENANT, NAME, sensitive, std::iter::empty(), &supervisor()).await;
    assert!(matches!(refused, Err(EngineError::BadCondition { .. })), "{refused:?}");
    let plan = Plan { customers: Some("patient.name == 'Bo Example'".into()), ..plan() };
    assert_eq!(start(&engine, plan, vec![]).await.stage, Stage::Listing);
    let other = house.engine();
    tokio::join!(conduct(&engine), conduct(&other));
    assert_eq!(opened(&house.store).await, ["c_1".to_owned()].into());
}

pub async fn a_kill_switch_holds_a_campaign_until_it_is_lifted(place: impl Place) {
    let (house, engine) = house(&place, 2).await;
    start(&engine, plan(), ids(2)).await;
    let scope = Scope { over: Over::Workflow, name: WORKFLOW.into() };
    let killed = engine.kill(TENANT, scope, "look at it first", &supervisor()).await.unwrap();
    conduct(&house.engine()).await;
    assert_eq!(opened(&house.store).await.len(), 0);
    engine.lift(TENANT, &killed.switch.id, "it is right", &supervisor()).await.unwrap();
    conduct(&engine).await;
    assert_eq!(opened(&house.store).await.len(), 2);
}

pub async fn a_campaign_is_over_when_everybody_came_to_an_end(place: impl Place) {
    let (house, engine) = house(&place, 1).await;
    house.customer(&engine, "c_no", false).await;
    start(&engine, plan(), vec!["c_0".into(), "c_no".into(), "c_unknown".into()]).await;
    conduct(&engine).await;
    unanswered(&house, &engine, "c_0").await;
    settled(&house, &engine, "c_no").await;
    conduct(&engine).await;
    let (campaign, progress) = engine.campaign_progress(TENANT, NAME).await.unwrap();
    assert_eq!(campaign.stage, Stage::Finished);
    let expected = Progress { refused: 1, failed: 2, ..Progress::default() };
    assert_eq!(progress, expected, "one was refused, one never answered, one is not on file");
    assert!(house.store.going(TENANT).await.unwrap().is_empty());
}
