-- Campaigns and their lists of customers, in the order in which they are taken up. What a campaign is are events; whether
-- an interaction of its is over says `runs`. Who takes customers up holds the campaign's row meanwhile.
CREATE TABLE campaigns (
    tenant text COLLATE "C" NOT NULL, campaign text COLLATE "C" NOT NULL, over boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, campaign)
);
CREATE INDEX campaigns_going ON campaigns (tenant, campaign) WHERE NOT over;

CREATE TABLE enlisted (
    number      bigint GENERATED ALWAYS AS IDENTITY,
    tenant      text COLLATE "C" NOT NULL,
    campaign    text COLLATE "C" NOT NULL,
    customer    text COLLATE "C" NOT NULL,
    interaction text COLLATE "C" NOT NULL,
    state       text NOT NULL DEFAULT 'queued',
    taken       bigint,
    why         text,
    PRIMARY KEY (tenant, campaign, customer)
);
CREATE INDEX enlisted_queued ON enlisted (tenant, campaign, number) WHERE state = 'queued';
CREATE INDEX enlisted_open ON enlisted (tenant, campaign, number) WHERE state = 'open';
CREATE INDEX enlisted_taken ON enlisted (tenant, campaign, taken) WHERE taken IS NOT NULL;
