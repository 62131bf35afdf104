//! Steps that several workflows share: what is proved goes through them, and a mistake is told in the file that holds it.

use crate::house::{NAME, WORKFLOW, connectors, files, step, told};
use selvedge_workflow::mutants::spoil;
use selvedge_workflow::{Checked, Files, compile};

const SHARED: &str = "proved/subworkflow.yaml";
const NAMED: &str = "  - subworkflow: { id: identity, workflow: proved, with: { mobile: patient.mobile } }\n\n";

/// A `subworkflow.yaml` with these inputs and steps.
fn shared(name: &str, inputs: &str, steps: &str) -> String {
    let uses = "uses: { texts: brightline-sms, sim: brightline-sim }";
    format!("subworkflow: {name}\ntitle: What several do\ninputs: {inputs}\n{uses}\nsteps:\n{steps}")
}

/// The shipped workflow whose verification lies in a subworkflow, with its text.
fn apart() -> Files {
    let mut files = files();
    let identity = step("identity");
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replacen(&identity, NAMED, 1).replacen("step-up: identity", "step-up: identity-code", 1);
    let steps = identity.replacen("id: identity", "id: code", 1).replacen("patient.mobile", "input.mobile", 1);
    files.insert(SHARED.into(), shared("proved", "{ mobile: phone }", &steps));
    let code = files.remove(&format!("{NAME}/templates/code.sms.txt")).unwrap();
    files.insert("proved/templates/code.sms.txt".into(), code);
    files
}

fn check(files: &Files) -> Result<Checked, String> {
    compile(files, NAME, &connectors()).map_err(|found| told(&found))
}

/// What is said of these files with one text changed in one of them.
fn changed(path: &str, old: &str, new: &str) -> String {
    let mut files = apart();
    let text = files.get_mut(path).unwrap();
    assert!(text.contains(old), "`{old}` is not in {path}");
    *text = text.replacen(old, new, 1);
    check(&files).map(|_| ()).unwrap_err()
}

#[test]
fn its_steps_stand_in_the_plan_as_if_they_were_written_there() {
    let (whole, apart) = (check(&files()).unwrap().plan, check(&apart()).unwrap().plan);
    assert_eq!(format!("{:?}", apart.nodes).replace("identity-code", "identity"), format!("{:?}", whole.nodes));
    assert_eq!(apart.templates.keys().collect::<Vec<_>>(), whole.templates.keys().collect::<Vec<_>>());
    assert_eq!(apart.uses, whole.uses);
}

#[test]
fn the_same_is_proved_through_it() {
    let claims = |files: &Files| -> Vec<String> {
        let proofs = check(files).unwrap().proofs;
        proofs
            .iter()
            .map(|p| format!("{} {} {}", p.claim, p.rule, p.because).replace("identity-code", "identity"))
            .collect()
    };
    assert_eq!(claims(&apart()), claims(&files()));
}

