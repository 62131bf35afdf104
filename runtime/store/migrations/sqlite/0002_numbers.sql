-- A customer's state has a version, so that what was decided on an older one is refused; a phone number is found by its
-- keyed hash.
ALTER TABLE customers ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fields ADD COLUMN number BLOB;
CREATE INDEX fields_number ON fields (tenant, number) WHERE number IS NOT NULL;
CREATE INDEX runs_customer ON runs (tenant, customer) WHERE over = 0;
