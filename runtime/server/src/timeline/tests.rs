//! The story of a patient who pays by a link, and everything else that can be told, as people read it.

use selvedge_record::{Draft, Head};
use serde_json::{Value, json};

use super::*;

/// 2026-11-24T17:03:00Z
const START: Micros = 1_795_539_780_000_000;
const MINUTE: Micros = 60_000_000;

const SMS: &str = "connector:brightline-sms@sha256:1111111111111111111111111111111111111111111111111111111111111111";
const CARDS: &str = "connector:northgate-cards@sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn committed(name: &str, class: &str) -> Value {
    json!({"name": name, "class": class, "commitment": "sha256:3333333333333333333333333333333333333333333333333333333333333333"})
}

fn permitted(rules: Value) -> Value {
    json!({"verdict": {"kind": "permit"}, "reasons": rules})
}

fn hours(verdict: Value, says: &str) -> Value {
    json!({
        "rule": "tcpa.hours", "cite": "47 CFR 64.1200(c)(1)", "verdict": verdict, "says": says,
        "facts": {"local-time": "2026-11-24 11:04:00 CST", "zone": "America/Chicago", "hours": "08:00 to 21:00"},
    })
}

fn access(field: &str, class: &str, place: &str) -> Value {
    json!({"field": field, "class": class, "how": "egress", "place": place})
}

