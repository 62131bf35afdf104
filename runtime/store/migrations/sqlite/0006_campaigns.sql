-- Campaigns and their lists of customers, in the order in which they are taken up. What a campaign is are events; whether
-- an interaction of its is over says `runs`.
CREATE TABLE campaigns (
    tenant TEXT NOT NULL, campaign TEXT NOT NULL, over INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, campaign)
) STRICT, WITHOUT ROWID;
CREATE INDEX campaigns_going ON campaigns (tenant, campaign) WHERE over = 0;

CREATE TABLE enlisted (
    number      INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    campaign    TEXT NOT NULL,
    customer    TEXT NOT NULL,
    interaction TEXT NOT NULL,
    state       TEXT NOT NULL DEFAULT 'queued',
    taken       INTEGER,
    why         TEXT,
    UNIQUE (tenant, campaign, customer)
) STRICT;
CREATE INDEX enlisted_queued ON enlisted (tenant, campaign, number) WHERE state = 'queued';
CREATE INDEX enlisted_open ON enlisted (tenant, campaign, number) WHERE state = 'open';
CREATE INDEX enlisted_taken ON enlisted (tenant, campaign, taken) WHERE taken IS NOT NULL;
