use std::collections::BTreeMap;

use super::*;
use crate::plan::Exit;

/// `a -> b -> c`, each left by `done`; `a` also by `failed`, to an end.
fn plan(first_leads_to: &str) -> Plan {
    let names = ["a.one", "b.one", "c.one"];
    let index = |name: &str| names.iter().position(|other| *other == name).unwrap();
    let node = |name: &str, exits: Vec<(Exit, Target)>| Node {
        name: name.into(),
        step: name.split('.').next().unwrap().into(),
        op: Op::Check { connector: "sim".into(), subject: "patient.mobile".into() },
        exits,
    };
    let nodes = vec![
        node(
            "a.one",
            vec![(Exit::Done, Target::Node(index(first_leads_to))), (Exit::Failed, Target::End(Ending::Failed))],
        ),
        node("b.one", vec![(Exit::Done, Target::Node(2)), (Exit::Failed, Target::End(Ending::Failed))]),
        node("c.one", vec![(Exit::Done, Target::End(Ending::Completed)), (Exit::Failed, Target::End(Ending::Failed))]),
    ];
    let text = String::new;
    let (uses, templates) = (BTreeMap::new(), BTreeMap::new());
    Plan {
        workflow: text(),
        title: text(),
        purpose: text(),
        starts: text(),
        digest: text(),
        uses,
        nodes,
        templates,
        languages: Vec::new(),
        most: Vec::new(),
    }
}

fn way(steps: &[(&str, &str)]) -> Vec<(String, String)> {
    steps.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}

fn why(after: &Plan, steps: &[(&str, &str)], at: &str) -> String {
    may_move(&plan("b.one"), after, &way(steps), &[at]).map_or_else(|stuck| stuck.why, |()| String::new())
}

#[test]
fn a_way_that_is_one_of_both_leads_on() {
    assert_eq!(why(&plan("b.one"), &[("a.one", "b.one"), ("b.one", "c.one")], "c.one"), "");
    assert_eq!(why(&plan("c.one"), &[], "a.one"), "", "what comes later may differ");
}

#[test]
fn a_way_that_the_other_does_not_go_is_none() {
    let elsewhere = why(&plan("c.one"), &[("a.one", "b.one")], "b.one");
    assert_eq!(elsewhere, "it went on to `b.one`, and the other definition goes elsewhere");
    let mut begins_later = plan("b.one");
    begins_later.nodes.rotate_left(1);
    assert_eq!(why(&begins_later, &[], "a.one"), "it began there, and the other definition begins elsewhere");
}

#[test]
fn the_same_place_by_another_exit_is_another_way() {
    let mut by_failing = plan("b.one");
    by_failing.nodes[0].exits = vec![(Exit::Done, Target::End(Ending::Failed)), (Exit::Failed, Target::Node(1))];
    assert!(why(&by_failing, &[("a.one", "b.one")], "b.one").contains("goes elsewhere"));
}

#[test]
fn a_place_that_is_gone_or_does_something_else_is_named() {
    let mut gone = plan("b.one");
    gone.nodes[2].name = "d.one".into();
    assert_eq!(
        why(&gone, &[("a.one", "b.one"), ("b.one", "c.one")], "c.one"),
        "it went on to `c.one`, and the other definition goes elsewhere"
    );
    assert_eq!(
        may_move(&plan("b.one"), &gone, &[], &["a.one", "c.one"]).unwrap_err().why,
        "there is no such place any more"
    );
    let mut other = plan("b.one");
    other.nodes[1].op = Op::Wait { lasts: 1 };
    assert_eq!(why(&other, &[("a.one", "b.one")], "b.one"), "something else happens at this place");
}

#[test]
fn an_answer_that_was_possible_must_be_possible_still() {
    let asks = |answers: &[&str]| {
        let mut plan = plan("b.one");
        plan.nodes[0].op = Op::Ask {
            question: "Does hardship apply?".into(),
            of: "supervisor".into(),
            answers: answers.iter().map(|answer| (*answer).to_owned()).collect(),
            within: 1,
            otherwise: answers[0].into(),
        };
        plan
    };
    let (two, three) = (asks(&["yes", "no"]), asks(&["yes", "no", "later"]));
    let way = way(&[("a.one", "b.one")]);
    assert_eq!(may_move(&two, &three, &way, &["b.one"]), Ok(()));
    assert_eq!(may_move(&three, &two, &way, &["b.one"]).unwrap_err().why, "`later` cannot be answered any more");
}

#[test]
fn a_step_that_goes_back_within_itself_goes_its_way() {
    let mut before = plan("b.one");
    before.nodes[1].step = "a".into();
    assert_eq!(may_move(&before, &before.clone(), &way(&[("a.one", "b.one"), ("b.one", "a.one")]), &["a.one"]), Ok(()));
    assert!(may_move(&plan("b.one"), &plan("b.one"), &way(&[("a.one", "c.one")]), &["c.one"]).is_err());
}
