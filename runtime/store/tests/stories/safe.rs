//! What is kept under lock, and what else has a name: customers, keys, cards, definitions, sessions.

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{
    CustomerRow, Customers, Definitions, Journal, Known, RecordKey, Safe, SealedField, Session, Sessions,
};
use tokio::task::JoinSet;

use super::support::{Author, Place, TENANT};

fn field(path: &str, blob: &[u8]) -> SealedField {
    SealedField { path: path.into(), class: "PII".into(), blob: blob.into(), number: None }
}

fn version(version: i64, state: &str) -> Option<CustomerRow> {
    Some(CustomerRow { state: state.into(), version })
}

pub async fn a_customer_is_replaced_field_by_field<P: Place>(place: P) {
    let store = place.open().await;
    assert_eq!(store.customer(TENANT, "c_ada").await.unwrap(), None);
    let both = [field("patient.name", b"n1"), field("patient.mobile", b"m1")];
    store.put_customer(TENANT, "c_ada", None, "{}", &both).await.unwrap();
    store.put_customer(TENANT, "c_ada", Some(0), "{\"stop\":1}", &[field("patient.mobile", b"m2")]).await.unwrap();

    let store = place.open().await;
    assert_eq!(store.customer(TENANT, "c_ada").await.unwrap(), version(1, "{\"stop\":1}"));
    assert_eq!(store.field(TENANT, "c_ada", "patient.mobile").await.unwrap(), Some(field("patient.mobile", b"m2")));
    assert_eq!(store.field(TENANT, "c_ada", "patient.name").await.unwrap(), Some(field("patient.name", b"n1")));
    assert_eq!(store.field(TENANT, "c_bob", "patient.name").await.unwrap(), None);
    assert_eq!(store.field("elsewhere", "c_ada", "patient.name").await.unwrap(), None);
}

pub async fn what_was_decided_on_an_older_state_is_refused<P: Place>(place: P) {
    let store = place.open().await;
    let known = |version, becomes: Option<&str>| {
        Some(Known { customer: "c_ada".into(), version, becomes: becomes.map(str::to_owned) })
    };
    store.put_customer(TENANT, "c_ada", None, "{}", &[]).await.unwrap();
    let mut sender = Author::new("int_sends");
    let (mut intent, mut stop) = (sender.clone().turn(1), Author::new("int_stop").turn(1));
    (intent.known, stop.known) = (known(0, None), known(0, Some("{\"stop\":1}")));

    store.commit(stop).await.unwrap();
    let refused = store.commit(intent).await;

    assert!(matches!(refused, Err(StoreError::Overtaken { .. })), "{refused:?}");
    assert!(store.record(&sender.id).await.unwrap().is_empty(), "nothing of it was written");
    assert_eq!(store.customer(TENANT, "c_ada").await.unwrap(), version(1, "{\"stop\":1}"));
    let mut anew = sender.turn(1);
    anew.known = known(1, None);
    store.commit(anew).await.unwrap();
    assert_eq!(place.open().await.customer(TENANT, "c_ada").await.unwrap(), version(1, "{\"stop\":1}"));
    for stale in [None, Some(0)] {
        let lost = store.put_customer(TENANT, "c_ada", stale, "{}", &[]).await;
        assert!(matches!(lost, Err(StoreError::Overtaken { .. })), "an import that saw an older state: {lost:?}");
    }
}

pub async fn a_customer_is_found_by_the_hash_of_a_number<P: Place>(place: P) {
    let store = place.open().await;
    let at = |number: u8| SealedField { number: Some([number; 32]), ..field("patient.mobile", b"m") };
    for (customer, number) in [("c_bob", 7), ("c_ada", 7), ("c_eve", 9)] {
        store.put_customer(TENANT, customer, None, "{}", &[at(number)]).await.unwrap();
    }
    assert_eq!(store.customers_at(TENANT, &[7; 32]).await.unwrap(), ["c_ada", "c_bob"]);
    assert!(store.customers_at("elsewhere", &[7; 32]).await.unwrap().is_empty());
    // A number that somebody gave up finds them no more.
    store.put_customer(TENANT, "c_ada", Some(0), "{}", &[at(8)]).await.unwrap();
    let store = place.open().await;
    assert_eq!(store.customers_at(TENANT, &[7; 32]).await.unwrap(), ["c_bob"]);
    assert_eq!(store.customers_at(TENANT, &[8; 32]).await.unwrap(), ["c_ada"]);
}

pub async fn a_customer_s_open_interactions_are_found<P: Place>(place: P) {
    let store = place.open().await;
    for (name, customer, over) in
        [("int_a", "c_ada", false), ("int_b", "c_ada", true), ("int_c", "c_bob", false), ("int_d", "c_ada", false)]
    {
        let mut turn = Author::new(name).turn(1);
        (turn.summary.customer, turn.summary.over) = (customer.into(), over);
        store.commit(turn).await.unwrap();
    }
    let open = store.open_interactions(TENANT, "c_ada").await.unwrap();
    assert_eq!(open, [Author::new("int_a").id, Author::new("int_d").id]);
    assert!(store.open_interactions("elsewhere", "c_ada").await.unwrap().is_empty());
}

