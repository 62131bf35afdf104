//! What holds of every contact decision, whatever the customer, the moment and the rules.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use selvedge_policy::{
    Case, Consent, Contacted, Convenient, CustomerState, Given, Note, Past, RuleSet, Verdict, ZoneEvidence,
};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1440 * MINUTE;
/// 2026-08-20T00:00:00Z: the New York City rule comes into force and the clocks change within the next 100 days.
const BEGIN: i64 = 1_787_184_000_000_000;

fn packs() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows/rules");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

static SHIPPED: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::load(&packs()).unwrap());

/// The shipped rules and one more.
fn with(then: &str) -> RuleSet {
    let mut packs = packs();
    let rule = format!(
        "pack: One more\nowner: Nobody\nstatus: unreviewed\nrules:\n  - id: one.more\n    cite: None\n    \
         about: One more.\n    jurisdiction: US\n    effective: 2026-01-01\n    \
         applies: {{ channels: [call, sms, email] }}\n    then: {then}\n"
    );
    packs.insert("one-more.yaml".into(), rule);
    RuleSet::load(&packs).unwrap()
}

/// How strict a verdict is: the later of two deferrals is the stricter one.
fn strictness(verdict: Verdict) -> (u8, i64) {
    match verdict {
        Verdict::Permit => (0, 0),
        Verdict::Defer { until } => (1, until),
        Verdict::Deny => (2, 0),
    }
}

const ZONES: [&str; 5] =
    ["America/New_York", "America/Chicago", "America/Los_Angeles", "America/Phoenix", "Pacific/Honolulu"];
const PLACES: [&str; 9] = ["US-FL", "US-TX", "US-MA", "US-NY-NYC", "US-WA", "US-CT", "US-IL", "US-OK", "US-MD"];
const PURPOSES: [&str; 5] = ["billing", "collections", "marketing", "identity", "emergency"];
const NOTES: [&str; 4] = ["own-text", "reassignment-check", "do-not-call-scrub", "refusal"];
const CHANNELS: [&str; 4] = ["call", "auto-call", "sms", "email"];

fn words() -> impl Strategy<Value = Vec<Consent>> {
    let one = (select(&PURPOSES[..]), select(&CHANNELS[..]), prop::bool::weighted(0.8), 0i64..90, any::<bool>());
    let one = one.prop_map(|(purpose, channel, granted, days, written)| Consent {
        purpose: purpose.into(),
        channel: channel.into(),
        granted,
        at: BEGIN - 30 * DAY + days * DAY,
        given: if written { Given::Written } else { Given::Express },
        ..Consent::default()
    });
    prop::collection::vec(one, 0..12)
}

fn history() -> impl Strategy<Value = Vec<Contacted>> {
    let one =
        (select(&CHANNELS[..]), select(&PURPOSES[..]), any::<bool>(), prop::bool::weighted(0.1), 0i64..100 * 1440);
    let one = one.prop_map(|(channel, purpose, account, spoken, minute)| Contacted {
        past: if spoken { Past::Conversation } else { Past::Contact },
        channel: channel.into(),
        purpose: purpose.into(),
        account: account.then(|| "a-1".into()),
        at: BEGIN + minute * MINUTE,
    });
    prop::collection::vec(one, 0..60)
}

fn cases() -> impl Strategy<Value = Case> {
    let note =
        (select(&NOTES[..]), 0i64..100).prop_map(|(what, days)| Note { what: what.into(), at: BEGIN + days * DAY });
    let zones = subsequence(&ZONES[..], 0..=3);
    let places = subsequence(&PLACES[..], 0..=2);
    let flags = prop::option::weighted(0.1, select(vec!["opted-out", "attorney", "dispute", "not-by-sms"]));
    let convenient = prop::option::weighted(0.2, (6u8..12, 13u8..22));
    let parts = (words(), zones, places, flags, prop::collection::vec(note, 0..4), convenient, history());
    parts.prop_map(|(consents, zones, places, flags, notes, convenient, contacts)| Case {
        state: CustomerState {
            consents,
            zones: zones.iter().map(|zone| ZoneEvidence { zone: (*zone).into(), source: "address".into() }).collect(),
            jurisdictions: std::iter::once("US").chain(places).map(str::to_owned).collect(),
            flags: flags.into_iter().map(str::to_owned).collect(),
            notes,
            risks: Vec::new(),
            language: None,
            convenient: convenient
                .map(|(from, to)| Convenient { from: format!("{from:02}:00"), to: format!("{to:02}:30") }),
            method: None,
        },
        contacts,
        sender: String::new(),
        account: Some("a-1".into()),
    })
}

