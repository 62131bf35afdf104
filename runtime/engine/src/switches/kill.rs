//! What the engine does with switches: sets and lifts them, waits for what is in the air, and lets through or halts
//! what a run wants next.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use selvedge_policy::DEBIT;
use selvedge_record::{Draft, Event};
use selvedge_workflow::plan::{Node, Op};

use super::{Board, Killed, MAX_LISTED, MAX_REASON_BYTES, Over, Reach, SWITCHES, Scope, Switch, SwitchFact, UnderWay};
use crate::decide::{self, Next};
use crate::definition::Definition;
use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::fact::Fact;
use crate::ports::Micros;
use crate::ports::store::RunId;
use crate::run::{Phase, Run};
use crate::signal::Who;
use crate::turn::Turn;

/// How often another writer may be quicker.
const MAX_TRIES: u32 = 5;
/// How long a kill waits for effects under way; a call of a connector ends before that.
pub(super) const WAIT: Micros = 15_000_000;
/// How often it looks.
const LOOK: Micros = 20_000;
/// How often a node looks for switches that another one set.
const READ_EVERY: Micros = 1_000_000;

/// An effect that a run intended and whose outcome was not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Intended {
    id: RunId,
    key: String,
    attempt: u32,
}

/// What became of it.
enum Became {
    Left,
    Stopped,
    Unknown,
}

impl Engine {
    /// Sets a switch. When this returns, nothing within its reach leaves any more, from any node; what had been
    /// intended before was waited for, and the answer says what became of it.
    ///
    /// Errors: E511 (no reason), E512 (nothing is called so), E513 (stopped already), or the store's; after the
    /// store's the switch may be set: `kill list` tells.
    pub async fn kill(&self, tenant: &str, scope: Scope, reason: &str, who: &Who) -> Result<Killed, EngineError> {
        let reason = a_reason(reason)?;
        self.known(tenant, &scope).await?;
        let before = self.intended(tenant, &scope).await?;
        let fact = SwitchFact::Set { scope: scope.clone(), reason };
        let epoch = self.add_to_board(tenant, who, None, |board| {
            let set = board.switches.iter().find(|s| s.scope == scope && s.lifted.is_none());
            match set {
                Some(set) => Err(EngineError::StoppedAlready { scope: scope.to_string(), switch: set.id.clone() }),
                None => Ok(fact.clone()),
            }
        });
        let epoch = epoch.await?;
        let under_way = self.settle_effects(tenant, &scope, before).await?;
        let id = format!("kill-{epoch}");
        let settled = SwitchFact::Settled { switch: id.clone(), under_way: under_way.clone() };
        self.add_to_board(tenant, &Who::host(), None, |_| Ok(settled.clone())).await?;
        self.checkpoint().await?;
        let switch = self.board(tenant).await?.switch(&id).cloned();
        let switch = switch.ok_or_else(|| EngineError::Broken { what: "a switch that was set is not there".into() })?;
        Ok(Killed { switch, under_way })
    }

    /// Lifts a switch; the runs that it halted go on.
    ///
    /// Errors: E511 (no reason), E514 (no such switch, or lifted before).
    pub async fn lift(&self, tenant: &str, switch: &str, reason: &str, who: &Who) -> Result<(), EngineError> {
        let fact = SwitchFact::Lifted { switch: switch.into(), reason: a_reason(reason)? };
        let lifted = self.add_to_board(tenant, who, Some(switch), |board| {
            let set = board.switches.iter().any(|s| s.id == switch && s.lifted.is_none());
            if set { Ok(fact.clone()) } else { Err(EngineError::NoSuchSwitch { switch: shown_id(switch).into() }) }
        });
        lifted.await?;
        self.inner.news.notify_one();
        Ok(())
    }

    /// A tenant's switches, as this node knows them.
    pub async fn board(&self, tenant: &str) -> Result<Arc<Board>, EngineError> {
        let known = self.inner.boards.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        match known {
            Some(board) => Ok(board),
            None => self.read_board(tenant).await,
        }
    }

    /// The same, at an epoch that the store knows of.
    pub(crate) async fn board_at(&self, tenant: &str, epoch: u64) -> Result<Arc<Board>, EngineError> {
        let board = self.board(tenant).await?;
        if board.epoch() >= epoch { Ok(board) } else { self.read_board(tenant).await }
    }

    /// The same, read anew: another node may have set one.
    pub async fn read_board(&self, tenant: &str) -> Result<Arc<Board>, EngineError> {
        let id = RunId { tenant: tenant.into(), interaction: SWITCHES.into() };
        let board = Arc::new(Board::fold(tenant, &self.store().record(&id).await?)?);
        let mut boards = self.inner.boards.write().unwrap_or_else(PoisonError::into_inner);
        match boards.get(tenant) {
            // Somebody read a newer one in the meantime.
            Some(newer) if newer.epoch() > board.epoch() => return Ok(newer.clone()),
            _ => boards.insert(tenant.to_owned(), board.clone()),
        };
        Ok(board)
    }

