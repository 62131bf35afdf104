//! The patient: reads texts on a phone, opens the link in a browser, types what the page asks for.

use miette::IntoDiagnostic;
use reqwest::header::{COOKIE, SET_COOKIE};

use selvedge_engine::ports::store::RunId;
use serde_json::json;

use super::stage::{MOBILE, Stage};
use super::story::{LOOK, MAX_LIST};
use super::{canary, people};
use crate::failure::Failure;
use crate::record::TENANT;

/// What the customer types and ticks on the page that asks for a card.
pub const CARD_FORM: [(&str, &str); 5] =
    [("number", canary::CARD), ("month", "12"), ("year", "2031"), ("cvc", canary::CODE), ("agree", "yes")];

/// How often it is looked whether a text was answered.
const MAX_LOOKS: u32 = 4000;

/// The texts on the phone, the oldest first.
pub async fn texts(stage: &Stage) -> miette::Result<Vec<String>> {
    let url = format!("{}/handset/{}", stage.texts.base_url, MOBILE.trim_start_matches('+'));
    let inbox = people::control(stage, &url).await?;
    let texts = inbox.as_array().into_iter().flatten().filter_map(|t| t["text"].as_str());
    Ok(texts.map(str::to_owned).collect())
}

/// Texts back, and returns what the phone shows of answers when everything that the text set going has come to its end.
pub async fn text(stage: &Stage, story: &RunId, text: &str) -> miette::Result<Vec<String>> {
    let before = texts(stage).await?.len();
    let url = format!("{}/handset/{}", stage.texts.base_url, MOBILE.trim_start_matches('+'));
    let request = stage.http.post(&url).header("x-double-control", &stage.place.control_token);
    let request = request.header("content-type", "application/json").body(json!({ "text": text }).to_string());
    let status = request.send().await.into_diagnostic()?.status();
    if !status.is_success() {
        return Err(Failure::Story { at: "the phone".into(), why: format!("the text was not sent: {status}") }.into());
    }
    for _ in 0..MAX_LOOKS {
        let listed = stage.engine.list(TENANT, MAX_LIST).await?;
        if listed.iter().all(|listed| listed.summary.over || listed.interaction == story.interaction) {
            return Ok(texts(stage).await?.split_off(before));
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Failure::Story { at: "the phone".into(), why: "the text was not answered to its end".into() }.into())
}

/// The newest text on the phone that holds `words`.
async fn newest_text(stage: &Stage, words: &str) -> miette::Result<String> {
    let newest = texts(stage).await?.into_iter().rfind(|t| t.contains(words));
    newest.ok_or_else(|| {
        Failure::Story { at: "the phone".into(), why: format!("no text with `{words}` has arrived") }.into()
    })
}

/// Reads the newest code.
pub async fn read_code(stage: &Stage) -> miette::Result<String> {
    let text = newest_text(stage, "is your code").await?;
    let code = text.split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 6);
    code.map(str::to_owned)
        .ok_or_else(|| Failure::Story { at: "the phone".into(), why: "the text holds no code".into() }.into())
}

/// The address that the invitation holds.
pub async fn read_link(stage: &Stage) -> miette::Result<String> {
    let text = newest_text(stage, "/pay/").await?;
    let link = text.split_whitespace().find(|word| word.starts_with("http"));
    link.map(str::to_owned)
        .ok_or_else(|| Failure::Story { at: "the phone".into(), why: "the text holds no link".into() }.into())
}

/// Opens a page.
pub async fn open(stage: &Stage, url: &str) -> miette::Result<String> {
    let mut request = stage.http.get(url);
    if let Some(cookie) = &stage.place.cookie {
        request = request.header(COOKIE, cookie);
    }
    request.send().await.into_diagnostic()?.text().await.into_diagnostic()
}

/// Sends a form of the page and keeps the cookie that comes back, as a browser does.
pub async fn submit(stage: &mut Stage, url: &str, form: &[(&str, &str)]) -> miette::Result<()> {
    let mut request = stage.http.post(url).form(form).header("origin", &stage.url);
    if let Some(cookie) = &stage.place.cookie {
        request = request.header(COOKIE, cookie);
    }
    let response = request.send().await.into_diagnostic()?;
    let status = response.status();
    if status.is_server_error() || status.as_u16() == 404 {
        return Err(Failure::Story { at: "the payment page".into(), why: format!("it answered {status}") }.into());
    }
    let set = response.headers().get(SET_COOKIE).and_then(|v| v.to_str().ok());
    if let Some(cookie) = set.and_then(|v| v.split(';').next()) {
        stage.place.cookie = Some(cookie.to_owned());
        stage.place.keep()?;
    }
    Ok(())
}

/// Agrees to the words on the page and enters the card. A page that does not ask for one is left alone.
pub async fn enter_card(stage: &mut Stage, url: &str) -> miette::Result<()> {
    let page = open(stage, url).await?;
    match hidden(&page, "words_id") {
        Some(words) => {
            let form = [&CARD_FORM[..], &[("words_id", words.as_str())]].concat();
            submit(stage, &format!("{url}/card"), &form).await
        }
        // Proved in a browser that was lost with the process: prove again in this one.
        None if page.contains("/again") => submit(stage, &format!("{url}/again"), &[]).await,
        None => Ok(()),
    }
}

/// The value of a hidden field.
pub fn hidden(page: &str, name: &str) -> Option<String> {
    let field = page.split("<input").find(|field| field.contains(&format!("name=\"{name}\"")))?;
    let value = field.split("value=\"").nth(1)?;
    value.split('"').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn the_hidden_field_is_found_wherever_its_name_stands() {
        let page = "<form><input type=\"text\" name=\"number\"><input type=\"hidden\" name=\"words_id\" value=\"ab12\"></form>";
        assert_eq!(hidden(page, "words_id").as_deref(), Some("ab12"));
        assert_eq!(hidden(page, "other"), None);
    }
}
