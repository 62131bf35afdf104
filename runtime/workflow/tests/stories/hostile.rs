//! Whatever is done to the text, compiling gives a plan or a list of places; and spoiling the shipped workflow in the
//! ways in which people spoil workflows never gives an unsafe plan.

use proptest::prelude::*;
use selvedge_workflow::plan::{Op, Plan};
use selvedge_workflow::{Files, compile};

use crate::house::{NAME, WORKFLOW, connectors, files};

/// One thing done to the lines of a text.
#[derive(Clone, Debug)]
enum Slip {
    Drop(usize),
    Double(usize),
    Swap(usize, usize),
    Indent(usize),
    Cut(usize, usize),
}

fn slip() -> impl Strategy<Value = Slip> {
    let line = 0usize..80;
    prop_oneof![
        line.clone().prop_map(Slip::Drop),
        line.clone().prop_map(Slip::Double),
        (line.clone(), 0usize..80).prop_map(|(a, b)| Slip::Swap(a, b)),
        line.clone().prop_map(Slip::Indent),
        (line, 0usize..60).prop_map(|(a, b)| Slip::Cut(a, b)),
    ]
}

fn spoil(text: &str, slips: &[Slip]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for slip in slips {
        let count = lines.len();
        match *slip {
            Slip::Drop(at) if at < count => drop(lines.remove(at)),
            Slip::Double(at) if at < count => lines.insert(at, lines[at].clone()),
            Slip::Swap(a, b) if a < count && b < count => lines.swap(a, b),
            Slip::Indent(at) if at < count => lines[at].insert_str(0, "  "),
            Slip::Cut(at, length) if at < count => lines[at] = lines[at].chars().take(length).collect(),
            _ => {}
        }
    }
    lines.join("\n")
}

fn with(path: &str, text: String) -> Files {
    let mut files = files();
    files.insert(path.to_owned(), text);
    files
}

/// What must hold of every plan that is published, looked at naively: a health field is shown only after an answer of
/// a code stands before it in the text, and a charge only after a fresh question.
fn is_safe(plan: &Plan) -> bool {
    let before = |at: usize, found: &dyn Fn(&Op) -> bool| plan.nodes[..at].iter().any(|node| found(&node.op));
    plan.nodes.iter().enumerate().all(|(at, node)| match &node.op {
        Op::Disclose { .. } | Op::Offer { .. } => before(at, &|op| matches!(op, Op::Answer { .. })),
        Op::Answer { .. } => before(at, &|op| matches!(op, Op::Check { .. })),
        Op::Charge { .. } => before(at, &|op| matches!(op, Op::Fresh { .. })),
        _ => true,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_spoilt_workflow_gives_a_safe_plan_or_places(slips in prop::collection::vec(slip(), 1..4)) {
        let files = with(WORKFLOW, spoil(&files()[WORKFLOW], &slips));
        match compile(&files, NAME, &connectors()) {
            Ok(checked) => prop_assert!(is_safe(&checked.plan), "{}", files[WORKFLOW]),
            Err(found) => {
                prop_assert!(!found.is_empty());
                for diagnostic in found {
                    let span = diagnostic.span.expect("a mistake in a text has a place");
                    prop_assert!(span.line >= 1 && span.column >= 1 && !span.file.is_empty());
                }
            }
        }
    }

    #[test]
    fn a_spoilt_policy_or_dictionary_gives_places(
        path in prop::sample::select(vec!["fields.yaml", "policies/assurance.yaml"]),
        slips in prop::collection::vec(slip(), 1..4),
    ) {
        let files = with(path, spoil(&files()[path], &slips));
        if let Err(found) = compile(&files, NAME, &connectors()) {
            prop_assert!(!found.is_empty());
        }
    }

    #[test]
    fn any_text_at_all_gives_places(text in "\\PC{0,300}") {
        prop_assert!(compile(&with(WORKFLOW, text), NAME, &connectors()).is_err());
    }
}

#[test]
fn every_pair_of_steps_swapped_and_every_step_dropped_is_safe_or_refused() {
    let ids = ["identity", "owed", "plan", "invitation", "first-payment", "receipt"];
    let steps: Vec<String> = ids.iter().map(|id| format!("{}\n\n", crate::house::step(id).trim_end())).collect();
    let text = files()[WORKFLOW].clone();
    let head = &text[..text.find("  - verify:").unwrap()];
    let mut published = Vec::new();
    let mut try_order = |order: Vec<usize>| {
        let body: String = order.iter().map(|at| steps[*at].as_str()).collect();
        if let Ok(checked) = compile(&with(WORKFLOW, format!("{head}{body}")), NAME, &connectors()) {
            assert!(is_safe(&checked.plan), "{body}");
            published.push(order.iter().map(|at| ids[*at]).collect::<Vec<_>>().join(" "));
        }
    };
    for a in 0..ids.len() {
        try_order((0..ids.len()).filter(|at| *at != a).collect());
        for b in a + 1..ids.len() {
            let mut order: Vec<usize> = (0..ids.len()).collect();
            order.swap(a, b);
            try_order(order);
        }
    }
    insta::assert_snapshot!(published.join("\n"), @r"
        identity plan invitation first-payment receipt
        identity plan owed invitation first-payment receipt
        identity owed plan invitation first-payment
        ");
}

#[test]
fn five_hundred_steps_are_checked_in_a_blink() {
    let mut text = files()[WORKFLOW].clone();
    let (head, _) = text.split_at(text.find("  - disclose:").unwrap());
    let mut long = head.to_owned();
    for number in 1..500 {
        long.push_str(&format!("  - disclose: {{ id: s{number}, fields: [account.balance], over: call }}\n"));
    }
    text = long.replace("  cards: northgate-cards\n", "");
    let checked = compile(&with(WORKFLOW, text.clone()), NAME, &connectors()).unwrap();
    assert_eq!(checked.plan.nodes.len(), 499 + 3);
    text.push_str("  - disclose: { id: one-more, fields: [account.balance], over: call }\n");
    let refused = compile(&with(WORKFLOW, text), NAME, &connectors()).unwrap_err();
    assert!(refused[0].message.contains("at most 500"), "{}", refused[0]);
}