    /// Reads all boards anew, now and then. The store refuses what is decided on an old one; this only spares the try.
    pub(crate) async fn read_boards(&self, now: Micros) -> Result<(), EngineError> {
        if now - self.inner.boards_read.swap(now, Ordering::Relaxed) < READ_EVERY {
            return Ok(());
        }
        let known: Vec<String> =
            self.inner.boards.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for tenant in known {
            self.read_board(&tenant).await?;
        }
        Ok(())
    }

    /// Adds what `fact` makes of the board as it stands; returns the epoch that began with it.
    async fn add_to_board(
        &self,
        tenant: &str,
        who: &Who,
        frees: Option<&str>,
        fact: impl Fn(&Board) -> Result<SwitchFact, EngineError>,
    ) -> Result<u64, EngineError> {
        let id = RunId { tenant: tenant.into(), interaction: SWITCHES.into() };
        let _one_at_a_time = self.inner.access.lock().await;
        for attempt in 1.. {
            let board = self.read_board(tenant).await?;
            let (kind, data) = fact(&board)?.kind_and_data()?;
            let newest = self.store().last(&id).await?.map(|s| Event::parse(&s.canonical)).transpose()?;
            let time = self.now().max(newest.map_or(0, |event| event.time));
            let mut head = board.head.clone();
            let sealed = head.append(Draft {
                device: who.device.clone(),
                function: who.function.clone(),
                session: who.session.clone(),
                ..Draft::new(kind, time, who.actor.clone(), data)
            })?;
            match self.store().switch(&id, sealed, frees, time).await {
                Err(StoreError::Conflict { .. }) if attempt < MAX_TRIES => continue,
                other => other?,
            }
            self.read_board(tenant).await?;
            return Ok(head.seq);
        }
        Err(EngineError::Broken { what: "a loop without an end has ended".into() })
    }

    /// A name that nothing has would stop nothing, silently.
    async fn known(&self, tenant: &str, scope: &Scope) -> Result<(), EngineError> {
        let mut known = vec![(Over::Tenant, tenant.to_owned())];
        for (workflow, digest) in self.store().kept(tenant).await? {
            known.push((Over::Workflow, workflow.clone()));
            // One that does not compile any more runs nowhere either.
            let Ok(definition) = self.definition(tenant, &workflow, &digest).await else { continue };
            for connector in definition.plan.uses.values() {
                known.push((Over::Connector, connector.clone()));
                known.extend(definition.connectors.get(connector).map(|c| (Over::Vendor, c.vendor.clone())));
            }
            known.extend(definition.plan.nodes.iter().filter_map(|n| Some((Over::Channel, channel(&definition, n)?))));
        }
        let mut names: Vec<String> =
            known.into_iter().filter(|(over, _)| *over == scope.over).map(|(_, n)| n).collect();
        names.sort();
        names.dedup();
        if names.contains(&scope.name) {
            return Ok(());
        }
        let known = if names.is_empty() { "none".into() } else { format!("`{}`", names.join("`, `")) };
        Err(EngineError::NothingToStop { over: scope.over.name().into(), known })
    }

    /// Effects within reach whose intent is durable and whose outcome is not.
    async fn intended(&self, tenant: &str, scope: &Scope) -> Result<Vec<Intended>, EngineError> {
        let mut found = Vec::new();
        for id in self.store().busy_of(tenant).await? {
            let run = self.run_state(&id).await?;
            if !run.cursors.iter().any(|cursor| matches!(cursor.phase, Phase::Intended(_))) {
                continue;
            }
            let definition = self.definition(tenant, &run.workflow, &run.controls).await?;
            for (node, cursor) in decide::standing(&definition.plan, &run)? {
                let Phase::Intended(effect) = &cursor.phase else { continue };
                if reach(&definition, &run, &node).within(scope) {
                    found.push(Intended { id: id.clone(), key: effect.key.clone(), attempt: effect.attempt });
                }
            }
        }
        Ok(found)
    }

    async fn settle_effects(
        &self,
        tenant: &str,
        scope: &Scope,
        before: Vec<Intended>,
    ) -> Result<UnderWay, EngineError> {
        let mut open = before;
        for effect in self.intended(tenant, scope).await? {
            if !open.contains(&effect) {
                open.push(effect);
            }
        }
        let (mut under_way, until) = (UnderWay::default(), self.now() + WAIT);
        loop {
            let mut still = Vec::new();
            for effect in open {
                match self.became(&effect).await? {
                    Became::Left => list(&mut under_way.left, effect.key),
                    Became::Stopped => list(&mut under_way.stopped, effect.key),
                    Became::Unknown => still.push(effect),
                }
            }
            if still.is_empty() || self.now() >= until {
                still.into_iter().for_each(|effect| list(&mut under_way.unknown, effect.key));
                return Ok(under_way);
            }
            open = still;
            self.inner.parts.clock.sleep_until(self.now() + LOOK).await;
        }
    }

