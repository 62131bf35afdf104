//! The record in words: one line per event, the same on the console and on a terminal. No customer's value can
//! stand here, because none stands in an event.

mod beside;
mod switches;

use selvedge_engine::Fact;
use selvedge_engine::fact::{Commitment, Items, Means, Moment, Noted, Revoked, Text, Word};
use selvedge_engine::handoff::{HandedOver, Side};
use selvedge_engine::ports::{Access, Finding, Micros, Refusal, ReportStatus};
use selvedge_engine::run::{step_of, undoes};
use selvedge_policy::{DEBIT, Decision, Reason, Verdict};
use selvedge_record::{Event, time};
use serde::Serialize;

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// It happened.
    Plain,
    /// Something that was wanted was reached.
    Good,
    /// It is not settled yet.
    Warning,
    /// Something was refused, failed or ran out.
    Bad,
}

/// One event in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `2026-11-24 17:03:00 UTC`
    pub time: String,
    /// Who caused it: `maria`, `the customer`, `brightline-sms`, `Selvedge`.
    pub who: String,
    /// What happened, in one line.
    pub what: String,
    /// More of it, line by line: reasons, data accesses, refusals.
    pub detail: Vec<String>,
    /// How it is meant.
    pub tone: Tone,
}

/// Tells an event. One of a kind that this version does not know is told by its kind.
pub fn in_words(event: &Event) -> Line {
    let said = match Fact::from_kind_and_data(&event.kind, event.data.clone()) {
        Ok(fact) => say(&fact),
        Err(_) => beside::say(event),
    };
    Line { time: moment(event.time), who: who(&event.actor), what: said.what, detail: said.detail, tone: said.tone }
}

/// What a fact comes to.
struct Said {
    what: String,
    detail: Vec<String>,
    tone: Tone,
}

impl Said {
    fn new(tone: Tone, what: impl Into<String>) -> Said {
        Said { what: what.into(), detail: Vec::new(), tone }
    }

    fn plain(what: impl Into<String>) -> Said {
        Said::new(Tone::Plain, what)
    }

    fn good(what: impl Into<String>) -> Said {
        Said::new(Tone::Good, what)
    }

    fn warning(what: impl Into<String>) -> Said {
        Said::new(Tone::Warning, what)
    }

    fn bad(what: impl Into<String>) -> Said {
        Said::new(Tone::Bad, what)
    }

    fn with(mut self, detail: impl IntoIterator<Item = String>) -> Said {
        self.detail.extend(detail);
        self
    }
}

