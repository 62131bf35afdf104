//! `handoff`: what is proved across it, and what is refused.

use std::path::Path;

use selvedge_workflow::{Checked, compile};

use crate::house::{connectors, files, told};

const NAME: &str = "balance-by-chat";
const FILE: &str = "balance-by-chat/workflow.yaml";
const HANDOFF: &str = "  - handoff:
      id: phone
      to: call
      within: 2h
      step-up: identity         # only where the proof from the chat does not hold any more

";

/// The shipped workflow with one thing written otherwise.
fn with(old: &str, new: &str) -> Result<Checked, String> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
    let mut files = files();
    for name in [
        "workflow.yaml",
        "templates/code.sms.txt",
        "templates/payment-link.sms.txt",
        "templates/receipt.sms.txt",
        "templates/authorization.page.txt",
    ] {
        let path = format!("{NAME}/{name}");
        files.insert(path.clone(), std::fs::read_to_string(shipped.join(path)).unwrap());
    }
    let text = files.get_mut(FILE).unwrap();
    assert!(text.contains(old), "{old}");
    *text = text.replacen(old, new, 1);
    compile(&files, NAME, &connectors()).map_err(|found| told(&found))
}

#[test]
fn what_is_said_after_a_handoff_rests_on_a_proof_that_is_looked_at_there() {
    let checked = with("", "").unwrap();
    let proof = checked.proofs.iter().find(|proof| proof.claim.contains("`owed` shows")).unwrap();
    assert_eq!(proof.because, "`phone` asks for a fresh assertion right before, and steps up where there is none");
}

#[test]
fn health_data_stay_out_of_a_chat() {
    let refused = with("      over: call\n", "      over: chat\n").unwrap_err();
    assert!(refused.contains("which a chat may not carry"), "{refused}");
    assert!(refused.contains("W134") || refused.contains("assurance.carry.chat"), "{refused}");
}

#[test]
fn without_the_handoff_nobody_is_on_a_call() {
    insta::assert_snapshot!(with(HANDOFF, "").unwrap_err(), @r"
        W137 workflows/balance-by-chat/workflow.yaml:29:11: `owed` speaks on the call, and a path gets to it on the chat
          path: start → identity → owed
          help: put a `handoff` step with `to: call` before it
        ");
}

#[test]
fn a_proof_is_not_carried_past_its_time_by_waiting_after_the_handoff() {
    let refused = with(
        "  - disclose:\n",
        "  - ask: { id: look, question: Look it up, of: supervisor, answers: [found, lost], within: 10m, otherwise: lost }\n\n  - disclose:\n",
    );
    insta::assert_snapshot!(refused.unwrap_err(), @r"
        W131 workflows/balance-by-chat/workflow.yaml:37:11: `owed` shows `account.balance`, `account.month`, which needs L2; `phone` asked for a fresh assertion then, and more time may have passed since
          path: start → identity → phone → look → owed
          rule: assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          help: verify again right before `owed`, raise `valid:`, or shorten the waits between
        ");
}

#[test]
fn only_what_goes_on_elsewhere_is_handed_over() {
    insta::assert_snapshot!(with("      to: call\n", "      to: chat\n").unwrap_err(), @r"
        W137 workflows/balance-by-chat/workflow.yaml:29:11: `phone` hands the conversation over to a chat, and a path gets to it while it is on the chat
          path: start → identity → phone
          help: hand over where the customer is spoken with on another channel, before any wait
        W137 workflows/balance-by-chat/workflow.yaml:35:11: `owed` speaks on the call, and a path gets to it on the chat
          path: start → identity → phone → owed
          help: put a `handoff` step with `to: call` before it
        ");
    let late = format!("  - wait: {{ id: grace, for: 1h }}\n\n{HANDOFF}");
    insta::assert_snapshot!(with(HANDOFF, &late).unwrap_err(), @r"
        W137 workflows/balance-by-chat/workflow.yaml:31:11: `phone` hands the conversation over to a call, and a path gets to it after the conversation is over
          path: start → identity → grace → phone
          help: hand over where the customer is spoken with on another channel, before any wait
        ");
}

#[test]
fn a_handoff_says_which_step_proves_again() {
    let nothing = with("      step-up: identity         #", "      #").unwrap_err();
    assert!(nothing.contains("W103") && nothing.contains("`step-up`"), "{nothing}");
    let other = with("      step-up: identity         #", "      step-up: owed #").unwrap_err();
    assert!(other.contains("only a `verify` step steps up"), "{other}");
}
