//! `selvedge workflow test`: plays the stories beside a workflow and compares what came of each with what its author
//! expected. Nothing but the vendors is made up: the engine, the rules, the record and the store are the real ones.

pub mod format;
mod judge;
mod play;

use std::process::ExitCode;

use selvedge_engine::Definition;
use selvedge_workflow::source::Diagnostic;
use serde::Serialize;

use super::{House, report};
use crate::exit;
use format::Story;

/// What came of one story.
#[derive(Serialize)]
struct Outcome {
    workflow: String,
    story: String,
    passed: bool,
    findings: Vec<Diagnostic>,
}

pub async fn run(workflow: Option<&str>, json: bool) -> miette::Result<ExitCode> {
    let house = match House::open()? {
        Ok(house) => house,
        Err(problems) => return report(&problems, json),
    };
    let mut outcomes = Vec::new();
    for name in house.chosen(workflow)? {
        match stories(&house, &name) {
            Ok((definition, stories)) => {
                for story in &stories {
                    outcomes.push(outcome(&definition, story).await?);
                }
            }
            Err(findings) => return report(&findings, json),
        }
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    if json {
        let passed = outcomes.len() - failed;
        say!("{}", serde_json::json!({ "passed": passed, "failed": failed, "stories": outcomes }));
    } else {
        print(&outcomes, failed);
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(exit::REFUSED) })
}

/// A workflow and the stories beside it, in the order of their files.
fn stories(house: &House, name: &str) -> Result<(Definition, Vec<Story>), Vec<Diagnostic>> {
    let definition = house.compile(name)?;
    let (mut stories, mut wrong) = (Vec::new(), Vec::new());
    let folder = format!("{name}/tests/");
    for (path, text) in house.files.iter().filter(|(path, _)| path.starts_with(&folder) && path.ends_with(".yaml")) {
        match format::read(&format!("workflows/{path}"), text, &definition) {
            Ok(read) => stories.extend(read),
            Err(found) => wrong.extend(found),
        }
    }
    if wrong.is_empty() { Ok((definition, stories)) } else { Err(wrong) }
}

async fn outcome(definition: &Definition, story: &Story) -> miette::Result<Outcome> {
    let findings = match play::play(definition, story).await? {
        Ok(told) => judge::judge(&story.then, &told),
        Err(stopped) => vec![*stopped],
    };
    let (workflow, story) = (definition.plan.workflow.clone(), story.name.clone());
    Ok(Outcome { workflow, story, passed: findings.is_empty(), findings })
}