fn say(fact: &Fact) -> Said {
    match fact {
        Fact::Opened { workflow, customer, channel, connectors, .. } => {
            let pinned = connectors.iter().map(|(name, digest)| format!("may call {name} {}", short(digest)));
            let what = format!("interaction opened by {channel} for {customer}: {workflow}");
            Said::plain(what).with(pinned)
        }
        Fact::LanguageChosen { language, wanted } => {
            let said = Said::plain(format!("the customer is spoken with in `{language}`"));
            said.with(wanted.iter().map(|wanted| format!("`{wanted}` is on file, and the workflow has no texts in it")))
        }
        Fact::ContactDecided { node, moment, purpose, channel, decision, .. } => {
            contact(&step_of(node), *moment, purpose, channel, decision)
        }
        Fact::AssuranceDecided { node, needs, decision, next } => {
            assurance(&step_of(node), needs, decision, next.as_deref())
        }
        Fact::SignalFound { node, signal, finding, reason, until } => {
            let (tone, found) = match finding {
                Finding::Clear => (Tone::Plain, "found nothing"),
                Finding::Raised => (Tone::Bad, "found a risk"),
                Finding::Missing => (Tone::Warning, "could not tell"),
            };
            let lasts = until.map(|until| format!("every later try inherits it until {}", moment_of(until)));
            let why = format!("the reason given: {reason}");
            Said::new(tone, format!("{}: {signal} {found}", step_of(node))).with([why]).with(lasts)
        }
        Fact::RiskDecided { node, action, points, decision, .. } => risk(&step_of(node), action, *points, decision),
        Fact::LinkIssued { node, opens, terms, expires, .. } => {
            let bound = terms.as_ref().map(|terms| format!("bound to the terms {}", short(terms)));
            let what = format!("{}: link issued, opens {opens} until {}", step_of(node), moment_of(*expires));
            Said::plain(what).with(bound)
        }
        Fact::Intended { .. }
        | Fact::Done { .. }
        | Fact::Postponed { .. }
        | Fact::Unclear { .. }
        | Fact::NeedsPerson { .. } => effect(fact),
        Fact::Halted { node, switch, scope, by, reason, key } => {
            let not_left = key.as_ref().map(|key| format!("effect {key} was intended and did not leave"));
            Said::bad(format!("{}: stopped by {switch} over {scope}, set by {by}", step_of(node)))
                .with([reason.clone()])
                .with(not_left)
        }
        Fact::Forked { node, items: Some(items), .. } => {
            let Items { count, at_once } = items;
            Said::plain(format!("{}: {count} items, at most {at_once} at once", step_of(node)))
        }
        Fact::Forked { node, starts, .. } => {
            let begins = starts.iter().map(|start| format!("begins {}", step_of(start)));
            Said::plain(format!("{}: {} branches begin", step_of(node), starts.len())).with(begins)
        }
        Fact::Joined { node, next } => match next.strip_prefix("end:") {
            None => Said::good(format!("{}: all of it is over", step_of(node))),
            Some(ending) => Said::bad(format!("{}: all of it is over, and one branch {ending}", step_of(node))),
        },
        Fact::HandedOver(handed) => handed_over(handed),
        Fact::Moved { by, reason, from, to, .. } => {
            let what = format!("moved to the definition {} by {by}", short(to));
            Said::warning(what).with([reason.clone(), format!("it went by {} before", short(from))])
        }
        Fact::Paused { by, reason } => Said::warning(format!("paused by {by}")).with([reason.clone()]),
        Fact::Resumed { by, reason } => Said::plain(format!("resumed by {by}")).with([reason.clone()]),
        Fact::Cancelled { by, reason } => Said::bad(format!("cancelled by {by}")).with([reason.clone()]),
        Fact::UndoBegan { places, .. } => {
            let steps = places.iter().map(|place| format!("undoes {}", step_of(place)));
            Said::warning("what was done is undone, the newest first").with(steps)
        }
        Fact::UndoFailed { node, key, why, accesses, refusals } => {
            Said::bad(format!("{}: the undo failed: a person must decide", step_of(node)))
                .with([why.clone(), format!("effect {key}")])
                .with(seen(accesses))
                .with(refusals.iter().map(refusal))
        }
        Fact::Retried { by, reason } => Said::plain(format!("to be tried again now, by {by}")).with([reason.clone()]),
        Fact::Reported { connection, report } => {
            let status = match report.status {
                ReportStatus::Succeeded => "it succeeded",
                ReportStatus::Failed => "it failed",
                ReportStatus::Pending => "it is pending",
            };
            let what = format!("{connection} reports of {}: {status}", report.idempotency_key);
            Said::plain(what).with(some(&report.detail).map(|detail| format!("in the vendor's words: {detail}")))
        }
        Fact::TextReceived(text) => written(text),
        Fact::ConsentRevoked(Revoked { channel, purpose, sender, act, cite, said_in }) => {
            let what = format!("consent to {channel} taken away by {act}: purpose {purpose}, sender {sender} ({cite})");
            Said::warning(what).with(said_in.as_ref().map(|said_in| format!("said in {said_in}")))
        }
        Fact::WaitBegan { node, what, until } => {
            Said::warning(format!("{}: waiting for {what} until {}", step_of(node), moment_of(*until)))
        }
        Fact::WaitEnded { node, why, .. } => {
            let tone = if why == "time ran out" { Tone::Bad } else { Tone::Plain };
            Said::new(tone, format!("{}: the wait is over: {why}", step_of(node)))
        }
        Fact::QuestionAsked { node, question, of, answers, until } => {
            let what = format!("{}: a {of} is asked until {}: {question}", step_of(node), moment_of(*until));
            Said::warning(what).with([format!("to be answered by {}", answers.join(", "))])
        }
        Fact::QuestionAnswered { node, answer, in_time, .. } => {
            let step = step_of(node);
            if *in_time {
                Said::plain(format!("{step}: answered: {answer}"))
            } else {
                Said::bad(format!("{step}: nobody answered in time, so the answer is {answer}"))
            }
        }
        Fact::ApprovalAsked { node, of, about, terms, until } => {
            let what = format!("{}: a {of} is to approve {about} until {}", step_of(node), moment_of(*until));
            Said::warning(what).with([format!("the terms {}", short(terms))])
        }
        Fact::ApprovalDecided { node, approved, terms, .. } => {
            let (tone, answer) = if *approved { (Tone::Good, "approved") } else { (Tone::Bad, "not approved") };
            Said::new(tone, format!("{}: {answer}", step_of(node))).with([format!("the terms {}", short(terms))])
        }
        Fact::Noted { node, what, .. } => noted(&step_of(node), what),
        Fact::ConditionDecided { node, answer, why, accesses, .. } => way(node, answer, why, accesses),
        Fact::CodeWrong { node, left, .. } => {
            let tries = if *left == 1 { "1 try left".to_owned() } else { format!("{left} tries left") };
            Said::bad(format!("{}: a wrong code, {tries}", step_of(node)))
        }
        Fact::AssertionIssued { node, assertion, .. } => Said::good(format!(
            "{}: verified by {} over {}, {} until {}",
            step_of(node),
            assertion.method,
            assertion.channel,
            assertion.level,
            moment_of(assertion.expires)
        )),
        Fact::Disclosed { fields, over, .. } => {
            let what = format!("disclosed {} over {over}", names(fields));
            Said::good(what).with(fields.iter().map(committed))
        }
        Fact::Read { step, fields } => Said::plain(format!("looked at what {step} disclosed: {}", fields.join(", "))),
        Fact::Offered { node, terms, payments, until } => {
            let what = format!(
                "{}: offered in {payments} payments, answer awaited until {}",
                step_of(node),
                moment_of(*until)
            );
            Said::warning(what).with([committed(terms)])
        }
        Fact::Answered { node, accepted, terms, .. } => {
            let (tone, answer) = if *accepted { (Tone::Good, "accepted") } else { (Tone::Bad, "declined") };
            Said::new(tone, format!("{}: {answer}", step_of(node))).with([format!("the terms {}", short(terms))])
        }
        Fact::LinkOpened { link } => Said::plain(format!("link opened ({})", short(link))),
        Fact::Authorized { node, words, terms, copy } => {
            let bound = terms.as_ref().map(|terms| format!("for the terms {}", short(terms)));
            let what = format!("{}: authorized in writing, copy: {copy}", step_of(node));
            Said::good(what).with([committed(words)]).with(bound)
        }
        Fact::CardCaptured { node, token, brand, last4, .. } => {
            Said::good(format!("{}: card captured: {brand} ending {last4} → {token}", step_of(node)))
        }
        Fact::Remembered { node, charged, .. } => {
            let what = if *charged { "was charged" } else { "was told beforehand" };
            Said::plain(format!("{}: that this amount {what} is kept with the card on file, as a hash", step_of(node)))
        }
        Fact::MethodKept { node, brand, last4, until, replaces, .. } => {
            let what = format!("{}: {brand} ending {last4} is on file until {}", step_of(node), moment_of(*until));
            Said::good(what).with(replaces.as_ref().map(|before| format!("{before}, kept before, left the vault")))
        }
        Fact::CardForgotten { node, why, .. } => {
            Said::warning(format!("{}: the card must be entered again", step_of(node))).with([why.clone()])
        }
        Fact::Destroyed { classes, rule, cite, keep, closed } => {
            Said::plain(format!("keys destroyed: {} cannot be opened any more", classes.join(", ")))
                .with([format!("{rule} ({cite}): kept {keep} after {}", moment_of(*closed))])
        }
        Fact::Restored { until } => Said::warning("restored from a backup").with([format!(
            "what happened after {} may be missing here; the vendor is asked before money moves",
            moment_of(*until)
        )]),
        Fact::Closed { ending } => {
            let tone = if ending == "completed" { Tone::Good } else { Tone::Bad };
            Said::new(tone, format!("interaction over: {ending}"))
        }
    }
}

