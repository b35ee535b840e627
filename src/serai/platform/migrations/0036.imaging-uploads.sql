-- Uploads that go on where they broke off; their bytes lie in SERAI_HOME/uploads until handed over.
-- depends: 0001.fhir-store

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
