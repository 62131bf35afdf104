//! What turns leave behind besides where their runs stand, each kind in one statement.

use selvedge_engine::ports::store::{Commit, RunId};
use sqlx::PgConnection;

use crate::bodies::Packer;
use crate::rows::as_i64;

const EVENTS: &str = "WITH batch AS (INSERT INTO batches (hashes) VALUES ($1) RETURNING batch) \
    INSERT INTO turns (tenant, interaction, seq, batch, leaf, events, bodies) \
        SELECT n.tenant, n.interaction, n.seq, batch.batch, n.leaf, n.events, n.bodies FROM batch, \
        unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[]) \
        AS n(tenant, interaction, seq, leaf, events, bodies)";
const CONSUME: &str = "UPDATE inbox SET taken = true, body = '' \
    FROM unnest($1::text[], $2::text[], $3::bigint[]) AS n(tenant, interaction, number) \
    WHERE inbox.tenant = n.tenant AND inbox.interaction = n.interaction AND inbox.number = n.number AND NOT inbox.taken";
const SEAL: &str = "INSERT INTO sealed (tenant, interaction, name, class, blob) \
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[])";
const KEYS: &str = "INSERT INTO data_keys (tenant, subject, class, wrapped) \
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])";
const LINK: &str = "INSERT INTO links (id, tenant, interaction, step) \
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) ON CONFLICT (id) DO NOTHING";
const FORGET: &str = "WITH spent AS (SELECT * FROM unnest($1::text[], $2::text[]) AS n(tenant, token)), \
    cards AS (DELETE FROM cards USING spent WHERE cards.tenant = spent.tenant AND cards.token = spent.token) \
    DELETE FROM data_keys USING spent WHERE data_keys.tenant = spent.tenant AND data_keys.subject = spent.token";

const CHANGE: &str = "UPDATE customers SET state = n.state, version = version + 1 \
    FROM unnest($1::text[], $2::text[], $3::text[]) AS n(tenant, customer, state) \
    WHERE customers.tenant = n.tenant AND customers.customer = n.customer";

/// Everything that belongs to these turns.
pub async fn write(connection: &mut PgConnection, packer: &mut Packer, turns: &[&Commit]) -> Result<(), sqlx::Error> {
    events(connection, packer, turns).await?;
    consumed(connection, turns).await?;
    sealed(connection, turns).await?;
    keys(connection, turns).await?;
    links(connection, turns).await?;
    forgotten(connection, turns).await?;
    changed(connection, turns).await
}

