//! What a run takes at most, and what is refused because it takes more.

use crate::branches::{at_once, each};
use crate::captures::kept;
use crate::house::{check, files, step, workflow_with};
use crate::ways::{choose, flow};
use selvedge_workflow::Checked;
use selvedge_workflow::budget::{Budget, Measure, most as adds_up};
use selvedge_workflow::plan::{Amount, Ending, Exit, Node, Op, Target};
use selvedge_workflow::source::{DAY, HOUR, MINUTE};

/// What a run takes at most by one measure.
fn most(checked: &Checked, measure: Measure) -> i64 {
    checked.plan.most.iter().find(|most| most.measure == measure).unwrap().most
}

const SHIPPED: &str = include_str!("../../../../workflows/policies/budget.yaml");
const NIGHT: i64 = 24 * HOUR;

fn wait(id: &str, lasts: &str) -> String {
    format!("  - wait: {{ id: {id}, for: {lasts} }}\n")
}

#[test]
fn what_the_shipped_workflow_takes_is_told_with_what_adds_up() {
    let checked = check(&files()).unwrap();
    let told = checked.proofs.iter().filter(|proof| proof.rule.starts_with("budget."));
    insta::assert_snapshot!(told.map(|p| format!("{}: {}", p.rule, p.because)).collect::<Vec<_>>().join("\n"), @r"
        budget.limits.steps: at most 22 (`first-payment` 13, `identity` 5, `owed` 1, `plan` 1, `invitation` 1, `receipt` 1); 2000 are allowed
        budget.limits.tries: at most 9 (`first-payment` 6, `identity` 3); 15 are allowed
        budget.limits.held: at most 25m (`plan` 15m, `identity` 10m); 45m are allowed
        budget.limits.open: at most 144h 25m (`first-payment` 72h, `identity` 24h 10m, `invitation` 24h, `receipt` 24h, `plan` 15m); 60d are allowed
        ");
}

#[test]
fn the_worst_way_counts() {
    let checked = flow(&choose(
        "account.balance > '50.00 USD'",
        &wait("short", "1h"),
        &(wait("long", "2d") + &wait("longer", "3d")),
    ))
    .unwrap();
    assert_eq!(most(&checked, Measure::Open), 5 * DAY);
    assert_eq!(most(&checked, Measure::Steps), 3);
}

#[test]
fn branches_add_their_steps_and_the_longest_of_their_times() {
    let checked = flow(&at_once(&wait("short", "1h"), &wait("long", "2d"))).unwrap();
    assert_eq!(most(&checked, Measure::Open), 2 * DAY);
    assert_eq!(most(&checked, Measure::Steps), 4, "both, short, long, and where they meet");
}

#[test]
fn a_list_counts_as_if_it_were_full() {
    let checked = flow(&each("contract", &wait("rest", "1h"))).unwrap();
    assert_eq!(most(&checked, Measure::Steps), 502);
    assert_eq!(most(&checked, Measure::Open), 167 * HOUR, "three at once of 500");
    let note = "  - communicate: { id: note, over: texts, to: patient.mobile, template: receipt }\n";
    let refused = flow(&each("contract", note)).err().unwrap_or_default();
    assert!(!refused.contains("W145"), "messages of one morning wait for one night: {refused}");
}

#[test]
fn messages_in_a_row_wait_for_the_same_morning() {
    let all = ["identity", "owed", "plan", "invitation", "first-payment"].map(step).concat();
    let open = |steps: &str| most(&flow(steps).unwrap(), Measure::Open);
    let night_of_the_code = NIGHT + 10 * MINUTE;
    assert_eq!(open(&all), night_of_the_code + 15 * MINUTE + NIGHT + 72 * HOUR);
    assert_eq!(open(&(step("identity") + &wait("rest", "1h"))), night_of_the_code + HOUR);
}

#[test]
fn a_card_that_is_kept_counts_as_one_that_is_charged() {
    let (paid, kept) = (check(&files()).unwrap(), kept("L2", "L2").unwrap());
    for measure in [Measure::Tries, Measure::Held, Measure::Open] {
        assert_eq!(most(&kept, measure), most(&paid, measure), "{measure:?}");
    }
    assert_eq!(most(&kept, Measure::Steps), most(&paid, Measure::Steps) + 1, "it is put on file");
}

#[test]
fn a_charge_of_the_card_on_file_may_be_held_over_a_night() {
    let amount = || Amount::Field("account.balance".into());
    let node = |name: &str, op: Op, then: Target| {
        let exits =
            op.exits().iter().map(|exit| (*exit, if *exit == Exit::Done { then } else { Target::End(Ending::Failed) }));
        Node { name: name.into(), step: "debit".into(), exits: exits.collect(), op }
    };
    let nodes = [
        node("wait", Op::Wait { lasts: 10 * DAY }, Target::Node(1)),
        node("debit", Op::Debit { connector: "cards".into(), amount: amount() }, Target::Node(2)),
        node("charged", Op::Remember { amount: amount(), charged: true }, Target::End(Ending::Completed)),
    ];
    let of = |measure| adds_up(&nodes, "call").iter().find(|most| most.measure == measure).unwrap().most;
    assert_eq!((of(Measure::Steps), of(Measure::Tries), of(Measure::Held)), (3, 0, 0));
    assert_eq!(of(Measure::Open), 10 * DAY + NIGHT);
}

#[test]
fn whoever_called_whom_the_time_on_the_line_counts() {
    let placed = workflow_with("starts: call\n", "starts: outgoing-call\n").unwrap();
    assert_eq!(most(&placed, Measure::Held), 25 * MINUTE);
}

#[test]
fn nobody_is_held_on_the_line_after_the_call() {
    let all = ["identity", "owed", "plan", "invitation", "first-payment", "receipt"].map(step).concat();
    let checked = flow(&all).unwrap();
    assert_eq!(most(&checked, Measure::Held), 25 * MINUTE, "the code and the offer, and not the page");
}

#[test]
fn a_wait_beyond_the_budget_is_refused_with_its_path_and_what_adds_up() {
    let refused = flow(&(step("identity") + &wait("rest", "40d") + &wait("more", "30d"))).unwrap_err();
    insta::assert_snapshot!(refused, @r"
        W145 workflows/healthcare-balance/workflow.yaml:28:17: a run may stay open for 71d 10m, and 60d are allowed: `rest` 40d, `more` 30d, `identity` 24h 10m
          path: start → identity → rest → more
          rule: budget.limits.open (policies/budget.yaml, Head of operations)
          help: lower what adds up, or have `open` raised in `workflows/policies/budget.yaml`, for all or as an exception with its reason
        ");
}

#[test]
fn more_tries_than_the_budget_allows_are_refused() {
    let all = ["identity", "owed", "plan", "invitation", "first-payment"].map(step).concat();
    let refused = flow(&all.replacen("tries: 3", "tries: 10", 1)).unwrap_err();
    insta::assert_snapshot!(refused, @r"
        W145 workflows/healthcare-balance/workflow.yaml:48:11: a customer may try 23 codes and cards, and 15 are allowed: `first-payment` 13, `identity` 10
          path: start → identity → owed → plan → invitation → first-payment
          rule: budget.limits.tries (policies/budget.yaml, Head of operations)
          help: lower what adds up, or have `tries` raised in `workflows/policies/budget.yaml`, for all or as an exception with its reason
        ");
}

#[test]
fn a_customer_is_not_kept_on_the_line_for_an_hour() {
    let all = step("identity") + &step("owed") + &step("plan").replace("answer-within: 15m", "answer-within: 50m");
    let refused = flow(&all).unwrap_err();
    assert!(refused.contains("W145") && refused.contains("a customer may be kept on the line for 1h"), "{refused}");
}

#[test]
fn what_was_published_before_there_was_a_budget_still_holds() {
    let mut files = files();
    files.remove("policies/budget.yaml");
    assert!(check(&files).unwrap().proofs.iter().all(|proof| !proof.rule.starts_with("budget.")));
}

#[test]
fn an_exception_goes_over_the_limit_of_all_and_leaves_the_others() {
    let text = format!("{SHIPPED}  yearly: {{ because: It is paid over a year., open: 400d }}\n");
    let budget = Budget::read("budget.yaml", &text).unwrap();
    let open = |workflow| budget.limit(workflow, Measure::Open).unwrap();
    assert_eq!((open("yearly").most, open("yearly").rule.as_str()), (400 * DAY, "budget.exceptions.yearly.open"));
    assert_eq!((open("another").most, open("another").rule.as_str()), (60 * DAY, "budget.limits.open"));
    assert_eq!(budget.limit("yearly", Measure::Held).unwrap().most, 45 * MINUTE);
}

#[test]
fn without_a_file_there_is_no_limit() {
    assert_eq!(Budget::default().limit("any", Measure::Steps), None);
}

#[test]
fn mistakes_are_told_together() {
    let text = "owner: x\nlimits: { steps: 0, tries: 15, held: soon }\nexceptions: { yearly: { open: 400d }, odd: { because: x } }\n";
    let found = Budget::read("b.yaml", text).unwrap_err();
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(told.iter().any(|line| line.contains("`odd` excepts nothing")), "{told:#?}");
}
