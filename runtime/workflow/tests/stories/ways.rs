//! `wait` and `choose`: what is proved across them, and what is refused.

use crate::house::{WORKFLOW, check, files, step};
use selvedge_workflow::Checked;

/// The shipped head over other steps.
pub fn flow(steps: &str) -> Result<Checked, String> {
    let mut files = files();
    let text = files.get_mut(WORKFLOW).unwrap();
    let head = text.find("steps:\n").unwrap() + "steps:\n".len();
    *text = format!("{}{steps}", &text[..head]);
    check(&files)
}

/// A choice between these steps, written with the indentation of a workflow's own, and nothing.
pub fn choose(condition: &str, steps: &str, otherwise: &str) -> String {
    let inner = |steps: &str| steps.lines().map(|line| format!("        {line}\n")).collect::<String>();
    let otherwise = if otherwise.is_empty() { " []\n".to_owned() } else { format!("\n{}", inner(otherwise)) };
    format!(
        "  - choose:\n      id: route\n      when:\n        - if: \"{condition}\"\n          steps:\n{}      otherwise:{otherwise}",
        inner(steps)
    )
}

const RICH: &str = "account.balance > '50.00 USD'";

#[test]
fn a_choice_becomes_a_question_for_each_way() {
    let all: String = ["identity", "owed", "plan", "invitation", "first-payment"].map(step).concat();
    let checked = flow(&choose(RICH, &all, "  - wait: { id: grace, for: 2d }\n")).unwrap();
    let graph: Vec<String> = checked.plan.nodes.iter().map(|node| format!("{}: {:?}", node.name, node.exits)).collect();
    insta::assert_snapshot!(graph.join("\n"), @r"
        route.1: [(Yes, Node(1)), (No, Node(14)), (Failed, End(Failed))]
        identity.check: [(Done, Node(2)), (Failed, End(Failed))]
        identity.challenge: [(Done, Node(3)), (Refused, End(Failed)), (Failed, End(Failed))]
        identity.answer: [(Done, Node(4)), (Failed, End(Failed)), (Timeout, End(Failed))]
        owed: [(Done, Node(5)), (Refused, End(Failed))]
        plan: [(Done, Node(6)), (Timeout, End(Failed)), (Declined, End(Declined))]
        invitation: [(Done, Node(7)), (Refused, End(Failed)), (Failed, End(Failed))]
        first-payment.open: [(Done, Node(8)), (Timeout, End(Failed))]
        first-payment.fresh: [(Fresh, Node(12)), (Stale, Node(9))]
        first-payment.check: [(Done, Node(10)), (Failed, End(Failed))]
        first-payment.challenge: [(Done, Node(11)), (Refused, End(Failed)), (Failed, End(Failed))]
        first-payment.answer: [(Done, Node(12)), (Failed, End(Failed)), (Timeout, End(Failed))]
        first-payment.card: [(Done, Node(13)), (Timeout, End(Failed))]
        first-payment.charge: [(Done, End(Completed)), (Failed, End(Failed)), (Declined, Node(12))]
        grace: [(Done, End(Completed))]
        ");
    let proofs = checked.proofs.iter().filter(|proof| ["plan.conditions", "plan.waits"].contains(&proof.rule.as_str()));
    insta::assert_snapshot!(proofs.map(|p| format!("{}\n  {}", p.claim, p.because)).collect::<Vec<_>>().join("\n"), @r"
        `route` asks about `account.balance` (PHI) and hands it to nobody
          the value is opened for the answer alone; the record has the answer and that it was opened
        every wait ends
          `identity.answer` after 10m; `plan` after 15m; `first-payment.open` after 72h; `first-payment.answer` after 10m; `first-payment.card` after 72h; `grace` after 48h
        ");
}

#[test]
fn a_way_that_skips_the_verification_is_named() {
    let steps = choose(RICH, &step("identity"), "") + &step("owed");
    insta::assert_snapshot!(flow(&steps).unwrap_err(), @r"
        W130 workflows/healthcare-balance/workflow.yaml:35:11: `owed` shows `account.balance`, `account.month`, which needs L2, and a path to it passes no verification
          path: start → route → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `owed`
        ");
}

#[test]
fn time_passes_in_a_wait() {
    let wait = |lasts| format!("{}  - wait: {{ id: grace, for: {lasts} }}\n{}", step("identity"), step("owed"));
    insta::assert_snapshot!(flow(&wait("30m")).unwrap_err(), @r"
        W131 workflows/healthcare-balance/workflow.yaml:30:11: `owed` shows `account.balance`, `account.month`, which needs L2; the assertion of `identity` holds 30m and 30m may pass before
          path: start → identity → grace → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: verify again right before `owed`, raise `valid:`, or shorten the waits between
        W137 workflows/healthcare-balance/workflow.yaml:30:11: `owed` speaks on the call, which is over when a path gets to it
          path: start → identity → grace → owed
          help: move `owed` before the step that waits
        ");
}

#[test]
fn a_conversation_does_not_outlast_a_wait() {
    let steps = step("identity") + "  - wait: { id: grace, for: 5m }\n" + &step("owed");
    insta::assert_snapshot!(flow(&steps).unwrap_err(), @r"
        W137 workflows/healthcare-balance/workflow.yaml:30:11: `owed` speaks on the call, which is over when a path gets to it
          path: start → identity → grace → owed
          help: move `owed` before the step that waits
        ");
}

#[test]
fn what_one_way_brings_the_other_does_not_have() {
    let before: String = ["identity", "owed", "plan"].map(step).concat();
    let paid = choose(RICH, &(step("invitation") + &step("first-payment")), "");
    insta::assert_snapshot!(flow(&(before.clone() + &paid + &step("receipt"))).unwrap_err(), @r"
        W121 workflows/healthcare-balance/templates/receipt.sms.txt:1:51: there is no `payment.number` in the template `receipt` of the step `receipt`
          path: start → identity → owed → plan → route → receipt
          help: it exists only in the words of a `pay` step and after it
        W121 workflows/healthcare-balance/templates/receipt.sms.txt:1:91: there is no `card.last4` in the template `receipt` of the step `receipt`
          path: start → identity → owed → plan → route → receipt
          help: it exists only after a `pay` or `capture` step
        W121 workflows/healthcare-balance/templates/receipt.sms.txt:1:130: there is no `payment.date` in the template `receipt` of the step `receipt`
          path: start → identity → owed → plan → route → receipt
          help: it exists only in the words of a `pay` step and after it
        W121 workflows/healthcare-balance/templates/receipt.sms.txt:1:160: there is no `payment.reference` in the template `receipt` of the step `receipt`
          path: start → identity → owed → plan → route → receipt
          help: it exists only after a `pay` step
        ");
    let unsent = before + &choose(RICH, &step("invitation"), "") + &step("first-payment");
    insta::assert_snapshot!(flow(&unsent).unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:50:30: a path to `first-payment` passes no message with its link
          path: start → identity → owed → plan → route → first-payment
          help: move `invitation` to where every path to `first-payment` passes it
        ");
    let first = step("identity") + &choose(RICH, &step("plan"), "") + &step("invitation") + &step("first-payment");
    insta::assert_snapshot!(flow(&first).unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:50:15: `first-payment` takes its amount from `plan`, which a path to it does not pass
          path: start → identity → route → invitation → first-payment
          help: move `plan` to where every path to `first-payment` passes it
        ");
}

#[test]
fn a_condition_asks_about_fields_of_the_customer() {
    let with = |condition: &str| flow(&choose(condition, "  - wait: { id: grace, for: 2d }\n", "")).unwrap_err();
    insta::assert_snapshot!(with("card.number == '4242'"), @r"
        W133 workflows/healthcare-balance/workflow.yaml:19:15: `card.number` is card data (PAN), and no condition asks about it
          path: start → route
          rule: PCI DSS 4.0.1 3.3.1, 3.4.1
          help: decide by what the gateway answered, not by the card
        ");
    insta::assert_snapshot!(with("sender.name == 'Riverside'"), @r"
        W113 workflows/healthcare-balance/workflow.yaml:19:15: `sender.name` is not kept for each customer, and no condition asks about it
          path: start → route
          help: name a field with `source: customer`
        ");
    insta::assert_snapshot!(with("account.balanse > '50.00 USD'"), @r"
        W112 workflows/healthcare-balance/workflow.yaml:19:16: `account.balanse` is nothing that a condition can ask about
          help: did you mean `account.balance`?
        ");
    insta::assert_snapshot!(with("account.balance > 50"), @r"
        W123 workflows/healthcare-balance/workflow.yaml:19:34: this value is of another type than what it is compared with
          help: write an amount: `'50.00 USD'`
        ");
}

#[test]
fn slips_in_a_choice_are_told_together_with_their_places() {
    let steps = r#"
  - wait: { id: grace, fro: 2d }
  - choose:
      id: route
      when:
        - if: "account.month == '2026-10'"
          step: []
        - if: "account.month == '2026-1'"
          steps: []
        - if: "account.month == '2026-11'"
          steps:
            - wait: { id: route, for: 2d }
            - wiat: { id: other, for: 2d }
"#;
    insta::assert_snapshot!(flow(steps).unwrap_err(), @r"
        W103 workflows/healthcare-balance/workflow.yaml:17:11: a `wait` step needs the key `for`
          help: add `for: …`
        W102 workflows/healthcare-balance/workflow.yaml:17:24: `fro` is no key of a `wait` step
          help: did you mean `for`?
        W103 workflows/healthcare-balance/workflow.yaml:19:7: a `choose` step needs the key `otherwise`
          help: add `otherwise: …`
        W103 workflows/healthcare-balance/workflow.yaml:21:11: a way of `choose` needs the key `steps`
          help: add `steps: …`
        W102 workflows/healthcare-balance/workflow.yaml:22:11: `step` is no key of a way of `choose`
          help: did you mean `steps`?
        W106 workflows/healthcare-balance/workflow.yaml:27:27: two steps have the id `route`
          help: the first one is on line 19; give this one another id
        W110 workflows/healthcare-balance/workflow.yaml:28:15: there is no step of the kind `wiat`
          help: did you mean `wait`?
        ");
    insta::assert_snapshot!(flow("  - choose: { id: route, when: [], otherwise: [] }\n").unwrap_err(), @"W104 workflows/healthcare-balance/workflow.yaml:16:32: `when` should be a list of 1 to 20 ways; found a list");
}

#[test]
fn steps_in_steps_end_somewhere() {
    let mut inner = "  - wait: { id: grace, for: 2d }\n".to_owned();
    for depth in 0..5 {
        inner = choose(RICH, &inner, "").replace("id: route", &format!("id: route-{depth}"));
    }
    let refused = flow(&inner).unwrap_err();
    assert!(refused.contains("W105") && refused.contains("more than 5 levels deep"), "{refused}");
    let many: String = (0..501).map(|n| format!("  - wait: {{ id: w-{n}, for: 2d }}\n")).collect();
    assert!(flow(&many).unwrap_err().contains("W105"));
}

#[test]
fn who_took_the_branch_that_pays_must_not_pay_again_after_it_but_either_branch_may_pay() {
    let before = ["identity", "owed", "plan"].map(step).concat();
    let pays = step("invitation") + &step("first-payment");
    let again = pays.replace("invitation", "reminder").replace("first-payment", "second-payment");
    let told = |steps: String| {
        let warnings = flow(&steps).unwrap().warnings;
        warnings.iter().filter(|found| found.code == "W143").map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let twice = told(before.clone() + &choose(RICH, &pays, "") + &again);
    assert!(
        twice.contains("`second-payment` charges `plan.first`, which `first-payment` has charged before"),
        "{twice}"
    );
    assert!(twice.contains("first-payment → second-payment"), "{twice}");
    assert_eq!(told(before + &choose(RICH, &pays, &again)), "");
}
