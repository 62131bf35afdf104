//! The story of a patient who pays by a link, and everything else that can be told, as people read it.

mod samples;

use selvedge_record::{Draft, Head};
use serde_json::{Value, json};

use self::samples::*;
use super::*;

/// 2026-11-24T17:03:00Z
const START: Micros = 1_795_539_780_000_000;
const MINUTE: Micros = 60_000_000;

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
    insta::assert_snapshot!(read_aloud(&events(typed())), @r"
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
        events(typed()),
        events(asked()),
        events(risky()),
        events(handoffs()),
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
fn a_handoff_reads_so() {
    insta::assert_snapshot!(read_aloud(&events(handoffs())), @r"
        2026-11-24 17:03:00 UTC Warning [maria] handed over from chat, maria to call, maria, by person:maria (billing-agent)
            the balance is said on a call
            identity: code (L2) over sms, 10 min 5 s left
            consent: sms for billing, of 2026-08-26 17:03 UTC
            open payment: first-payment, terms 222222222222…, link until 2026-11-27 17:03 UTC
        2026-11-24 17:03:01 UTC Warning [sam] handed over from call, maria to call, ben, by person:sam (supervisor)
            her shift ends
            identity: none
            consent: none
            open payment: none
        ");
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
