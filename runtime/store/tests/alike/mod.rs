//! All stores side by side: the same operations, drawn at random, get the same answers.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::server::Database;
use crate::stories::support::{Author, Place, TENANT, link, sealed};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use selvedge_engine::StoreError;
use selvedge_engine::ports::campaigns::{Became, Enlisted, Pace};
use selvedge_engine::ports::store::*;
use selvedge_store::{MemoryStore, SqliteStore};

/// How many runs and how many of everything else there are.
const FEW: usize = 3;
/// The largest time.
const LATEST: i64 = 40;
/// A campaign's times are so much further apart: its minute and its stranded customers lie within them.
const STRETCH: i64 = 2_500_000;

#[derive(Clone, Debug)]
enum Act {
    /// A turn at the end of the record, or `behind` events before it, with the lease that was last given.
    Turn {
        run: usize,
        events: usize,
        behind: usize,
        busy: bool,
        wake: Option<i64>,
        release: bool,
        extras: Extras,
    },
    Append {
        run: usize,
        behind: usize,
    },
    Deliver {
        run: usize,
        dedupe: u8,
        at: i64,
    },
    Claim {
        now: i64,
    },
    ClaimOne {
        run: usize,
        now: i64,
    },
    /// Gives the lease back; `old`: the one before.
    Release {
        run: usize,
        old: bool,
    },
    Checkpoint {
        size: u64,
    },
    Customer {
        which: usize,
        seen: Option<i64>,
        state: u8,
        field: bool,
    },
    Key {
        which: usize,
        candidate: u8,
    },
    Card {
        which: usize,
    },
    Forget {
        which: usize,
    },
    Publish {
        which: usize,
        digest: u8,
        at: i64,
    },
    Session {
        which: usize,
    },
    Touch {
        which: usize,
        at: i64,
    },
    EndSession {
        which: usize,
    },
    /// Puts customers on the list of a campaign; the interaction of each is the run of the same number.
    Enlist {
        campaign: usize,
        customers: Vec<usize>,
    },
    Take {
        campaign: usize,
        pace: Pace,
        at: i64,
        limit: u32,
    },
    /// Says of each customer what became of them, or nothing.
    Settle {
        campaign: usize,
        became: [Option<u8>; FEW],
    },
    CloseCampaign {
        campaign: usize,
    },
}

fn became(drawn: u8) -> Became {
    match drawn {
        0 => Became::Queued,
        1 => Became::Done,
        2 => Became::Refused("tcpa.hours".into()),
        _ => Became::Failed("it \"ended\" otherwise".into()),
    }
}

/// What else a turn brings.
#[derive(Clone, Copy, Debug)]
struct Extras {
    answers: u32,
    seals: bool,
    links: bool,
    forgets: bool,
    /// Rests on a customer's state, and changes it or not.
    knows: Option<bool>,
    /// The run is at its end.
    over: bool,
}

