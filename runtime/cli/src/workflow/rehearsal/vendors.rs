//! Vendors that answer as they are told. They keep what reached them by its idempotency key, as a good vendor does, so
//! that what became of an effect can be asked, and nothing happens twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use selvedge_engine::money::Money;
use selvedge_engine::ports::{
    Call, CardFields, Charged, Clock, Connectors, Failure, Field, Finding, Micros, News, Observed, Received, Report,
    ReportStatus, Signal, Validity, Webhook, WebhookFault,
};

use crate::clock::StillClock;

/// What a vendor does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// What it was asked to: sends, charges, finds nothing.
    Does,
    /// Does not, and says so for good: a number that takes no texts.
    Fails,
    /// A gateway: the bank says no.
    Declines,
    /// A verifier: found a risk.
    Raises,
    /// A verifier: cannot tell.
    Misses,
    /// Does nothing and asks to come again.
    Busy,
    /// Does it, and the answer is lost on the way.
    Silent,
    /// The request is lost on the way.
    Lost,
}

/// A message that a channel took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The step that sent it.
    pub step: String,
    /// Why it was sent.
    pub purpose: String,
    /// When.
    pub at: Micros,
    /// The text as it arrived.
    text: String,
}

impl Sent {
    /// The text with `[code]` and `[link]` for what opens something and is another each time.
    pub fn text(&self) -> String {
        let code = self.code();
        let mut text = self.text.clone();
        if let Some(code) = code {
            text = text.replace(&code, "[code]");
        }
        let words: Vec<&str> = text.split(' ').collect();
        let shown = words.into_iter().map(|word| if word.starts_with(super::PAGE) { "[link]" } else { word });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// The six digits of a message that is there for them.
    fn code(&self) -> Option<String> {
        let digits = self.text.split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 6);
        digits.filter(|_| self.purpose == selvedge_workflow::lower::IDENTITY).map(str::to_owned)
    }
}

/// Money that a gateway took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The step that charged.
    pub step: String,
    /// How much.
    pub amount: Money,
}

/// Decides what a vendor does with a call; the text is the address that the interaction was first known by, or empty.
pub type Script = Box<dyn Fn(&Call, &str) -> Reply + Send + Sync>;

/// All vendors of a rehearsal.
pub struct Scripted {
    clock: Arc<StillClock>,
    /// By name, with what a verifier's finding is called.
    connectors: BTreeMap<String, String>,
    script: Script,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// What became of each effect that arrived.
    outcomes: BTreeMap<String, ReportStatus>,
    /// By interaction.
    addresses: BTreeMap<String, String>,
    sent: BTreeMap<String, Vec<Sent>>,
    charges: BTreeMap<String, Vec<Charge>>,
}

impl Scripted {
    /// Vendors behind these connectors.
    pub fn new(clock: Arc<StillClock>, connectors: BTreeMap<String, String>, script: Script) -> Scripted {
        Scripted { clock, connectors, script, books: Mutex::default() }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing is done under this lock that can panic halfway.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages of an interaction that were taken, in their order.
    pub fn sent(&self, interaction: &str) -> Vec<Sent> {
        self.books().sent.get(interaction).cloned().unwrap_or_default()
    }

    /// Money of an interaction that was taken, in its order.
    pub fn charges(&self, interaction: &str) -> Vec<Charge> {
        self.books().charges.get(interaction).cloned().unwrap_or_default()
    }

    /// What the vendor does with this call.
    fn reply(&self, call: &Call, address: Option<&Field>) -> Reply {
        let mut books = self.books();
        if let Some(address) = address {
            let known = books.addresses.entry(call.interaction.clone());
            known.or_insert_with(|| address.value.expose_secret().to_owned());
        }
        (self.script)(call, books.addresses.get(&call.interaction).map_or("", String::as_str))
    }

    /// The code in the newest message of an interaction that carries one.
    pub fn newest_code(&self, interaction: &str) -> Option<String> {
        self.sent(interaction).iter().rev().find_map(Sent::code)
    }

    /// The token of the newest link of an interaction.
    pub fn newest_link(&self, interaction: &str, page: &str) -> Option<String> {
        self.sent(interaction).iter().rev().find_map(|sent| {
            let word = sent.text.split_whitespace().find(|word| word.starts_with(page))?;
            word.rsplit('/').next().map(str::to_owned)
        })
    }

    /// What the vendor does with a request, and what it answers if the answer arrives. `take` writes into its books;
    /// what is there under this key already happens no second time.
    fn does<T>(
        &self,
        call: &Call,
        reply: Reply,
        take: impl FnOnce(&mut Books),
        answer: impl Fn(&str) -> T,
    ) -> Observed<T> {
        let mut books = self.books();
        let mut keep = |status, take: Box<dyn FnOnce(&mut Books) + '_>| {
            if books.outcomes.insert(call.idempotency_key.clone(), status).is_none() {
                take(&mut books);
            }
        };
        let reference = reference(call);
        seen(match reply {
            Reply::Does | Reply::Silent => {
                keep(ReportStatus::Succeeded, Box::new(take));
                if reply == Reply::Does { Ok(answer(&reference)) } else { Err(Failure::Unknown("no answer".into())) }
            }
            Reply::Lost => Err(Failure::Unknown("no answer".into())),
            Reply::Busy => Err(Failure::Retry("come again later".into())),
            Reply::Fails | Reply::Declines | Reply::Raises | Reply::Misses => {
                keep(ReportStatus::Failed, Box::new(|_| ()));
                Err(Failure::Permanent("not possible".into()))
            }
        })
    }
}

