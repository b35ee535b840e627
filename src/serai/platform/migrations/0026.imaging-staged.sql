-- Small objects whose files are written but not yet synced: their bytes are durable here, with
-- the index row and by the same commit, until a sync of many files at once has made them so.
-- depends: 0003.imaging-archive

CREATE TABLE imaging_staged (
    blob      text COLLATE "C" PRIMARY KEY,
    content   bytea NOT NULL,
    staged_at timestamptz NOT NULL
);
-- Compressing what is deleted a moment later is time lost.
ALTER TABLE imaging_staged ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE imaging_staged SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