fn act() -> impl Strategy<Value = Act> {
    let (few, at) = (0..FEW, 0..LATEST);
    let over = proptest::bool::weighted(0.2);
    let extras = (0..3u32, any::<bool>(), any::<bool>(), any::<bool>(), proptest::option::of(any::<bool>()), over);
    let extras = extras.prop_map(|(answers, seals, links, forgets, knows, over)| Extras {
        answers,
        seals,
        links,
        forgets,
        knows,
        over,
    });
    let turn =
        (few.clone(), 0..3usize, 0..6usize, any::<bool>(), proptest::option::of(at.clone()), any::<bool>(), extras);
    let turn = turn.prop_map(|(run, events, behind, busy, wake, release, extras)| {
        // Most of the time it stands where the record ends.
        Act::Turn { run, events, behind: behind.saturating_sub(4), busy, wake, release, extras }
    });
    prop_oneof![
        8 => turn,
        1 => (few.clone(), 0..2usize).prop_map(|(run, behind)| Act::Append { run, behind }),
        4 => (few.clone(), 0..4u8, at.clone()).prop_map(|(run, dedupe, at)| Act::Deliver { run, dedupe, at }),
        3 => at.clone().prop_map(|now| Act::Claim { now }),
        4 => (few.clone(), at.clone()).prop_map(|(run, now)| Act::ClaimOne { run, now }),
        2 => (few.clone(), any::<bool>()).prop_map(|(run, old)| Act::Release { run, old }),
        1 => (0..9u64).prop_map(|size| Act::Checkpoint { size }),
        2 => (few.clone(), proptest::option::of(0..2i64), 0..3u8, any::<bool>())
            .prop_map(|(which, seen, state, field)| Act::Customer { which, seen, state, field }),
        1 => (few.clone(), 0..9u8).prop_map(|(which, candidate)| Act::Key { which, candidate }),
        1 => few.clone().prop_map(|which| Act::Card { which }),
        1 => few.clone().prop_map(|which| Act::Forget { which }),
        1 => (few.clone(), 0..3u8, at.clone()).prop_map(|(which, digest, at)| Act::Publish { which, digest, at }),
        1 => few.clone().prop_map(|which| Act::Session { which }),
        1 => (few.clone(), at).prop_map(|(which, at)| Act::Touch { which, at }),
        1 => few.prop_map(|which| Act::EndSession { which }),
        6 => campaign_act(),
    ]
}

fn campaign_act() -> impl Strategy<Value = Act> {
    let campaign = || 0..2usize;
    let pace = (1..4u32, 1..4u32).prop_map(|(per_minute, at_once)| Pace { per_minute, at_once });
    let became = || proptest::option::of(0..4u8);
    prop_oneof![
        3 => (campaign(), proptest::collection::vec(0..FEW, 0..4))
            .prop_map(|(campaign, customers)| Act::Enlist { campaign, customers }),
        5 => (campaign(), pace, 0..LATEST, 1..4u32)
            .prop_map(|(campaign, pace, at, limit)| Act::Take { campaign, pace, at: at * STRETCH, limit }),
        3 => (campaign(), [became(), became(), became()])
            .prop_map(|(campaign, became)| Act::Settle { campaign, became }),
        1 => campaign().prop_map(|campaign| Act::CloseCampaign { campaign }),
    ]
}

/// One store with what its callers remember: leases are its own, everything else is the same on all.
struct Side<S> {
    store: S,
    /// The lease that was last given of each run, and the one before.
    leases: BTreeMap<usize, (Lease, Lease)>,
}

/// An answer without what differs by nature: tokens, inbox numbers, the words of a database.
fn told<T: Debug>(answer: &Result<T, StoreError>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        // At which statement a database refuses is its own affair.
        Err(StoreError::Unavailable { .. }) => "unavailable".into(),
        Err(error) => error.to_string(),
    }
}

fn name(run: usize) -> String {
    format!("int_{run}")
}

fn id(run: usize) -> RunId {
    Author::new(&name(run)).id
}

impl<S: Store> Side<S> {
    fn new(store: S) -> Side<S> {
        Side { store, leases: BTreeMap::new() }
    }

    fn given(&mut self, run: usize, lease: Lease) {
        let before = self.leases.get(&run).map_or(Lease(0), |(last, _)| *last);
        self.leases.insert(run, (lease, before));
    }

