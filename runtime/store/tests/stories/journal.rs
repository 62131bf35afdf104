//! Commits: whole or not at all, one author per record.

use selvedge_engine::StoreError;
use selvedge_engine::ports::store::{Journal, Log, Safe};
use tokio::task::JoinSet;

use super::support::{Author, Place, TENANT, link, sealed, summary};

pub async fn a_record_reads_back_in_order<P: Place>(place: P) {
    let store = place.open().await;
    let (mut one, mut other) = (Author::new("int_1"), Author::new("int_2"));
    let mut written = Vec::new();
    for events in [2, 1, 3] {
        let turn = one.turn(events);
        written.extend(turn.events.iter().map(|e| e.canonical.clone()));
        store.commit(turn).await.unwrap();
        store.commit(other.turn(1)).await.unwrap();
    }
    let store = place.open().await;
    let read = store.record(&one.id).await.unwrap();
    assert_eq!(read.iter().map(|e| e.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(store.places(&one.id).await.unwrap(), [0, 1, 3, 5, 6, 7]);
    assert_eq!(read.into_iter().map(|e| e.canonical).collect::<Vec<_>>(), written);
    assert!(store.record(&Author::new("int_nobody").id).await.unwrap().is_empty());
}

pub async fn a_commit_happens_whole_or_not_at_all<P: Place>(place: P) {
    let store = place.open().await;
    let mut first = Author::new("int_1");
    let mut late = first.clone();
    store.commit(first.turn(2)).await.unwrap();
    store.deliver(&first.id, "d1", "mail", 5).await.unwrap();
    store.put_card(TENANT, "card_1", b"card", 1).await.unwrap();
    let (record, edge) = (store.record(&first.id).await.unwrap(), store.frontier().await.unwrap());

    // It does everything a commit can do, and begins one event too early.
    late.turn(1);
    let mut turn = late.turn(3);
    turn.summary = summary("elsewhere");
    turn.sealed = vec![sealed("late/terms", b"x")];
    turn.links = vec![link("late")];
    turn.consumed = store.inbox(&first.id, 9).await.unwrap().iter().map(|d| d.number).collect();
    turn.forget_card = Some("card_1".into());
    let error = store.commit(turn).await.unwrap_err();

    assert!(matches!(&error, StoreError::Conflict { interaction } if interaction == "int_1"), "{error}");
    assert_eq!(store.record(&first.id).await.unwrap(), record);
    assert_eq!(store.frontier().await.unwrap(), edge);
    assert_eq!(store.leaves(99).await.unwrap().len(), 2);
    assert_eq!(store.runs(TENANT, 9).await.unwrap()[0].summary, summary("owed"));
    assert_eq!(store.sealed(&first.id, "late/terms").await.unwrap(), None);
    assert_eq!(store.link("late").await.unwrap(), None);
    assert_eq!(store.inbox(&first.id, 9).await.unwrap()[0].body, "mail");
    assert_eq!(store.card(TENANT, "card_1").await.unwrap().as_deref(), Some(&b"card"[..]));

    // Decided again on the record as it is, the same things happen.
    let mut turn = first.turn(1);
    turn.sealed = vec![sealed("late/terms", b"x")];
    turn.links = vec![link("late")];
    store.commit(turn).await.unwrap();
    assert_eq!(store.sealed(&first.id, "late/terms").await.unwrap(), Some(sealed("late/terms", b"x")));
    assert_eq!(store.link("late").await.unwrap(), Some((first.id.clone(), "first-payment".into())));
}

pub async fn a_record_has_no_gaps<P: Place>(place: P) {
    let store = place.open().await;
    let mut author = Author::new("int_1");
    store.commit(author.turn(1)).await.unwrap();
    let next = author.clone();
    author.turn(1);
    // Beyond the end, and a hole in the middle of a turn.
    let beyond = author.turn(1);
    let mut holed = next.clone().turn(3);
    holed.events.remove(1);
    for turn in [beyond, holed] {
        assert!(matches!(store.commit(turn).await, Err(StoreError::Conflict { .. })));
    }
    assert_eq!(store.record(&author.id).await.unwrap().len(), 1);
    assert_eq!(store.frontier().await.unwrap().size(), 1);
    store.commit(next.clone().turn(1)).await.unwrap();
}

pub async fn an_old_author_is_told_so_after_a_turn_that_went_alone<P: Place>(place: P) {
    let store = place.open().await;
    let mut author = Author::new("int_1");
    store.commit(author.turn(1)).await.unwrap();
    let mut old = author.clone();
    store.deliver(&author.id, "d1", "mail", 5).await.unwrap();
    let mut taking = author.turn(1);
    taking.consumed = store.inbox(&author.id, 9).await.unwrap().iter().map(|d| d.number).collect();
    store.commit(taking).await.unwrap();
    assert!(matches!(store.commit(old.turn(1)).await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.record(&author.id).await.unwrap().len(), 2);
}

pub async fn one_conflict_does_not_undo_its_neighbours<P: Place>(place: P) {
    let store = place.open().await;
    let mut taken = Author::new("int_taken");
    let stale = taken.clone().turn(2);
    store.commit(taken.turn(1)).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..60 {
        let (store, stale) = (store.clone(), stale.clone());
        tasks.spawn(async move {
            if n % 6 == 0 {
                return (None, store.commit(stale).await);
            }
            let mut author = Author::new(&format!("int_{n}"));
            let turn = author.turn(2);
            (Some(author.id), store.commit(turn).await)
        });
    }
    for (id, outcome) in tasks.join_all().await {
        match id {
            None => assert!(matches!(outcome, Err(StoreError::Conflict { .. }))),
            Some(id) => {
                outcome.unwrap();
                assert_eq!(store.record(&id).await.unwrap().len(), 2);
            }
        }
    }
    assert_eq!(store.record(&taken.id).await.unwrap().len(), 1);
    assert_eq!(store.frontier().await.unwrap().size(), 101);
}

pub async fn of_many_authors_of_one_event_one_wins<P: Place>(place: P) {
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for events in 1..=8 {
        let store = store.clone();
        tasks.spawn(async move { (events, store.commit(Author::new("int_1").turn(events)).await) });
    }
    let mut won = Vec::new();
    for (events, outcome) in tasks.join_all().await {
        match outcome {
            Ok(()) => won.push(events),
            Err(error) => assert!(matches!(error, StoreError::Conflict { .. }), "{error}"),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(store.record(&Author::new("int_1").id).await.unwrap().len(), won[0]);
}

pub async fn tenants_do_not_meet<P: Place>(place: P) {
    let store = place.open().await;
    let (mut here, mut there) = (Author::of("here", "int_1"), Author::of("there", "int_1"));
    let mut turn = here.turn(2);
    turn.sealed = vec![sealed("a", b"here")];
    store.commit(turn).await.unwrap();
    assert!(store.record(&there.id).await.unwrap().is_empty());
    assert_eq!(store.sealed(&there.id, "a").await.unwrap(), None);
    assert!(store.runs("there", 9).await.unwrap().is_empty());
    store.commit(there.turn(1)).await.unwrap();
    assert_eq!(store.record(&here.id).await.unwrap().len(), 2);
    assert_eq!(store.record(&there.id).await.unwrap().len(), 1);
}

pub async fn lists_show_the_newest_first<P: Place>(place: P) {
    let store = place.open().await;
    for (name, opened) in [("int_old", 1), ("int_new", 3), ("int_middle", 2)] {
        let mut turn = Author::new(name).turn(1);
        turn.summary.opened = opened;
        store.commit(turn).await.unwrap();
    }
    let listed = store.runs(TENANT, 2).await.unwrap();
    assert_eq!(listed.iter().map(|l| l.interaction.as_str()).collect::<Vec<_>>(), ["int_new", "int_middle"]);
}

pub async fn the_newest_event_is_known<P: Place>(place: P) {
    let store = place.open().await;
    assert_eq!(store.newest().await.unwrap(), None);
    for (name, updated) in [("int_1", 70), ("int_2", 50)] {
        let mut turn = Author::new(name).turn(1);
        turn.summary.updated = updated;
        store.commit(turn).await.unwrap();
    }
    assert_eq!(place.open().await.newest().await.unwrap(), Some(70));
}
