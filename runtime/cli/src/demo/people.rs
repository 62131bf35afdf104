//! The people of the story at their devices: what they do goes over HTTP, like everybody's.

use miette::IntoDiagnostic;
use selvedge_engine::ports::store::{Session, Sessions};
use selvedge_engine::ports::{Clock, Random};
use serde_json::{Value, json};

use super::stage::Stage;
use crate::clock::SystemRandom;
use crate::failure::Failure;
use crate::record::TENANT;

/// How long a session of the demonstration lasts at most.
const SHIFT: i64 = 8 * 3_600_000_000;

/// Signs a person in on a verified device; returns the session's token.
pub async fn session(stage: &Stage, person: &str, function: &str) -> miette::Result<String> {
    let mut bytes = [0; 24];
    SystemRandom.fill(&mut bytes);
    let (token, now) = (hex::encode(bytes), stage.clock.now());
    let session = Session {
        id: format!("ses_{}", &token[..12]),
        tenant: TENANT.into(),
        person: person.into(),
        device: format!("desk-{person}"),
        device_verified: true,
        function: function.into(),
        expires: now + SHIFT,
        last_used: now,
    };
    // The id is shown in the record; the token must not be guessed from it.
    let session = Session { id: format!("ses_{}", &selvedge_server::token_hash(&token)[..12]), ..session };
    stage.folder.store.put_session(&selvedge_server::token_hash(&token), &session).await?;
    Ok(token)
}

/// An agent at the API.
pub struct Agent<'s> {
    /// Where.
    pub stage: &'s Stage,
    /// Of the agent's session.
    pub token: String,
}

impl<'s> Agent<'s> {
    /// Maria, who answers billing calls.
    pub async fn sign_in(stage: &'s Stage) -> miette::Result<Agent<'s>> {
        Ok(Agent { stage, token: session(stage, "maria", "billing-agent").await? })
    }

    /// Posts to the API and returns its answer; null where the interaction does not wait for this any more, as
    /// after `kill -9`, when what was said before was kept and is heard first. Who is not waited for looks again.
    pub async fn post(&self, path: &str, body: Value) -> miette::Result<Value> {
        let request = self.stage.http.post(format!("{}{path}", self.stage.url)).bearer_auth(&self.token);
        let response =
            request.header("content-type", "application/json").body(body.to_string()).send().await.into_diagnostic()?;
        let (status, text) = (response.status(), response.text().await.into_diagnostic()?);
        if status == reqwest::StatusCode::CONFLICT {
            return Ok(Value::Null);
        }
        if !status.is_success() {
            return Err(Failure::Story { at: path.into(), why: format!("the API answered {status}: {text}") }.into());
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// An auditor takes the evidence of an interaction out over the API.
pub async fn take_evidence(stage: &Stage, interaction: &str) -> miette::Result<String> {
    let token = session(stage, "noor", "auditor").await?;
    let request = stage.http.get(format!("{}/v1/interactions/{interaction}/pack", stage.url)).bearer_auth(token);
    let response = request.send().await.into_diagnostic()?;
    let (status, text) = (response.status(), response.text().await.into_diagnostic()?);
    if status.is_success() {
        Ok(text)
    } else {
        Err(Failure::Story { at: "evidence".into(), why: format!("the API answered {status}: {text}") }.into())
    }
}

/// Asks a double over its control surface.
pub async fn control(stage: &Stage, url: &str) -> miette::Result<Value> {
    let request = stage.http.get(url).header("x-double-control", &stage.place.control_token);
    let text = request.send().await.into_diagnostic()?.text().await.into_diagnostic()?;
    serde_json::from_str(&text).into_diagnostic()
}

/// Orders a fault: `charges=timeout`.
pub async fn order_fault(stage: &Stage, order: &str) -> miette::Result<()> {
    let wrong = |why: String| Failure::Story { at: format!("--fault {order}"), why };
    let (on, kind) =
        order.split_once('=').ok_or_else(|| wrong("it reads WHERE=KIND, such as `charges=timeout`".into()))?;
    let double = if on == "charges" { &stage.cards } else { &stage.texts };
    let request = stage
        .http
        .post(format!("{}/control/fault", double.base_url))
        .header("x-double-control", &stage.place.control_token);
    let body = json!({ "on": on, "kind": kind, "times": 1 }).to_string();
    let response = request.header("content-type", "application/json").body(body).send().await.into_diagnostic()?;
    if response.status().is_success() {
        return Ok(());
    }
    Err(wrong(response.text().await.unwrap_or_default()).into())
}