fn contact(step: &str, when: Moment, purpose: &str, channel: &str, decision: &Decision) -> Said {
    let when = match when {
        Moment::Queued => "when queued",
        Moment::Sending => "when leaving",
    };
    let what = if channel == DEBIT { "charge" } else { "contact" };
    let said = match decision.verdict {
        Verdict::Permit => {
            let rules: Vec<String> = decision.reasons.iter().map(rule_and_hour).collect();
            Said::plain(format!("{step}: {what} permitted {when}: {}", rules.join(", ")))
        }
        Verdict::Defer { until } => Said::warning(format!("{step}: {what} put off {when} until {}", moment_of(until))),
        Verdict::Deny => Said::bad(format!("{step}: {what} refused {when}: {}", denials(decision))),
    };
    said.with([format!("{channel} for {purpose}")]).with(decision.reasons.iter().map(reason))
}

fn written(text: &Text) -> Said {
    let by = text.by.as_ref().map_or_else(String::new, |by| format!(" (`{by}`)"));
    let what = match text.means {
        Means::OptOut => format!("wrote by {}: wants no more messages{by}", text.channel),
        Means::StopPayments => format!("wrote by {}: wants no more payments{by}", text.channel),
        Means::Help => format!("wrote by {}: asks for help", text.channel),
        Means::Other => format!("wrote by {}", text.channel),
        Means::Unreadable => format!("wrote by {}, and nothing could be read", text.channel),
    };
    let tone = if matches!(text.means, Means::OptOut | Means::StopPayments) { Tone::Warning } else { Tone::Plain };
    let cards = (text.cards > 0).then(|| format!("card numbers taken out of the words: {}", text.cards));
    let kept_in = text.kept_in.as_ref().map(|kept_in| format!("the words are kept in {kept_in}"));
    Said::new(tone, what).with(text.words.iter().map(committed)).with(kept_in).with(cards)
}

