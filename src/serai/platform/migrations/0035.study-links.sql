-- Links by which somebody without an account sees one study.
-- depends: 0001.fhir-store

-- Of the secret in a link's address only its SHA-256 is kept. Whoever opens it sees what
-- `organisation` may see of the study, so that a link ends when that does.
CREATE TABLE study_link (
    id            text COLLATE "C" PRIMARY KEY,
    secret_sha256 bytea NOT NULL UNIQUE,
    study         text COLLATE "C" NOT NULL,
    resource      text COLLATE "C" NOT NULL,
    organisation  text COLLATE "C" NOT NULL,
    made_by       text COLLATE "C" NOT NULL,
    made_by_name  text NOT NULL,
    purpose       text NOT NULL,
    made_at       timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    hides_name    boolean NOT NULL,
    download      boolean NOT NULL,
    passcode_hash text,
    most_views    integer CHECK (most_views > 0),
    views         integer NOT NULL DEFAULT 0,
    wrong_tries   integer NOT NULL DEFAULT 0,
    next_try_at   timestamptz
);
CREATE INDEX study_link_study ON study_link (study, organisation, made_at DESC);

-- Every opening, refusal and download, for those who made the link; the audit trail has them too.
CREATE TABLE study_link_event (
    link    text COLLATE "C" NOT NULL REFERENCES study_link (id),
    at      timestamptz NOT NULL,
    act     text NOT NULL,
    address text NOT NULL
);
CREATE INDEX study_link_event_link ON study_link_event (link, at DESC);

-- A browser that has opened links: the secret in its cookie, hashed, and which links.
CREATE TABLE study_link_visit (
    secret_sha256 bytea NOT NULL,
    link          text COLLATE "C" NOT NULL REFERENCES study_link (id),
    opened_at     timestamptz NOT NULL,
    PRIMARY KEY (secret_sha256, link)
);
CREATE INDEX study_link_visit_opened ON study_link_visit (opened_at);