    /// Does it and says what came of it.
    async fn play(&mut self, act: &Act) -> String {
        let store = &self.store;
        match act {
            Act::Turn { run, events, behind, busy, wake, release, extras } => {
                let turn = self.turn(*run, *events, *behind, *extras).await;
                let (opens, lease) = (turn.events.first().is_some_and(|event| event.seq == 0), turn.lease);
                let summary = Summary { busy: *busy, wake: *wake, over: extras.over, ..turn.summary.clone() };
                let answer = self.store.commit(Commit { release: *release, summary, ..turn }).await;
                if answer.is_ok() && opens {
                    self.given(*run, lease);
                }
                told(&answer)
            }
            Act::Append { run, behind } => {
                let record = store.record(&id(FEW + run)).await.unwrap();
                let mut author = Author::new(&name(FEW + run));
                author.turn(record.len().saturating_sub(*behind));
                let event = author.turn(1).events.remove(0);
                told(&store.append(&author.id, event).await)
            }
            Act::Deliver { run, dedupe, at } => {
                told(&store.deliver(&id(*run), &dedupe.to_string(), &format!("b{dedupe}"), *at).await)
            }
            Act::Claim { now } => {
                // All of them: which of two that wait equally long comes first is nobody's promise.
                let claims = store.claim(*now, FEW as u32).await.unwrap();
                let runs: Vec<String> = claims.iter().map(|claim| claim.id.interaction.clone()).collect();
                for claim in claims {
                    let run = (0..FEW).find(|run| name(*run) == claim.id.interaction).unwrap();
                    self.given(run, claim.lease);
                }
                runs.join(" ")
            }
            Act::ClaimOne { run, now } => match store.claim_one(&id(*run), *now).await.unwrap() {
                Asked::Leased(lease) => {
                    self.given(*run, lease);
                    "leased".into()
                }
                other => format!("{other:?}"),
            },
            Act::Release { run, old } => {
                let (last, before) = self.leases.get(run).copied().unwrap_or((Lease(0), Lease(0)));
                told(&store.release(&id(*run), if *old { before } else { last }).await)
            }
            Act::Checkpoint { size } => told(&store.put_checkpoint(*size, &format!("over {size}")).await),
            Act::Customer { which, seen, state, field } => {
                let number = (*state > 0).then_some([*state; 32]);
                let sealed = SealedField { path: "p".into(), class: "PII".into(), blob: vec![*state], number };
                let fields = if *field { vec![sealed] } else { vec![] };
                told(&store.put_customer(TENANT, &name(*which), *seen, &state.to_string(), &fields).await)
            }
            Act::Key { which, candidate } => told(&store.data_key(TENANT, &name(*which), "PII", &[*candidate]).await),
            Act::Card { which } => told(&store.put_card(TENANT, &name(*which), b"card", 1).await),
            Act::Forget { which } => told(&store.forget_card(TENANT, &name(*which)).await),
            Act::Publish { which, digest, at } => {
                told(&store.publish(TENANT, &name(*which), &digest.to_string(), "{}", *at).await)
            }
            Act::Session { which } => told(&store.put_session(&name(*which), &session()).await),
            Act::Touch { which, at } => told(&store.touch_session(&name(*which), *at).await),
            Act::EndSession { which } => told(&store.end_session(&name(*which)).await),
            Act::Enlist { campaign, customers } => {
                let customers = customers.iter().map(|n| Enlisted { customer: name(*n), interaction: name(*n) });
                told(&store.enlist(TENANT, &name(*campaign), &customers.collect::<Vec<_>>()).await)
            }
            Act::Take { campaign, pace, at, limit } => {
                told(&store.take(TENANT, &name(*campaign), *pace, *at, *limit).await)
            }
            Act::Settle { campaign, became: drawn } => {
                let told_of = drawn.iter().enumerate().filter_map(|(n, drawn)| Some((name(n), became((*drawn)?))));
                told(&store.settle(TENANT, &name(*campaign), &told_of.collect::<Vec<_>>()).await)
            }
            Act::CloseCampaign { campaign } => told(&store.close_campaign(TENANT, &name(*campaign)).await),
        }
    }

    async fn turn(&self, run: usize, events: usize, behind: usize, extras: Extras) -> Commit {
        let length = self.store.record(&id(run)).await.unwrap().len();
        let mut author = Author::new(&name(run));
        author.turn(length.saturating_sub(behind));
        let mut turn = author.turn(events);
        turn.lease = self.leases.get(&run).map_or(Lease::OPENING, |(last, _)| *last);
        turn.consumed = self.store.inbox(&id(run), extras.answers).await.unwrap().iter().map(|d| d.number).collect();
        let unique = format!("{length}/{events}");
        turn.sealed = if extras.seals { vec![sealed(&unique, b"v")] } else { vec![] };
        turn.links = if extras.links { vec![link(&format!("{run}/{unique}"))] } else { vec![] };
        turn.forget_card = extras.forgets.then(|| name(run));
        if let Some(becomes) = extras.knows {
            let customer = name((run + 1) % FEW);
            let version =
                self.store.customer(TENANT, &customer).await.unwrap().map_or(0, |row| row.version - behind as i64);
            turn.known = Some(Known { customer, version, becomes: becomes.then(|| "changed".into()) });
        }
        turn
    }

