-- When an interaction closed: what retention counts from. It is looked for by that time among those that are over.
ALTER TABLE runs ADD COLUMN closed INTEGER;
UPDATE runs SET closed = updated WHERE over = 1;
CREATE INDEX runs_closed ON runs (tenant, closed) WHERE closed IS NOT NULL;