/// An interaction from the call to the receipt, shortened.
fn told() -> Vec<(&'static str, &'static str, Value)> {
    let contact = |node: &str, moment: &str| {
        let consent = json!({"rule": "tcpa.consent", "cite": "47 CFR 64.1200(f)(9)", "verdict": {"kind": "permit"}, "facts": {}, "says": "the consent was given"});
        let reasons = json!([hours(json!({"kind": "permit"}), "11:04 is inside 08:00 to 21:00"), consent]);
        json!({"node": node, "moment": moment, "purpose": "billing", "channel": "sms", "decision": permitted(reasons)})
    };
    let assured = json!([{"rule": "assurance", "cite": "45 CFR 164.514(h)", "verdict": {"kind": "permit"}, "facts": {"needs": "L2"}, "says": "`code` proves L2"}]);
    vec![
        (
            "person:maria",
            "interaction.opened",
            json!({"workflow": "healthcare-balance", "customer": "c_1", "channel": "call", "by": "person:maria", "connectors": {"brightline-sms": "sha256:1111111111111111111111111111111111111111111111111111111111111111"}, "next": "identity.check"}),
        ),
        (
            "host",
            "effect.intended",
            json!({"node": "identity.check", "key": "int_1.identity.check.1", "connector": "brightline-sim", "function": "check", "class": "pure", "attempt": 1}),
        ),
        (
            "connector:brightline-sim@sha256:44",
            "effect.done",
            json!({"node": "identity.check", "key": "int_1.identity.check.1", "exit": "done", "detail": "sim-swap: clear (no change in 30 days)", "accesses": [access("patient.mobile", "PII", "brightline GET /v1/sim query.number")], "next": "identity.challenge"}),
        ),
        ("host", "contact.decided", contact("identity.challenge", "queued")),
        ("host", "contact.decided", contact("identity.challenge", "sending")),
        (
            "host",
            "effect.intended",
            json!({"node": "identity.challenge", "key": "int_1.identity.challenge.1", "connector": "brightline-sms", "function": "send", "class": "reconcile", "attempt": 1, "carries": [committed("identity.challenge/text/1", "COMMS")]}),
        ),
        (
            SMS,
            "effect.done",
            json!({"node": "identity.challenge", "key": "int_1.identity.challenge.1", "exit": "done", "reference": "SM1", "accesses": [access("patient.mobile", "PII", "brightline POST /v1/messages body.to"), access("message.text", "COMMS", "brightline POST /v1/messages body.text")], "next": "identity.answer"}),
        ),
        ("host", "wait.began", json!({"node": "identity.answer", "what": "the code", "until": START + 10 * MINUTE})),
        (
            "connection:brightline",
            "vendor.reported",
            json!({"connection": "brightline", "report": {"event_id": "ev_1", "idempotency_key": "int_1.identity.challenge.1", "status": "succeeded", "reference": "SM1", "detail": "delivered"}}),
        ),
        ("person:maria", "code.wrong", json!({"node": "identity.answer", "left": 2})),
        (
            "person:maria",
            "assertion.issued",
            json!({"node": "identity.answer", "assertion": {"method": "code", "level": "L2", "issued": START, "expires": START + 30 * MINUTE, "channel": "sms", "scope": "int_1"}, "next": "owed"}),
        ),
        ("host", "assurance.decided", json!({"node": "owed", "needs": "L2", "decision": permitted(assured)})),
        (
            "host",
            "fields.disclosed",
            json!({"node": "owed", "over": "call", "fields": [committed("owed/account.balance", "PHI"), committed("owed/account.month", "PHI")], "next": "plan"}),
        ),
        (
            "person:maria",
            "fields.read",
            json!({"step": "owed", "fields": ["owed/account.balance", "owed/account.month"]}),
        ),
        (
            "host",
            "plan.offered",
            json!({"node": "plan", "terms": committed("plan/terms", "PHI"), "payments": 3, "until": START + 15 * MINUTE}),
        ),
        (
            "person:maria",
            "plan.answered",
            json!({"node": "plan", "accepted": true, "terms": "sha256:3333333333333333333333333333333333333333333333333333333333333333", "next": "invitation"}),
        ),
        (
            "host",
            "link.issued",
            json!({"node": "invitation", "link": "5555555555555555", "opens": "first-payment", "terms": "sha256:3333333333333333333333333333333333333333333333333333333333333333", "expires": START + 72 * 60 * MINUTE}),
        ),
        ("customer:c_1", "link.opened", json!({"link": "5555555555555555"})),
        (
            "customer:c_1",
            "wait.ended",
            json!({"node": "first-payment.open", "why": "opened", "next": "first-payment.fresh"}),
        ),
        (
            "host",
            "assurance.decided",
            json!({"node": "first-payment.fresh", "needs": "L2", "decision": {"verdict": {"kind": "deny"}, "reasons": [{"rule": "assurance", "cite": "45 CFR 164.514(h)", "verdict": {"kind": "deny"}, "facts": {"needs": "L2"}, "says": "`code` expired"}]}, "next": "first-payment.challenge"}),
        ),
        (
            "customer:c_1",
            "authorization.given",
            json!({"node": "first-payment.card", "words": committed("first-payment/authorization/1", "PHI"), "terms": "sha256:3333333333333333333333333333333333333333333333333333333333333333", "copy": "on the page"}),
        ),
        (
            "customer:c_1",
            "card.captured",
            json!({"node": "first-payment.card", "token": "tok_1", "brand": "Visa", "last4": "4242", "next": "first-payment.charge"}),
        ),
        (
            "host",
            "effect.intended",
            json!({"node": "first-payment.charge", "key": "int_1.first-payment.charge.1", "connector": "northgate-cards", "function": "charge", "class": "reconcile", "attempt": 1, "carries": [committed("first-payment/amount/1", "PHI")]}),
        ),
        (
            CARDS,
            "effect.unclear",
            json!({"node": "first-payment.charge", "key": "int_1.first-payment.charge.1", "why": "no answer within 10 seconds", "accesses": [access("card.number", "PAN", "northgate POST /v1/charges body.card.number")], "asked": 0, "at": START + 3 * MINUTE}),
        ),
        (
            CARDS,
            "effect.done",
            json!({"node": "first-payment.charge", "key": "int_1.first-payment.charge.1", "exit": "done", "reference": "ch_1", "accesses": [], "next": "end:completed"}),
        ),
        ("host", "interaction.closed", json!({"ending": "completed"})),
    ]
}

