-- Who was contacted how often: what contact rules count. `key` is the effect's, so that a contact counts once.
CREATE TABLE contacts (
    tenant TEXT NOT NULL, customer TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL,
    past TEXT NOT NULL, channel TEXT NOT NULL, purpose TEXT NOT NULL, account TEXT,
    PRIMARY KEY (tenant, customer, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX contacts_newest ON contacts (tenant, customer, past, at);
