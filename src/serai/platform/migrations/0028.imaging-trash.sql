-- What was deleted, until the trash is emptied: rows as they were, blobs untouched.
-- depends: 0003.imaging-archive

-- Goes up when a study's metadata changes though no instance came: an answer made before is stale.
ALTER TABLE imaging_study ADD COLUMN revision integer NOT NULL DEFAULT 0;

-- One row per deletion; `owner` is the organisation whose study it was, `study` and `content` are
-- the study's row and its ImagingStudy when the whole study went.
CREATE TABLE imaging_trash (
    id           text COLLATE "C" PRIMARY KEY,
    deleted_at   timestamptz NOT NULL,
    actor        text COLLATE "C" NOT NULL,
    actor_name   text NOT NULL,
    owner        text COLLATE "C",
    resource     text COLLATE "C" NOT NULL,
    study_uid    text COLLATE "C" NOT NULL,
    series_uid   text COLLATE "C",
    instance_uid text COLLATE "C",
    study        jsonb,
    content      jsonb
);
CREATE INDEX imaging_trash_owner ON imaging_trash (owner, deleted_at DESC);

CREATE TABLE imaging_trash_row (
    trash text COLLATE "C" NOT NULL REFERENCES imaging_trash (id) ON DELETE CASCADE,
    uid   text COLLATE "C" NOT NULL,
    -- NULL for a series.
    blob  text COLLATE "C",
    row   jsonb NOT NULL,
    PRIMARY KEY (trash, uid)
);
CREATE INDEX imaging_trash_row_blob ON imaging_trash_row (blob) WHERE blob IS NOT NULL;
