//! `ask` and `approve`: what is proved of people who decide, and what is refused.

use crate::house::step;
use crate::ways::{choose, flow};

const REVIEW: &str = "  - ask: { id: review, question: Does hardship apply?, of: supervisor, answers: [hardship, standard], within: 2d, otherwise: standard }
";
const APPROVE: &str = "  - approve: { id: second-look, terms: plan, of: supervisor, within: 1d }
";
const WAIT: &str = "  - wait: { id: grace, for: 2d }
";

fn offered() -> String {
    ["identity", "owed", "plan"].map(step).concat()
}

#[test]
fn an_approval_and_a_question_are_proved_like_this() {
    let checked = flow(&(offered() + REVIEW + APPROVE + &choose("review.answer == 'hardship'", WAIT, ""))).unwrap();
    let proofs = checked.proofs.iter().filter(|proof| ["plan.approvals", "plan.waits"].contains(&proof.rule.as_str()));
    insta::assert_snapshot!(proofs.map(|p| format!("{}\n  {}", p.claim, p.because)).collect::<Vec<_>>().join("\n"), @r"
        every wait ends
          `identity.answer` after 10m; `plan` after 15m; `review` after 48h; `second-look` after 24h; `grace` after 48h
        `second-look` is approved by a `supervisor` who did not open the interaction
          an approval names the terms of `plan` by their commitment; the engine takes none from who opened the interaction, and after 24h nobody's silence approves
        ");
}

#[test]
fn an_answer_is_asked_for_before_and_is_one_of_its_words() {
    let asked = |steps: &str, condition: &str| flow(&(steps.to_owned() + &choose(condition, WAIT, ""))).unwrap_err();
    insta::assert_snapshot!(asked(REVIEW, "review.answer == 'hardshipp'"), @r"
        W123 workflows/healthcare-balance/workflow.yaml:20:33: it can never be `hardshipp`
          help: did you mean `hardship`?
        ");
    insta::assert_snapshot!(asked(REVIEW, "revue.answer == 'hardship'"), @r"
        W112 workflows/healthcare-balance/workflow.yaml:20:16: `revue.answer` is nothing that a condition can ask about
          help: did you mean `review.answer`?
        ");
    let sometimes = choose("account.balance > '50.00 USD'", REVIEW, "").replace("id: route", "id: first");
    insta::assert_snapshot!(asked(&sometimes, "review.answer == 'hardship'"), @r"
        W113 workflows/healthcare-balance/workflow.yaml:26:15: `route` asks about `review.answer`, which a path to it does not pass
          path: start → first → route
          help: move `review` to where every path to `route` passes it
        ");
}

#[test]
fn what_is_approved_are_the_terms_of_an_offer_that_was_accepted() {
    insta::assert_snapshot!(flow(&(offered() + &APPROVE.replace("terms: plan", "terms: pln"))).unwrap_err(), @r"
        W111 workflows/healthcare-balance/workflow.yaml:40:40: there is no offer `pln` to approve
          help: did you mean `plan`?
        ");
    insta::assert_snapshot!(flow(&(offered() + &APPROVE.replace("terms: plan", "terms: owed"))).unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:40:40: `owed` is a `disclose` step; what is approved are the terms of an offer
          help: name an `offer` step
        ");
    let early = step("identity") + APPROVE + &step("plan");
    insta::assert_snapshot!(flow(&early).unwrap_err(), @r"
        W113 workflows/healthcare-balance/workflow.yaml:28:40: `second-look` approves the terms of `plan`, which a path to it does not pass
          path: start → identity → second-look
          help: move `plan` to where every path to `second-look` passes it
        W131 workflows/healthcare-balance/workflow.yaml:30:11: `plan` tells `account.balance`, which needs L2; the assertion of `identity` holds 30m and 24h may pass before
          path: start → identity → second-look → plan
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: verify again right before `plan`, raise `valid:`, or shorten the waits between
        W137 workflows/healthcare-balance/workflow.yaml:30:11: `plan` speaks on the call, which is over when a path gets to it
          path: start → identity → second-look → plan
          help: move `plan` before the step that waits
        ");
}

#[test]
fn nobody_holds_the_line_for_days() {
    insta::assert_snapshot!(flow(&(step("identity").replace("valid: 30m", "valid: 3d") + REVIEW + &step("owed"))).unwrap_err(), @r"
        W137 workflows/healthcare-balance/workflow.yaml:30:11: `owed` speaks on the call, which is over when a path gets to it
          path: start → identity → review → owed
          help: move `owed` before the step that waits
        ");
    let short = REVIEW.replace("within: 2d", "within: 15m");
    assert!(flow(&(step("identity") + &short + &step("owed"))).is_ok(), "a quarter of an hour is held");
}

#[test]
fn slips_in_a_question_are_told_together_with_their_places() {
    let steps = "
  - ask: { id: review, question: \"\", of: supervisor, answers: [yes-please], within: 2d, otherwise: standard }
  - ask: { id: other, question: Is 4242 4242 4242 4242 a card?, off: supervisor, answers: [one, two, one], within: 2d, otherwise: tow }
  - approve: { id: second-look, what: plan, of: Supervisors, within: 400d }
";
    insta::assert_snapshot!(flow(steps).unwrap_err(), @r"
        W104 workflows/healthcare-balance/workflow.yaml:17:34: `question` should be a text; found the text ``
        W104 workflows/healthcare-balance/workflow.yaml:17:63: `answers` should be a list of 2 to 10 answers; found a list
        W104 workflows/healthcare-balance/workflow.yaml:17:100: `otherwise` should be one of `yes-please`; found the text `standard`
        W103 workflows/healthcare-balance/workflow.yaml:18:10: an `ask` step needs the key `of`
          help: add `of: …`
        W102 workflows/healthcare-balance/workflow.yaml:18:65: `off` is no key of an `ask` step
          help: did you mean `of`?
        W106 workflows/healthcare-balance/workflow.yaml:18:102: the answer `one` stands there twice
          help: remove one of them
        W104 workflows/healthcare-balance/workflow.yaml:18:131: `otherwise` should be one of `one`, `two`, `one`; found the text `tow`
          help: did you mean `two`?
        W103 workflows/healthcare-balance/workflow.yaml:19:14: an `approve` step needs the key `terms`
          help: add `terms: …`
        W102 workflows/healthcare-balance/workflow.yaml:19:33: `what` is no key of an `approve` step
          help: known here: `id`, `terms`, `of`, `within`
        W104 workflows/healthcare-balance/workflow.yaml:19:49: `of` should be a name of lower-case letters, digits and `-`; found the text `Supervisors`
        W104 workflows/healthcare-balance/workflow.yaml:19:70: `within` should be at most `366d`; found the text `400d`
        ");
    let card = REVIEW.replace("Does hardship apply?", "Is 4242 4242 4242 4242 a card?");
    insta::assert_snapshot!(flow(&card).unwrap_err(), @r"
        W133 workflows/healthcare-balance/workflow.yaml:16:34: there is a card number in this text
          rule: PCI DSS 4.0.1 3.3.1, 3.4.1
          help: take the number out
        ");
}
