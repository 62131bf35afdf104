//! The shipped workflow compiles, and here is what it becomes and what is proved of it.

use crate::house::{NAME, check, files, files_with};
use selvedge_workflow::{bundle, digest_of};

#[test]
fn the_shipped_workflow_becomes_this_graph() {
    let plan = check(&files()).unwrap().plan;
    let graph: Vec<String> = plan
        .nodes
        .iter()
        .map(|node| {
            let exits = node.exits.iter().map(|(exit, target)| {
                let target = match target {
                    selvedge_workflow::plan::Target::Node(at) => plan.nodes[*at].name.clone(),
                    selvedge_workflow::plan::Target::End(ending) => format!("[{ending:?}]"),
                };
                format!("{exit:?} → {target}")
            });
            format!("{}: {}", node.name, exits.collect::<Vec<_>>().join(", "))
        })
        .collect();
    insta::assert_snapshot!(graph.join("\n"), @r"
        identity.check: Done → identity.challenge, Failed → [Failed]
        identity.challenge: Done → identity.answer, Refused → [Failed], Failed → [Failed]
        identity.answer: Done → owed, Failed → [Failed], Timeout → [Failed]
        owed: Done → plan, Refused → [Failed]
        plan: Done → invitation, Timeout → [Failed], Declined → [Declined]
        invitation: Done → first-payment.open, Refused → [Failed], Failed → [Failed]
        first-payment.open: Done → first-payment.fresh, Timeout → [Failed]
        first-payment.fresh: Fresh → first-payment.card, Stale → first-payment.check
        first-payment.check: Done → first-payment.challenge, Failed → [Failed]
        first-payment.challenge: Done → first-payment.answer, Refused → [Failed], Failed → [Failed]
        first-payment.answer: Done → first-payment.card, Failed → [Failed], Timeout → [Failed]
        first-payment.card: Done → first-payment.charge, Timeout → [Failed]
        first-payment.charge: Done → receipt, Failed → [Failed], Declined → first-payment.card
        receipt: Done → [Completed], Refused → [Failed], Failed → [Failed]
        ");
}

#[test]
fn every_node_carries_what_its_step_said() {
    let plan = check(&files()).unwrap().plan;
    let ops: Vec<String> =
        plan.nodes.iter().map(|node| format!("{} ({}): {:?}", node.name, node.step, node.op)).collect();
    insta::assert_snapshot!(ops.join("\n"), @r#"
        identity.check (identity): Check { connector: "sim", subject: "patient.mobile" }
        identity.challenge (identity): Send { connector: "texts", to: "patient.mobile", template: "code", purpose: "identity", carries: Code }
        identity.answer (identity): Answer { within: 600000000, tries: 3, level: L2, valid: 1800000000 }
        owed (owed): Disclose { fields: ["account.balance", "account.month"], words: None, over: "call", needs: L2 }
        plan (plan): Offer { total: "account.balance", payments: 3, every: Month, within: 900000000 }
        invitation (invitation): Send { connector: "texts", to: "patient.mobile", template: "payment-link", purpose: "billing", carries: Link { opens: "first-payment", lasts: 259200000000 } }
        first-payment.open (first-payment): Open
        first-payment.fresh (first-payment): Fresh { needs: L2, anew: false }
        first-payment.check (first-payment): Check { connector: "sim", subject: "patient.mobile" }
        first-payment.challenge (first-payment): Send { connector: "texts", to: "patient.mobile", template: "code", purpose: "identity", carries: Code }
        first-payment.answer (first-payment): Answer { within: 600000000, tries: 3, level: L2, valid: 1800000000 }
        first-payment.card (first-payment): Card { authorization: "authorization", amount: Some(FirstPart { offer: "plan" }) }
        first-payment.charge (first-payment): Charge { connector: "cards", amount: FirstPart { offer: "plan" }, needs: L2, tries: 3 }
        receipt (receipt): Send { connector: "texts", to: "patient.mobile", template: "receipt", purpose: "billing", carries: Nothing }
        "#);
    assert_eq!(plan.templates.keys().collect::<Vec<_>>(), ["authorization", "code", "payment-link", "receipt"]);
    assert_eq!(plan.uses["texts"], "brightline-sms");
}

#[test]
fn this_is_proved_of_the_shipped_workflow() {
    let checked = check(&files()).unwrap();
    let proofs: Vec<String> =
        checked.proofs.iter().map(|p| format!("{}\n  {} ({})\n  {}", p.claim, p.rule, p.cite, p.because)).collect();
    insta::assert_snapshot!(proofs.join("\n"), @r#"
        `owed` shows `account.balance`, `account.month` only to someone proved at L2
          assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          every path passes the code of `identity` (L2); at worst 30m of its 30m are left
        `plan` tells `account.balance` only to someone proved at L2
          assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          every path passes the code of `identity` (L2); at worst 30m of its 30m are left
        `first-payment` opens the page `authorization` only to someone proved at L2
          assurance.levels.disclose.PHI (45 CFR 164.514(h), NIST SP 800-63B-4)
          `first-payment` asks for a fresh assertion right before, and steps up where there is none
        `first-payment` charges a card only to someone proved at L2
          assurance.levels.pay (45 CFR 164.514(h), NIST SP 800-63B-4)
          `first-payment` asks for a fresh assertion right before, and steps up where there is none
        whatever is said is said while the conversation lasts
          plan.conversation (45 CFR 164.522(b))
          `owed` on the call; `plan` on the call
        `identity` puts into `code` only what an SMS may carry
          assurance.carry.sms (45 CFR 164.502(b), PCI DSS 4.0.1 3.3.1 and 3.4.2)
          it names `sender.name` (PUBLIC), `challenge.code` (KEY)
        `invitation` puts into `payment-link` only what an SMS may carry
          assurance.carry.sms (45 CFR 164.502(b), PCI DSS 4.0.1 3.3.1 and 3.4.2)
          it names `sender.name` (PUBLIC), `payment.link` (KEY), `sender.phone` (PUBLIC)
        `first-payment` puts into `authorization` only what a page may carry
          assurance.carry.page (45 CFR 164.502(b), PCI DSS 4.0.1 3.3.1 and 3.4.2)
          it names `sender.name` (PUBLIC), `payment.amount` (PHI), `payment.date` (PII), `payment.number` (PII)
        `receipt` puts into `receipt` only what an SMS may carry
          assurance.carry.sms (45 CFR 164.502(b), PCI DSS 4.0.1 3.3.1 and 3.4.2)
          it names `sender.name` (PUBLIC), `payment.number` (PII), `card.last4` (PII), `payment.date` (PII), `payment.reference` (PII)
        `owed` says nothing but `account.balance`, `account.month` over a call
          assurance.carry.call (45 CFR 164.502(b), PCI DSS 4.0.1 3.3.1 and 3.4.2)
          the policy lets a call carry BANK, PHI, PII, PUBLIC
        `plan` says nothing but `account.balance` over a call
          assurance.carry.call (45 CFR 164.502(b), PCI DSS 4.0.1 3.3.1 and 3.4.2)
          the policy lets a call carry BANK, PHI, PII, PUBLIC
        `northgate-cards` is given `card.code`, `card.expiry-month`, `card.expiry-year`, `card.number` and nothing else
          grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          `workflows/grants/northgate-cards.yaml` grants these for `billing`
        `brightline-sim` is given `patient.mobile` and nothing else
          grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          `workflows/grants/brightline-sim.yaml` grants these for `identity`
        `brightline-sms` is given `message.text`, `patient.mobile` and nothing else
          grant.fields (45 CFR 164.502(b), PCI DSS 4.0.1 7.2)
          `workflows/grants/brightline-sms.yaml` grants these for `billing`, `identity`
        every effect says how "did it happen?" is answered
          plan.effects (design: one step, as it flows)
          `check` of `brightline-sim` is pure; `send` of `brightline-sms` is reconcile; `charge` of `northgate-cards` is reconcile
        every wait ends
          plan.waits (design: one step, as it flows)
          `identity.answer` after 10m; `plan` after 15m; `first-payment.open` after 72h; `first-payment.answer` after 10m; `first-payment.card` after 72h
        `first-payment` says how its money is given back
          plan.undo (design: one step, as it flows)
          by no workflow: a refund is decided by a person, never by a workflow
        `identity` is sent in 2 parts at most
          plan.parts (3GPP TS 23.038, 23.040)
          `code` takes 1 part, 2 where a value has a letter that no plain SMS has
        `invitation` is sent in 2 parts at most
          plan.parts (3GPP TS 23.038, 23.040)
          `payment-link` takes 1 to 2 parts, 4 where a value has a letter that no plain SMS has
        `receipt` is sent in 2 parts at most
          plan.parts (3GPP TS 23.038, 23.040)
          `receipt` takes 1 to 2 parts, 4 where a value has a letter that no plain SMS has
        `identity` proves L2
          assurance.methods.code (45 CFR 164.514(h), NIST SP 800-63B-4)
          a one-time code goes to `patient.mobile` after `sim` was asked about it
        `invitation` is sent for `billing` and after a contact decision
          contact.purpose (47 CFR 64.1200(a))
          every message has a purpose, and is decided when queued and again when sent
        `receipt` is sent for `billing` and after a contact decision
          contact.purpose (47 CFR 64.1200(a))
          every message has a purpose, and is decided when queued and again when sent
        no run takes more steps than are allowed
          budget.limits.steps (policies/budget.yaml, Head of operations)
          at most 22 (`first-payment` 13, `identity` 5, `owed` 1, `plan` 1, `invitation` 1, `receipt` 1); 2000 are allowed
        no customer tries more codes and cards than are allowed
          budget.limits.tries (policies/budget.yaml, Head of operations)
          at most 9 (`first-payment` 6, `identity` 3); 15 are allowed
        nobody is kept on the line for longer than is allowed
          budget.limits.held (policies/budget.yaml, Head of operations)
          at most 25m (`plan` 15m, `identity` 10m); 45m are allowed
        every run is over in the time that is allowed
          budget.limits.open (policies/budget.yaml, Head of operations)
          at most 144h 25m (`first-payment` 72h, `identity` 24h 10m, `invitation` 24h, `receipt` 24h, `plan` 15m); 60d are allowed
        "#);
    assert_eq!(checked.warnings, []);
}

#[test]
fn the_digest_covers_what_the_workflow_is_made_from_and_nothing_else() {
    let digest = check(&files()).unwrap().plan.digest;
    assert!(digest.starts_with("sha256:") && digest.len() == 7 + 64);
    let mut more = files();
    more.insert("another/workflow.yaml".to_owned(), "x".to_owned());
    more.insert("healthcare-balance/README.md".to_owned(), "x".to_owned());
    assert_eq!(check(&more).unwrap().plan.digest, digest);
    let changed = files_with("healthcare-balance/templates/receipt.sms.txt", "thank you", "thanks");
    assert_ne!(check(&changed).unwrap().plan.digest, digest);
    assert_eq!(bundle(&more, NAME).len(), 8);
}

#[test]
fn the_digest_is_over_canonical_json() {
    let one = [("b".to_owned(), "line\n\"é\"\u{1}".to_owned()), ("a".to_owned(), String::new())].into();
    // printf '{"a":"","b":"line\\n\\"é\\"\\u0001"}' | sha256sum
    assert_eq!(digest_of(&one), "sha256:991ecae6aeb1c27d882fa9ba2c58d50c13f0b2e0c3575d7f6f187543322458e3");
}

#[test]
fn unused_things_and_costly_texts_are_worth_a_word() {
    let mut files = files_with("healthcare-balance/templates/receipt.sms.txt", "thank you.", "thank you –");
    files.insert("healthcare-balance/templates/old.sms.txt".to_owned(), "Hello".to_owned());
    let text = files.get_mut(crate::house::WORKFLOW).unwrap();
    *text = text.replace("  sim: brightline-sim\n", "  sim: brightline-sim\n  spare: brightline-sms\n");
    *text = text.replace("      template: receipt", "      template: receipt\n      parts: 4");
    insta::assert_snapshot!(crate::house::told(&check(&files).unwrap().warnings), @r"
        W141 workflows/healthcare-balance/templates/receipt.sms.txt:1:1: `receipt` has a character that no plain SMS has: each part holds 70 characters, not 160
          help: use straight quotes and plain dashes
        W140 workflows/healthcare-balance/templates/old.sms.txt:1:1: no step uses the template `old` for an SMS
          help: remove the file, or name it in a step
        W140 workflows/healthcare-balance/workflow.yaml:13:3: no step uses `spare`
          help: remove the line
        ");
}
