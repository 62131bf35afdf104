//! Schedules on several nodes: each time once, what was missed as the schedule says, and nothing behind a pause.

use std::collections::BTreeMap;

use selvedge_engine::Engine;
use selvedge_engine::ports::campaigns::Campaigns;
use selvedge_engine::ports::store::{Journal, RunId, Store};
use selvedge_engine::switches::{Over, Scope};
use selvedge_record::{Draft, Event, Head};
use selvedge_workflow::Files;
use selvedge_workflow::schedule::{Schedule, read};

use super::house::{House, WORKFLOW, supervisor};
use super::support::{Place, TENANT};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// At half past each hour; the house's clock begins at 16:04 UTC.
fn hourly(missed: &str, overlap: &str) -> Vec<Schedule> {
    let text = format!(
        "schedules:\n  hourly:\n    workflow: {WORKFLOW}\n    cron: \"30 * * * *\"\n    zone: America/Chicago\n    \
         customers: [c_ada]\n    missed: {missed}\n    overlap: {overlap}\n"
    );
    let files: Files = BTreeMap::from([
        ("schedules.yaml".into(), text),
        ("fields.yaml".into(), "fields: {}\n".into()),
        (format!("{WORKFLOW}/workflow.yaml"), String::new()),
    ]);
    read(&files).unwrap()
}

async fn look(engine: &Engine, schedules: &[Schedule]) {
    engine.keep_schedules(TENANT, schedules).await.unwrap();
    for _ in 0..100 {
        if !engine.conduct_once(TENANT).await.unwrap() {
            return;
        }
    }
    panic!("there is always something to do");
}

/// The times of the campaigns that began, and how many interactions there are.
async fn began(store: &impl Store) -> (Vec<String>, usize) {
    let campaigns = store.campaigns(TENANT, "", 100).await.unwrap();
    let time = |name: &String| name["hourly.20261123t".len()..][..4].to_owned();
    (campaigns.iter().map(|(name, _)| time(name)).collect(), store.runs(TENANT, 1000).await.unwrap().len())
}

pub async fn of_two_nodes_one_begins_at_each_time(place: impl Place) {
    let house = House::over(place.open().await).await;
    let (one, other, schedules) = (house.engine(), house.engine(), hourly("skip", "allow"));
    for _ in 0..2 {
        tokio::join!(look(&one, &schedules), look(&other, &schedules));
        assert_eq!(began(&house.store).await.0.len(), 0, "the first sight makes up for nothing");
    }
    house.clock.on(26 * MINUTE);
    for _ in 0..2 {
        tokio::join!(look(&one, &schedules), look(&other, &schedules));
        assert_eq!(began(&house.store).await, (vec!["1630".to_owned()], 1));
    }
    house.clock.on(HOUR);
    tokio::join!(look(&other, &schedules), look(&one, &schedules));
    assert_eq!(began(&house.store).await, (vec!["1630".to_owned(), "1730".to_owned()], 2));
}

pub async fn what_came_while_nobody_was_there_is_made_up_for_as_it_says(place: impl Place) {
    let house = House::over(place.open().await).await;
    for (missed, times) in [("skip", 0), ("last", 1), ("{ all: 3 }", 4)] {
        let schedules = hourly(missed, "allow");
        let node = house.engine();
        look(&node, &schedules).await;
        drop(node);
        // A node that was down for a day, or a clock that jumps over one.
        house.clock.on(DAY);
        look(&house.engine(), &schedules).await;
        look(&house.engine(), &schedules).await;
        assert_eq!(house.store.campaigns(TENANT, "", 100).await.unwrap().len(), times, "{missed}, and those before it");
    }
}

pub async fn what_comes_while_the_one_before_goes_on_is_skipped_or_waits(place: impl Place) {
    let house = House::over(place.open().await).await;
    let (engine, skip, queue) = (house.running(), hourly("skip", "skip"), hourly("skip", "queue"));
    house.vendor.holds_checks(true);
    look(&engine, &skip).await;
    house.clock.on(26 * MINUTE);
    look(&engine, &skip).await;
    house.clock.on(HOUR);
    look(&engine, &skip).await;
    assert_eq!(began(&house.store).await, (vec!["1630".to_owned()], 1), "it still goes on");
    house.clock.on(HOUR);
    look(&engine, &queue).await;
    assert_eq!(began(&house.store).await, (vec!["1630".to_owned(), "1830".to_owned()], 1), "the second one waits");
    let first = house.store.runs(TENANT, 9).await.unwrap().remove(0).interaction;
    let id = RunId { tenant: TENANT.into(), interaction: first };
    engine.leave(&id, selvedge_engine::operate::Act::Cancel, "enough", supervisor()).await.unwrap();
    house.vendor.holds_checks(false);
    engine.wake(&id);
    house.until(&engine, &id, |run| run.closed).await;
    look(&engine, &queue).await;
    assert_eq!(began(&house.store).await.1, 2, "its turn has come");
}

pub async fn what_is_paused_or_killed_begins_nothing_and_then_does_as_missed_says(place: impl Place) {
    let house = House::over(place.open().await).await;
    let (engine, other, schedules) = (house.engine(), house.engine(), hourly("last", "allow"));
    look(&engine, &schedules).await;
    engine.pause_schedule(TENANT, "hourly", true, "holiday", &supervisor()).await.unwrap();
    house.clock.on(5 * HOUR);
    look(&other, &schedules).await;
    assert_eq!(began(&house.store).await.0.len(), 0);
    other.pause_schedule(TENANT, "hourly", false, "back", &supervisor()).await.unwrap();
    look(&engine, &schedules).await;
    assert_eq!(began(&house.store).await.0, ["2030"], "the last one, once");
    let scope = Scope { over: Over::Workflow, name: WORKFLOW.into() };
    let killed = engine.kill(TENANT, scope, "look at it first", &supervisor()).await.unwrap();
    house.clock.on(2 * HOUR);
    look(&other, &schedules).await;
    assert_eq!(began(&house.store).await.0.len(), 1);
    engine.lift(TENANT, &killed.switch.id, "it is right", &supervisor()).await.unwrap();
    look(&other, &schedules).await;
    assert_eq!(began(&house.store).await.0, ["2030", "2230"]);
}

pub async fn what_a_node_decided_before_it_died_begins_on_another(place: impl Place) {
    let house = House::over(place.open().await).await;
    let (engine, schedules) = (house.engine(), hourly("skip", "allow"));
    look(&engine, &schedules).await;
    house.clock.on(26 * MINUTE);
    let id = RunId { tenant: TENANT.into(), interaction: "schedule.hourly".into() };
    let last = Event::parse(&house.store.last(&id).await.unwrap().unwrap().canonical).unwrap();
    let mut head = Head { tenant: last.tenant, interaction: last.interaction, seq: last.seq + 1, hash: last.hash };
    let decided = serde_json::json!({
        "upto": engine.now(), "campaigns": ["hourly.20261123t163000z"], "missed": 0, "overlapped": 0,
    });
    let event = head.append(Draft::new("schedule.fired", engine.now(), "host", decided)).unwrap();
    house.store.append(&id, event).await.unwrap();
    look(&house.engine(), &schedules).await;
    assert_eq!(began(&house.store).await, (vec!["1630".to_owned()], 1));
}
