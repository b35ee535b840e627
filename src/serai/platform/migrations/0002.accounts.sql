-- Accounts, sessions, machine tokens and the brake on password guessing.
-- depends: 0001.fhir-store

-- `organisation` and `practitioner` are logical ids of FHIR resources; no foreign key, because
-- the store keeps deleted resources and an account may be opened before its Practitioner.
CREATE TABLE account (
    id            text COLLATE "C" PRIMARY KEY,
    login         text COLLATE "C" NOT NULL UNIQUE,
    name          text NOT NULL,
    password_hash text NOT NULL,
    role          text NOT NULL,
    organisation  text COLLATE "C" NOT NULL,
    practitioner  text COLLATE "C",
    language      text,
    created_at    timestamptz NOT NULL,
    disabled_at   timestamptz
);
CREATE INDEX account_practitioner ON account (practitioner);

-- Of every secret only its SHA-256 is kept: a stolen copy of the table opens nothing.
CREATE TABLE account_session (
    secret_sha256 bytea PRIMARY KEY,
    account       text COLLATE "C" NOT NULL REFERENCES account (id),
    opened_at     timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL,
    closed_at     timestamptz
);
CREATE INDEX account_session_account ON account_session (account) WHERE closed_at IS NULL;

CREATE TABLE access_token (
    id            text COLLATE "C" PRIMARY KEY,
    secret_sha256 bytea NOT NULL UNIQUE,
    name          text NOT NULL,
    scopes        text[] NOT NULL,
    organisation  text COLLATE "C",
    issued_at     timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz
);

-- Tries to sign in since `since`, per login and per address. The login is kept as a hash,
-- because people type their password into that field.
CREATE TABLE sign_in_tries (
    kind  text NOT NULL CHECK (kind IN ('login', 'address')),
    name  text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    tries integer NOT NULL,
    PRIMARY KEY (kind, name)
);