/// One row for each turn, and one with the leaves of all.
async fn events(connection: &mut PgConnection, packer: &mut Packer, turns: &[&Commit]) -> Result<(), sqlx::Error> {
    let written: Vec<&&Commit> = turns.iter().filter(|turn| !turn.events.is_empty()).collect();
    if written.is_empty() {
        return Ok(());
    }
    let (mut hashes, mut leaves, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    for turn in &written {
        leaves.push(as_i64(hashes.len() as u64 / 32));
        bodies.push(packer.pack(&turn.events).map_err(|error| sqlx::Error::Encode(error.into()))?);
        hashes.extend(turn.events.iter().flat_map(|event| event.hash.0));
    }
    let query = sqlx::query(EVENTS)
        .bind(hashes)
        .bind(written.iter().map(|turn| turn.id.tenant.as_str()).collect::<Vec<_>>())
        .bind(written.iter().map(|turn| turn.id.interaction.as_str()).collect::<Vec<_>>())
        .bind(written.iter().filter_map(|turn| Some(as_i64(turn.events.first()?.seq))).collect::<Vec<_>>())
        .bind(leaves)
        .bind(written.iter().map(|turn| as_i64(turn.events.len() as u64)).collect::<Vec<_>>())
        .bind(bodies);
    query.execute(connection).await.map(|_| ())
}

async fn consumed(connection: &mut PgConnection, turns: &[&Commit]) -> Result<(), sqlx::Error> {
    let each = of_each(turns, |turn| &turn.consumed);
    if each.items.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = each.items.into_iter().copied().collect();
    let query = sqlx::query(CONSUME).bind(each.tenants).bind(each.interactions).bind(numbers);
    query.execute(connection).await.map(|_| ())
}

async fn sealed(connection: &mut PgConnection, turns: &[&Commit]) -> Result<(), sqlx::Error> {
    let each = of_each(turns, |turn| &turn.sealed);
    if each.items.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(SEAL)
        .bind(each.tenants)
        .bind(each.interactions)
        .bind(each.items.iter().map(|value| value.name.as_str()).collect::<Vec<_>>())
        .bind(each.items.iter().map(|value| value.class.as_str()).collect::<Vec<_>>())
        .bind(each.items.iter().map(|value| value.blob.as_slice()).collect::<Vec<_>>());
    query.execute(connection).await.map(|_| ())
}

async fn keys(connection: &mut PgConnection, turns: &[&Commit]) -> Result<(), sqlx::Error> {
    let each = of_each(turns, |turn| &turn.keys);
    if each.items.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(KEYS)
        .bind(each.tenants)
        .bind(each.interactions)
        .bind(each.items.iter().map(|key| key.class.as_str()).collect::<Vec<_>>())
        .bind(each.items.iter().map(|key| key.wrapped.as_slice()).collect::<Vec<_>>());
    query.execute(connection).await.map(|_| ())
}

async fn links(connection: &mut PgConnection, turns: &[&Commit]) -> Result<(), sqlx::Error> {
    let each = of_each(turns, |turn| &turn.links);
    if each.items.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(LINK)
        .bind(each.items.iter().map(|link| link.id.as_str()).collect::<Vec<_>>())
        .bind(each.tenants)
        .bind(each.interactions)
        .bind(each.items.iter().map(|link| link.step.as_str()).collect::<Vec<_>>());
    query.execute(connection).await.map(|_| ())
}

async fn forgotten(connection: &mut PgConnection, turns: &[&Commit]) -> Result<(), sqlx::Error> {
    let each = of_each(turns, |turn| turn.forget_card.as_slice());
    if each.items.is_empty() {
        return Ok(());
    }
    let tokens: Vec<&str> = each.items.into_iter().map(String::as_str).collect();
    sqlx::query(FORGET).bind(each.tenants).bind(tokens).execute(connection).await.map(|_| ())
}

/// What is known of customers from now on.
async fn changed(connection: &mut PgConnection, turns: &[&Commit]) -> Result<(), sqlx::Error> {
    let changes = turns.iter().filter_map(|turn| Some((turn, turn.known.as_ref()?)));
    let changes: Vec<(&str, &str, &str)> = changes
        .filter_map(|(turn, known)| Some((turn.id.tenant.as_str(), known.customer.as_str(), known.becomes.as_deref()?)))
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(CHANGE)
        .bind(changes.iter().map(|change| change.0).collect::<Vec<_>>())
        .bind(changes.iter().map(|change| change.1).collect::<Vec<_>>())
        .bind(changes.iter().map(|change| change.2).collect::<Vec<_>>());
    query.execute(connection).await.map(|_| ())
}

/// Parts of turns, each beside the run that it is of.
struct Each<'t, T> {
    tenants: Vec<&'t str>,
    interactions: Vec<&'t str>,
    items: Vec<&'t T>,
}

fn of_each<'t, T>(turns: &[&'t Commit], part: impl Fn(&'t Commit) -> &'t [T]) -> Each<'t, T> {
    let all: Vec<(&'t RunId, &'t T)> =
        turns.iter().flat_map(|turn| part(turn).iter().map(|item| (&turn.id, item))).collect();
    Each {
        tenants: all.iter().map(|(id, _)| id.tenant.as_str()).collect(),
        interactions: all.iter().map(|(id, _)| id.interaction.as_str()).collect(),
        items: all.into_iter().map(|(_, item)| item).collect(),
    }
}