    /// Everything that can be read.
    async fn look(&self) -> Vec<String> {
        let store = &self.store;
        let edge = store.frontier().await.unwrap();
        let mut seen = vec![
            format!(
                "{} {}",
                edge.size(),
                selvedge_record::merkle::root(&store.leaves(edge.size()).await.unwrap()) == edge.root()
            ),
            told(&store.next_wake().await),
            told(&store.runs(TENANT, 99).await),
            told(&store.newest().await),
            told(&store.checkpoint_over(4).await),
            told(&store.open_interactions(TENANT, "c_ada").await),
            told(&store.customers_after(TENANT, &name(0), 9).await),
            told(&store.campaigns(TENANT, "", 9).await),
            told(&store.going(TENANT).await),
        ];
        for campaign in 0..2 {
            seen.push(told(&store.progress(TENANT, &name(campaign)).await));
            seen.push(told(&store.remaining(TENANT, &name(campaign)).await));
            seen.push(told(&store.ended(TENANT, &name(campaign), 2).await));
        }
        for run in 0..2 * FEW {
            let id = id(run);
            seen.push(told(&store.record(&id).await));
            seen.push(told(&store.last(&id).await));
            seen.push(told(&store.places(&id).await.map(|places| places.len())));
            let inbox = store.inbox(&id, 99).await;
            seen.push(told(&inbox.map(|inbox| inbox.into_iter().map(|entry| entry.body).collect::<Vec<_>>())));
            for length in 0..4 {
                seen.push(told(&store.sealed(&id, &format!("{length}/1")).await));
                seen.push(told(&store.link(&format!("{run}/{length}/1")).await));
            }
        }
        for which in 0..FEW {
            let name = name(which);
            seen.push(told(&store.customer(TENANT, &name).await));
            seen.push(told(&store.customers_at(TENANT, &[which as u8; 32]).await));
            seen.push(told(&store.field(TENANT, &name, "p").await));
            seen.push(told(&store.existing_data_key(TENANT, &name, "PII").await));
            seen.push(told(&store.card(TENANT, &name).await));
            seen.push(told(&store.published(TENANT, &name).await));
            seen.push(told(&store.definition(TENANT, &which.to_string()).await));
            seen.push(told(&store.session(&name).await));
        }
        seen
    }
}

fn session() -> Session {
    Session {
        id: "ses_1".into(),
        tenant: TENANT.into(),
        person: "maria".into(),
        device: "desk-7".into(),
        device_verified: true,
        function: "agent".into(),
        expires: 900,
        last_used: 1,
    }
}

/// The same acts on all; a failure prints the shortest story that differs and the seed that drew it
/// (`PROPTEST_RNG_SEED`).
#[test]
fn all_stores_give_the_same_answers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
    let told = TestRunner::new(config).run(&proptest::collection::vec(act(), 1..40), |acts| {
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let place = Database::fresh().await;
            let mut sqlite = Side::new(SqliteStore::open(folder.path()).await.unwrap());
            let mut postgres = Side::new(place.open().await);
            let mut memory = Side::new(MemoryStore::new());
            for act in &acts {
                let (said, seen) = (memory.play(act).await, memory.look().await);
                assert_eq!(
                    (sqlite.play(act).await, sqlite.look().await),
                    (said.clone(), seen.clone()),
                    "SQLite: {act:?}"
                );
                assert_eq!((postgres.play(act).await, postgres.look().await), (said, seen), "PostgreSQL: {act:?}");
            }
            place.close(postgres.store).await;
        });
        Ok(())
    });
    told.unwrap();
}
