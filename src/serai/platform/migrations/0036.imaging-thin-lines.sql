-- For thin lines: uploads that go on where they broke off, small pictures drawn beforehand.
-- depends: 0003.imaging-archive

-- Bytes of uploads lie in SERAI_HOME/uploads until they are handed over.

-- `key` names the file to whoever sends it: asked for again, the same file is the same upload.
-- `purpose` is the page or errand it belongs to; `result` what became of it once handed over.
CREATE TABLE imaging_upload (
    id           text COLLATE "C" PRIMARY KEY,
    owner        text COLLATE "C" NOT NULL,
    organisation text COLLATE "C",
    length       bigint NOT NULL,
    filename     text NOT NULL,
    key          text COLLATE "C" NOT NULL,
    purpose      text COLLATE "C" NOT NULL,
    sha256       text COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    result       jsonb
);
CREATE INDEX imaging_upload_owner ON imaging_upload (owner, purpose, created_at);
CREATE INDEX imaging_upload_expires ON imaging_upload (expires_at);
CREATE UNIQUE INDEX imaging_upload_key ON imaging_upload (owner, coalesce(organisation, ''), purpose, key)
    WHERE key <> '' AND result IS NULL;

-- The small pictures of a study's series, one after the other, in the order of the light viewer.
-- `places` has 8 bytes for each (start, length; little endian), `version` the state of the study
-- they were drawn of, `instances` its count, by which a job sees that it has to be done again.
CREATE TABLE imaging_preview (
    study_uid text COLLATE "C" PRIMARY KEY REFERENCES imaging_study (uid) ON DELETE CASCADE,
    version   text COLLATE "C" NOT NULL,
    instances integer NOT NULL,
    places    bytea NOT NULL,
    content   bytea NOT NULL,
    made_at   timestamptz NOT NULL
);
-- Uncompressed, so that one picture is read without the others.
ALTER TABLE imaging_preview ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX imaging_preview_made ON imaging_preview (made_at);
CREATE INDEX imaging_study_received ON imaging_study (received_at);

-- What is deleted, its small picture included.
CREATE FUNCTION imaging_preview_forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM imaging_preview WHERE study_uid IN (SELECT study_uid FROM gone);
    RETURN NULL;
END $$;
CREATE TRIGGER imaging_preview_forget AFTER DELETE ON imaging_instance
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
    EXECUTE FUNCTION imaging_preview_forget();
