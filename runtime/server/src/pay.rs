//! `/pay/{token}`: what a customer does with a link. A first page with one button (previews of links press none),
//! a code where we must make sure again who it is, the words and the card, and then how it stands. What the page
//! shows is the engine's answer ([`selvedge_engine::page`]); here it becomes HTML.
//!
//! The token opens the page, the cookie `mark` says that this browser is where the customer proved who they are.
//! It is set after a right code; and after the first button where the proof from the call still holds, so that
//! whoever opens the link second has to prove themselves. Each form answers with a redirect to the page, so that
//! a reload sends nothing twice; what the customer can mend is shown beside the form at once.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use secrecy::{ExposeSecret, SecretString};
use selvedge_engine::EngineError;
use selvedge_engine::page::{Card, CardFault, Page, Untaken, Visit};
use selvedge_engine::ports::Micros;
use selvedge_record::time;
use serde::{Deserialize, Deserializer, Serialize};

use crate::api;
use crate::app::App;
use crate::auth::{cookie, set_cookie, token_hash};
use crate::error::{Problem, ServerError};
use crate::pages::{self, render};

/// The cookie that marks a browser.
pub const MARK_COOKIE: &str = "mark";
/// The longest token that is looked up.
const MAX_TOKEN_BYTES: usize = 128;
/// How many digits something must have to be counted as a try of a code.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 4..=10;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/pay/{token}", get(look))
        .route("/pay/{token}/start", post(start))
        .route("/pay/{token}/code", post(give_code))
        .route("/pay/{token}/card", post(give_card))
        .route("/pay/{token}/again", post(prove_again))
}

/// Turns what went wrong into a page in a customer's words.
pub(crate) async fn in_html(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let message = Message::of(problem.status);
    match render(&app.frame, &message) {
        Ok(html) => (response.status(), html).into_response(),
        Err(error) => error.into_response(),
    }
}

/// Text that a customer typed and that nobody keeps.
#[derive(Default)]
struct Typed(SecretString);

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Typed, D::Error> {
        Ok(Typed(String::deserialize(deserializer)?.into()))
    }
}

