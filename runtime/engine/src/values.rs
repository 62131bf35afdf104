//! Where values are opened and sealed: the engine's way to the vault. Customer fields lie under a data key per
//! (customer, class); values that a record commits to lie under one per (interaction, class).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use selvedge_policy::CustomerState;
use selvedge_vault::{DataKey, Scope, Vault, WrappedKey};
use selvedge_workflow::dictionary::{Class, Dictionary, FieldInfo, FieldType, MAX_ITEMS, TEXT_FROM};
use selvedge_workflow::expression::Given;
use selvedge_workflow::plan::{Amount, Node, Op};
use serde::{Deserialize, Serialize};

use crate::act::lies_at;
use crate::definition::Definition;
use crate::error::{EngineError, StoreError};
use crate::fact::Commitment;
use crate::money::{Money, Terms};
use crate::ports::store::{RecordKey, RunId, SealedField, SealedValue, Store};
use crate::ports::{CardFields, Field, Random};
use crate::run::{Run, item_of};

/// How often an import is made again because a customer's state changed meanwhile.
const MAX_TRIES: u32 = 5;

/// Opens and seals values. Holds no value itself.
#[derive(Clone)]
pub struct Values {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    random: Arc<dyn Random>,
}

/// A sealed value once opened: what is needed to prove the commitment.
#[derive(Serialize, Deserialize)]
struct Salted {
    salt: String,
    value: String,
}

/// A card as it lies in the vault; the security code is not part of it.
#[derive(Serialize, Deserialize)]
struct StoredCard {
    number: String,
    month: String,
    year: String,
}