    async fn became(&self, effect: &Intended) -> Result<Became, EngineError> {
        let events = self.events(&effect.id).await?;
        let facts = events.into_iter().filter_map(|e| Fact::from_kind_and_data(&e.kind, e.data).ok());
        let own = |fact: &Fact| matches!(fact, Fact::Intended { key, attempt, .. } if *key == effect.key && *attempt == effect.attempt);
        let outcome = facts.skip_while(|fact| !own(fact)).skip(1).find_map(|fact| match fact {
            Fact::Halted { key: Some(key), .. } if key == effect.key => Some(Became::Stopped),
            Fact::Done { key, .. }
            | Fact::Postponed { key, .. }
            | Fact::Unclear { key, .. }
            | Fact::NeedsPerson { key, .. }
            | Fact::UndoFailed { key, .. }
            | Fact::Intended { key, .. }
                if key == effect.key =>
            {
                Some(Became::Left)
            }
            _ => None,
        });
        Ok(outcome.unwrap_or(Became::Unknown))
    }

    /// Lets through what the run wants next, or stops it. `None`: a switch halts the run from here on; what it wants
    /// is to be decided anew.
    pub(crate) async fn gate<'p>(
        &self,
        definition: &Definition,
        turn: &mut Turn,
        next: Next<'p>,
    ) -> Result<Option<Next<'p>>, EngineError> {
        let (Next::Try(node, _) | Next::Ask(node, ..) | Next::Disclose(node) | Next::Offer(node)) = &next else {
            return Ok(Some(next));
        };
        // A question to a vendor has no intent that the store could refuse: the board is read anew for it.
        let asks = matches!(next, Next::Ask(..));
        let tenant = &turn.run.id.tenant;
        let board = if asks { self.read_board(tenant).await? } else { self.board(tenant).await? };
        match board.stopping(&reach(definition, &turn.run, node)) {
            None if asks => {}
            None => turn.only_at(board.epoch()),
            Some(switch) if halted_by(&turn.run, node) == Some(&switch.id) => {
                return Ok(Some(Next::Park));
            }
            Some(switch) => {
                // Lifted before this is durable, it would halt the run for ever: the store compares the epoch.
                turn.only_at(board.epoch());
                turn.add(&Who::host(), self.now(), halted(switch, node, None))?;
                return Ok(None);
            }
        }
        Ok(Some(next))
    }

    /// The last look before an intended effect leaves. The fact, if it must not.
    pub(crate) async fn last_look(
        &self,
        definition: &Definition,
        run: &Run,
        node: &Node,
        key: &str,
    ) -> Result<Option<Fact>, EngineError> {
        let board = self.board(&run.id.tenant).await?;
        Ok(board.stopping(&reach(definition, run, node)).map(|switch| halted(switch, node, Some(key.to_owned()))))
    }
}

/// The switch that halts a run at this node already.
fn halted_by<'r>(run: &'r Run, node: &Node) -> Option<&'r String> {
    Some(&run.cursor(&node.name)?.halted.as_ref()?.switch)
}

fn halted(switch: &Switch, node: &Node, key: Option<String>) -> Fact {
    let Switch { id, scope, by, reason, .. } = switch.clone();
    Fact::Halted { node: node.name.clone(), switch: id, scope: scope.to_string(), by, reason, key }
}

/// What a node of a run would touch.
pub(crate) fn reach(definition: &Definition, run: &Run, node: &Node) -> Reach {
    let connector = decide::connector(&definition.plan, node);
    let vendor = definition.connectors.get(connector).map(|c| c.vendor.clone());
    Reach {
        tenant: run.id.tenant.clone(),
        workflow: run.workflow.clone(),
        connector: connector.to_owned(),
        vendor: vendor.unwrap_or_default(),
        channel: channel(definition, node).unwrap_or_default(),
    }
}

/// The channel of the message that a node sends, or of its debit.
fn channel(definition: &Definition, node: &Node) -> Option<String> {
    if let Op::Debit { .. } = &node.op {
        return Some(DEBIT.into());
    }
    let Op::Send { template, .. } = &node.op else { return None };
    definition.plan.templates.get(template).map(|t| t.medium.clone())
}

/// A reason that says something.
pub(crate) fn a_reason(given: &str) -> Result<String, EngineError> {
    let reason = given.trim();
    let good = (3..=MAX_REASON_BYTES).contains(&reason.len()) && !reason.chars().any(char::is_control);
    if good { Ok(reason.to_owned()) } else { Err(EngineError::NoReason) }
}

/// Anything may have been given as an id; only what looks like one is repeated.
pub(super) fn shown_id(given: &str) -> &str {
    if is_id(given) { given } else { "as given" }
}

/// Whether a text looks like the id of a switch: `kill-3`.
pub fn is_id(text: &str) -> bool {
    text.strip_prefix("kill-").is_some_and(|n| (1..=20).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
}

fn list(to: &mut Vec<String>, key: String) {
    if to.len() < MAX_LISTED {
        to.push(key);
    }
}
