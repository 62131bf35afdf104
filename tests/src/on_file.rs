//! A customer who puts a card on file, on the page that a text links to.

use crate::served::{Served, code, hidden, page, until};

const FORM: &str = "content-type: application/x-www-form-urlencoded";

/// Opens the link in the text that comes `nth` (from 0), proves anew who they are with the code of the text after it,
/// agrees and enters the card. Returns the page once the card is on file.
pub fn put_on_file(served: &Served, mobile: &str, nth: usize, card: &str) -> String {
    let page = page(&served.text(mobile, nth));
    assert_eq!(served.node.post(&format!("{page}/start"), &[FORM], "").status, 303);
    // What was proved on the call does not count: the page asks for a new proof before it asks for a card.
    let fresh = code(&served.text(mobile, nth + 1));
    let asked = until(|| Some(served.node.get(&page, &[])).filter(|shown| shown.body.contains("name=\"code\"")));
    assert!(!asked.body.contains("name=\"number\""), "{}", asked.body);
    let proved = served.node.post(&format!("{page}/code"), &[FORM], &format!("code={fresh}"));
    let mark = proved.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let mark = format!("cookie: {mark}");

    let shown = served.node.get(&page, &[&mark]).body;
    assert!(shown.contains("Nothing is charged now.") && shown.contains("keep this card"), "{shown}");
    let words = hidden(&shown, "words_id");
    let card = format!("number={card}&month=12&year=2031&cvc=737&words_id={words}&agree=yes");
    assert_eq!(served.node.post(&format!("{page}/card"), &[FORM, &mark], &card).status, 303);
    until(|| Some(served.node.get(&page, &[&mark])).filter(|shown| shown.body.contains("is on file"))).body
}
