//! `parallel` and `for-each`: what is proved across them, and what is refused.

use crate::house::step;
use crate::ways::flow;

pub fn at_once(one: &str, other: &str) -> String {
    let inner = |steps: &str| steps.lines().map(|line| format!("          {line}\n")).collect::<String>();
    format!(
        "  - parallel:\n      id: both\n      branches:\n        - steps:\n{}        - steps:\n{}",
        inner(one),
        inner(other)
    )
}

pub fn each(list: &str, steps: &str) -> String {
    let inner: String = steps.lines().map(|line| format!("      {line}\n")).collect();
    format!("  - for-each:\n      id: contracts\n      every: {list}\n      at-once: 3\n      steps:\n{inner}")
}

const GRACE: &str = "  - wait: { id: grace, for: 5m }\n";

#[test]
fn branches_begin_together_and_meet() {
    let steps = step("identity") + &at_once(GRACE, "  - wait: { id: rest, for: 2m }\n");
    let plan = flow(&steps).unwrap().plan;
    let graph = plan.nodes[3..].iter().map(|node| format!("{}: {:?}", node.name, node.exits)).collect::<Vec<_>>();
    insta::assert_snapshot!(graph.join("\n"), @r"
        both: [(Branch(0), Node(4)), (Branch(1), Node(5))]
        grace: [(Done, Node(6))]
        rest: [(Done, Node(6))]
        both.join: [(Done, End(Completed)), (Failed, End(Failed))]
        ");
}

#[test]
fn what_is_proved_before_holds_in_each_branch_and_the_time_of_the_longest_counts_after() {
    let proved = step("identity") + &at_once(&step("owed"), GRACE);
    assert!(flow(&proved).is_ok());
    let long = step("identity")
        + &at_once("  - wait: { id: rest, for: 1m }\n", "  - wait: { id: night, for: 12h }\n")
        + &step("owed");
    let refused = flow(&long).unwrap_err();
    assert!(refused.contains("W131") && refused.contains("start → identity → both → night → both → owed"), "{refused}");
}

#[test]
fn a_verification_in_one_branch_proves_nothing_for_the_other() {
    let steps = at_once(&step("identity"), GRACE) + &step("owed");
    let refused = flow(&steps).unwrap_err();
    assert!(refused.contains("W130") && refused.contains("passes no verification"), "{refused}");
}

#[test]
fn the_customer_is_spoken_with_in_one_branch() {
    let refused = flow(&at_once(&step("identity"), &step("owed"))).unwrap_err();
    assert!(refused.contains("`identity` and `owed` speak with the customer in two branches of `both`"), "{refused}");
}

#[test]
fn an_item_is_named_only_where_there_is_one() {
    let told = "  - choose:\n      id: owes\n      when:\n        - if: \"contract.due > '0.00 USD'\"\n          steps: [{ wait: { id: rest, for: 1h } }]\n      otherwise: []\n";
    assert!(flow(&each("contract", told)).is_ok());
    let refused = flow(told).unwrap_err();
    assert!(refused.contains("`contract.due` is there for each `contract`, and `owes` has no `contract`"), "{refused}");
}

#[test]
fn only_a_list_is_gone_through_and_nobody_is_asked_for_each_item() {
    let refused = flow(&each("contrat", GRACE)).unwrap_err();
    assert!(refused.contains("W112") && refused.contains("did you mean `contract`"), "{refused}");
    let refused = flow(&each("contract", &step("identity"))).unwrap_err();
    assert!(refused.contains("`identity` is a `verify` step, and is there once, not for each `contract`"), "{refused}");
}

#[test]
fn there_are_so_many_branches_and_items_at_once_and_no_more() {
    let one = "  - parallel: { id: both, branches: [{ steps: [{ wait: { id: grace, for: 5m } }] }] }\n";
    assert!(flow(one).unwrap_err().contains("a list of 2 to 10 branches"));
    let many = each("contract", GRACE).replace("at-once: 3", "at-once: 101");
    assert!(flow(&many).unwrap_err().contains("a whole number from 1 to 100"));
}