#[derive(Deserialize)]
struct CodeForm {
    #[serde(default)]
    code: Typed,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct CardForm {
    number: Typed,
    month: Typed,
    year: Typed,
    cvc: Typed,
    words_id: String,
    agree: String,
}

/// What the customer should look at again.
#[derive(Clone, Debug, Serialize)]
struct Wrong {
    /// The field: `number`, `expiry`, `code`, `agree`; `form` for the whole of it.
    field: &'static str,
    /// In words.
    text: String,
}

impl Wrong {
    fn new(field: &'static str, text: impl Into<String>) -> Wrong {
        Wrong { field, text: text.into() }
    }
}

async fn look(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ServerError> {
    let visit = app.visit(&token, &headers).await?;
    app.show(&token, &visit.page, None)
}

async fn start(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ServerError> {
    let before = app.counted_visit(&token, &headers).await?;
    if before.page != Page::Start {
        return Ok(back(&token));
    }
    if !app.engine.open_link(&token).await? {
        return Ok(back(&token));
    }
    // With the mark from before: where somebody proved themselves in the meantime, it is not worth anything.
    let mark = before.mark.expose_secret();
    let after = app.engine.visit(&token, Some(mark)).await?;
    let fresh = after.is_some_and(|visit| matches!(visit.page, Page::Card { .. }));
    Ok(if fresh { app.marked(&token, mark) } else { back(&token) })
}

async fn give_code(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: Result<Form<CodeForm>, FormRejection>,
) -> Result<Response, ServerError> {
    let visit = app.counted_visit(&token, &headers).await?;
    let Form(CodeForm { code: Typed(code) }) = form.map_err(|rejection| api::unreadable(rejection.status()))?;
    if !matches!(visit.page, Page::Code { .. }) {
        return Ok(back(&token));
    }
    if !is_code(code.expose_secret()) {
        return app.show(&token, &visit.page, Some(Wrong::new("code", "Please type the code from our text message.")));
    }
    match app.engine.give_code(&visit.id, code.expose_secret().trim(), None).await {
        Ok(true) => {
            let proved = app.visit(&token, &headers).await?;
            Ok(app.marked(&token, proved.mark.expose_secret()))
        }
        Ok(false) => {
            let after = app.visit(&token, &headers).await?;
            let wrong = Wrong::new("code", "That is not the code that we sent. Please look at the text message again.");
            match after.page {
                Page::Code { .. } => app.show(&token, &after.page, Some(wrong)),
                _ => Ok(back(&token)),
            }
        }
        Err(EngineError::NotNow { .. }) => Ok(back(&token)),
        Err(error) => Err(error.into()),
    }
}

async fn give_card(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: Result<Form<CardForm>, FormRejection>,
) -> Result<Response, ServerError> {
    let visit = app.counted_visit(&token, &headers).await?;
    let Form(form) = form.map_err(|rejection| api::unreadable(rejection.status()))?;
    if !matches!(visit.page, Page::Card { .. }) {
        return Ok(back(&token));
    }
    if form.agree != "yes" {
        let wrong =
            Wrong::new("agree", "Please read the text and tick the box if you agree. Without it we take no card.");
        return app.show(&token, &visit.page, Some(wrong));
    }
    let mark = cookie(&headers, MARK_COOKIE);
    let card = form.card(app.engine.now());
    match app.engine.take_card(&token, mark, &form.words_id, card).await? {
        Ok(()) => Ok(back(&token)),
        Err(Untaken::Card(fault)) => app.show(&token, &visit.page, Some(Wrong::new(fault.field(), fault.to_string()))),
        Err(Untaken::Moved) => {
            let after = app.visit(&token, &headers).await?;
            let wrong = Wrong::new(
                "form",
                "This page has changed since you opened it. Please read it again; nothing was charged.",
            );
            match after.page {
                Page::Card { .. } => app.show(&token, &after.page, Some(wrong)),
                _ => Ok(back(&token)),
            }
        }
    }
}

async fn prove_again(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ServerError> {
    let visit = app.counted_visit(&token, &headers).await?;
    if matches!(visit.page, Page::ProveAgain | Page::Code { .. }) {
        app.engine.prove_again(&token).await?;
    }
    Ok(back(&token))
}

impl App {
    /// What is behind a token for this browser. Errors: N808 for a token that opens nothing.
    async fn visit(&self, token: &str, headers: &HeaderMap) -> Result<Visit, ServerError> {
        if !is_token(token) {
            return Err(ServerError::NoRoute);
        }
        self.engine.visit(token, cookie(headers, MARK_COOKIE)).await?.ok_or(ServerError::NoRoute)
    }

    /// The same for a form; N810 where a link gets too many of them.
    async fn counted_visit(&self, token: &str, headers: &HeaderMap) -> Result<Visit, ServerError> {
        let visit = self.visit(token, headers).await?;
        self.pace.count(&token_hash(token), self.engine.now())?;
        Ok(visit)
    }

    /// Back to the page, in a browser that now carries the mark.
    fn marked(&self, token: &str, mark: &str) -> Response {
        let mut response = back(token);
        if let Some(line) = set_cookie(MARK_COOKIE, mark, "/pay", self.secure) {
            response.headers_mut().insert(header::SET_COOKIE, line);
        }
        response
    }

    fn show(&self, token: &str, page: &Page, wrong: Option<Wrong>) -> Result<Response, ServerError> {
        let status = match (page, &wrong) {
            (Page::Gone(_), _) => StatusCode::GONE,
            (_, Some(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            (_, None) => StatusCode::OK,
        };
        let (frame, token) = (&self.frame, token.to_owned());
        let html = match page {
            Page::Start => render(frame, &Start { token }),
            Page::Code { left } => render(frame, &Code { token, left: *left, wrong }),
            Page::Card { amount, words, words_id, declined } => {
                let (amount, words, words_id) = (amount.clone(), words.clone(), words_id.clone());
                render(frame, &CardPage { token, amount, words, words_id, declined: declined.is_some(), wrong })
            }
            Page::ProveAgain => render(frame, &Again { token }),
            Page::Working => render(frame, &Working),
            Page::Unclear => render(frame, &UnclearPage),
            Page::Paid { reference, words } => {
                render(frame, &Paid { reference: reference.clone(), words: words.clone() })
            }
            Page::Kept { brand, last4, words } => {
                render(frame, &Kept { brand: brand.clone(), last4: last4.clone(), words: words.clone() })
            }
            Page::Gone(why) => render(frame, &Message { heading: "This link is closed", text: why }),
        }?;
        Ok((status, html).into_response())
    }
}

fn back(token: &str) -> Response {
    Redirect::to(&format!("/pay/{token}")).into_response()
}

/// A token is base64url; what is not does not reach the store or an address of ours.
fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_TOKEN_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

/// Whether this can be a code at all: a slip should not cost a try.
fn is_code(text: &str) -> bool {
    let mut rest = text.chars().filter(|c| !c.is_whitespace());
    rest.all(|c| c.is_ascii_digit()) && CODE_DIGITS.contains(&text.chars().filter(char::is_ascii_digit).count())
}

impl CardForm {
    fn card(&self, now: Micros) -> Result<Card, CardFault> {
        let (year, month) = latest_to_turn(now);
        let [number, m, y, cvc] = [&self.number, &self.month, &self.year, &self.cvc].map(|t| t.0.expose_secret());
        Card::parse(number, m, y, cvc, year, month)
    }
}

/// Year and month where the day begins last, twelve hours behind UTC: a card is not refused on its last evening.
fn latest_to_turn(now: Micros) -> (i32, u8) {
    let text = time::to_rfc3339(now - 12 * 3_600_000_000).unwrap_or_default();
    let part = |range| text.get(range).unwrap_or_default();
    (part(0..4).parse().unwrap_or_default(), part(5..7).parse().unwrap_or(1))
}

#[derive(Serialize)]
pub(crate) struct Start {
    token: String,
}
#[derive(Serialize)]
pub(crate) struct Code {
    token: String,
    left: u32,
    wrong: Option<Wrong>,
}
#[derive(Serialize)]
pub(crate) struct CardPage {
    token: String,
    /// What is paid; absent where the card is kept and nothing is taken.
    amount: Option<String>,
    words: String,
    words_id: String,
    declined: bool,
    wrong: Option<Wrong>,
}
#[derive(Serialize)]
pub(crate) struct Again {
    token: String,
}
#[derive(Serialize)]
pub(crate) struct Working;
#[derive(Serialize)]
pub(crate) struct UnclearPage;
#[derive(Serialize)]
pub(crate) struct Paid {
    reference: String,
    words: String,
}
#[derive(Serialize)]
pub(crate) struct Kept {
    brand: String,
    last4: String,
    words: String,
}
#[derive(Serialize)]
pub(crate) struct Message {
    heading: &'static str,
    text: &'static str,
}

impl Message {
    fn of(status: u16) -> Message {
        let (heading, text) = match status {
            404 => (
                "This link does not open anything",
                "It may not be complete, or it is no longer in use. Please open it from our text message, or call us.",
            ),
            429 => (
                "Please wait a minute",
                "There were many tries in a short time. Please open the link again in a minute.",
            ),
            400..=499 => {
                ("We could not read that", "Please open the link from our text message again and try once more.")
            }
            _ => (
                "This takes longer than it should",
                "Please do not pay a second time. Open the link from our text message again in a few minutes: the page will tell you how your payment stands.",
            ),
        };
        Message { heading, text }
    }
}

macro_rules! shown_by {
    ($($page:ty => $template:literal),* $(,)?) => {
        $(impl pages::Page for $page { const TEMPLATE: &'static str = $template; })*
    };
}
shown_by! {
    Start => "pay_start.html",
    Code => "pay_code.html",
    CardPage => "pay_card.html",
    Again => "pay_again.html",
    Working => "pay_working.html",
    UnclearPage => "pay_unclear.html",
    Paid => "pay_paid.html",
    Kept => "pay_kept.html",
    Message => "pay_message.html",
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    const WORDS: &str = "I authorize Lakeside Clinic to charge $125.17 to this card today, November 26, 2026, as payment 1 of 3 of the plan that I agreed to.";

    const STORED: &str = "I let Lakeside Clinic keep this card for one year and charge it for what is due.";

    pub(crate) fn starts() -> Vec<Start> {
        vec![Start { token: "tkn_1".into() }]
    }

    pub(crate) fn codes() -> Vec<Code> {
        let code = |left, wrong| Code { token: "tkn_1".into(), left, wrong };
        vec![code(3, None), code(1, Some(Wrong::new("code", "That is not the code that we sent.")))]
    }

    pub(crate) fn cards() -> Vec<CardPage> {
        let card = |declined, wrong| CardPage {
            token: "tkn_1".into(),
            amount: Some("$125.17".into()),
            words: WORDS.into(),
            words_id: "sha256:0f".into(),
            declined,
            wrong,
        };
        let wrongs = ["number", "expiry", "code", "agree", "form"].map(|field| Wrong::new(field, "Please look again."));
        let kept = CardPage { amount: None, words: STORED.into(), ..card(false, None) };
        [card(false, None), kept].into_iter().chain(wrongs.map(|wrong| card(true, Some(wrong)))).collect()
    }

    pub(crate) fn agains() -> Vec<Again> {
        vec![Again { token: "tkn_1".into() }]
    }

    pub(crate) fn workings() -> Vec<Working> {
        vec![Working]
    }

    pub(crate) fn unclears() -> Vec<UnclearPage> {
        vec![UnclearPage]
    }

    pub(crate) fn paids() -> Vec<Paid> {
        let paid = |words: &str| Paid { reference: "ch_1".into(), words: words.into() };
        vec![paid(WORDS), paid("")]
    }

    pub(crate) fn kepts() -> Vec<Kept> {
        let kept = |words: &str| Kept { brand: "Visa".into(), last4: "4242".into(), words: words.into() };
        vec![kept(STORED), kept("")]
    }

    pub(crate) fn messages() -> Vec<Message> {
        let gone = Message { heading: "This link is closed", text: "This link has expired." };
        [404, 429, 422, 503].map(Message::of).into_iter().chain([gone]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_base64url_is_looked_up() {
        assert!(is_token("aB3-_x") && is_token(&"a".repeat(MAX_TOKEN_BYTES)));
        for text in ["", "a/b", "a\nb", "a b", "ä", &"a".repeat(MAX_TOKEN_BYTES + 1)] {
            assert!(!is_token(text), "{text:?}");
        }
    }

    #[test]
    fn a_slip_costs_no_try() {
        assert!(is_code("123456") && is_code(" 123 456 "));
        for slip in ["", "12", "12345a", "12345678901", "１２３４５６"] {
            assert!(!is_code(slip), "{slip:?}");
        }
    }

    #[test]
    fn a_card_is_good_until_its_month_is_over_everywhere() {
        let micros = |text: &str| time::from_rfc3339(text).unwrap();
        assert_eq!(latest_to_turn(micros("2026-12-01T11:59:59.999999Z")), (2026, 11));
        assert_eq!(latest_to_turn(micros("2026-12-01T12:00:00.000000Z")), (2026, 12));
        assert_eq!(latest_to_turn(micros("2027-01-01T03:00:00.000000Z")), (2026, 12));
    }

    #[test]
    fn a_form_without_a_card_in_it_is_not_a_card() {
        assert!(matches!(CardForm::default().card(0), Err(CardFault::Number)));
    }
}
