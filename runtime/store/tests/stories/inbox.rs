//! What arrives, and who is to be woken.

use selvedge_engine::ports::store::{Delivery, Journal, RunId};

use super::support::{Author, Place, wanted};

fn bodies(inbox: &[Delivery]) -> Vec<&str> {
    inbox.iter().map(|d| d.body.as_str()).collect()
}

pub async fn a_signal_counts_once_even_after_it_was_answered<P: Place>(place: P) {
    let store = place.open().await;
    let (mut author, other) = (Author::new("int_1"), Author::new("int_2"));
    assert!(store.deliver(&author.id, "webhook/1", "paid", 5).await.unwrap());
    assert!(!store.deliver(&author.id, "webhook/1", "paid", 6).await.unwrap());
    assert!(store.deliver(&other.id, "webhook/1", "paid", 6).await.unwrap());
    let inbox = store.inbox(&author.id, 9).await.unwrap();
    assert_eq!(bodies(&inbox), ["paid"]);

    let mut turn = author.turn(1);
    turn.consumed = vec![inbox[0].number];
    store.commit(turn).await.unwrap();

    assert!(store.inbox(&author.id, 9).await.unwrap().is_empty());
    let store = place.open().await;
    assert!(!store.deliver(&author.id, "webhook/1", "paid", 7).await.unwrap());
    assert!(store.inbox(&author.id, 9).await.unwrap().is_empty());
}

pub async fn signals_come_in_order_and_no_more_than_asked<P: Place>(place: P) {
    let store = place.open().await;
    let author = Author::new("int_1");
    for n in 0..5 {
        // Later arrivals with earlier times and names: the order of arrival counts.
        store.deliver(&author.id, &format!("d{}", 9 - n), &format!("m{n}"), 100 - n).await.unwrap();
    }
    assert_eq!(bodies(&store.inbox(&author.id, 3).await.unwrap()), ["m0", "m1", "m2"]);
    assert_eq!(store.inbox(&author.id, 99).await.unwrap().len(), 5);
}

pub async fn a_run_takes_nothing_from_the_inbox_of_another<P: Place>(place: P) {
    let store = place.open().await;
    let (mut greedy, other) = (Author::new("int_1"), Author::new("int_2"));
    store.deliver(&other.id, "d1", "for the other", 5).await.unwrap();
    let mut turn = greedy.turn(1);
    turn.consumed = store.inbox(&other.id, 9).await.unwrap().iter().map(|d| d.number).collect();
    store.commit(turn).await.unwrap();
    assert_eq!(bodies(&store.inbox(&other.id, 9).await.unwrap()), ["for the other"]);
}

/// Parks a new run until `wake`.
async fn park(store: &impl Journal, name: &str, wake: Option<i64>) -> RunId {
    let mut author = Author::new(name);
    let mut turn = author.turn(1);
    (turn.summary.wake, turn.release) = (wake, true);
    store.commit(turn).await.unwrap();
    author.id
}

pub async fn runs_come_due_by_time_and_by_mail<P: Place>(place: P) {
    let store = place.open().await;
    assert_eq!(store.next_wake().await.unwrap(), None);
    let soon = park(&store, "int_soon", Some(100)).await;
    let later = park(&store, "int_later", Some(200)).await;
    let never = park(&store, "int_never", None).await;
    assert_eq!(store.next_wake().await.unwrap(), Some(100));
    assert!(wanted(&store, 99, 9).await.is_empty());
    assert_eq!(wanted(&store, 100, 9).await, std::slice::from_ref(&soon));
    assert_eq!(wanted(&store, 200, 9).await, [soon.clone(), later]);

    store.deliver(&never, "d1", "mail", 50).await.unwrap();
    store.deliver(&soon, "d1", "mail", 60).await.unwrap();
    // Once each, though one of them has both.
    assert_eq!(wanted(&store, 100, 9).await, [never, soon]);
}

pub async fn who_waits_longest_comes_first<P: Place>(place: P) {
    let store = place.open().await;
    for (name, wake) in [("int_a", 30), ("int_b", 10), ("int_c", 20)] {
        park(&store, name, Some(wake)).await;
    }
    let due = wanted(&store, 99, 2).await;
    assert_eq!(due.iter().map(|id| id.interaction.as_str()).collect::<Vec<_>>(), ["int_b", "int_c"]);
}
