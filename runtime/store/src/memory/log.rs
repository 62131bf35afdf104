//! The log over all records, and what can still be opened of records that are over.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Destruction, Keeping, Kept, Log, RunId};
use selvedge_record::{Frontier, Hash};

use super::{MemoryStore, key};

#[async_trait]
impl Log for MemoryStore {
    async fn places(&self, id: &RunId) -> Result<Vec<u64>, StoreError> {
        Ok(self.tables().records.get(id).into_iter().flatten().map(|event| event.place).collect())
    }

    async fn written_since(&self, index: u64) -> Result<Vec<RunId>, StoreError> {
        let tables = self.tables();
        let reaches = |events: &Vec<super::Event>| events.last().is_some_and(|event| event.place >= index);
        Ok(tables.records.iter().filter(|(_, events)| reaches(events)).map(|(id, _)| id.clone()).collect())
    }

    async fn frontier(&self) -> Result<Frontier, StoreError> {
        Ok(self.tables().edge.clone())
    }

    async fn leaves(&self, size: u64) -> Result<Vec<Hash>, StoreError> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(self.tables().leaves.iter().take(size).copied().collect())
    }

    async fn put_checkpoint(&self, size: u64, note: &str) -> Result<(), StoreError> {
        // The first checkpoint of a size stays: exporting twice gives the same bytes.
        self.tables().checkpoints.entry(size).or_insert_with(|| note.to_owned());
        Ok(())
    }

    async fn checkpoint_over(&self, index: u64) -> Result<Option<(u64, String)>, StoreError> {
        let tables = self.tables();
        let mut over = tables.checkpoints.range(index.saturating_add(1)..);
        Ok(over.next().map(|(size, note)| (*size, note.clone())))
    }
}

#[async_trait]
impl Keeping for MemoryStore {
    async fn openable(
        &self,
        tenant: &str,
        before: Micros,
        after: Option<&(Micros, String)>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        let tables = self.tables();
        let kept = tables.runs.iter().filter(|(id, _)| id.tenant == tenant).filter_map(|(id, row)| {
            let closed = row.closed.filter(|closed| *closed < before)?;
            let classes = tables.data_keys.get(&key(tenant, &id.interaction)).filter(|keys| !keys.is_empty())?;
            Some(Kept {
                interaction: id.interaction.clone(),
                workflow: row.summary.workflow.clone(),
                customer: row.summary.customer.clone(),
                closed,
                classes: classes.keys().cloned().collect(),
            })
        });
        let beyond = |kept: &Kept| after.is_none_or(|after| (kept.closed, &kept.interaction) > (after.0, &after.1));
        let mut kept: Vec<Kept> = kept.filter(beyond).collect();
        kept.sort_by(|a, b| (a.closed, &a.interaction).cmp(&(b.closed, &b.interaction)));
        kept.truncate(limit as usize);
        Ok(kept)
    }

    async fn destroy(&self, destruction: Destruction) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let Destruction { id, events, classes, holds: (holds, known) } = destruction;
        if tables.length(&holds) != known {
            return Err(StoreError::Conflict { interaction: holds.interaction });
        }
        tables.follow(&id, &events)?;
        tables.add(&id, events);
        if let Some(keys) = tables.data_keys.get_mut(&key(&id.tenant, &id.interaction)) {
            keys.retain(|class, _| !classes.contains(class));
        }
        if let Some(values) = tables.sealed.get_mut(&id) {
            values.retain(|_, value| !classes.contains(&value.class));
        }
        Ok(())
    }
}