/// What goes otherwise.
fn otherwise() -> Vec<(&'static str, &'static str, Value)> {
    let charge = |exit: &str, detail: &str| json!({"node": "first-payment.charge", "key": "k", "exit": exit, "detail": detail, "accesses": [], "refusals": [{"missing": "hosts: [evil.example]", "tried": "GET evil.example"}], "next": "end:failed"});
    let late = json!({"verdict": {"kind": "defer", "until": START + 600 * MINUTE}, "reasons": [hours(json!({"kind": "defer", "until": START + 600 * MINUTE}), "23:04 is outside 08:00 to 21:00")]});
    let no = json!({"verdict": {"kind": "deny"}, "reasons": [hours(json!({"kind": "permit"}), "inside"), {"rule": "tcpa.consent", "cite": "", "verdict": {"kind": "deny"}, "facts": {}, "says": "there is no consent to `sms` for `billing`"}]});
    vec![
        (
            "host",
            "contact.decided",
            json!({"node": "receipt", "moment": "queued", "purpose": "billing", "channel": "sms", "decision": late}),
        ),
        (
            "host",
            "contact.decided",
            json!({"node": "receipt", "moment": "sending", "purpose": "billing", "channel": "sms", "decision": no, "next": "end:failed"}),
        ),
        (
            "host",
            "assurance.decided",
            json!({"node": "owed", "needs": "L2", "decision": {"verdict": {"kind": "deny"}, "reasons": []}, "next": "end:failed"}),
        ),
        (
            "connector:brightline-sim@sha256:44",
            "effect.done",
            json!({"node": "identity.check", "key": "k", "exit": "failed", "detail": "sim-swap: raised (changed yesterday)", "accesses": [{"field": "patient.mobile", "class": "PII", "how": "reveal", "place": "to format it"}], "next": "end:failed"}),
        ),
        (
            SMS,
            "effect.postponed",
            json!({"node": "receipt", "key": "k", "attempt": 1, "why": "the vendor was busy", "accesses": [], "at": START + MINUTE}),
        ),
        (
            SMS,
            "effect.done",
            json!({"node": "receipt", "key": "k", "exit": "failed", "detail": "landline", "accesses": [], "next": "end:failed"}),
        ),
        (
            SMS,
            "effect.unclear",
            json!({"node": "receipt", "key": "k", "why": "no answer", "accesses": [], "asked": 1, "at": START + MINUTE}),
        ),
        (CARDS, "effect.done", charge("declined", "insufficient funds")),
        (CARDS, "effect.done", charge("failed", "the account is closed")),
        (
            CARDS,
            "effect.needs-person",
            json!({"node": "first-payment.charge", "key": "k", "why": "the vendor does not say"}),
        ),
        (
            "host",
            "card.forgotten",
            json!({"node": "first-payment.charge", "token": "tok_1", "why": "the security code is kept in memory only", "next": "first-payment.card"}),
        ),
        ("host", "wait.ended", json!({"node": "plan", "why": "time ran out", "next": "end:failed"})),
        ("person:maria", "code.wrong", json!({"node": "identity.answer", "left": 1})),
        (
            "person:maria",
            "plan.answered",
            json!({"node": "plan", "accepted": false, "terms": "sha256:33", "next": "end:declined"}),
        ),
        ("host", "interaction.closed", json!({"ending": "failed"})),
    ]
}

/// A service that was called, twice with an answer's end and once without.
fn called() -> Vec<(&'static str, &'static str, Value)> {
    let intended = |function: &str| json!({"node": "quote.call", "key": "int_1.quote.call.1", "connector": "desk", "function": function, "class": "idempotent", "attempt": 1, "hands": ["patient.mobile"]});
    let done = |exit: &str| json!({"node": "quote.call", "key": "int_1.quote.call.1", "exit": exit, "accesses": [access("patient.mobile", "PII", "desk POST /v1/quotes /phone")], "next": "end:completed"});
    let (mut answered, mut refused) = (done("done"), done("failed"));
    answered["answer"] = committed("quote/answer/1", "PHI");
    refused["detail"] = json!("HTTP 404");
    vec![
        ("host", "effect.intended", intended("quote")),
        ("connector:desk@sha256:55", "effect.done", answered),
        ("connector:desk@sha256:55", "effect.done", refused),
    ]
}

/// A run that failed, and what it did is undone: once as it should be, once not, which a person settles.
fn undone() -> Vec<(&'static str, &'static str, Value)> {
    let key = "int_1.quote.undo#3.1";
    let done =
        |exit: &str| json!({"node": "quote.undo#3", "key": key, "exit": exit, "accesses": [], "next": "end:failed"});
    let mut left = done("failed");
    left["detail"] = json!("decided by person:sam (supervisor): withdrawn by hand");
    vec![
        ("host", "undo.began", json!({"ending": "failed", "places": ["quote.undo#3", "booked.undo"]})),
        (
            "host",
            "effect.intended",
            json!({"node": "quote.undo#3", "key": key, "connector": "desk", "function": "withdraw", "class": "idempotent", "attempt": 1, "hands": ["patient.mobile"]}),
        ),
        (
            "connector:desk@sha256:55",
            "undo.failed",
            json!({"node": "quote.undo#3", "key": key, "why": "HTTP 409", "accesses": []}),
        ),
        ("person:sam", "effect.done", left),
        ("connector:desk@sha256:55", "effect.done", done("done")),
    ]
}

