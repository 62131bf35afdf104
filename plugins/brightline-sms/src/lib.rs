//! SMS through Brightline: one endpoint to send, one to ask what became of it, one webhook.

use miniserde::Deserialize;
use selvedge_sdk::channel::{Channel, Message, Receipt};
use selvedge_sdk::{Call, Failure, News, Report, Request, Status, Webhook, encode, read};

/// The connection that an admin granted under this name.
const CONNECTION: &str = "brightline";

struct Sms;

impl Channel for Sms {
    fn send(call: Call, message: Message) -> Result<Receipt, Failure> {
        let answer = Request::post(CONNECTION, "/v2/messages")
            .idempotency_key(&call.idempotency_key)
            .json([
                ("/to", message.to.into()),
                ("/text", message.text.into()),
                // Found again by this in `lookup` and in webhooks.
                ("/client_ref", call.idempotency_key.as_str().into()),
            ])
            .send()?;
        match answer.status {
            200..=299 => Ok(Receipt { reference: answer.json::<Accepted>()?.data.id }),
            _ => Err(answer.failure()),
        }
    }

    fn lookup(call: Call) -> Result<Option<Report>, Failure> {
        let path = format!("/v2/messages?client_ref={}", encode(&call.idempotency_key));
        let answer = Request::get(CONNECTION, path).send()?;
        if answer.status != 200 {
            return Err(answer.failure());
        }
        let found = answer.json::<Found>()?.data.into_iter().next();
        Ok(found.map(|sms| Report {
            // The state of a message is news of its own: asked twice, it counts once.
            event_id: format!("{}:{}", sms.id, sms.status),
            idempotency_key: call.idempotency_key,
            status: status(&sms.status),
            reference: sms.id,
            detail: sms.status,
        }))
    }

    fn receive(webhook: Webhook) -> Result<Vec<News>, Failure> {
        let unknown = || Failure::Permanent("not an event of Brightline's".into());
        let event = read::<Event>(&webhook.body).ok_or_else(unknown)?;
        let news = match event.kind.strip_prefix("message.") {
            // Who wrote it, and what, the host has taken out.
            Some("received") => News::Received(event.id),
            Some(word) => News::Report(Report {
                event_id: event.id,
                idempotency_key: event.data.client_ref.ok_or_else(unknown)?,
                status: status(word),
                reference: event.data.id,
                detail: word.into(),
            }),
            None => return Ok(Vec::new()),
        };
        Ok(vec![news])
    }
}

/// Brightline's words. Taken on counts as sent; whether a phone showed it is news that may come later.
fn status(word: &str) -> Status {
    match word {
        "queued" | "sent" | "delivered" => Status::Succeeded,
        "failed" => Status::Failed,
        _ => Status::Pending,
    }
}

#[derive(Deserialize)]
struct Accepted {
    data: Sent,
}

#[derive(Deserialize)]
struct Sent {
    id: String,
}

#[derive(Deserialize)]
struct Found {
    data: Vec<State>,
}

#[derive(Deserialize)]
struct State {
    id: String,
    status: String,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    id: String,
    /// Absent where the message is the customer's.
    client_ref: Option<String>,
}

selvedge_sdk::export_channel!(Sms);
