-- A record gets a number when it is opened, and what grows with every turn is keyed by it: what is written together lies
-- together, so a commit of many turns dirties few pages. Who asks from outside names tenant and interaction, never a number.
CREATE TABLE records (
    record      INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    interaction TEXT NOT NULL,
    UNIQUE (tenant, interaction)
) STRICT;
INSERT INTO records (tenant, interaction) SELECT tenant, interaction FROM events WHERE seq = 0 ORDER BY idx;

-- The events of a turn, which are written once and never one by one. `idx` is the first one's place in the log, `seq` the
-- one in its record; `hashes` are 32 bytes each; `bodies` are as `sqlite/bodies.rs` packs them.
CREATE TABLE turns (
    idx    INTEGER PRIMARY KEY,
    record INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    bodies BLOB NOT NULL
) STRICT;
INSERT INTO turns (idx, record, seq, hashes, bodies)
    SELECT idx, record, seq, hash, CAST(body AS BLOB) FROM events JOIN records USING (tenant, interaction) ORDER BY idx;
DROP TABLE events;
CREATE UNIQUE INDEX turns_record ON turns (record, seq);

-- The newest time of a run stands beside the edge, instead of in an index that every commit moves.
ALTER TABLE log_edge ADD COLUMN newest INTEGER;
UPDATE log_edge SET newest = (SELECT max(updated) FROM runs);

ALTER TABLE runs RENAME TO runs_before;
CREATE TABLE runs (
    record   INTEGER PRIMARY KEY,
    tenant   TEXT NOT NULL,
    workflow TEXT NOT NULL,
    controls TEXT NOT NULL,
    customer TEXT NOT NULL,
    opened   INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    at       TEXT NOT NULL,
    over     INTEGER NOT NULL,
    busy     INTEGER NOT NULL,
    wake     INTEGER,
    halted   TEXT,
    closed   INTEGER
) STRICT;
INSERT INTO runs
    SELECT record, tenant, workflow, controls, customer, opened, updated, at, over, busy, wake, halted, closed
    FROM runs_before JOIN records USING (tenant, interaction) ORDER BY record;
DROP TABLE runs_before;
CREATE INDEX runs_wake ON runs (wake) WHERE wake IS NOT NULL;
CREATE INDEX runs_busy ON runs (busy) WHERE busy = 1;
CREATE INDEX runs_opened ON runs (tenant, opened);
CREATE INDEX runs_customer ON runs (tenant, customer) WHERE over = 0;
CREATE INDEX runs_halted ON runs (tenant, halted) WHERE halted IS NOT NULL;
CREATE INDEX runs_closed ON runs (tenant, closed) WHERE closed IS NOT NULL;

ALTER TABLE sealed RENAME TO sealed_before;
CREATE TABLE sealed (
    number INTEGER PRIMARY KEY, record INTEGER NOT NULL, name TEXT NOT NULL, class TEXT NOT NULL, blob BLOB NOT NULL
) STRICT;
INSERT INTO sealed (record, name, class, blob)
    SELECT record, name, class, blob FROM sealed_before JOIN records USING (tenant, interaction) ORDER BY record;
DROP TABLE sealed_before;
CREATE UNIQUE INDEX sealed_name ON sealed (record, name);