fn print(outcomes: &[Outcome], failed: usize) {
    let mut workflow = "";
    for outcome in outcomes {
        if outcome.workflow != workflow {
            workflow = &outcome.workflow;
            say!("{workflow}");
        }
        say!("  {} {}", if outcome.passed { "✓" } else { "✗" }, outcome.story);
        for finding in &outcome.findings {
            say!("{finding}");
        }
    }
    match (outcomes.len(), failed) {
        (0, _) => say!("there is no story in `workflows/<name>/tests/`"),
        (all, 0) => say!("{all} stories, all as expected"),
        (all, failed) => say!("{all} stories, {failed} not as expected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = r#"
given:
  now: "2026-11-23 10:04 America/Chicago"
  sender: { sender.name: Clinic, sender.phone: 312-555-0100 }
  customer:
    fields: { patient.mobile: "+13125550142", account.balance: "$375.50", account.month: 2026-10 }
    zones: [America/Chicago]
    jurisdictions: [US, US-IL]
stories:
"#;

    async fn findings(story: &str) -> String {
        let house = House::open().unwrap().unwrap();
        let definition = house.compile("healthcare-balance").unwrap();
        let stories = format::read("workflows/x/tests/t.yaml", &format!("{GIVEN}{story}"), &definition).unwrap();
        let outcome = outcome(&definition, &stories[0]).await.unwrap();
        outcome.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn an_expectation_that_does_not_hold_is_shown_beside_what_came() {
        let story = r#"
  - story: A patient without consent to texts
    when: [{ code: right }, { offer: accepted }]
    then:
      ending: completed
      path: [identity, owed, plan, receipt]
      messages: [{ step: identity, at: "2026-11-23 10:05", text: "Clinic: [code]" }]
      money: [{ step: first-payment, amount: "$125.17" }]
      decisions: []
"#;
        insta::assert_snapshot!(findings(story).await, @r"
        C911 workflows/x/tests/t.yaml:14:15: the ending should be `completed`; it is `failed`, after `invitation`
        C911 workflows/x/tests/t.yaml:15:13: `path` is not as expected
          expected: identity → owed → plan → receipt
          actual:   identity → owed → plan → invitation
        C911 workflows/x/tests/t.yaml:16:17: `messages` is not as expected
          expected: 1. `identity` at 2026-11-23 10:05: Clinic: [code]
          actual:   1. `identity` at 2026-11-23 10:04: Clinic: [code] is your code. It works for 10 minutes. We never ask you to forward it.
        C911 workflows/x/tests/t.yaml:17:14: `money` is not as expected
          expected: 1. `first-payment` takes $125.17
          actual:   1. nothing
        C911 workflows/x/tests/t.yaml:18:18: `decisions` is not as expected
          expected: 1. nothing
          actual:   1. `invitation`: deny by tcpa.consent
        ");
    }

    #[tokio::test]
    async fn an_act_that_nobody_asks_for_is_named() {
        let early = r#"
  - story: The card comes before the offer
    when: [{ code: right }, { card: entered }]
    then: { ending: completed }
"#;
        insta::assert_snapshot!(findings(early).await, @r"
        C911 workflows/x/tests/t.yaml:12:31: nobody asks for a card at this point: the run waits for an answer to the offer
          help: take the act out, or correct what comes before it
        ");
        let late = r#"
  - story: Nobody is there any more
    given: { vendors: { sim: raised } }
    when: [{ code: right }]
    then: { ending: failed }
"#;
        insta::assert_snapshot!(findings(late).await, @r"
        C911 workflows/x/tests/t.yaml:13:14: nobody asks for a code at this point: the run is over (`failed`)
          help: take the act out, or correct what comes before it
        ");
    }

    /// The shipped workflow, in which colleagues look at the plan before the link goes out, one of them in a branch.
    const COLLEAGUES: &str = "
  - parallel:
      id: looks
      branches:
        - steps: [ask: { id: review, question: Hardship?, of: supervisor, answers: [hardship, none], within: 1h, otherwise: none }]
        - steps: [wait: { id: rest, for: 2m }]
  - approve: { id: second-look, terms: plan, of: supervisor, within: 1h }

";

    async fn among_colleagues(acts: &str, decisions: &str) -> String {
        let mut house = House::open().unwrap().unwrap();
        let text = house.files.get_mut("healthcare-balance/workflow.yaml").unwrap();
        let before = text.find("  - communicate:\n      id: invitation").unwrap();
        text.insert_str(before, COLLEAGUES);
        let definition = house.compile("healthcare-balance").unwrap();
        let then = format!("{{ ending: failed, decisions: [{decisions}] }}");
        let story =
            format!("  - story: x\n    when: [{{ code: right }}, {{ offer: accepted }}, {acts}]\n    then: {then}\n");
        let stories = format::read("workflows/x/tests/t.yaml", &format!("{GIVEN}{story}"), &definition).unwrap();
        let outcome = outcome(&definition, &stories[0]).await.unwrap();
        outcome.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn a_colleague_answers_and_approves_and_who_asked_for_it_cannot() {
        // Without consent to texts the link does not go out; but it was on its way.
        let goes_on = "{ step: invitation, verdict: deny, rules: [tcpa.consent] }";
        let acts = "{ question: hardship }, { approval: by-requester }, { approval: approved }";
        assert_eq!(among_colleagues(acts, goes_on).await, "");
        assert_eq!(among_colleagues("{ question: none }, { approval: refused }", "").await, "");
        assert_eq!(among_colleagues("{ wait: 1h }, { wait: 1h }", "").await, "", "nobody's silence approves");
    }

    #[tokio::test]
    async fn an_answer_that_the_question_does_not_have_is_named() {
        insta::assert_snapshot!(among_colleagues("{ question: hardshp }", "").await, @r"
        C911 workflows/x/tests/t.yaml:11:52: `hardshp` is no answer to the question
          help: its answers are hardship, none
        ");
    }
}
