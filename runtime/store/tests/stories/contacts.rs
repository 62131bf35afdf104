//! What contact rules count.

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{ContactChange, Contacts, Customers, Journal, Known};
use selvedge_policy::{Contacted, Count, Past, Tally};
use tokio::task::JoinSet;

use super::support::{Author, Place, TENANT};

fn made(n: usize) -> Contacted {
    Contacted {
        past: if n.is_multiple_of(7) { Past::Conversation } else { Past::Contact },
        channel: ["call", "sms", "auto-call", "email"][n % 4].into(),
        purpose: ["billing", "collections", "identity"][n % 3].into(),
        account: [None, Some("a-1".to_owned()), Some("a-2".to_owned())][(n / 2) % 3].clone(),
        at: 1_000 * (n as i64 % 40),
    }
}

fn change(key: &str, made: Option<Contacted>) -> ContactChange {
    ContactChange { customer: "c_ada".into(), key: key.into(), made }
}

fn texts() -> Count {
    Count {
        rule: "test.texts".into(),
        past: Past::Contact,
        channels: vec!["sms".into()],
        purposes: Vec::new(),
        unless_purposes: Vec::new(),
        account: None,
        since: 0,
        limit: 3,
    }
}

pub async fn a_store_counts_as_a_rule_does<P: Place>(place: P) {
    let store = place.open().await;
    let contacts: Vec<Contacted> = (0..120).map(made).collect();
    let mut turn = Author::new("int_a").turn(1);
    turn.contacts = contacts.iter().enumerate().map(|(n, made)| change(&format!("k{n}"), Some(made.clone()))).collect();
    store.commit(turn).await.unwrap();

    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut found = 0;
    for past in [Past::Contact, Past::Conversation] {
        for channels in [&["sms"][..], &["auto-call", "call"], &["call", "email", "sms"]] {
            for (purposes, unless) in [(&[][..], &[][..]), (&["billing"], &[]), (&[], &["identity", "billing"])] {
                for account in [None, Some("a-1")] {
                    for (since, limit) in [(0, 1), (0, 100), (12_000, 5), (12_001, 5), (99_000, 3)] {
                        let count = Count {
                            rule: "test.count".into(),
                            past,
                            channels: names(channels),
                            purposes: names(purposes),
                            unless_purposes: names(unless),
                            account: account.map(str::to_owned),
                            since,
                            limit,
                        };
                        let tally = store.tally(TENANT, "c_ada", "", &count).await.unwrap();
                        assert_eq!(tally, count.tally(&contacts), "{count:?}");
                        found += tally.count;
                    }
                }
            }
        }
    }
    assert!(found > 500, "the counts find something: {found}");
    let nobody = Tally { rule: "test.texts".into(), count: 0, oldest: None };
    assert_eq!(store.tally(TENANT, "c_bob", "", &texts()).await.unwrap(), nobody);
    assert_eq!(store.tally("elsewhere", "c_ada", "", &texts()).await.unwrap(), nobody);
}

pub async fn a_contact_counts_once_and_not_at_all_when_it_is_taken_back<P: Place>(place: P) {
    let store = place.open().await;
    let mut author = Author::new("int_a");
    let text = |at| Some(Contacted { past: Past::Contact, channel: "sms".into(), at, ..made(1) });
    let changes = [("k1", text(10)), ("k2", text(20)), ("k1", text(30)), ("k2", None), ("k3", None)];
    for (key, made) in changes {
        let mut turn = author.turn(1);
        turn.contacts = vec![change(key, made)];
        store.commit(turn).await.unwrap();
    }
    let store = place.open().await;
    let tally = |count, oldest| Tally { rule: "test.texts".into(), count, oldest };
    assert_eq!(store.tally(TENANT, "c_ada", "", &texts()).await.unwrap(), tally(1, Some(30)));
    assert_eq!(store.tally(TENANT, "c_ada", "k1", &texts()).await.unwrap(), tally(0, None), "its own is left aside");
}

pub async fn of_two_messages_on_one_count_the_second_is_refused<P: Place>(place: P) {
    let store = place.open().await;
    store.put_customer(TENANT, "c_ada", None, "{}", &[]).await.unwrap();
    let intent = |interaction: &str| {
        let mut turn = Author::new(interaction).turn(1);
        turn.known = Some(Known { customer: "c_ada".into(), version: 0, becomes: None });
        turn.contacts = vec![change(interaction, Some(made(1)))];
        turn
    };
    store.commit(intent("int_a")).await.unwrap();
    let refused = store.commit(intent("int_b")).await;
    assert!(matches!(refused, Err(StoreError::Overtaken { .. })), "{refused:?}");
    let tally = store.tally(TENANT, "c_ada", "", &texts()).await.unwrap();
    assert_eq!(tally.count, 1, "nothing of the second was written");
}

pub async fn conversations_of_one_customer_at_once_all_count<P: Place>(place: P) {
    let store = place.open().await;
    store.put_customer(TENANT, "c_ada", None, "{}", &[]).await.unwrap();
    let mut opening = JoinSet::new();
    for n in 0..40 {
        let (store, interaction) = (store.clone(), format!("int_{n}"));
        let mut turn = Author::new(&interaction).turn(1);
        turn.contacts = vec![change(&interaction, Some(made(1)))];
        opening.spawn(async move { store.commit(turn).await });
    }
    assert!(opening.join_all().await.iter().all(Result::is_ok));
    let all = Count { limit: 100, ..texts() };
    assert_eq!(store.tally(TENANT, "c_ada", "", &all).await.unwrap().count, 40);
    let version = store.customer(TENANT, "c_ada").await.unwrap().unwrap().version;
    assert!(version > 0, "whoever rests on the count of before is overtaken");
}
