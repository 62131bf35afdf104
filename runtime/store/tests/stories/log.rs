//! The log over all records: one edge, whoever writes and however often.

use selvedge_engine::ports::store::{Commit, Journal, Log, Safe};
use selvedge_record::{Hash, merkle};
use tokio::task::JoinSet;

use super::support::{Author, Place, TENANT, sealed};

/// The edge, the leaves and the records are one and the same log.
async fn agrees(store: &(impl Journal + Log), size: u64) {
    let edge = store.frontier().await.unwrap();
    let leaves = store.leaves(edge.size()).await.unwrap();
    assert_eq!((edge.size(), leaves.len() as u64), (size, size));
    assert_eq!(edge.root(), merkle::root(&leaves));
    for listed in store.runs(TENANT, 1000).await.unwrap() {
        let id = Author::new(&listed.interaction).id;
        let (record, places) = (store.record(&id).await.unwrap(), store.places(&id).await.unwrap());
        assert_eq!(record.len(), places.len());
        for (event, place) in record.iter().zip(places) {
            assert_eq!(leaves[place as usize], Hash::leaf(&event.canonical));
        }
    }
}

pub async fn the_edge_is_the_root_over_the_leaves<P: Place>(place: P) {
    let store = place.open().await;
    agrees(&store, 0).await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut author = Author::new(&format!("int_{n}"));
            for events in [1, 3] {
                store.commit(author.turn(events)).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    agrees(&store, 80).await;
    drop(store);
    let store = place.open().await;
    agrees(&store, 80).await;
    store.commit(Author::new("int_after").turn(1)).await.unwrap();
    agrees(&store, 81).await;
}

pub async fn two_stores_on_one_place_keep_one_log<P: Place>(place: P) {
    let (node, other) = (place.open().await, place.open().await);
    let (mut here, mut there) = (Author::new("int_1"), Author::new("int_2"));
    for _ in 0..3 {
        node.commit(here.turn(2)).await.unwrap();
        other.commit(there.turn(2)).await.unwrap();
    }
    agrees(&node, 12).await;
    agrees(&other, 12).await;
}

pub async fn who_wrote_alone_for_a_while_hears_of_another_who_wrote_too<P: Place>(place: P) {
    let (node, other) = (place.open().await, place.open().await);
    let (mut here, mut there) = (Author::new("int_1"), Author::new("int_2"));
    let mut written = 0;
    for (own, theirs) in [(4, 1), (1, 3), (3, 0), (2, 2)] {
        for _ in 0..own {
            node.commit(here.turn(2)).await.unwrap();
        }
        for _ in 0..theirs {
            other.commit(there.turn(1)).await.unwrap();
        }
        written += 2 * own + theirs;
        agrees(&node, written).await;
    }
}

pub async fn many_turns_at_once_keep_all_their_values<P: Place>(place: P) {
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for n in 0..70 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut author = Author::new(&format!("int_{n}"));
            for turn in 0..3 {
                // More values than turns, and some turns with none.
                let sealed = (0..n % 4).map(|v| sealed(&format!("{turn}/{v}"), format!("{n} {turn} {v}").as_bytes()));
                let commit = Commit { sealed: sealed.collect(), ..author.turn(1) };
                store.commit(commit).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    agrees(&store, 210).await;
    for n in 0..70 {
        let id = Author::new(&format!("int_{n}")).id;
        for turn in 0..3 {
            for v in 0..4 {
                let kept = store.sealed(&id, &format!("{turn}/{v}")).await.unwrap().map(|value| value.blob);
                assert_eq!(kept, (v < n % 4).then(|| format!("{n} {turn} {v}").into_bytes()));
            }
        }
    }
}

pub async fn opening_many_times_at_once_makes_one_store<P: Place>(place: P) {
    let (a, b, c) = tokio::join!(place.open(), place.open(), place.open());
    for (store, name) in [(&a, "int_1"), (&b, "int_2"), (&c, "int_3")] {
        store.commit(Author::new(name).turn(1)).await.unwrap();
    }
    agrees(&a, 3).await;
}

pub async fn the_oldest_checkpoint_that_covers_is_given<P: Place>(place: P) {
    let store = place.open().await;
    for size in [12, 3, 7] {
        store.put_checkpoint(size, &format!("over {size}")).await.unwrap();
    }
    // A checkpoint of 3 leaves covers the leaves 0, 1 and 2.
    for (index, size) in [(0, Some(3)), (2, Some(3)), (3, Some(7)), (11, Some(12)), (12, None)] {
        let given = store.checkpoint_over(index).await.unwrap();
        assert_eq!(given, size.map(|size| (size, format!("over {size}"))), "leaf {index}");
    }
}

pub async fn the_first_checkpoint_of_a_size_stays<P: Place>(place: P) {
    let store = place.open().await;
    store.put_checkpoint(3, "first").await.unwrap();
    store.put_checkpoint(3, "second").await.unwrap();
    assert_eq!(place.open().await.checkpoint_over(0).await.unwrap(), Some((3, "first".into())));
}

pub async fn the_records_behind_a_place_are_known<P: Place>(place: P) {
    let store = place.open().await;
    let mut authors = ["int_1", "int_2", "int_3"].map(Author::new);
    for (author, events) in [(0, 3), (1, 2), (0, 1), (2, 4)] {
        store.commit(authors[author].turn(events)).await.unwrap();
        store.frontier().await.unwrap();
    }
    for (index, expected) in [(0, "1 2 3"), (4, "1 2 3"), (5, "1 3"), (6, "3"), (9, "3"), (10, "")] {
        let mut written: Vec<String> = store
            .written_since(index)
            .await
            .unwrap()
            .into_iter()
            .map(|id| id.interaction.replace("int_", ""))
            .collect();
        written.sort();
        assert_eq!(written.join(" "), expected, "behind {index}");
    }
}
