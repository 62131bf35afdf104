-- Events are appended in the order of the log; a record is read by its unique index.
CREATE TABLE events (
    idx         INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    interaction TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    hash        BLOB NOT NULL,
    body        TEXT NOT NULL,
    UNIQUE (tenant, interaction, seq)
) STRICT;

-- The right edge of the Merkle tree over `events`, moved in the same transaction as they are written.
CREATE TABLE log_edge (one INTEGER PRIMARY KEY CHECK (one = 1), edge TEXT NOT NULL) STRICT;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;

-- What lists and the scheduler ask about a run; all of it can be folded from `events`.
CREATE TABLE runs (
    tenant      TEXT NOT NULL,
    interaction TEXT NOT NULL,
    workflow    TEXT NOT NULL,
    controls    TEXT NOT NULL,
    customer    TEXT NOT NULL,
    opened      INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    at          TEXT NOT NULL,
    over        INTEGER NOT NULL,
    busy        INTEGER NOT NULL,
    wake        INTEGER,
    PRIMARY KEY (tenant, interaction)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_wake ON runs (wake) WHERE wake IS NOT NULL;
CREATE INDEX runs_busy ON runs (busy) WHERE busy = 1;
CREATE INDEX runs_opened ON runs (tenant, opened);
CREATE INDEX runs_updated ON runs (updated);

-- Consumed entries stay, without their body, so that the same thing delivered twice counts once.
CREATE TABLE inbox (
    number      INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    interaction TEXT NOT NULL,
    dedupe      TEXT NOT NULL,
    body        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    taken       INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, interaction, dedupe)
) STRICT;
CREATE INDEX inbox_waiting ON inbox (tenant, interaction, number) WHERE taken = 0;

CREATE TABLE customers (
    tenant TEXT NOT NULL, customer TEXT NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (tenant, customer)
) STRICT, WITHOUT ROWID;
CREATE TABLE fields (
    tenant TEXT NOT NULL, customer TEXT NOT NULL, path TEXT NOT NULL, class TEXT NOT NULL, blob BLOB NOT NULL,
    PRIMARY KEY (tenant, customer, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE data_keys (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, class TEXT NOT NULL, wrapped BLOB NOT NULL,
    PRIMARY KEY (tenant, subject, class)
) STRICT, WITHOUT ROWID;
CREATE TABLE sealed (
    tenant TEXT NOT NULL, interaction TEXT NOT NULL, name TEXT NOT NULL, class TEXT NOT NULL, blob BLOB NOT NULL,
    PRIMARY KEY (tenant, interaction, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE cards (
    tenant TEXT NOT NULL, token TEXT NOT NULL, blob BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (tenant, token)
) STRICT, WITHOUT ROWID;
CREATE TABLE links (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, interaction TEXT NOT NULL, step TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE definitions (
    tenant TEXT NOT NULL, digest TEXT NOT NULL, workflow TEXT NOT NULL, files TEXT NOT NULL,
    PRIMARY KEY (tenant, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE published (
    tenant TEXT NOT NULL, workflow TEXT NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (tenant, workflow)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (token_hash TEXT PRIMARY KEY, body TEXT NOT NULL, last_used INTEGER NOT NULL) STRICT, WITHOUT ROWID;
