//! `capture`: a card is kept for nobody but who proved anew whose it is, and reaches nobody but its gateway.

use selvedge_workflow::dictionary::Level;
use selvedge_workflow::plan::{Exit, Op, Target};
use selvedge_workflow::{Checked, compile};

use crate::house::{NAME, WORKFLOW, connectors, files, files_with, step, told};

const CAPTURE: &str = "  - capture:
      id: first-payment
      by: link
      through: cards
      level: L2
      step-up: identity
      authorization: authorization
      tries: 3
      lasts: 365d
";

/// The shipped workflow with a card kept in the place of the payment.
pub fn kept(old: &str, new: &str) -> Result<Checked, String> {
    assert!(CAPTURE.contains(old), "{old}");
    let mut files = files_with(WORKFLOW, &step("first-payment"), &format!("{}\n", CAPTURE.replacen(old, new, 1)));
    let mut text = |name: &str, text: &str| files.insert(format!("{NAME}/templates/{name}.txt"), text.into());
    text("authorization.page", "Keep this card.");
    text("receipt.sms", "The card ending in {{ card.last4 }} is on file.");
    compile(&files, NAME, &connectors()).map_err(|found| told(&found))
}

#[test]
fn a_card_is_kept_after_its_gateway_called_it_good_and_after_a_new_proof() {
    let checked = kept("L2", "L2").unwrap();
    let at = |name: &str| checked.plan.nodes.iter().position(|node| node.name == name).unwrap();
    let [fresh, again, card] = ["first-payment.fresh", "first-payment.check", "first-payment.card"].map(at);
    let [good, keep] = ["first-payment.validate", "first-payment.keep"].map(at);
    let node = |at: usize| &checked.plan.nodes[at];
    assert_eq!(node(fresh).op, Op::Fresh { needs: Level::L2, anew: true });
    assert_eq!(node(fresh).target(Exit::Stale), Target::Node(again));
    assert_eq!(node(card).target(Exit::Done), Target::Node(good));
    assert_eq!(
        (node(good).target(Exit::Done), node(good).target(Exit::Declined)),
        (Target::Node(keep), Target::Node(card))
    );
    assert!(checked.proofs.iter().any(|proof| proof.rule == "plan.capture" && proof.cite.contains("3.3.1")));
    let rule = "assurance.levels.change-method";
    assert!(checked.proofs.iter().any(|proof| proof.rule == rule), "{:?}", checked.proofs);
}

#[test]
fn a_card_is_not_kept_for_less_than_the_policy_asks() {
    let weak = kept("level: L2", "level: L1").unwrap_err();
    assert!(weak.contains("W135") && weak.contains("a change of the method on file needs L2"), "{weak}");
    let no_way = kept("      step-up: identity\n", "").unwrap_err();
    assert!(no_way.contains("W103") && no_way.contains("`step-up`"), "{no_way}");
    let endless = kept("      lasts: 365d\n", "").unwrap_err();
    assert!(endless.contains("W103") && endless.contains("`lasts`"), "{endless}");
}

#[test]
fn a_card_goes_to_a_gateway_that_says_how_it_answers() {
    let astray = kept("through: cards", "through: texts").unwrap_err();
    assert!(astray.contains("W113") && astray.contains("a gateway is needed here"), "{astray}");
    let mut silent = connectors();
    silent.get_mut("northgate-cards").unwrap().effects.remove("validate");
    let mut files = files();
    let text = files.get_mut(WORKFLOW).unwrap();
    *text = text.replace(&step("first-payment"), &format!("{CAPTURE}\n"));
    let found = told(&compile(&files, NAME, &silent).unwrap_err());
    assert!(found.contains("W136") && found.contains("`validate`"), "{found}");
}

#[test]
fn nothing_of_a_payment_is_said_where_a_card_was_only_kept() {
    let mut files = files_with(WORKFLOW, &step("first-payment"), &format!("{CAPTURE}\n"));
    files.insert(format!("{NAME}/templates/authorization.page.txt"), "Keep this card.".into());
    let found = told(&compile(&files, NAME, &connectors()).unwrap_err());
    assert!(found.contains("W121") && found.contains("`payment.reference`"), "{found}");
}
