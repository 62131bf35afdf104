//! Who drives a run: one node, and only while its lease runs.

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Asked, Commit, Journal, Lease};

use super::support::{Author, Place, wanted};

/// A turn in the middle of something.
fn busy(author: &mut Author) -> Commit {
    let mut turn = author.turn(1);
    turn.summary.busy = true;
    turn
}

pub async fn a_run_has_one_driver_at_a_time<P: Place>(place: P) {
    let store = place.open().await;
    let mut author = Author::new("int_1");
    store.commit(busy(&mut author)).await.unwrap();
    // Who opened it drives it.
    assert!(store.claim(99, 9).await.unwrap().is_empty());
    assert_eq!(store.claim_one(&author.id, 99).await.unwrap(), Asked::Elsewhere);

    store.release(&author.id, Lease::OPENING).await.unwrap();
    let claims = store.claim(99, 9).await.unwrap();
    assert_eq!(claims.iter().map(|claim| &claim.id).collect::<Vec<_>>(), [&author.id]);
    assert!(store.claim(99, 9).await.unwrap().is_empty());
    assert_eq!(store.claim_one(&author.id, 99).await.unwrap(), Asked::Elsewhere);

    // Giving an old lease back takes the new one from nobody.
    store.release(&author.id, Lease::OPENING).await.unwrap();
    assert_eq!(store.claim_one(&author.id, 99).await.unwrap(), Asked::Elsewhere);
    store.release(&author.id, claims[0].lease).await.unwrap();
    let asked = store.claim_one(&author.id, 99).await.unwrap();
    assert!(matches!(asked, Asked::Leased(lease) if lease > claims[0].lease), "{asked:?}");
}

pub async fn who_was_left_behind_writes_nothing<P: Place>(place: P) {
    let store = place.open().await;
    let mut author = Author::new("int_1");
    store.commit(busy(&mut author)).await.unwrap();
    store.release(&author.id, Lease::OPENING).await.unwrap();
    let record = store.record(&author.id).await.unwrap();

    let without_a_lease = store.commit(author.clone().turn(1)).await.unwrap_err();
    let lease = store.claim(99, 9).await.unwrap()[0].lease;
    let with_an_old_one = store.commit(author.clone().turn(1)).await.unwrap_err();

    for error in [without_a_lease, with_an_old_one] {
        assert!(matches!(&error, StoreError::Stale { interaction } if interaction == "int_1"), "{error}");
    }
    assert_eq!(store.record(&author.id).await.unwrap(), record);
    store.commit(Commit { lease, ..author.turn(1) }).await.unwrap();
    assert_eq!(store.record(&author.id).await.unwrap().len(), 2);
}

pub async fn a_lease_goes_back_with_the_commit_that_parks<P: Place>(place: P) {
    let store = place.open().await;
    let mut author = Author::new("int_1");
    store.commit(busy(&mut author)).await.unwrap();
    let mut parking = author.turn(1);
    (parking.summary.wake, parking.release) = (Some(50), true);
    store.commit(parking).await.unwrap();

    assert_eq!(store.claim_one(&author.id, 49).await.unwrap(), Asked::Idle);
    assert!(matches!(store.claim_one(&author.id, 50).await.unwrap(), Asked::Leased(_)));
    // While somebody drives it, nobody is woken for it.
    assert_eq!(store.next_wake().await.unwrap(), None);
}

pub async fn what_a_node_was_doing_when_it_ended_is_found_again<P: Place>(place: P) {
    let store = place.open().await;
    let (mut middle, mut parked) = (Author::new("int_middle"), Author::new("int_parked"));
    for author in [&mut middle, &mut parked] {
        store.commit(busy(author)).await.unwrap();
    }
    store.commit(Commit { release: true, ..parked.turn(1) }).await.unwrap();
    place.close(store).await;

    assert_eq!(wanted(&place.open().await, 0, 9).await, [middle.id]);
}

pub async fn mail_for_a_record_that_is_not_there_wakes_nobody<P: Place>(place: P) {
    let store = place.open().await;
    let nobody = Author::new("int_nobody").id;
    store.deliver(&nobody, "d1", "mail", 5).await.unwrap();
    assert!(store.claim(99, 9).await.unwrap().is_empty());
    assert_eq!(store.claim_one(&nobody, 99).await.unwrap(), Asked::Idle);
}