/// A run that waits and takes one way and not another.
fn ways() -> Vec<(&'static str, &'static str, Value)> {
    let asked = |field: &str| json!([{"field": field, "class": "PHI", "how": "condition", "place": "route"}]);
    vec![
        ("host", "wait.began", json!({"node": "grace", "what": "its time", "until": START + 30 * MINUTE})),
        ("host", "wait.ended", json!({"node": "grace", "why": "it is time", "next": "route.1"})),
        (
            "host",
            "condition.decided",
            json!({"node": "route.1", "answer": "no", "accesses": asked("account.balance"), "next": "route.2"}),
        ),
        (
            "host",
            "condition.decided",
            json!({"node": "route.2", "answer": "yes", "accesses": asked("account.month"), "next": "bill"}),
        ),
        (
            "host",
            "condition.decided",
            json!({"node": "other.1", "answer": "none", "why": "`visit.kind` has no value that can be compared", "accesses": [], "next": "end:failed"}),
        ),
    ]
}

/// What a customer can write, told in the record that keeps the words and in the others.
fn written() -> Vec<(&'static str, &'static str, Value)> {
    let text = |means: &str, rest: Value| {
        let mut text =
            json!({"connection": "brightline", "channel": "sms", "event": "evt_1", "means": means, "cards": 0});
        text.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        ("customer:c_1", "text.received", text)
    };
    let revoked = |rest: Value| {
        let mut act = json!({"channel": "sms", "purpose": "all", "sender": "all", "act": "reply", "cite": "47 CFR 64.1200(a)(10)"});
        act.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        ("customer:c_1", "consent.revoked", act)
    };
    vec![
        text("opt-out", json!({"by": "quit texting", "words": committed("words", "COMMS")})),
        revoked(json!({})),
        text("opt-out", json!({"by": "stop", "kept_in": "int_2"})),
        revoked(json!({"said_in": "int_2"})),
        text("help", json!({"kept_in": "int_3"})),
        text("other", json!({"words": committed("text/brightline/evt_1", "COMMS"), "cards": 1})),
        text("unreadable", json!({})),
    ]
}

/// What people at work were asked, and what came of it.
fn asked() -> Vec<(&'static str, &'static str, Value)> {
    let terms = "sha256:3333333333333333333333333333333333333333333333333333333333333333";
    let until = START + 30 * MINUTE;
    vec![
        (
            "host",
            "question.asked",
            json!({"node": "review", "question": "Does hardship apply?", "of": "supervisor", "answers": ["hardship", "standard"], "until": until}),
        ),
        (
            "person:sam",
            "question.answered",
            json!({"node": "review", "answer": "hardship", "in_time": true, "next": "second-look"}),
        ),
        (
            "host",
            "question.answered",
            json!({"node": "other", "answer": "standard", "in_time": false, "next": "end:completed"}),
        ),
        (
            "host",
            "approval.asked",
            json!({"node": "second-look", "of": "supervisor", "about": "plan", "terms": terms, "until": until}),
        ),
        (
            "person:sam",
            "approval.decided",
            json!({"node": "second-look", "approved": true, "terms": terms, "next": "invitation"}),
        ),
        (
            "person:sam",
            "approval.decided",
            json!({"node": "second-look", "approved": false, "terms": terms, "next": "end:failed"}),
        ),
    ]
}

fn events(told: Vec<(&'static str, &'static str, Value)>) -> Vec<Event> {
    let mut head = Head::start("clinic", "int_1");
    let event = |(n, (actor, kind, data)): (usize, (&str, &str, Value))| {
        let person = actor.starts_with("person:").then(|| "desk-7".to_owned());
        let draft = Draft {
            function: person.as_ref().map(|_| "billing-agent".into()),
            session: person.as_ref().map(|_| "ses_1".into()),
            device: person,
            purpose: Some("billing".into()),
            controls: Some(format!("sha256:{}", "6".repeat(64))),
            ..Draft::new(kind, START + i64::try_from(n).unwrap() * 1_000_000, actor, data)
        };
        Event::parse(&head.append(draft).unwrap().canonical).unwrap()
    };
    told.into_iter().enumerate().map(event).collect()
}

