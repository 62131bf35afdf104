//! Customers and their contacts, keys, sealed values, cards, links, definitions, sessions.

use std::collections::hash_map::Entry;

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{
    Contacts, CustomerRow, Customers, Definitions, RunId, Safe, SealedField, SealedValue, Session, Sessions, Threshold,
};
use selvedge_policy::{Contacted, Count, Tally};

use super::{MemoryStore, key, twice};

#[async_trait]
impl Customers for MemoryStore {
    async fn put_customer(
        &self,
        tenant: &str,
        customer: &str,
        seen: Option<i64>,
        state: &str,
        fields: &[SealedField],
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.newest(tenant, customer, seen)?;
        tables.becomes(tenant, customer, state);
        let kept = &mut tables.customers.entry(key(tenant, customer)).or_default().fields;
        kept.extend(fields.iter().map(|field| (field.path.clone(), field.clone())));
        Ok(())
    }

    async fn customer(&self, tenant: &str, customer: &str) -> Result<Option<CustomerRow>, StoreError> {
        let tables = self.tables();
        let kept = tables.customers.get(&key(tenant, customer)).and_then(|customer| customer.state.clone());
        Ok(kept.map(|(state, version)| CustomerRow { state, version }))
    }

    async fn customers_at(&self, tenant: &str, number: &[u8; 32]) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let there = tables.customers.iter().filter(|((of, _), customer)| {
            of == tenant && customer.fields.values().any(|field| field.number.as_ref() == Some(number))
        });
        Ok(there.map(|((_, customer), _)| customer.clone()).collect())
    }

    async fn open_interactions(&self, tenant: &str, customer: &str) -> Result<Vec<RunId>, StoreError> {
        let tables = self.tables();
        let of = |(id, row): &(&RunId, &super::Row)| {
            id.tenant == tenant && row.summary.customer == customer && !row.summary.over
        };
        let mut open: Vec<_> = tables.runs.iter().filter(of).collect();
        open.sort_by_key(|(_, row)| row.summary.opened);
        Ok(open.into_iter().map(|(id, _)| id.clone()).collect())
    }

    async fn field(&self, tenant: &str, customer: &str, path: &str) -> Result<Option<SealedField>, StoreError> {
        Ok(self.tables().customers.get(&key(tenant, customer)).and_then(|customer| customer.fields.get(path).cloned()))
    }
}

#[async_trait]
impl Contacts for MemoryStore {
    async fn tally(&self, tenant: &str, customer: &str, except: &str, count: &Count) -> Result<Tally, StoreError> {
        let tables = self.tables();
        let kept = tables.customers.get(&key(tenant, customer));
        let others = kept.into_iter().flat_map(|customer| &customer.contacts).filter(|(key, _)| *key != except);
        Ok(count.tally(&others.map(|(_, made)| made.clone()).collect::<Vec<Contacted>>()))
    }
}

#[async_trait]
impl Safe for MemoryStore {
    async fn data_key(
        &self,
        tenant: &str,
        subject: &str,
        class: &str,
        candidate: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let mut tables = self.tables();
        let keys = tables.data_keys.entry(key(tenant, subject)).or_default();
        Ok(keys.entry(class.to_owned()).or_insert_with(|| candidate.to_vec()).clone())
    }

    async fn existing_data_key(&self, tenant: &str, subject: &str, class: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tables().data_keys.get(&key(tenant, subject)).and_then(|keys| keys.get(class).cloned()))
    }

    async fn sealed(&self, id: &RunId, name: &str) -> Result<Option<SealedValue>, StoreError> {
        Ok(self.tables().sealed.get(id).and_then(|values| values.get(name).cloned()))
    }

    async fn put_card(&self, tenant: &str, token: &str, blob: &[u8], _: Micros) -> Result<(), StoreError> {
        match self.tables().cards.entry(key(tenant, token)) {
            Entry::Occupied(_) => Err(twice("keep a card")),
            Entry::Vacant(free) => {
                free.insert(blob.to_vec());
                Ok(())
            }
        }
    }

    async fn card(&self, tenant: &str, token: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tables().cards.get(&key(tenant, token)).cloned())
    }

    async fn forget_card(&self, tenant: &str, token: &str) -> Result<(), StoreError> {
        self.tables().forget_card(tenant, token);
        Ok(())
    }

    async fn link(&self, link: &str) -> Result<Option<(RunId, String)>, StoreError> {
        Ok(self.tables().links.get(link).cloned())
    }
}

#[async_trait]
impl Definitions for MemoryStore {
    async fn publish(
        &self,
        tenant: &str,
        workflow: &str,
        digest: &str,
        files: &str,
        _: Micros,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let kept = tables.definitions.entry(key(tenant, digest));
        kept.or_insert_with(|| (workflow.to_owned(), files.to_owned()));
        tables.published.insert(key(tenant, workflow), digest.to_owned());
        Ok(())
    }

    async fn definition(&self, tenant: &str, digest: &str) -> Result<Option<String>, StoreError> {
        Ok(self.tables().definitions.get(&key(tenant, digest)).map(|(_, files)| files.clone()))
    }

    async fn kept(&self, tenant: &str) -> Result<Vec<(String, String)>, StoreError> {
        let tables = self.tables();
        let of_tenant = tables.definitions.iter().filter(|((of, _), _)| of == tenant);
        let mut kept: Vec<_> =
            of_tenant.map(|((_, digest), (workflow, _))| (workflow.clone(), digest.clone())).collect();
        kept.sort();
        Ok(kept)
    }

    async fn published(&self, tenant: &str, workflow: &str) -> Result<Option<String>, StoreError> {
        Ok(self.tables().published.get(&key(tenant, workflow)).cloned())
    }

    async fn threshold(&self, tenant: &str, workflow: &str, customer: &str) -> Result<Threshold, StoreError> {
        let tables = self.tables();
        Ok(Threshold {
            published: tables.published.get(&key(tenant, workflow)).cloned(),
            customer: tables.customers.get(&key(tenant, customer)).is_some_and(|customer| customer.state.is_some()),
            epoch: tables.epoch(tenant),
        })
    }
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn put_session(&self, token_hash: &str, session: &Session) -> Result<(), StoreError> {
        match self.tables().sessions.entry(token_hash.to_owned()) {
            Entry::Occupied(_) => Err(twice("keep a session")),
            Entry::Vacant(free) => {
                free.insert(session.clone());
                Ok(())
            }
        }
    }

    async fn session(&self, token_hash: &str) -> Result<Option<Session>, StoreError> {
        Ok(self.tables().sessions.get(token_hash).cloned())
    }

    async fn end_session(&self, token_hash: &str) -> Result<(), StoreError> {
        self.tables().sessions.remove(token_hash);
        Ok(())
    }

    async fn touch_session(&self, token_hash: &str, at: Micros) -> Result<(), StoreError> {
        if let Some(session) = self.tables().sessions.get_mut(token_hash) {
            session.last_used = at;
        }
        Ok(())
    }
}