fn assurance(step: &str, needs: &str, decision: &Decision, next: Option<&str>) -> Said {
    let goes_on = next.is_some_and(|next| !next.starts_with("end:"));
    let said = match decision.verdict {
        Verdict::Permit => Said::plain(format!("{step}: sure enough who it is, this needs {needs}")),
        _ if goes_on => Said::warning(format!("{step}: who it is must be proved again, this needs {needs}")),
        _ => Said::bad(format!("{step}: not sure enough who it is, this needs {needs}")),
    };
    said.with(decision.reasons.iter().map(reason))
}

fn risk(step: &str, action: &str, points: u32, decision: &Decision) -> Said {
    let points = format!("{step}: {points} points of risk");
    let said = match (decision.verdict, action) {
        (Verdict::Permit, "step-up") => Said::plain(format!("{points}: it takes a proof of who it is, and goes on")),
        (Verdict::Permit, _) => Said::plain(format!("{points}: goes on")),
        (_, "person") => Said::bad(format!("{points}: refused, and a person should look at it")),
        _ => Said::bad(format!("{points}: refused")),
    };
    said.with(decision.reasons.iter().map(reason))
}

/// From where to where, and what goes with it.
fn handed_over(handed: &HandedOver) -> Said {
    let HandedOver { by, reason, from, to, assertions, consents, payments } = handed;
    let side = |side: &Side| format!("{}, {}", side.channel, who(&side.agent));
    let nothing = |none: bool, what: &str| none.then(|| format!("{what}: none"));
    let proofs = assertions.iter().map(|proof| {
        let left = format!("{} min {} s", proof.valid_for / 60, proof.valid_for % 60);
        format!("identity: {} ({}) over {}, {left} left", proof.method, proof.level, proof.channel)
    });
    let agreed =
        consents.iter().map(|c| format!("consent: {} for {}, of {}", c.channel, c.purpose, moment_of(c.given)));
    let open = payments.iter().map(|payment| {
        let terms = payment.terms.as_ref().map_or_else(String::new, |terms| format!(", terms {}", short(terms)));
        let until = payment.until.map_or_else(String::new, |until| format!(", link until {}", moment_of(until)));
        format!("open payment: {}{terms}{until}", payment.step)
    });
    Said::warning(format!("handed over from {} to {}, by {by}", side(from), side(to)))
        .with([reason.clone()])
        .with(nothing(assertions.is_empty(), "identity"))
        .with(proofs)
        .with(nothing(consents.is_empty(), "consent"))
        .with(agreed)
        .with(nothing(payments.is_empty(), "open payment"))
        .with(open)
}

