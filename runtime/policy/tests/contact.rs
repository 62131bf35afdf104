//! The shipped contact rules as tables: moment, customer, and what may be done.

use std::collections::BTreeMap;

use jiff::Timestamp;
use selvedge_policy::{Consent, Contact, CustomerState, Decision, Given, RuleSet, Verdict, ZoneEvidence};

const CHICAGO: &str = "America/Chicago";
const NEW_YORK: &str = "America/New_York";
const LOS_ANGELES: &str = "America/Los_Angeles";

#[allow(clippy::unwrap_used, reason = "this is a test")]
fn rules() -> RuleSet {
    let files = [
        ("rules/tcpa.yaml", include_str!("../../../workflows/rules/tcpa.yaml")),
        ("rules/state.yaml", include_str!("../../../workflows/rules/state.yaml")),
    ];
    RuleSet::load(&files.map(|(name, text)| (name.to_owned(), text.to_owned())).into()).unwrap()
}

#[allow(clippy::unwrap_used, reason = "this is a test")]
fn micros(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

fn consent(granted: bool, at: &str) -> Consent {
    Consent {
        purpose: "billing".into(),
        channel: "sms".into(),
        granted,
        at: micros(at),
        words: "yes, text me about my bill".into(),
        sender: String::new(),
        act: "web form".into(),
        given: Given::Express,
    }
}

/// A customer in Illinois who agreed to texts about bills.
fn patient() -> CustomerState {
    CustomerState {
        consents: vec![consent(true, "2026-01-05T16:00:00Z")],
        zones: vec![zone(CHICAGO, "address")],
        jurisdictions: vec!["US".into(), "US-IL".into()],
        ..CustomerState::default()
    }
}

fn zone(zone: &str, source: &str) -> ZoneEvidence {
    ZoneEvidence { zone: zone.into(), source: source.into() }
}

fn living(zones: &[&str], states: &[&str]) -> CustomerState {
    CustomerState {
        zones: zones.iter().map(|name| zone(name, "address")).collect(),
        jurisdictions: states.iter().map(|state| (*state).to_owned()).collect(),
        ..patient()
    }
}

fn decide(customer: &CustomerState, purpose: &str, at: &str) -> Decision {
    let (rules, contact) = (rules(), Contact::new(purpose, "sms", micros(at), customer));
    let tallies: Vec<_> = rules.counts(&contact).iter().map(|count| count.tally(&[])).collect();
    rules.decide(&Contact { tallies: &tallies, ..contact })
}

fn bill(customer: &CustomerState, at: &str) -> Verdict {
    decide(customer, "billing", at).verdict
}

fn defer(until: &str) -> Verdict {
    Verdict::Defer { until: micros(until) }
}

/// What the rules that do not permit say.
fn objections(decision: &Decision) -> Vec<(&str, &str)> {
    let objecting = decision.reasons.iter().filter(|reason| reason.verdict != Verdict::Permit);
    objecting.map(|reason| (reason.rule.as_str(), reason.says.as_str())).collect()
}

#[test]
fn hours_begin_and_end_to_the_second() {
    let table = [
        ("2026-03-02T07:59:59-06:00", defer("2026-03-02T08:00:00-06:00")),
        ("2026-03-02T08:00:00-06:00", Verdict::Permit),
        ("2026-03-02T20:59:59.999999-06:00", Verdict::Permit),
        ("2026-03-02T21:00:00-06:00", defer("2026-03-03T08:00:00-06:00")),
        ("2026-03-02T00:00:00-06:00", defer("2026-03-02T08:00:00-06:00")),
    ];
    for (at, verdict) in table {
        assert_eq!(bill(&patient(), at), verdict, "{at}");
    }
}

#[test]
fn the_night_of_a_clock_change_ends_at_eight_by_the_changed_clock() {
    let table = [
        // Spring: the night of 7 March is an hour short.
        ("2026-03-07T22:00:00-06:00", defer("2026-03-08T08:00:00-05:00")),
        ("2026-03-08T07:59:59-05:00", defer("2026-03-08T08:00:00-05:00")),
        ("2026-03-08T08:00:00-05:00", Verdict::Permit),
        // Autumn: the night of 31 October is an hour long.
        ("2026-10-31T22:00:00-05:00", defer("2026-11-01T08:00:00-06:00")),
        ("2026-11-01T08:00:00-05:00", defer("2026-11-01T08:00:00-06:00")),
        ("2026-11-01T20:59:59-06:00", Verdict::Permit),
    ];
    for (at, verdict) in table {
        assert_eq!(bill(&patient(), at), verdict, "{at}");
    }
}

#[test]
fn conflicting_clues_to_the_zone_must_all_be_satisfied() {
    let moved = CustomerState { zones: vec![zone(NEW_YORK, "address"), zone(LOS_ANGELES, "phone")], ..patient() };
    let table = [
        // Both clocks are inside from 11:00 to 21:00 in New York.
        ("2026-03-02T09:00:00-05:00", defer("2026-03-02T08:00:00-08:00")),
        ("2026-03-02T11:00:00-05:00", Verdict::Permit),
        ("2026-03-02T20:59:59-05:00", Verdict::Permit),
        ("2026-03-02T21:00:00-05:00", defer("2026-03-03T08:00:00-08:00")),
    ];
    for (at, verdict) in table {
        assert_eq!(bill(&moved, at), verdict, "{at}");
    }

    let decision = decide(&moved, "billing", "2026-03-02T09:00:00-05:00");
    let says = "2026-03-02 06:00:00 PST where the customer is, by their phone, is outside 08:00 to 21:00";
    assert_eq!(objections(&decision), [("tcpa.hours", says)]);
    let hours = decision.reasons.iter().filter(|reason| reason.rule == "tcpa.hours");
    let zones: Vec<_> = hours.map(|reason| (&*reason.facts["zone"], &*reason.facts["zone-source"])).collect();
    assert_eq!(zones, [(LOS_ANGELES, "phone"), (NEW_YORK, "address")]);
}

#[test]
fn two_clues_to_one_zone_are_one_fact_with_two_sources() {
    let sure = CustomerState { zones: vec![zone(CHICAGO, "address"), zone(CHICAGO, "phone")], ..patient() };
    let decision = decide(&sure, "billing", "2026-03-02T12:00:00-06:00");
    let hours: Vec<_> = decision.reasons.iter().filter(|reason| reason.rule == "tcpa.hours").collect();
    assert_eq!(hours.len(), 1);
    assert_eq!(hours[0].facts["zone-source"], "address and phone");
    assert_eq!(hours[0].facts["local-time"], "2026-03-02 12:00:00 CST");
}

#[test]
fn florida_ends_an_hour_earlier_and_only_since_the_law_is_in_force() {
    let florida = living(&[NEW_YORK], &["US", "US-FL"]);
    let early = CustomerState { consents: vec![consent(true, "2020-01-01T00:00:00Z")], ..florida.clone() };
    let table = [
        (&florida, "2026-03-02T19:59:59-05:00", Verdict::Permit),
        (&florida, "2026-03-02T20:00:00-05:00", defer("2026-03-03T08:00:00-05:00")),
        (&patient(), "2026-03-02T20:00:00-06:00", Verdict::Permit),
        // In force from 2021-07-01, which begins first where the clock is 14 hours ahead of UTC.
        (&early, "2021-06-29T20:30:00-04:00", Verdict::Permit),
        (&early, "2021-06-30T20:30:00-04:00", defer("2021-07-01T08:00:00-04:00")),
    ];
    for (customer, at, verdict) in table {
        assert_eq!(bill(customer, at), verdict, "{at}");
    }
    let decision = decide(&florida, "billing", "2026-03-02T20:00:00-05:00");
    let asked: Vec<_> = decision.reasons.iter().map(|reason| reason.rule.as_str()).collect();
    let texts = ["tcpa.hours", "tcpa.consent", "tcpa.revoked", "tcpa.revoked.sms"];
    assert_eq!(asked, [&["state.hours.early-evening", "state.daily-cap"][..], &texts].concat());
}

#[test]
fn the_latest_word_on_consent_counts_for_its_purpose_and_channel_alone() {
    let noon = "2026-03-02T12:00:00-06:00";
    let with = |consents: Vec<Consent>| CustomerState { consents, ..patient() };
    let given = consent(true, "2026-01-05T16:00:00Z");
    let revoked = consent(false, "2026-02-01T16:00:00Z");
    let table = [
        ("given", vec![given.clone()], Verdict::Permit),
        ("never given", vec![], Verdict::Deny),
        ("taken away since", vec![revoked.clone(), given.clone()], Verdict::Deny),
        ("given again", vec![given.clone(), revoked.clone(), consent(true, "2026-02-02T16:00:00Z")], Verdict::Permit),
        ("both at once", vec![revoked, consent(true, "2026-02-01T16:00:00Z")], Verdict::Deny),
        ("given later", vec![consent(true, "2026-03-03T16:00:00Z")], Verdict::Deny),
        ("for another purpose", vec![Consent { purpose: "marketing".into(), ..given.clone() }], Verdict::Deny),
        ("for another channel", vec![Consent { channel: "call".into(), ..given }], Verdict::Deny),
    ];
    for (what, consents, verdict) in table {
        assert_eq!(bill(&with(consents), noon), verdict, "{what}");
    }

    let decision = decide(&with(Vec::new()), "billing", noon);
    assert_eq!(objections(&decision), [("tcpa.consent", "there is no consent to `sms` for `billing`")]);
}

#[test]
fn who_opted_out_gets_nothing_not_even_a_code() {
    let noon = "2026-03-02T12:00:00-06:00";
    let stopped = CustomerState { flags: vec!["opted-out".into()], ..patient() };
    for purpose in ["billing", "identity"] {
        let decision = decide(&stopped, purpose, noon);
        assert_eq!(decision.verdict, Verdict::Deny);
        assert_eq!(objections(&decision), [("tcpa.revoked", "the customer is flagged `opted-out`")]);
    }
}

#[test]
fn a_code_that_was_just_asked_for_may_come_at_night_and_without_consent() {
    let nobody = CustomerState { consents: Vec::new(), zones: Vec::new(), ..patient() };
    assert!(decide(&nobody, "identity", "2026-03-02T03:00:00-06:00").is_permit());
}

#[test]
fn a_denial_outweighs_a_deferral_and_both_are_listed() {
    let silent = CustomerState { consents: Vec::new(), ..patient() };
    let decision = decide(&silent, "billing", "2026-03-02T22:00:00-06:00");
    assert_eq!(decision.verdict, Verdict::Deny);
    let rules: Vec<_> = objections(&decision).into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(rules, ["tcpa.hours", "tcpa.consent"]);
}

#[test]
fn without_a_time_zone_there_is_no_hour_and_no_text() {
    let noon = "2026-03-02T12:00:00-06:00";
    let nowhere = decide(&living(&[], &["US"]), "billing", noon);
    let says = "nothing says in which time zone the customer is: an address or a phone number would";
    assert_eq!((nowhere.verdict, objections(&nowhere)), (Verdict::Deny, vec![("tcpa.hours", says)]));
    // A clue that cannot be read is not passed over in favour of one that can.
    assert_eq!(bill(&living(&[CHICAGO, "America/Chicagoo"], &["US"]), noon), Verdict::Deny);
}

#[test]
fn where_nobody_counted_there_may_be_no_room() {
    let (rules, florida) = (rules(), living(&[NEW_YORK], &["US", "US-FL"]));
    let decision = rules.decide(&Contact::new("billing", "sms", micros("2026-03-02T12:00:00-05:00"), &florida));
    let says = "nobody counted the contacts that were made, so there may be no room for another";
    assert_eq!((decision.verdict, objections(&decision)), (Verdict::Deny, vec![("state.daily-cap", says)]));
}

#[test]
fn where_no_rule_speaks_nothing_is_permitted() {
    let noon = "2026-03-02T12:00:00-06:00";
    for places in [vec![], vec!["CA"], vec!["USA"]] {
        let decision = decide(&living(&[CHICAGO], &places), "identity", noon);
        assert_eq!(decision.verdict, Verdict::Deny, "{places:?}");
        assert_eq!(decision.reasons[0].rule, "default");
    }
    let state_alone = living(&[CHICAGO], &["US-IL"]);
    assert!(decide(&state_alone, "billing", noon).is_permit(), "a state is a part of its country");

    let customer = patient();
    let by_letter = Contact::new("billing", "letter", micros(noon), &customer);
    assert_eq!(rules().decide(&by_letter).verdict, Verdict::Deny);
    let beyond = Contact { channel: "sms", at: i64::MAX, ..by_letter };
    assert_eq!(rules().decide(&beyond).verdict, Verdict::Deny);
}

#[test]
fn a_rule_is_in_force_from_its_first_day_through_its_last() {
    let text = "\
pack: Test
owner: Counsel
status: reviewed
rules:
  - id: test.flag
    cite: Test 1
    about: For two days nobody is called.
    jurisdiction: US
    effective: 2026-03-02
    until: 2026-03-03
    applies: { channels: [sms], purposes: [billing] }
    then: { not-flagged: anything }
";
    let rules = RuleSet::load(&BTreeMap::from([("test.yaml".to_owned(), text.to_owned())])).unwrap();
    let customer = patient();
    let verdict = |purpose, at| rules.decide(&Contact::new(purpose, "sms", micros(at), &customer)).verdict;
    let table = [
        ("2026-03-01T23:59:59+14:00", Verdict::Deny),
        ("2026-03-02T00:00:00+14:00", Verdict::Permit),
        ("2026-03-03T23:59:59-12:00", Verdict::Permit),
        ("2026-03-04T00:00:00-12:00", Verdict::Deny),
    ];
    for (at, expected) in table {
        assert_eq!(verdict("billing", at), expected, "{at}");
    }
    assert_eq!(verdict("marketing", "2026-03-02T12:00:00Z"), Verdict::Deny, "the rule is for `billing` alone");
}

#[test]
fn a_decision_is_strings_and_integers_and_holds_nothing_of_the_customer() {
    let decision = decide(&patient(), "billing", "2026-03-02T22:00:00-06:00");
    let json = serde_json::to_value(&decision).unwrap();
    assert_eq!(json["verdict"], serde_json::json!({ "kind": "defer", "until": micros("2026-03-03T08:00:00-06:00") }));
    let hours = serde_json::json!({
        "rule": "tcpa.hours",
        "cite": "47 CFR 64.1200(c)(1)",
        "verdict": { "kind": "defer", "until": micros("2026-03-03T08:00:00-06:00") },
        "facts": {
            "effective": "1991-12-20",
            "hours": "08:00 to 21:00",
            "local-time": "2026-03-02 22:00:00 CST",
            "zone": "America/Chicago",
            "zone-source": "address",
        },
        "says": "2026-03-02 22:00:00 CST where the customer is, by their address, is outside 08:00 to 21:00",
    });
    assert_eq!(json["reasons"][0], hours);
    assert!(!json.to_string().contains("text me"), "the words of the consent stay where they are");
    assert_eq!(serde_json::from_value::<Decision>(json).unwrap(), decision);
}