/// A record that other tests can show.
pub(crate) fn story() -> Vec<Event> {
    events(told())
}

fn read_aloud(events: &[Event]) -> String {
    let mut out = String::new();
    for Line { time, who, what, detail, tone } in events.iter().map(in_words) {
        out += &format!("{time} {tone:?} [{who}] {what}\n");
        detail.iter().for_each(|line| out += &format!("    {line}\n"));
    }
    out
}

#[test]
fn the_story_of_a_payment_reads_so() {
    insta::assert_snapshot!(read_aloud(&story()));
}

#[test]
fn what_goes_otherwise_reads_so() {
    insta::assert_snapshot!(read_aloud(&events(otherwise())));
}

#[test]
fn a_call_of_a_service_reads_so() {
    insta::assert_snapshot!(read_aloud(&events(called())), @r"
        2026-11-24 17:03:00 UTC Plain [Selvedge] quote: calling desk (attempt 1)
            effect int_1.quote.call.1, idempotent
            its function quote
            handed over, as handles: patient.mobile
        2026-11-24 17:03:01 UTC Good [desk] quote: answered
            quote/answer/1 (PHI) committed as 333333333333…
            patient.mobile (PII) egress: desk POST /v1/quotes /phone
            revealed: none
        2026-11-24 17:03:02 UTC Bad [desk] quote: no answer: HTTP 404
            patient.mobile (PII) egress: desk POST /v1/quotes /phone
            revealed: none
        ");
}

#[test]
fn what_is_undone_reads_so() {
    insta::assert_snapshot!(read_aloud(&events(undone())), @r"
        2026-11-24 17:03:00 UTC Warning [Selvedge] what was done is undone, the newest first
            undoes quote#3
            undoes booked
        2026-11-24 17:03:01 UTC Plain [Selvedge] quote#3: undoing through desk (attempt 1)
            effect int_1.quote.undo#3.1, idempotent
            its function withdraw
            handed over, as handles: patient.mobile
        2026-11-24 17:03:02 UTC Bad [desk] quote#3: the undo failed: a person must decide
            HTTP 409
            effect int_1.quote.undo#3.1
        2026-11-24 17:03:03 UTC Bad [sam] quote#3: stays as it is: decided by person:sam (supervisor): withdrawn by hand
        2026-11-24 17:03:04 UTC Good [desk] quote#3: undone
        ");
}

#[test]
fn the_ways_of_a_run_read_so() {
    insta::assert_snapshot!(read_aloud(&events(ways())), @r"
        2026-11-24 17:03:00 UTC Warning [Selvedge] grace: waiting for its time until 2026-11-24 17:33 UTC
        2026-11-24 17:03:01 UTC Plain [Selvedge] grace: the wait is over: it is time
        2026-11-24 17:03:02 UTC Plain [Selvedge] route: way 1 is not taken
            asked about account.balance (PHI)
        2026-11-24 17:03:03 UTC Plain [Selvedge] route: way 2 is taken
            asked about account.month (PHI)
        2026-11-24 17:03:04 UTC Bad [Selvedge] other: way 1 cannot be decided
            `visit.kind` has no value that can be compared
        ");
}

#[test]
fn what_a_customer_writes_reads_so() {
    insta::assert_snapshot!(read_aloud(&events(written())), @r"
    2026-11-24 17:03:00 UTC Warning [the customer] wrote by sms: wants no more messages (`quit texting`)
        words (COMMS) committed as 333333333333…
    2026-11-24 17:03:01 UTC Warning [the customer] consent to sms taken away by reply: purpose all, sender all (47 CFR 64.1200(a)(10))
    2026-11-24 17:03:02 UTC Warning [the customer] wrote by sms: wants no more messages (`stop`)
        the words are kept in int_2
    2026-11-24 17:03:03 UTC Warning [the customer] consent to sms taken away by reply: purpose all, sender all (47 CFR 64.1200(a)(10))
        said in int_2
    2026-11-24 17:03:04 UTC Plain [the customer] wrote by sms: asks for help
        the words are kept in int_3
    2026-11-24 17:03:05 UTC Plain [the customer] wrote by sms
        text/brightline/evt_1 (COMMS) committed as 333333333333…
        card numbers taken out of the words: 1
    2026-11-24 17:03:06 UTC Plain [the customer] wrote by sms, and nothing could be read
    ");
}

#[test]
fn what_people_decide_reads_so() {
    insta::assert_snapshot!(read_aloud(&events(asked())), @r"
        2026-11-24 17:03:00 UTC Warning [Selvedge] review: a supervisor is asked until 2026-11-24 17:33 UTC: Does hardship apply?
            to be answered by hardship, standard
        2026-11-24 17:03:01 UTC Plain [sam] review: answered: hardship
        2026-11-24 17:03:02 UTC Bad [Selvedge] other: nobody answered in time, so the answer is standard
        2026-11-24 17:03:03 UTC Warning [Selvedge] second-look: a supervisor is to approve plan until 2026-11-24 17:33 UTC
            the terms 333333333333…
        2026-11-24 17:03:04 UTC Good [sam] second-look: approved
            the terms 333333333333…
        2026-11-24 17:03:05 UTC Bad [sam] second-look: not approved
            the terms 333333333333…
        ");
}

/// What was found, and what it came to.
fn risky() -> Vec<(&'static str, &'static str, serde_json::Value)> {
    let decided = |verdict: &str| json!({"verdict": {"kind": verdict}, "reasons": [{"rule": "risk.sim-swap", "cite": "NIST SP 800-63B-4", "verdict": {"kind": verdict}, "facts": {"points": "60"}, "says": "`sim-swap` found a risk: 60 points."}]});
    let weighed = |action: &str, points: u32, verdict: &str| json!({"node": "owed", "action": action, "points": points, "decision": decided(verdict)});
    vec![
        (
            "connector:brightline-sim@sha256:00",
            "signal.found",
            json!({"node": "identity.check", "signal": "sim-swap", "finding": "raised", "reason": "swapped", "until": START + 60 * MINUTE}),
        ),
        ("host", "risk.decided", weighed("allow", 10, "permit")),
        ("host", "risk.decided", weighed("step-up", 30, "permit")),
        ("host", "risk.decided", weighed("refuse", 60, "deny")),
        ("host", "risk.decided", weighed("person", 120, "deny")),
    ]
}

#[test]
fn a_risk_reads_so() {
    insta::assert_snapshot!(read_aloud(&events(risky())), @r"
    2026-11-24 17:03:00 UTC Bad [brightline-sim] identity: sim-swap found a risk
        the reason given: swapped
        every later try inherits it until 2026-11-24 18:03 UTC
    2026-11-24 17:03:01 UTC Plain [Selvedge] owed: 10 points of risk: goes on
        risk.sim-swap (NIST SP 800-63B-4): `sim-swap` found a risk: 60 points.
    2026-11-24 17:03:02 UTC Plain [Selvedge] owed: 30 points of risk: it takes a proof of who it is, and goes on
        risk.sim-swap (NIST SP 800-63B-4): `sim-swap` found a risk: 60 points.
    2026-11-24 17:03:03 UTC Bad [Selvedge] owed: 60 points of risk: refused
        risk.sim-swap (NIST SP 800-63B-4): `sim-swap` found a risk: 60 points.
    2026-11-24 17:03:04 UTC Bad [Selvedge] owed: 120 points of risk: refused, and a person should look at it
        risk.sim-swap (NIST SP 800-63B-4): `sim-swap` found a risk: 60 points.
    ");
}

#[test]
fn every_sample_is_an_event_that_the_engine_could_have_written() {
    for event in [
        story(),
        events(otherwise()),
        events(called()),
        events(undone()),
        events(ways()),
        events(written()),
        events(asked()),
        events(risky()),
    ]
    .concat()
    {
        let fact = Fact::from_kind_and_data(&event.kind, event.data.clone()).unwrap();
        assert_eq!(fact.kind_and_data().unwrap(), (event.kind, event.data));
    }
}

#[test]
fn an_event_of_a_newer_version_is_told_by_its_kind() {
    let newer = events(vec![("host", "moon.risen", json!({"phase": "full"}))]);
    let line = in_words(&newer[0]);
    assert_eq!((line.what.as_str(), line.tone), ("moon.risen", Tone::Plain));
}

#[test]
fn a_move_and_the_record_of_switches_read_so() {
    let digest = |of: &str| format!("sha256:{}", of.repeat(64));
    let told = events(vec![
        (
            "person:ann",
            "run.moved",
            json!({"by": "person:ann (admin)", "reason": "the words were wrong", "from": digest("6"), "to": digest("7"), "connectors": {}}),
        ),
        (
            "person:sam",
            "switch.set",
            json!({"scope": {"over": "channel", "name": "sms"}, "reason": "texts go out twice"}),
        ),
        (
            "host",
            "switch.settled",
            json!({"switch": "kill-2", "under_way": {"left": [], "stopped": [], "unknown": []}}),
        ),
        (
            "host",
            "switch.settled",
            json!({"switch": "kill-2", "under_way": {"left": ["int_1.code.1"], "stopped": [], "unknown": ["int_2.code.1"]}}),
        ),
        ("person:sam", "switch.lifted", json!({"switch": "kill-2", "reason": "mended"})),
    ]);
    let lines: Vec<String> = told
        .iter()
        .map(in_words)
        .map(|line| format!("{:?} [{}] {} | {}", line.tone, line.who, line.what, line.detail.join("; ")))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    Warning [ann] moved to the definition 777777777777… by person:ann (admin) | the words were wrong; it went by 666666666666… before
    Bad [sam] channel:sms stopped | texts go out twice
    Plain [Selvedge] kill-2: nothing was under way | 
    Warning [Selvedge] kill-2: under way when it was set: 1 had left, 1 nobody knows | int_1.code.1: had left; int_2.code.1: nobody knows
    Good [sam] kill-2 lifted | mended
    ");
}

#[test]
fn what_happened_beside_the_interactions_reads_so() {
    let refused = json!({"action": "export", "interaction": "int_1", "decision": {"verdict": {"kind": "deny"}, "reasons": [{"rule": "r", "cite": "", "verdict": {"kind": "deny"}, "facts": {}, "says": "no policy lets a supervisor export"}]}});
    let told = events(vec![
        (
            "person:ann",
            "campaign.started",
            json!({"workflow": "utility-past-due", "channel": "campaign", "per_minute": 30, "at_once": 5, "customers": "bill.due < '2026-11-01'"}),
        ),
        ("host", "campaign.listed", json!({"asked": 100, "listed": 7, "reads": ["bill.due"]})),
        ("person:ann", "campaign.paused", json!({"reason": "look first"})),
        ("host", "campaign.finished", json!({"done": 5, "refused": 1, "failed": 1})),
        ("host", "schedule.fired", json!({"upto": START, "campaigns": ["morning.1"], "missed": 2, "overlapped": 0})),
        ("person:ann", "schedule.resumed", json!({"upto": START, "reason": "mended"})),
        ("person:ugo", "access.refused", refused),
        ("person:eve", "record.exported", json!({"interaction": "int_1", "opened": ["PII"]})),
        ("operator:sam", "customers.imported", json!({"customers": 3})),
        (
            "operator:sam",
            "customers.unflagged",
            json!({"customer": "c_1", "flag": "dispute", "reason": "settled in writing"}),
        ),
        (
            "operator:sam",
            "staff.signed-in",
            json!({"session": "s_1", "person": "maria", "function": "billing-agent", "device": "desk", "expires": "2026-11-24T18:00:00Z"}),
        ),
        ("person:ann", "hold.set", json!({"on": "c_1", "reason": "a law suit"})),
    ]);
    let line = |line: Line| format!("{:?} [{}] {} | {}", line.tone, line.who, line.what, line.detail.join("; "));
    let lines: Vec<String> = told.iter().map(in_words).map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    Plain [ann] campaign started: utility-past-due with those for whom `bill.due < '2026-11-01'` holds | at most 30 a minute, 5 open at a time
    Plain [Selvedge] 7 of 100 customers are on its list | asked about bill.due of each
    Warning [ann] campaign paused: nobody is taken up | look first
    Warning [Selvedge] campaign over: 5 came to their end, 1 refused by a rule, 1 failed | 
    Warning [Selvedge] morning.1 begins | 2 missed and not made up for; times until 2026-11-24 17:03:00 UTC are decided
    Plain [ann] schedule goes on | mended
    Bad [ugo] `export` refused at int_1 | no policy lets a supervisor export
    Plain [eve] the record of int_1 was exported | values of PII in the clear
    Plain [sam] 3 customers imported | 
    Warning [sam] `dispute` is no longer on file of c_1 | settled in writing
    Plain [sam] maria was signed in as billing-agent | session s_1 on desk, until 2026-11-24T18:00:00Z
    Warning [ann] c_1 is held: nothing of it is destroyed | a law suit
    ");
}