/// A customer's text, the `nth` of the story, as the scripted channel tells of it.
pub fn text(from: &str, words: &str, nth: usize) -> Webhook {
    let headers = [("event", format!("text-{nth}")), ("from", from.to_owned()), ("text", words.to_owned())];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Webhook { connection: "rehearsal".into(), headers, body: Vec::new() }
}

/// A vendor's own id of what it did: the same each time a story is played.
fn reference(call: &Call) -> String {
    let visit = call.idempotency_key.rsplit('.').next().unwrap_or("1");
    format!("{}-{visit}", call.step)
}

fn seen<T>(result: Result<T, Failure>) -> Observed<T> {
    Observed { result, accesses: Vec::new(), refusals: Vec::new() }
}

#[async_trait]
impl Connectors for Scripted {
    fn digests(&self) -> BTreeMap<String, String> {
        self.connectors.keys().map(|name| (name.clone(), "sha256:rehearsal".to_owned())).collect()
    }

    async fn send(&self, call: &Call, to: Field, text: Field) -> Observed<String> {
        let sent = Sent {
            step: call.step.clone(),
            purpose: call.purpose.clone(),
            at: self.clock.now(),
            text: text.value.expose_secret().to_owned(),
        };
        let (reply, interaction) = (self.reply(call, Some(&to)), call.interaction.clone());
        self.does(call, reply, |books| books.sent.entry(interaction).or_default().push(sent), str::to_owned)
    }

    async fn check(&self, call: &Call, subject: Field) -> Observed<Signal> {
        let finding = |finding, reason: &str| {
            let name = self.connectors.get(&call.connector).cloned().unwrap_or_default();
            seen(Ok(Signal { name, finding, reason: reason.to_owned() }))
        };
        match self.reply(call, Some(&subject)) {
            Reply::Does => finding(Finding::Clear, "nothing found"),
            Reply::Raises => finding(Finding::Raised, "a risk was found"),
            Reply::Misses => finding(Finding::Missing, "not known"),
            Reply::Silent | Reply::Lost => seen(Err(Failure::Unknown("no answer".into()))),
            Reply::Busy => seen(Err(Failure::Retry("come again later".into()))),
            Reply::Fails | Reply::Declines => seen(Err(Failure::Permanent("not possible".into()))),
        }
    }

    async fn validate(&self, call: &Call, _: CardFields) -> Observed<Validity> {
        let reply = self.reply(call, None);
        if reply == Reply::Declines {
            self.books().outcomes.insert(call.idempotency_key.clone(), ReportStatus::Failed);
            return seen(Ok(Validity::Declined("card_declined".into())));
        }
        self.does(call, reply, |_| (), |reference| Validity::Good(reference.to_owned()))
    }

    async fn charge(&self, call: &Call, amount: i64, currency: &str, _: CardFields) -> Observed<Charged> {
        let reply = self.reply(call, None);
        if reply == Reply::Declines {
            self.books().outcomes.insert(call.idempotency_key.clone(), ReportStatus::Failed);
            return seen(Ok(Charged::Declined("card_declined".into())));
        }
        let charge = Charge { step: call.step.clone(), amount: Money { minor: amount, currency: currency.to_owned() } };
        let interaction = call.interaction.clone();
        let take = |books: &mut Books| books.charges.entry(interaction).or_default().push(charge);
        self.does(call, reply, take, |reference| Charged::Paid(reference.to_owned()))
    }

    async fn perform(&self, call: &Call, _: &str, _: Vec<(String, Field)>) -> Observed<String> {
        self.does(call, self.reply(call, None), |_| (), str::to_owned)
    }

    async fn lookup(&self, call: &Call) -> Observed<Option<Report>> {
        let status = self.books().outcomes.get(&call.idempotency_key).copied();
        seen(Ok(status.map(|status| Report {
            event_id: format!("asked-{}", call.idempotency_key),
            idempotency_key: call.idempotency_key.clone(),
            status,
            reference: reference(call),
            detail: match status {
                ReportStatus::Succeeded => "succeeded".into(),
                ReportStatus::Failed => "failed".into(),
                ReportStatus::Pending => "pending".into(),
            },
        })))
    }

    fn reader(&self, _: &str) -> Option<String> {
        None
    }

    async fn receive(&self, webhook: Webhook, _: Micros) -> Result<Vec<News>, WebhookFault> {
        let text = |name: &str| webhook.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        Ok(vec![News::Received(Received {
            event_id: text("event").unwrap_or_default(),
            channel: "sms".into(),
            sender: text("from").map(SecretString::from),
            words: text("text").map(SecretString::from),
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(purpose: &str, text: &str) -> Sent {
        Sent { step: "identity".into(), purpose: purpose.into(), at: 0, text: text.into() }
    }

    #[test]
    fn what_opens_something_is_not_shown() {
        let code = sent("identity", "Clinic: 123456 is your code. It works for 10 minutes.");
        assert_eq!(code.text(), "Clinic: [code] is your code. It works for 10 minutes.");
        let link = sent("billing", "Clinic: https://pay.example/pay/abc_-1 It works once. Reference 123456.");
        assert_eq!(link.text(), "Clinic: [link] It works once. Reference 123456.");
    }
}
