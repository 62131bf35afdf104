//! Events of every kind, in the order of some interaction.

use serde_json::{Value, json};

use super::{MINUTE, START};

const SMS: &str = "connector:brightline-sms@sha256:1111111111111111111111111111111111111111111111111111111111111111";
const CARDS: &str = "connector:northgate-cards@sha256:2222222222222222222222222222222222222222222222222222222222222222";

pub fn committed(name: &str, class: &str) -> Value {
    json!({"name": name, "class": class, "commitment": "sha256:3333333333333333333333333333333333333333333333333333333333333333"})
}

pub fn permitted(rules: Value) -> Value {
    json!({"verdict": {"kind": "permit"}, "reasons": rules})
}

pub fn hours(verdict: Value, says: &str) -> Value {
    json!({
        "rule": "tcpa.hours", "cite": "47 CFR 64.1200(c)(1)", "verdict": verdict, "says": says,
        "facts": {"local-time": "2026-11-24 11:04:00 CST", "zone": "America/Chicago", "hours": "08:00 to 21:00"},
    })
}

pub fn access(field: &str, class: &str, place: &str) -> Value {
    json!({"field": field, "class": class, "how": "egress", "place": place})
}

/// An interaction from the call to the receipt, shortened.
pub fn told() -> Vec<(&'static str, &'static str, Value)> {
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
pub fn otherwise() -> Vec<(&'static str, &'static str, Value)> {
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
pub fn called() -> Vec<(&'static str, &'static str, Value)> {
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
pub fn undone() -> Vec<(&'static str, &'static str, Value)> {
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
pub fn ways() -> Vec<(&'static str, &'static str, Value)> {
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
pub fn typed() -> Vec<(&'static str, &'static str, Value)> {
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
pub fn asked() -> Vec<(&'static str, &'static str, Value)> {
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

/// What was found, and what it came to.
pub fn risky() -> Vec<(&'static str, &'static str, serde_json::Value)> {
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

/// A chat that becomes a call with all that can be carried, and a handoff that carries nothing.
pub fn handoffs() -> Vec<(&'static str, &'static str, Value)> {
    let side = |channel: &str, agent: &str| json!({ "channel": channel, "agent": format!("person:{agent}") });
    vec![
        (
            "person:maria",
            "interaction.handed-over",
            json!({
                "by": "person:maria (billing-agent)", "reason": "the balance is said on a call",
                "from": side("chat", "maria"), "to": side("call", "maria"),
                "assertions": [{ "method": "code", "level": "L2", "scope": "int_1", "channel": "sms", "valid_for": 605 }],
                "consents": [{ "purpose": "billing", "channel": "sms", "given": 1_787_763_780_000_000_i64 }],
                "payments": [{ "step": "first-payment", "terms": format!("sha256:{}", "2".repeat(64)), "until": 1_795_799_000_000_000_i64 }],
            }),
        ),
        (
            "person:sam",
            "interaction.handed-over",
            json!({
                "by": "person:sam (supervisor)", "reason": "her shift ends",
                "from": side("call", "maria"), "to": side("call", "ben"),
                "assertions": [], "consents": [], "payments": [],
            }),
        ),
    ]
}