pub async fn all_callers_get_the_first_data_key<P: Place>(place: P) {
    let store = place.open().await;
    assert_eq!(store.existing_data_key(TENANT, "c_ada", "PII").await.unwrap(), None);
    let mut tasks = JoinSet::new();
    for candidate in 0..16u8 {
        let store = store.clone();
        tasks.spawn(async move { store.data_key(TENANT, "c_ada", "PII", &[candidate; 8]).await.unwrap() });
    }
    let given = tasks.join_all().await;
    let kept = place.open().await.existing_data_key(TENANT, "c_ada", "PII").await.unwrap().unwrap();
    assert!(given.iter().all(|key| *key == kept), "{given:?}");
    assert_eq!(store.data_key(TENANT, "c_ada", "PHI", b"another").await.unwrap(), b"another");
}

pub async fn a_record_is_opened_with_its_data_keys_or_not_at_all<P: Place>(place: P) {
    let store = place.open().await;
    let key = |wrapped: &[u8]| vec![RecordKey { class: "PHI".into(), wrapped: wrapped.into() }];
    let (mut first, mut second) = (Author::new("int_1").turn(1), Author::new("int_1").turn(1));
    (first.keys, second.keys) = (key(b"first"), key(b"second"));

    store.commit(first).await.unwrap();
    let refused = store.commit(second).await;

    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(store.data_key(TENANT, "int_1", "PHI", b"another").await.unwrap(), b"first");
}

pub async fn a_card_goes_with_its_key_and_with_the_commit<P: Place>(place: P) {
    let store = place.open().await;
    let mut author = Author::new("int_1");
    let mut stale = author.clone().turn(1);
    store.commit(author.turn(1)).await.unwrap();
    for token in ["card_1", "card_2"] {
        store.put_card(TENANT, token, b"card", 1).await.unwrap();
        store.data_key(TENANT, token, "PAN", b"key").await.unwrap();
    }
    stale.forget_card = Some("card_1".into());
    store.commit(stale).await.unwrap_err();
    assert!(store.card(TENANT, "card_1").await.unwrap().is_some(), "a commit that was refused forgets nothing");

    let mut turn = author.turn(1);
    turn.forget_card = Some("card_1".into());
    store.commit(turn).await.unwrap();

    assert_eq!(store.card(TENANT, "card_1").await.unwrap(), None);
    assert_eq!(store.existing_data_key(TENANT, "card_1", "PAN").await.unwrap(), None);
    assert!(store.card(TENANT, "card_2").await.unwrap().is_some());
    assert!(store.existing_data_key(TENANT, "card_2", "PAN").await.unwrap().is_some());
}

pub async fn definitions_are_kept_and_pointed_at<P: Place>(place: P) {
    let store = place.open().await;
    assert_eq!(store.published(TENANT, "balance").await.unwrap(), None);
    store.publish(TENANT, "balance", "sha256:1", "first", 1).await.unwrap();
    store.publish(TENANT, "balance", "sha256:2", "second", 2).await.unwrap();
    assert_eq!(store.published(TENANT, "balance").await.unwrap().as_deref(), Some("sha256:2"));
    // A run that pinned the first still finds it, and going back is publishing it again.
    assert_eq!(store.definition(TENANT, "sha256:1").await.unwrap().as_deref(), Some("first"));
    store.publish(TENANT, "balance", "sha256:1", "first", 3).await.unwrap();
    let store = place.open().await;
    assert_eq!(store.published(TENANT, "balance").await.unwrap().as_deref(), Some("sha256:1"));
    assert_eq!(store.definition(TENANT, "sha256:2").await.unwrap().as_deref(), Some("second"));
    assert_eq!(store.definition("elsewhere", "sha256:1").await.unwrap(), None);
}

pub async fn a_session_is_kept_and_its_use_noted<P: Place>(place: P) {
    let store = place.open().await;
    let session = Session {
        id: "ses_1".into(),
        tenant: TENANT.into(),
        person: "maria".into(),
        device: "desk-7".into(),
        device_verified: true,
        function: "agent".into(),
        expires: 900,
        last_used: 100,
    };
    store.put_session("hash", &session).await.unwrap();
    assert_eq!(store.session("hash").await.unwrap(), Some(session.clone()));
    store.touch_session("hash", 250).await.unwrap();
    assert_eq!(place.open().await.session("hash").await.unwrap(), Some(Session { last_used: 250, ..session }));
    store.touch_session("no such hash", 250).await.unwrap();
    assert_eq!(store.session("no such hash").await.unwrap(), None);
}
