use proptest::prelude::*;
use serde_json::json;

use super::*;

/// 2026-11-24T17:03:00Z.
const TIME: i64 = 1_795_539_780_000_000;

fn draft(kind: &str, data: Value) -> Draft {
    Draft::new(kind, TIME, "host", data)
}

fn full_draft() -> Draft {
    Draft {
        device: Some("desk-4".into()),
        function: Some("agent".into()),
        session: Some("s_9".into()),
        purpose: Some("payment".into()),
        controls: Some(format!("sha256:{}", Hash::ZERO)),
        actor: "person:maria".into(),
        ..draft("effect.intended", json!({ "amount": 4200, "currency": "USD" }))
    }
}

#[test]
fn an_event_is_a_cloudevents_envelope_in_canonical_json() {
    let sealed = Head::start("clinic", "i_1").append(full_draft()).unwrap();
    insta::assert_snapshot!(sealed.canonical, @r#"{"actor":"person:maria","controls":"sha256:0000000000000000000000000000000000000000000000000000000000000000","data":{"amount":4200,"currency":"USD"},"datacontenttype":"application/json","device":"desk-4","function":"agent","id":"i_1/0","prev":"0000000000000000000000000000000000000000000000000000000000000000","purpose":"payment","sequence":0,"session":"s_9","source":"selvedge/clinic","specversion":"1.0","subject":"i_1","time":"2026-11-24T17:03:00.000000Z","type":"selvedge.effect.intended"}"#);
    assert_eq!(sealed.hash, Hash::of(&[&[0], sealed.canonical.as_bytes()]));
}

#[test]
fn each_event_names_the_hash_of_the_one_before() {
    let mut head = Head::start("clinic", "i_1");
    let first = head.append(draft("interaction.opened", json!({}))).unwrap();
    let second = head.append(draft("interaction.closed", json!({}))).unwrap();
    assert_eq!((head.seq, head.hash), (2, second.hash));

    let first_event = Event::parse(&first.canonical).unwrap();
    let second_event = Event::parse(&second.canonical).unwrap();
    assert_eq!((first_event.seq, first_event.prev, first_event.hash), (0, Hash::ZERO, first.hash));
    assert_eq!((second_event.seq, second_event.prev), (1, first.hash));
}

#[test]
fn a_refused_draft_leaves_the_head_where_it_was() {
    let mut head = Head::start("clinic", "i_1");
    head.append(draft("interaction.opened", json!({}))).unwrap();
    let before = head.clone();
    for (wrong, code) in [
        (draft("effect.intended", json!({ "rate": 0.5 })), "R301"),
        (draft("effect.intended", json!({ "rate": null })), "R301"),
        (draft("effect.intended", json!({ "blob": "x".repeat(MAX_EVENT_BYTES) })), "R302"),
        (draft("effect.intended", json!([])), "R303"),
        (draft("Effect Intended", json!({})), "R303"),
        (draft("", json!({})), "R303"),
        (Draft { actor: "".into(), ..full_draft() }, "R303"),
        (Draft { actor: "a\nb".into(), ..full_draft() }, "R303"),
        (Draft { device: Some("".into()), ..full_draft() }, "R303"),
        (Draft { controls: Some("the latest".into()), ..full_draft() }, "R303"),
        (Draft { time: i64::MAX, ..full_draft() }, "R304"),
    ] {
        let error = head.append(wrong).unwrap_err();
        assert_eq!(miette::Diagnostic::code(&error).unwrap().to_string(), code, "{error}");
        assert_eq!(head, before);
    }
    for (tenant, interaction) in [("a/b", "i"), ("", "i"), ("t", "i/2"), ("t", "")] {
        assert!(Head::start(tenant, interaction).append(full_draft()).is_err());
    }
}

#[test]
fn data_nests_sixteen_deep_and_no_deeper() {
    let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "in": inner }));
    let append = |depth| Head::start("t", "i").append(draft("x", nested(depth)));
    let deepest = append(MAX_DATA_DEPTH).unwrap();
    assert!(Event::parse(&deepest.canonical).is_ok());
    assert!(append(MAX_DATA_DEPTH + 1).is_err());
}

#[test]
fn an_event_of_exactly_the_limit_is_kept() {
    let append = |filler: usize| Head::start("t", "i").append(draft("x", json!({ "a": "x".repeat(filler) })));
    let overhead = append(0).unwrap().canonical.len();
    let largest = append(MAX_EVENT_BYTES - overhead).unwrap();
    assert_eq!(largest.canonical.len(), MAX_EVENT_BYTES);
    assert!(Event::parse(&largest.canonical).is_ok());
    assert_eq!(append(MAX_EVENT_BYTES - overhead + 1), Err(RecordError::TooLarge { bytes: MAX_EVENT_BYTES + 1 }));
}

#[test]
fn text_that_was_touched_is_refused() {
    let text = Head::start("clinic", "i_1").append(full_draft()).unwrap().canonical;
    for (from, to) in [
        ("{\"actor\"", "{ \"actor\""),
        ("\"actor\":\"person:maria\"", "\"actor\":\"person:\\u006daria\""),
        ("\"amount\":4200", "\"amount\":4200.0"),
        ("\"amount\":4200", "\"amount\":4.2e3"),
        ("\"amount\":4200", "\"amount\":1,\"amount\":4200"),
        ("\"sequence\":0", "\"sequence\":1"),
        ("\"sequence\":0", "\"sequence\":-0"),
        ("\"id\":\"i_1/0\"", "\"id\":\"i_1/00\""),
        ("\"subject\":\"i_1\"", "\"subject\":\"i_2\""),
        ("\"specversion\":\"1.0\"", "\"specversion\":\"1.1\""),
        ("\"prev\":\"0", "\"extra\":\"x\",\"prev\":\"0"),
        ("\"device\":\"desk-4\"", "\"device\":4"),
        (".000000Z", "Z"),
        ("}", "}\n"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is not there");
        assert!(Event::parse(&changed).is_err(), "{changed}");
    }
}

#[test]
fn controls_may_be_several_digests() {
    let digests = [crate::control_digest(&Default::default()), format!("sha256:{}", Hash::leaf("x"))];
    let sealed = Head::start("t", "i").append(Draft { controls: Some(digests.join(" ")), ..full_draft() }).unwrap();
    let event = Event::parse(&sealed.canonical).unwrap();
    assert!(event.control_digests().eq(digests.iter()));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-canonical::MAX_INTEGER..=canonical::MAX_INTEGER).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_appended_reads_back(value in values(), time in time::MIN_MICROS..=time::MAX_MICROS, actor in "[ -~]{1,40}") {
        let drafted = Draft { time, actor, data: json!({ "value": value }), ..full_draft() };
        let sealed = Head::start("t", "i").append(drafted.clone()).unwrap();
        let event = Event::parse(&sealed.canonical).unwrap();
        prop_assert_eq!(&event.data, &drafted.data);
        prop_assert_eq!((event.time, event.actor.as_str(), event.hash), (time, drafted.actor.as_str(), sealed.hash));
        prop_assert_eq!(event.canonical().unwrap(), sealed.canonical);
    }

    #[test]
    fn no_text_makes_parsing_panic(text in any::<String>()) {
        let _ = Event::parse(&text);
    }
}