#[test]
fn who_weakens_it_hears_of_the_step_that_needs_it() {
    insta::assert_snapshot!(changed(SHARED, "valid: 30m\n", "valid: 30m\n\n  - wait: { id: rest, for: 1h }\n"), @r"
        W131 workflows/healthcare-balance/workflow.yaml:19:11: `owed` shows `account.balance`, `account.month`, which needs L2; the assertion of `identity-code` holds 30m and 1h may pass before
          path: start → identity-code → identity-rest → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: verify again right before `owed`, raise `valid:`, or shorten the waits between
        W137 workflows/healthcare-balance/workflow.yaml:19:11: `owed` speaks on the call, which is over when a path gets to it
          path: start → identity-code → identity-rest → owed
          help: move `owed` before the step that waits
        W131 workflows/healthcare-balance/workflow.yaml:24:11: `plan` tells `account.balance`, which needs L2; the assertion of `identity-code` holds 30m and 1h may pass before
          path: start → identity-code → identity-rest → owed → plan
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: verify again right before `plan`, raise `valid:`, or shorten the waits between
        W137 workflows/healthcare-balance/workflow.yaml:24:11: `plan` speaks on the call, which is over when a path gets to it
          path: start → identity-code → identity-rest → owed → plan
          help: move `plan` before the step that waits
        ");
    insta::assert_snapshot!(changed(SHARED, "level: L2", "level: L1"), @r"
        W130 workflows/healthcare-balance/workflow.yaml:19:11: `owed` shows `account.balance`, `account.month`, which needs L2, and a path to it proves no more than L1
          path: start → identity-code → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `owed`
        W130 workflows/healthcare-balance/workflow.yaml:24:11: `plan` tells `account.balance`, which needs L2, and a path to it proves no more than L1
          path: start → identity-code → owed → plan
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `plan`
        W130 workflows/healthcare-balance/workflow.yaml:38:11: `first-payment` opens the page `authorization`, which needs L2, and a path to it proves no more than L1
          path: start → identity-code → owed → plan → invitation → first-payment
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `first-payment`
        W130 workflows/healthcare-balance/workflow.yaml:38:11: `first-payment` charges a card, which needs L2, and a path to it proves no more than L1
          path: start → identity-code → owed → plan → invitation → first-payment
          rule: assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: put a `verify` step that proves L2 before `first-payment`
        W135 workflows/healthcare-balance/workflow.yaml:43:16: `first-payment` needs L2; stepping up with `identity-code` proves L1
          rule: assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: step up with a step that proves L2
        ");
    insta::assert_snapshot!(changed(SHARED, "check: sim", "check: texts"), @r"
        W113 workflows/proved/subworkflow.yaml:13:14: `texts` (`brightline-sms`) is a channel; a verifier is needed here
          help: from `uses:` these fit: `sim`
        ");
}

#[test]
fn a_field_that_is_handed_in_goes_no_further_than_its_class() {
    let shows = "  - disclose: { id: more, fields: [input.mobile, card.number], over: call }\n";
    let found = changed(SHARED, "steps:\n", &format!("steps:\n{shows}"));
    assert!(found.contains("W133 workflows/proved/subworkflow.yaml:6:50"), "{found}");
    assert!(found.contains("W130 workflows/proved/subworkflow.yaml:6:21"), "{found}");
    assert!(found.contains("path: start → identity-more"), "{found}");
}

#[test]
fn a_mistake_is_told_where_it_stands() {
    insta::assert_snapshot!(changed(WORKFLOW, "workflow: proved,", "workflow: prooved,"), @r"
        W111 workflows/healthcare-balance/workflow.yaml:16:44: there is no subworkflow `prooved`
          help: write it: `workflows/prooved/subworkflow.yaml`
        ");
    insta::assert_snapshot!(changed(WORKFLOW, "with: { mobile: patient.mobile }", "with: { mobil: patient.mobile }"), @r"
        W103 workflows/healthcare-balance/workflow.yaml:16:44: `proved` needs its input `mobile`
          help: add `with: { mobile: … }`, a field of the type `phone`
        W102 workflows/healthcare-balance/workflow.yaml:16:60: `proved` has no input `mobil`
          help: did you mean `mobile`?
        ");
    insta::assert_snapshot!(changed(WORKFLOW, "mobile: patient.mobile", "mobile: patient.name"), @r"
        W113 workflows/healthcare-balance/workflow.yaml:16:68: `patient.name` is a text, and the input `mobile` is a phone
          help: name a field of the type `phone`
        ");
    insta::assert_snapshot!(changed(WORKFLOW, "mobile: patient.mobile", "mobile: patient.moblie"), @r"
        W112 workflows/healthcare-balance/workflow.yaml:16:68: `patient.moblie` is no field of the data dictionary
          help: did you mean `patient.mobile`?
        ");
    insta::assert_snapshot!(changed(SHARED, "to: input.mobile", "to: input.moble"), @r"
        W111 workflows/proved/subworkflow.yaml:11:11: there is no input `moble`
          help: did you mean `mobile`?
        ");
    insta::assert_snapshot!(changed(SHARED, "tries: 3", "tries: many"), @r"
        W104 workflows/proved/subworkflow.yaml:15:14: `tries` should be a whole number from 1 to 10; found the text `many`
        ");
    insta::assert_snapshot!(changed(SHARED, "template: code", "template: cod"), @r"
        W107 workflows/proved/subworkflow.yaml:12:17: there is no template `cod` for an SMS
          help: did you mean `code`?
        ");
    insta::assert_snapshot!(changed(SHARED, "texts: brightline-sms", "texts: brightline-sim"), @r"
        W106 workflows/healthcare-balance/workflow.yaml:16:44: `texts` is `brightline-sms` here, and `brightline-sim` in `proved`
          help: give it another name in one of them
        ");
}

#[test]
fn it_does_not_hold_itself_and_nothing_is_endless() {
    let again = "  - subworkflow: { id: again, workflow: proved, with: { mobile: input.mobile } }\n";
    insta::assert_snapshot!(changed(SHARED, "steps:\n", &format!("steps:\n{again}")), @r"
        W114 workflows/proved/subworkflow.yaml:6:41: a subworkflow is inside itself: proved → proved
          help: take one of these steps out
        ");
    let mut files = apart();
    let name = |n: usize| if n == 0 { "proved".to_owned() } else { format!("deeper-{n}") };
    for n in 0..5 {
        let next = format!("  - subworkflow: {{ id: s, workflow: {} }}\n", name(n + 1));
        files.insert(
            format!("{}/subworkflow.yaml", name(n)),
            shared(&name(n), "{ mobile: phone }", &next)
                .replace("inputs: { mobile: phone }\n", if n == 0 { "inputs: { mobile: phone }\n" } else { "" }),
        );
    }
    insta::assert_snapshot!(check(&files).map(|_| ()).unwrap_err(), @r"
        W114 workflows/deeper-3/subworkflow.yaml:5:37: more than 4 subworkflows inside one another: proved → deeper-1 → deeper-2 → deeper-3 → deeper-4
          help: name the inner one beside the outer one
        ");
}

#[test]
fn a_text_has_one_name_in_all_of_it() {
    let mut files = apart();
    files.insert(format!("{NAME}/templates/code.sms.txt"), "{{ sender.name }}: {{ challenge.code }}.".into());
    insta::assert_snapshot!(check(&files).map(|_| ()).unwrap_err(), @r"
        W106 workflows/proved/templates/code.sms.txt:1:1: `workflows/healthcare-balance/templates/code.sms.txt` has this name too
          help: texts of a workflow and of its subworkflows have names of their own
        ");
}

#[test]
fn its_answers_and_inputs_are_asked_about_by_its_own_names() {
    let steps = "  - ask: { id: first-look, question: Is it so?, of: supervisor, answers: [yes-it-is, no-it-is-not], within: 1d, otherwise: no-it-is-not }
  - choose:
      id: route
      when:
        - if: \"first_look.answer == 'yes-it-is' && input.owed > '5.00 USD'\"
          steps: [{ wait: { id: rest, for: 1m } }]
      otherwise: []
";
    let mut files = apart();
    files.insert("looked/subworkflow.yaml".into(), shared("looked", "{ owed: money }", steps));
    let named = "  - subworkflow: { id: review, workflow: looked, with: { owed: account.balance } }\n";
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replacen("  - offer:", &format!("{named}  - offer:"), 1);
    // The day's wait makes the offer stale; all else of it holds.
    let found = check(&files).map(|_| ()).unwrap_err();
    assert!(!found.contains("W12") && found.contains("review-first-look → review-route"), "{found}");
    let text = files.get_mut("looked/subworkflow.yaml").unwrap();
    *text = text.replacen("input.owed >", "input.due >", 1);
    insta::assert_snapshot!(check(&files).map(|_| ()).unwrap_err(), @r"
        W112 workflows/looked/subworkflow.yaml:10:52: `input.due` is nothing that a condition can ask about
          help: did you mean `input.owed`?
        ");
}

#[test]
fn a_change_in_it_is_a_change_of_every_workflow_that_names_it() {
    let digest = |files: &Files| check(files).unwrap().plan.digest;
    let (mut other, mut elsewhere) = (apart(), apart());
    other.get_mut(SHARED).unwrap().push_str("# a word more\n");
    elsewhere.insert("stranger/subworkflow.yaml".into(), "not even YAML: [".into());
    assert_ne!(digest(&other), digest(&apart()));
    assert_eq!(digest(&elsewhere), digest(&apart()), "what it does not name is no part of it");
}

#[test]
fn no_unsafe_mutant_of_it_is_published() {
    let spoilt = spoil(&apart(), NAME, &connectors()).unwrap();
    assert!(spoilt.published_unsafe.is_empty(), "{:#?}", spoilt.published_unsafe);
    assert!(spoilt.unsafe_by_change["weaken a level"] > 0, "{spoilt:#?}");
}
