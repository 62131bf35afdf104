-- The kill switch that halts a run: lifting it makes its runs due. Switches themselves are events.
ALTER TABLE runs ADD COLUMN halted TEXT;
CREATE INDEX runs_halted ON runs (tenant, halted) WHERE halted IS NOT NULL;
