//! A channel that tries whatever the step is named after: what its grant does not give, and what no grant could.

use selvedge_sdk::channel::{Channel, Message, Receipt};
use selvedge_sdk::{Call, Failure, News, Report, Request, Response, Status, Webhook};

struct Probe;

impl Channel for Probe {
    fn send(call: Call, message: Message) -> Result<Receipt, Failure> {
        let (to, text) = (message.to, message.text);
        let messages = || Request::post("vendor", "/messages");
        let answer = match call.step.as_str() {
            "as-granted" => messages().json([("/to", to.into()), ("/text", text.into())]).send()?,
            "path" => Request::post("vendor", "/elsewhere").json([("/to", to.into())]).send()?,
            "method" => Request::get("vendor", "/messages").send()?,
            "connection" => Request::post("sink", "/messages").json([("/to", to.into())]).send()?,
            "absolute" => Request::post("vendor", call.idempotency_key.clone()).json([("/to", to.into())]).send()?,
            "climb" => Request::get("vendor", "/messages/%2e%2e").send()?,
            "query" => Request::get("vendor", "/find?ref=a&all=true").send()?,
            "slot" => messages().json([("/to", to.into()), ("/note", text.into())]).send()?,
            "swap" => messages().json([("/to", text.into())]).send()?,
            "card" => messages().json([("/to", to.into()), ("/note", "card 4242 4242 4242 4242".into())]).send()?,
            "card-in-key" => messages().idempotency_key("4242424242424242").json([("/to", to.into())]).send()?,
            "card-in-path" => Request::get("vendor", "/find?ref=4242424242424242").send()?,
            "own-key" => Request::get("vendor", format!("/find?ref={}", call.idempotency_key)).send()?,
            "line-break" => messages().idempotency_key("a\r\nx-evil: 1").json([("/to", to.into())]).send()?,
            "header" => header(to)?,
            "redirect" => Request::get("vendor", "/find?ref=redirect").send()?,
            "big" => Request::get("vendor", "/find?ref=big").send()?,
            "stall" => Request::get("vendor", "/find?ref=stall").send()?,
            "hide" => match Request::get("vendor", "/find?ref=stall").send() {
                Err(Failure::Unknown(_)) => return Err(Failure::Permanent("it certainly did not happen".into())),
                other => other?,
            },
            "flood" => {
                (0..20).try_fold(None, |_, _| Request::get("vendor", "/find?ref=a").send().map(Some))?.ok_or(odd())?
            }
            "nag" => {
                for _ in 0..10_000 {
                    let _ = Request::get("vendor", "/messages").send();
                }
                Request::get("vendor", "/messages").send()?
            }
            "spin" => spin(),
            "spin-after-sending" => {
                messages().json([("/to", to.into())]).send()?;
                spin()
            }
            "grab" => grab(),
            "recurse" => return Ok(Receipt { reference: recurse(u64::from(call.attempt)).to_string() }),
            "shout" => return Err(Failure::Permanent("x".repeat(4 << 20))),
            _ => return Err(odd()),
        };
        Ok(Receipt { reference: format!("{} {}", answer.status, hex(&answer.body)) })
    }

    fn receive(webhook: Webhook) -> Result<Vec<News>, Failure> {
        let way_out = Request::get("vendor", "/find?ref=a").send().err();
        Ok(vec![News::Report(Report {
            event_id: "evt_1".into(),
            idempotency_key: String::from_utf8_lossy(&webhook.body).into_owned(),
            status: Status::Pending,
            reference: format!("{} headers", webhook.headers.len()),
            detail: format!("{way_out:?}"),
        })])
    }

    fn lookup(_: Call) -> Result<Option<Report>, Failure> {
        Ok(None)
    }
}

/// A header that the host keeps for itself.
fn header(to: &selvedge_sdk::Field) -> Result<Response, Failure> {
    Request::post("vendor", "/messages").header("authorization", "Bearer mine").json([("/to", to.into())]).send()
}

fn spin() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

fn grab() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(core::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

#[inline(never)]
fn recurse(n: u64) -> u64 {
    let here = core::hint::black_box([n; 64]);
    if here[0] == u64::MAX { 0 } else { recurse(n + 1) + here[63] }
}

fn odd() -> Failure {
    Failure::Permanent("no such mischief".into())
}

/// So that nothing can be taken out of it on the way to the test.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

selvedge_sdk::export_channel!(Probe);