/// What happened after the moment is no history yet.
fn until(case: Case, at: i64) -> Case {
    let contacts = case.contacts.into_iter().filter(|made| made.at <= at).collect();
    Case { contacts, ..case }
}

fn moments() -> impl Strategy<Value = i64> {
    (0i64..100 * 1440 * 60).prop_map(|second| BEGIN + second * 1_000_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A law that is added can only take away. (Where some rule applied before; where none did, nothing was permitted.)
    #[test]
    fn one_more_rule_never_makes_a_decision_milder(
        case in cases(), purpose in select(&PURPOSES[..]), channel in select(&CHANNELS[..]), at in moments(),
        then in select(vec![
            "{ hours: { from: \"10:00\", to: \"11:30\" } }", "{ hours: { mon-fri: { from: \"09:00\", to: \"17:00\" }, sat-sun: none } }",
            "{ hours: convenient }", "{ consent: express }", "{ consent: not-revoked }", "{ not-flagged: attorney }",
            "{ noted: { any: [own-text], within: 10d } }", "{ quiet: { after: own-text, days: 3 } }",
            "{ at-most: { contacts: 2, of: [call, sms], days: 3, per: customer } }",
            "{ quiet: { after: conversation, of: [call], within: 48h, per: account } }",
        ]),
    ) {
        let case = until(case, at);
        let before = SHIPPED.decide_case(&case, purpose, channel, at);
        prop_assume!(before.reasons.first().is_some_and(|reason| reason.rule != "default"));
        let after = with(then).decide_case(&case, purpose, channel, at);
        prop_assert!(strictness(after.verdict) >= strictness(before.verdict), "{:?} became {:?}", before.verdict, after.verdict);
    }

    /// "Not before T" is a promise: at T no rule says "not yet" any more.
    #[test]
    fn at_the_moment_of_a_deferral_nothing_is_too_early(
        case in cases(), purpose in select(&PURPOSES[..]), channel in select(&CHANNELS[..]), at in moments(),
    ) {
        let case = until(case, at);
        if let Verdict::Defer { until } = SHIPPED.decide_case(&case, purpose, channel, at).verdict {
            prop_assert!(until > at);
            let then = SHIPPED.decide_case(&case, purpose, channel, until);
            let early = then.reasons.iter().find(|reason| matches!(reason.verdict, Verdict::Defer { .. }));
            prop_assert!(early.is_none(), "{early:?}");
            // And a second before, something was.
            let before = SHIPPED.decide_case(&case, purpose, channel, until - 1_000_000);
            prop_assert_ne!(before.verdict, Verdict::Permit);
        }
    }

    /// What is known of a customer has no order.
    #[test]
    fn a_decision_does_not_depend_on_the_order_of_what_is_known(
        case in cases(), purpose in select(&PURPOSES[..]), channel in select(&CHANNELS[..]), at in moments(),
        swaps in prop::collection::vec((any::<Index>(), any::<Index>()), 24),
    ) {
        fn shuffle<T>(items: &mut [T], swaps: &[(Index, Index)]) {
            if !items.is_empty() {
                swaps.iter().for_each(|(a, b)| items.swap(a.index(items.len()), b.index(items.len())));
            }
        }
        let case = until(case, at);
        let mut other = case.clone();
        shuffle(&mut other.state.consents, &swaps);
        shuffle(&mut other.state.zones, &swaps);
        shuffle(&mut other.state.jurisdictions, &swaps);
        shuffle(&mut other.state.flags, &swaps);
        shuffle(&mut other.state.notes, &swaps);
        shuffle(&mut other.contacts, &swaps);
        prop_assert_eq!(SHIPPED.decide_case(&case, purpose, channel, at), SHIPPED.decide_case(&other, purpose, channel, at));
    }
}