/// What was written down about the customer.
fn noted(step: &str, what: &Noted) -> Said {
    match what {
        Noted::Flag(flag) => Said::warning(format!("{step}: `{flag}` is on file of the customer from now on")),
        Noted::Note(note) => Said::plain(format!("{step}: noted of the customer: {note}")),
        Noted::Conversation(channel) => Said::plain(format!("{step}: a conversation with the customer by {channel}")),
        Noted::Consent(Word { channel, purpose, words }) => {
            Said::good(format!("{step}: the customer agreed to {channel} for {purpose}"))
                .with([format!("in the words: {words}")])
        }
        Noted::Withdrawal(Word { channel, purpose, words }) => {
            let what = format!("{step}: the customer wants no more {channel}, purpose {purpose}");
            Said::warning(what).with([format!("in the words: {words}")])
        }
    }
}

/// `route.2` is the second way of `route`. What was asked about is told, what it was is not.
fn way(node: &str, answer: &str, why: &str, accesses: &[Access]) -> Said {
    let (step, way) = node.split_once('.').unwrap_or((node, ""));
    let said = match answer {
        "yes" => Said::plain(format!("{step}: way {way} is taken")),
        "no" => Said::plain(format!("{step}: way {way} is not taken")),
        _ => Said::bad(format!("{step}: way {way} cannot be decided")).with([why.to_owned()]),
    };
    said.with(accesses.iter().map(|access| format!("asked about {} ({})", access.field, access.class)))
}

fn effect(fact: &Fact) -> Said {
    match fact {
        Fact::Intended { node, key, connector, function, class, attempt, hands, carries, .. } => {
            let doing = match function.as_str() {
                "check" => "asking",
                "charge" => "charging through",
                "validate" => "asking whether the card is good through",
                "send" if node.ends_with(".challenge") => "sending a code through",
                "send" => "sending through",
                _ if undoes(node) => "undoing through",
                _ => "calling",
            };
            let what = format!("{}: {doing} {connector} (attempt {attempt})", step_of(node));
            // A service is asked for one of several functions.
            let asked = matches!(doing, "calling" | "undoing through").then(|| format!("its function {function}"));
            let handed = (!hands.is_empty()).then(|| format!("handed over, as handles: {}", hands.join(", ")));
            let effect = format!("effect {key}, {class}");
            Said::plain(what).with([effect]).with(asked).with(handed).with(carries.iter().map(committed))
        }
        Fact::Done { node, exit, reference, detail, answer, accesses, refusals, .. } => {
            let tone = if exit == "done" { Tone::Good } else { Tone::Bad };
            let said = Said::new(tone, done(node, exit, reference, detail)).with(answer.iter().map(committed));
            said.with(seen(accesses)).with(refusals.iter().map(refusal))
        }
        Fact::Postponed { node, attempt, why, accesses, at, .. } => {
            let what = format!("{}: attempt {attempt} did nothing, the next is at {}", step_of(node), moment_of(*at));
            Said::warning(what).with([why.clone()]).with(seen(accesses))
        }
        Fact::Unclear { node, key, why, accesses, asked, at } => {
            let maybe = if is_charge(node) { "maybe charged" } else { "maybe done" };
            let what = format!("{}: {maybe}: asking the vendor at {}", step_of(node), moment_of(*at));
            let asked = if *asked == 0 { "not asked yet".to_owned() } else { format!("asked {asked}×") };
            let asked = format!("effect {key}, {asked}");
            Said::warning(what).with([why.clone(), asked]).with(seen(accesses))
        }
        Fact::NeedsPerson { node, key, why, accesses } => {
            let maybe = if is_charge(node) { "maybe charged" } else { "maybe done" };
            Said::bad(format!("{}: {maybe}: a person must decide", step_of(node)))
                .with([why.clone(), format!("effect {key}")])
                .with(seen(accesses))
        }
        _ => Said::plain(""),
    }
}

fn is_charge(node: &str) -> bool {
    node.ends_with(".charge")
}

