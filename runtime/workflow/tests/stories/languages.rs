//! Texts in several languages, and what an SMS may cost: proved alike in each of them.

use crate::house::{NAME, WORKFLOW, check, connectors, files};
use selvedge_workflow::Files;
use selvedge_workflow::mutants::spoil;

const TEXTS: [(&str, &str); 4] = [
    ("code.sms.es.txt", "{{ sender.name }}: {{ challenge.code }} es su clave.\n"),
    ("payment-link.sms.es.txt", "{{ sender.name }}: {{ payment.link }} Preguntas: {{ sender.phone }}.\n"),
    (
        "receipt.sms.es.txt",
        "{{ sender.name }}: pago {{ payment.number }}, {{ card.last4 }}, {{ payment.date }}, {{ payment.reference }}.\n",
    ),
    (
        "authorization.page.es.txt",
        "Autorizo a {{ sender.name }}: {{ payment.amount }}, {{ payment.number }}, {{ payment.date }}.\n",
    ),
];

/// The shipped workflow, in English and in Spanish.
fn in_spanish_too() -> Files {
    let mut files = files();
    let workflow = files.get_mut(WORKFLOW).unwrap();
    *workflow = workflow.replace("starts: call\n", "starts: call\nlanguages: [en, es]\n");
    files.extend(TEXTS.map(|(name, text)| (format!("{NAME}/templates/{name}"), text.to_owned())));
    files
}

/// The same with another Spanish text.
fn with(name: &str, text: &str) -> String {
    let mut files = in_spanish_too();
    files.insert(format!("{NAME}/templates/{name}"), text.to_owned());
    check(&files).unwrap_err()
}

#[test]
fn each_text_is_proved_in_each_language() {
    let plan = check(&in_spanish_too()).unwrap().plan;
    let text =
        |language: Option<&str>| plan.text("code", language).unwrap().text.split(' ').next_back().unwrap().to_owned();
    assert_eq!([text(None), text(Some("en")), text(Some("es")), text(Some("fr"))], ["it.", "it.", "clave.", "it."]);

    let phi = with("code.sms.es.txt", "{{ sender.name }}: {{ challenge.code }} {{ account.balance }}");
    assert!(phi.contains("W132 workflows/healthcare-balance/templates/code.sms.es.txt:1:41"), "{phi}");
    let card = with("code.sms.es.txt", "{{ sender.name }}: {{ challenge.code }} 4242 4242 4242 4242");
    assert!(card.contains("W133") && card.contains("`code.es` has a card number"), "{card}");
}

#[test]
fn a_text_that_is_not_there_in_a_language_is_named_with_its_file() {
    let mut files = in_spanish_too();
    files.remove(&format!("{NAME}/templates/receipt.sms.es.txt"));
    insta::assert_snapshot!(check(&files).unwrap_err(), @r"
    W107 workflows/healthcare-balance/workflow.yaml:63:17: there is no template `receipt` for an SMS in `es`
      help: write it: `workflows/healthcare-balance/templates/receipt.sms.es.txt`, or take `es` out of `languages:`
    ");
}

#[test]
fn a_text_names_the_same_fields_in_each_language() {
    insta::assert_snapshot!(with("payment-link.sms.es.txt", "{{ sender.name }}: llame al {{ sender.phone }}"), @r"
    W121 workflows/healthcare-balance/templates/payment-link.sms.es.txt:1:1: `payment-link.es` says something else than `payment-link`: it does not name `payment.link`
      path: start → identity → owed → plan → invitation
      help: name the same fields in each language
    ");
}

#[test]
fn a_language_has_two_letters_and_stands_there_once() {
    let mut files = in_spanish_too();
    let workflow = files.get_mut(WORKFLOW).unwrap();
    *workflow = workflow.replace("languages: [en, es]", "languages: [en, en, spanish]");
    insta::assert_snapshot!(check(&files).unwrap_err(), @r"
    W106 workflows/healthcare-balance/workflow.yaml:9:17: the language `en` is there twice
      help: take one of them out
    W104 workflows/healthcare-balance/workflow.yaml:9:21: an item of `languages` should be two letters such as `es`; found the text `spanish`
    ");
}

#[test]
fn a_message_that_may_take_more_parts_than_its_step_allows_is_refused() {
    let long = format!("{{{{ sender.name }}}}: {{{{ challenge.code }}}} {}", "es su clave. ".repeat(22));
    insta::assert_snapshot!(with("code.sms.es.txt", &long), @r"
    W142 workflows/healthcare-balance/templates/code.sms.es.txt:1:1: `code.es` may take 3 parts, and its step lets it take 2
      path: start → identity
      rule: 3GPP TS 23.038, 23.040
      help: shorten the text; a `communicate` step can also say `parts: 3`
    ");

    let mut files = files();
    files.get_mut(&format!("{NAME}/templates/receipt.sms.txt")).unwrap().push_str(&" Thank you.".repeat(12));
    assert!(check(&files).unwrap_err().contains("W142"));
    let workflow = files.get_mut(WORKFLOW).unwrap();
    *workflow = workflow.replace("      template: receipt", "      template: receipt\n      parts: 3");
    let proofs = check(&files).unwrap().proofs;
    let parts = proofs.iter().find(|proof| proof.rule == "plan.parts" && proof.claim.contains("`receipt`")).unwrap();
    insta::assert_snapshot!(format!("{}: {}", parts.claim, parts.because), @"`receipt` is sent in 3 parts at most: `receipt` takes 2 to 3 parts, 6 where a value has a letter that no plain SMS has");
}

#[test]
fn a_message_names_no_text_of_which_nobody_knows_how_long_it_is() {
    let mut files = files();
    let fields = files.get_mut("fields.yaml").unwrap();
    *fields = fields.replace("longest: 30, ", "");
    let found = check(&files).unwrap_err();
    assert!(found.contains("W142") && found.contains("nothing says how long `sender.name` is"), "{found}");
}

#[test]
fn no_mutant_of_a_text_in_a_further_language_is_published() {
    let [one, both] = [files(), in_spanish_too()].map(|files| spoil(&files, NAME, &connectors()).unwrap());
    assert!(both.published_unsafe.is_empty(), "{:#?}", both.published_unsafe);
    assert!(both.unsafe_mutants > one.unsafe_mutants, "{both:#?}");
}
