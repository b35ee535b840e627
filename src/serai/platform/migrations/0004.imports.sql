-- What `serai import` has acknowledged, so that running it again repeats nothing.
-- depends: 0001.fhir-store

-- One row per file content and custodian. `position` counts the parts done: resources of an
-- NDJSON file, entries of a batch, otherwise one.
CREATE TABLE import_file (
    digest       text COLLATE "C" NOT NULL,
    organisation text COLLATE "C" NOT NULL,
    place        text NOT NULL,
    form         text NOT NULL,
    position     bigint NOT NULL,
    finished     boolean NOT NULL,
    created      bigint NOT NULL,
    updated      bigint NOT NULL,
    unchanged    bigint NOT NULL,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (digest, organisation)
);

-- Parts that were refused; they are tried again by the next run.
CREATE TABLE import_refusal (
    digest       text COLLATE "C" NOT NULL,
    organisation text COLLATE "C" NOT NULL,
    position     bigint NOT NULL,
    place        text NOT NULL,
    key          text NOT NULL,
    reason       text NOT NULL,
    PRIMARY KEY (digest, organisation, position),
    FOREIGN KEY (digest, organisation) REFERENCES import_file (digest, organisation)
);
