-- The database's own clock, in microseconds: one for all nodes.
CREATE FUNCTION now_micros() RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

-- Nodes and until when their leases run. A node's runs are free for others from then on.
CREATE TABLE nodes (node text PRIMARY KEY, until bigint NOT NULL);

-- Events are appended; where they stand in the log is written elsewhere, so an event's row is never touched again.
CREATE TABLE events (
    tenant      text COLLATE "C" NOT NULL,
    interaction text COLLATE "C" NOT NULL,
    seq         bigint NOT NULL,
    body        text NOT NULL,
    PRIMARY KEY (tenant, interaction, seq)
);

-- The leaves of one turn, 32 bytes each. A turn gets its place in the log from the sequencer, after it was committed;
-- until then `first` is null.
CREATE TABLE leaves (
    tenant      text COLLATE "C" NOT NULL,
    interaction text COLLATE "C" NOT NULL,
    seq         bigint NOT NULL,
    hashes      bytea NOT NULL,
    arrival     bigint GENERATED ALWAYS AS IDENTITY,
    first       bigint,
    PRIMARY KEY (tenant, interaction, seq)
);
CREATE UNIQUE INDEX leaves_first ON leaves (first) WHERE first IS NOT NULL;
CREATE INDEX leaves_unplaced ON leaves (arrival) WHERE first IS NULL;

-- The right edge of the Merkle tree over the leaves that have a place.
CREATE TABLE log_edge (one int PRIMARY KEY CHECK (one = 1), edge text NOT NULL);
CREATE TABLE checkpoints (size bigint PRIMARY KEY, note text NOT NULL);

-- How many events a tenant's record of kill switches has: the epoch. Who writes a turn that rests on it holds the row.
CREATE TABLE epochs (tenant text PRIMARY KEY, epoch bigint NOT NULL);

-- What lists and the scheduler ask about a run; all but its lease can be folded from `events`. `owner` is the node
-- that drives it, `token` tells its lease from the ones before.
CREATE TABLE runs (
    tenant      text COLLATE "C" NOT NULL,
    interaction text COLLATE "C" NOT NULL,
    workflow    text NOT NULL,
    controls    text NOT NULL,
    customer    text NOT NULL,
    opened      bigint NOT NULL,
    updated     bigint NOT NULL,
    at          text NOT NULL,
    over        boolean NOT NULL,
    busy        boolean NOT NULL,
    wake        bigint,
    halted      text,
    closed      bigint,
    length      bigint NOT NULL,
    owner       text,
    token       bigint NOT NULL,
    PRIMARY KEY (tenant, interaction)
) WITH (fillfactor = 70);
CREATE INDEX runs_wake ON runs (wake) WHERE wake IS NOT NULL AND owner IS NULL;
CREATE INDEX runs_busy ON runs (updated) WHERE busy AND owner IS NULL;
CREATE INDEX runs_owner ON runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX runs_opened ON runs (tenant, opened);
CREATE INDEX runs_closed ON runs (tenant, closed, interaction) WHERE closed IS NOT NULL;
CREATE INDEX runs_halted ON runs (tenant, halted) WHERE halted IS NOT NULL;
CREATE INDEX runs_customer ON runs (tenant, customer) WHERE NOT over;

-- Consumed entries stay, without their body, so that the same thing delivered twice counts once.
CREATE TABLE inbox (
    number      bigint GENERATED ALWAYS AS IDENTITY,
    tenant      text COLLATE "C" NOT NULL,
    interaction text COLLATE "C" NOT NULL,
    dedupe      text NOT NULL,
    body        text NOT NULL,
    at          bigint NOT NULL,
    taken       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, interaction, dedupe)
);
CREATE INDEX inbox_waiting ON inbox (tenant, interaction, number) WHERE NOT taken;

CREATE TABLE customers (
    tenant text NOT NULL, customer text NOT NULL, state text NOT NULL, version bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, customer)
);
-- A phone number is found by its keyed hash.
CREATE TABLE fields (
    tenant text NOT NULL, customer text COLLATE "C" NOT NULL, path text NOT NULL, class text NOT NULL,
    blob bytea NOT NULL, number bytea,
    PRIMARY KEY (tenant, customer, path)
);
CREATE INDEX fields_number ON fields (tenant, number) WHERE number IS NOT NULL;

-- Who was contacted how often. `key` is the effect's, so that a contact counts once.
CREATE TABLE contacts (
    tenant text NOT NULL, customer text NOT NULL, key text NOT NULL, at bigint NOT NULL,
    past text NOT NULL, channel text NOT NULL, purpose text NOT NULL, account text,
    PRIMARY KEY (tenant, customer, key)
);
CREATE INDEX contacts_newest ON contacts (tenant, customer, past, at);

CREATE TABLE data_keys (
    tenant text NOT NULL, subject text NOT NULL, class text NOT NULL, wrapped bytea NOT NULL,
    PRIMARY KEY (tenant, subject, class)
);
CREATE TABLE sealed (
    tenant text NOT NULL, interaction text NOT NULL, name text NOT NULL, class text NOT NULL, blob bytea NOT NULL,
    PRIMARY KEY (tenant, interaction, name)
);
CREATE TABLE cards (
    tenant text NOT NULL, token text NOT NULL, blob bytea NOT NULL, at bigint NOT NULL,
    PRIMARY KEY (tenant, token)
);
-- Who presses a link does not say which tenant it is of; the id is a hash that nobody guesses.
CREATE TABLE links (id text PRIMARY KEY, tenant text NOT NULL, interaction text NOT NULL, step text NOT NULL);

CREATE TABLE definitions (
    tenant text NOT NULL, digest text NOT NULL, workflow text NOT NULL, files text NOT NULL,
    PRIMARY KEY (tenant, digest)
);
CREATE TABLE published (
    tenant text NOT NULL, workflow text NOT NULL, digest text NOT NULL, at bigint NOT NULL,
    PRIMARY KEY (tenant, workflow)
);

-- As with links: the hash of a token is all that a request brings.
CREATE TABLE sessions (token_hash text PRIMARY KEY, body text NOT NULL, last_used bigint NOT NULL);