impl Values {
    /// Over a store, a vault and a source of randomness.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, random: Arc<dyn Random>) -> Values {
        Values { store, vault, random }
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.random.fill(&mut out);
        out
    }

    /// A new id with 128 bits of chance.
    pub fn id(&self, prefix: &str) -> String {
        format!("{prefix}{}", hex::encode(self.random::<16>()))
    }

    async fn key(&self, tenant: &str, subject: &str, class: &str) -> Result<DataKey, EngineError> {
        if let Some(key) = self.existing_key(tenant, subject, class).await? {
            return Ok(key);
        }
        let scope = Scope { tenant: tenant.into(), subject: subject.into(), class: class.into() };
        let candidate = self.vault.new_data_key(&scope, self.random(), self.random());
        let wrapped = self.store.data_key(tenant, subject, class, &candidate.0).await?;
        Ok(self.vault.unwrap(&scope, &WrappedKey(wrapped))?)
    }

    async fn existing_key(&self, tenant: &str, subject: &str, class: &str) -> Result<Option<DataKey>, EngineError> {
        let scope = Scope { tenant: tenant.into(), subject: subject.into(), class: class.into() };
        let Some(wrapped) = self.store.existing_data_key(tenant, subject, class).await? else { return Ok(None) };
        Ok(Some(self.vault.unwrap(&scope, &WrappedKey(wrapped))?))
    }

    /// Imports a customer: contact state and field values, each encrypted for (customer, class).
    pub async fn put_customer(
        &self,
        dictionary: &Dictionary,
        tenant: &str,
        customer: &str,
        state: &CustomerState,
        fields: &[(String, SecretString)],
    ) -> Result<(), EngineError> {
        let mut sealed = Vec::new();
        for (list, count) in lists(dictionary, customer, fields)? {
            let path = count_of(&list);
            let class = Class::Pii.name().to_owned();
            let key = self.key(tenant, customer, &class).await?;
            let blob = key.seal(&path, count.to_string().as_bytes(), self.random());
            sealed.push(SealedField { path, class, blob, number: None });
        }
        for (path, value) in fields {
            let info = in_dictionary(dictionary, customer, path)?;
            let class = info.class.name().to_owned();
            let number = match info.ty {
                FieldType::Phone => Some(self.vault.number_hash(tenant, value.expose_secret()).ok_or_else(|| {
                    EngineError::BadValue { field: path.clone(), wanted: "a phone number such as +13125550142".into() }
                })?),
                _ => None,
            };
            if let Some(longest) = info.longest.filter(|longest| value.expose_secret().chars().count() > *longest) {
                let wanted = format!("a text of at most {longest} characters");
                return Err(EngineError::BadValue { field: path.clone(), wanted });
            }
            let key = self.key(tenant, customer, &class).await?;
            let blob = key.seal(path, value.expose_secret().as_bytes(), self.random());
            sealed.push(SealedField { path: path.clone(), class, blob, number });
        }
        let mut tries = 0;
        loop {
            let (before, seen) = self.customer(tenant, customer).await?;
            let state = to_json(&with_what_was_said(state.clone(), before))?;
            tries += 1;
            match self.store.put_customer(tenant, customer, seen, &state, &sealed).await {
                Err(StoreError::Overtaken { .. }) if tries < MAX_TRIES => {}
                other => return Ok(other?),
            }
        }
    }

    /// The customer's contact state as it is now, and its version. A customer without one has no consent and no zone.
    pub async fn customer(&self, tenant: &str, customer: &str) -> Result<(CustomerState, Option<i64>), EngineError> {
        let Some(row) = self.store.customer(tenant, customer).await? else {
            return Ok((CustomerState::default(), None));
        };
        let state = serde_json::from_str(&row.state).map_err(|e| EngineError::Broken { what: e.to_string() })?;
        Ok((state, Some(row.version)))
    }

    /// The customers who have this phone number on file, however it is spaced. Nobody has what is no number.
    pub async fn customers_at(&self, tenant: &str, number: &SecretString) -> Result<Vec<String>, EngineError> {
        match self.vault.number_hash(tenant, number.expose_secret()) {
            Some(hash) => Ok(self.store.customers_at(tenant, &hash).await?),
            None => Ok(Vec::new()),
        }
    }

    /// One field of the customer, opened; or the number of the text that this run answers.
    pub async fn field(&self, run: &Run, path: &str) -> Result<Field, EngineError> {
        if path == TEXT_FROM {
            let value = self.opened_or_broken(&run.id, path).await?;
            return Ok(Field { path: path.into(), class: Class::Pii.name().into(), value });
        }
        self.field_of(&run.id.tenant, &run.customer, path).await
    }

    async fn field_of(&self, tenant: &str, customer: &str, path: &str) -> Result<Field, EngineError> {
        let missing = || EngineError::NoSuchField { customer: customer.into(), field: path.into() };
        let sealed = self.store.field(tenant, customer, path).await?.ok_or_else(missing)?;
        let key = self.existing_key(tenant, customer, &sealed.class).await?.ok_or_else(missing)?;
        Ok(Field { path: sealed.path, class: sealed.class, value: text(path, &key.open(path, &sealed.blob)?)? })
    }

    /// How many items the customer has of the list that a node goes through; none, if nobody ever said.
    pub async fn items(&self, run: &Run, node: &Node) -> Result<u32, EngineError> {
        let Op::Fork { each: Some(each), .. } = &node.op else { return Ok(0) };
        match self.field(run, &count_of(&each.every)).await {
            Ok(field) => Ok(field.value.expose_secret().parse().unwrap_or(0)),
            Err(EngineError::NoSuchField { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// One field of the customer as a condition at this place wants it, if it is of its type, and its class.
    pub async fn given(
        &self,
        definition: &Definition,
        run: &Run,
        place: &str,
        path: &str,
    ) -> Result<(Option<Given>, String), EngineError> {
        let path = lies_at(&definition.dictionary, place, path);
        self.given_of(&definition.dictionary, &run.id.tenant, &run.customer, &path).await
    }

    /// The same of any customer.
    pub async fn given_of(
        &self,
        dictionary: &Dictionary,
        tenant: &str,
        customer: &str,
        path: &str,
    ) -> Result<(Option<Given>, String), EngineError> {
        let field = self.field_of(tenant, customer, path).await?;
        let text = field.value.expose_secret();
        let given = match dictionary.at(path).map(|info| info.ty) {
            Some(FieldType::Money) => {
                Money::parse(path, text).ok().map(|money| Given::Money(money.minor, money.currency))
            }
            Some(FieldType::Count) => text.parse().ok().map(Given::Count),
            _ => Some(Given::Text(text.to_owned())),
        };
        Ok((given, field.class))
    }

    /// Commits to a value under a name of this record, and seals it beside the record.
    pub async fn commit(
        &self,
        id: &RunId,
        name: &str,
        class: &str,
        value: &str,
    ) -> Result<(Commitment, SealedValue), EngineError> {
        let key = self.record_key(id, class).await?;
        self.commit_under(&key, name, class, value)
    }

    /// The data key of a record's values of one class.
    pub async fn record_key(&self, id: &RunId, class: &str) -> Result<DataKey, EngineError> {
        self.key(&id.tenant, &id.interaction, class).await
    }

    /// A data key for a record that is being opened: made with it, it costs no commit of its own later.
    pub fn new_record_key(&self, id: &RunId, class: &str) -> Result<(RecordKey, DataKey), EngineError> {
        let scope = Scope { tenant: id.tenant.clone(), subject: id.interaction.clone(), class: class.into() };
        let wrapped = self.vault.new_data_key(&scope, self.random(), self.random());
        let key = self.vault.unwrap(&scope, &wrapped)?;
        Ok((RecordKey { class: class.into(), wrapped: wrapped.0 }, key))
    }

    /// The same with the key at hand.
    pub fn commit_under(
        &self,
        key: &DataKey,
        name: &str,
        class: &str,
        value: &str,
    ) -> Result<(Commitment, SealedValue), EngineError> {
        let salt: [u8; 32] = self.random();
        let commitment = Commitment {
            name: name.into(),
            class: class.into(),
            commitment: selvedge_record::commitment(&salt, value),
        };
        let salted = serde_json::to_vec(&Salted { salt: hex::encode(salt), value: value.into() })
            .map_err(|e| EngineError::Broken { what: e.to_string() })?;
        let blob = key.seal(name, &salted, self.random());
        Ok((commitment, SealedValue { name: name.into(), class: class.into(), blob }))
    }

    /// Opens a value that this record commits to: its salt and itself. `None`: its key was destroyed, or
    /// there is no such value.
    pub async fn opened(&self, id: &RunId, name: &str) -> Result<Option<([u8; 32], SecretString)>, EngineError> {
        let Some(sealed) = self.store.sealed(id, name).await? else { return Ok(None) };
        let Some(key) = self.existing_key(&id.tenant, &id.interaction, &sealed.class).await? else { return Ok(None) };
        let salted: Salted = serde_json::from_slice(&key.open(name, &sealed.blob)?)
            .map_err(|e| EngineError::Broken { what: e.to_string() })?;
        let salt = hex::decode(&salted.salt).ok().and_then(|s| <[u8; 32]>::try_from(s).ok());
        let salt = salt.ok_or_else(|| EngineError::Broken { what: format!("the salt of `{name}` is damaged") })?;
        Ok(Some((salt, SecretString::from(salted.value))))
    }

    async fn opened_or_broken(&self, id: &RunId, name: &str) -> Result<SecretString, EngineError> {
        let opened = self.opened(id, name).await?;
        opened.map(|(_, value)| value).ok_or_else(|| EngineError::Broken {
            what: format!("the sealed value `{name}` of `{}` is gone", id.interaction),
        })
    }

    /// The terms that a step offered.
    pub async fn terms(&self, id: &RunId, step: &str) -> Result<Terms, EngineError> {
        let value = self.opened_or_broken(id, &format!("{step}/terms")).await?;
        serde_json::from_str(value.expose_secret()).map_err(|e| EngineError::Broken { what: e.to_string() })
    }

    /// The amount that a step moves, and which part of how many it is.
    pub async fn amount(&self, run: &Run, amount: &Amount) -> Result<(Money, String), EngineError> {
        match amount {
            Amount::FirstPart { offer } => {
                let terms = self.terms(&run.id, offer).await?;
                let first = terms
                    .parts
                    .first()
                    .cloned()
                    .ok_or_else(|| EngineError::Broken { what: "terms without parts".into() })?;
                Ok((first, format!("1 of {}", terms.parts.len())))
            }
            Amount::Field(path) => {
                let field = self.field(run, path).await?;
                Ok((Money::parse(path, field.value.expose_secret())?, "1 of 1".into()))
            }
        }
    }

    /// Puts a card away by its token, under the key of `under`: its own where it goes soon, the interaction's where it
    /// stays on file, so that it is kept as long as the rules keep what that interaction sealed.
    pub async fn put_card(
        &self,
        tenant: &str,
        under: &str,
        token: &str,
        card: &selvedge_vault::Card,
        at: i64,
    ) -> Result<(), EngineError> {
        let stored = StoredCard {
            number: card.number().expose_secret().to_owned(),
            month: format!("{:02}", card.month()),
            year: card.year().to_string(),
        };
        let plain = zeroize::Zeroizing::new(
            serde_json::to_vec(&stored).map_err(|e| EngineError::Broken { what: e.to_string() })?,
        );
        let blob = self.key(tenant, under, Class::Pan.name()).await?.seal(token, &plain, self.random());
        Ok(self.store.put_card(tenant, token, &blob, at).await?)
    }

    /// The parts of a card for the gateway, as handles.
    pub async fn card(
        &self,
        tenant: &str,
        under: &str,
        token: &str,
        code: Option<SecretString>,
    ) -> Result<CardFields, EngineError> {
        let gone = || EngineError::Broken { what: "a card that was captured is not in the vault".into() };
        let blob = self.store.card(tenant, token).await?.ok_or_else(gone)?;
        let key = self.existing_key(tenant, under, Class::Pan.name()).await?.ok_or_else(gone)?;
        let plain = key.open(token, &blob)?;
        let card: StoredCard = serde_json::from_slice(&plain).map_err(|_| gone())?;
        let pan = |path: &str, value: String| Field {
            path: path.into(),
            class: "PAN".into(),
            value: SecretString::from(value),
        };
        Ok(CardFields {
            number: pan("card.number", card.number),
            expiry_month: pan("card.expiry-month", card.month),
            expiry_year: pan("card.expiry-year", card.year),
            code: code.map(|value| Field { path: "card.code".into(), class: "SAD".into(), value }),
        })
    }
}

/// A field by its path; that of an item of a list with its number, and no other with one.
fn in_dictionary<'d>(dictionary: &'d Dictionary, customer: &str, path: &str) -> Result<&'d FieldInfo, EngineError> {
    dictionary.at(path).ok_or_else(|| EngineError::NoSuchField { customer: customer.into(), field: path.into() })
}

/// Where the number of items of a list lies.
fn count_of(list: &str) -> String {
    format!("{list}#")
}

/// The lists that an import brings, and how many items each has: they are numbered from 1, without a gap.
fn lists(
    dictionary: &Dictionary,
    customer: &str,
    fields: &[(String, SecretString)],
) -> Result<BTreeMap<String, u32>, EngineError> {
    let mut numbers: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for (path, _) in fields {
        let name = path.split_once('#').map_or(path.as_str(), |(name, _)| name);
        if let (Some(list), Some(item)) = (dictionary.list_of(name), item_of(path)) {
            in_dictionary(dictionary, customer, path)?;
            numbers.entry(list.to_owned()).or_default().insert(item);
        }
    }
    let mut counts = BTreeMap::new();
    for (list, items) in numbers {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        if count > MAX_ITEMS || items.first() != Some(&1) || items.last() != Some(&count) {
            let wanted = format!("items numbered from #1 to at most #{MAX_ITEMS}, without a gap");
            return Err(EngineError::BadValue { field: list, wanted });
        }
        counts.insert(list, count);
    }
    Ok(counts)
}

/// An import adds to what was ever said about consent, to flags and to notes, and takes nothing of them back: an opt-out
/// and a dispute outlive it, and so does the method on file, which comes from the customer alone. What else it is silent
/// about stays, and so does a risk that was found here.
fn with_what_was_said(mut imported: CustomerState, before: CustomerState) -> CustomerState {
    fn or_before<T>(imported: &mut Vec<T>, before: Vec<T>) {
        if imported.is_empty() {
            *imported = before;
        }
    }
    or_before(&mut imported.zones, before.zones);
    or_before(&mut imported.jurisdictions, before.jurisdictions);
    for flag in before.flags {
        if !imported.flags.contains(&flag) {
            imported.flags.push(flag);
        }
    }
    for note in before.notes {
        if !imported.notes.iter().any(|newer| newer.what == note.what && newer.at >= note.at) {
            imported.notes.push(note);
        }
    }
    imported.convenient = imported.convenient.or(before.convenient);
    imported.method = before.method;
    imported.language = imported.language.or(before.language);
    for consent in before.consents {
        if !imported.consents.contains(&consent) {
            imported.consents.push(consent);
        }
    }
    imported.risks = before.risks;
    imported
}

/// A customer's state as it is kept.
pub fn to_json(state: &CustomerState) -> Result<String, EngineError> {
    serde_json::to_string(state).map_err(|e| EngineError::Broken { what: e.to_string() })
}

fn text(path: &str, bytes: &[u8]) -> Result<SecretString, EngineError> {
    std::str::from_utf8(bytes)
        .map(SecretString::from)
        .map_err(|_| EngineError::BadValue { field: path.into(), wanted: "text".into() })
}

/// Sealed blobs travel through the inbox as text.
pub fn to_base64(blob: &[u8]) -> String {
    BASE64.encode(blob)
}

/// The other way.
pub fn from_base64(text: &str) -> Result<Vec<u8>, EngineError> {
    BASE64.decode(text).map_err(|_| EngineError::Broken { what: "a sealed value is not base64".into() })
}