fn done(node: &str, exit: &str, reference: &str, detail: &str) -> String {
    let step = step_of(node);
    let said = some(detail).map_or_else(String::new, |detail| format!(": {detail}"));
    let reference = some(reference).map_or_else(String::new, |reference| format!(", reference {reference}"));
    let part = node.split_once('.').map_or("", |(_, part)| part.split_once('#').map_or(part, |(part, _)| part));
    match (part, exit) {
        ("charge", "done") => format!("{step}: payment taken{reference}"),
        ("charge", "declined") => format!("{step}: card declined{said}"),
        ("charge", _) => format!("{step}: no payment{said}"),
        ("validate", "done") => format!("{step}: the card is good, nothing was taken{reference}"),
        ("validate", "declined") => format!("{step}: card declined{said}"),
        ("validate", _) => format!("{step}: no good card{said}"),
        ("check", "done") => format!("{step}: checked{said}"),
        ("check", _) => format!("{step}: the check stands against it{said}"),
        ("undo", "done") => format!("{step}: undone{reference}"),
        ("undo", _) => format!("{step}: stays as it is{said}"),
        ("call", "done") => format!("{step}: answered"),
        ("call", _) => format!("{step}: no answer{said}"),
        ("challenge", "done") => format!("{step}: code sent{reference}"),
        (_, "done") => format!("{step}: sent{reference}"),
        _ => format!("{step}: not sent{said}"),
    }
}

/// Data accesses, and whether anything was revealed to the connector itself.
fn seen(accesses: &[Access]) -> Vec<String> {
    let mut lines: Vec<String> =
        accesses.iter().map(|a| format!("{} ({}) {}: {}", a.field, a.class, a.how, a.place)).collect();
    if !accesses.is_empty() && accesses.iter().all(|access| access.how != "reveal") {
        lines.push("revealed: none".into());
    }
    lines
}

fn refusal(refusal: &Refusal) -> String {
    format!("refused by the host: {}; this grant is missing: {}", refusal.tried, refusal.missing)
}

/// `tcpa.hours 10:04 America/Chicago`, or the rule's name alone.
fn rule_and_hour(reason: &Reason) -> String {
    let hour = reason.facts.get("local-time").and_then(|local| local.split(' ').nth(1)?.get(..5));
    match (hour, reason.facts.get("zone")) {
        (Some(hour), Some(zone)) => format!("{} {hour} {zone}", reason.rule),
        _ => reason.rule.clone(),
    }
}

fn denials(decision: &Decision) -> String {
    let denying = decision.reasons.iter().filter(|reason| reason.verdict == Verdict::Deny);
    denying.map(|reason| reason.rule.as_str()).collect::<Vec<_>>().join(", ")
}

fn reason(reason: &Reason) -> String {
    let cite = some(&reason.cite).map_or_else(String::new, |cite| format!(" ({cite})"));
    format!("{}{cite}: {}", reason.rule, reason.says)
}

fn committed(commitment: &Commitment) -> String {
    format!("{} ({}) committed as {}", commitment.name, commitment.class, short(&commitment.commitment))
}

/// The fields of `owed/account.balance, owed/account.month`: what stands after the step.
fn names(fields: &[Commitment]) -> String {
    let bare = |field: &Commitment| field.name.split_once('/').map_or(field.name.clone(), |(_, path)| path.to_owned());
    fields.iter().map(bare).collect::<Vec<_>>().join(", ")
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// An actor as people say it: `person:maria` is maria.
fn who(actor: &str) -> String {
    match actor.split_once(':') {
        Some(("customer", _)) => "the customer".into(),
        Some(("connector", name)) => name.split('@').next().unwrap_or(name).to_owned(),
        Some((_, name)) => name.to_owned(),
        None if actor == "host" => "Selvedge".into(),
        None => actor.to_owned(),
    }
}

/// The beginning of a digest; the whole one is in the record.
fn short(digest: &str) -> String {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    if hex.chars().count() <= 12 { hex.to_owned() } else { format!("{}…", hex.chars().take(12).collect::<String>()) }
}

/// `2026-11-24 17:03:00 UTC`
pub(crate) fn moment(micros: Micros) -> String {
    match time::to_rfc3339(micros) {
        Ok(text) => format!("{} {} UTC", &text[..10], &text[11..19]),
        Err(_) => format!("{micros} microseconds"),
    }
}

/// `2026-11-24 17:03 UTC`, where a second does not matter.
fn moment_of(micros: Micros) -> String {
    match time::to_rfc3339(micros) {
        Ok(text) => format!("{} {} UTC", &text[..10], &text[11..16]),
        Err(_) => format!("{micros} microseconds"),
    }
}

#[cfg(test)]
pub(crate) mod tests;
