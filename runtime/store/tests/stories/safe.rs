//! What is kept under lock, and what else has a name: customers, keys, cards, definitions, sessions.

use selvedge_engine::ports::store::{Customers, Definitions, Journal, Safe, SealedField, Session, Sessions};
use tokio::task::JoinSet;

use super::support::{Author, Place, TENANT};

fn field(path: &str, blob: &[u8]) -> SealedField {
    SealedField { path: path.into(), class: "PII".into(), blob: blob.into() }
}

pub async fn a_customer_is_replaced_field_by_field<P: Place>(place: P) {
    let store = place.open().await;
    assert_eq!(store.customer_state(TENANT, "c_ada").await.unwrap(), None);
    let both = [field("patient.name", b"n1"), field("patient.mobile", b"m1")];
    store.put_customer(TENANT, "c_ada", "{}", &both).await.unwrap();
    store.put_customer(TENANT, "c_ada", "{\"stop\":1}", &[field("patient.mobile", b"m2")]).await.unwrap();

    let store = place.open().await;
    assert_eq!(store.customer_state(TENANT, "c_ada").await.unwrap().as_deref(), Some("{\"stop\":1}"));
    assert_eq!(store.field(TENANT, "c_ada", "patient.mobile").await.unwrap(), Some(field("patient.mobile", b"m2")));
    assert_eq!(store.field(TENANT, "c_ada", "patient.name").await.unwrap(), Some(field("patient.name", b"n1")));
    assert_eq!(store.field(TENANT, "c_bob", "patient.name").await.unwrap(), None);
    assert_eq!(store.field("elsewhere", "c_ada", "patient.name").await.unwrap(), None);
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
