-- Organisations' own identity providers, at which their people sign in (OpenID Connect).
-- depends: 0045.identity

-- `two_factors` are the acr and amr values that stand for two factors there. The client's secret
-- is sealed with a key that is not in the database.
CREATE TABLE identity_provider (
    id           text COLLATE "C" PRIMARY KEY,
    organisation text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    issuer       text NOT NULL,
    client_id    text NOT NULL,
    sealed       bytea,
    two_factors  text[] NOT NULL,
    added_at     timestamptz NOT NULL,
    removed_at   timestamptz
);

-- Who somebody is there. Only the provider's own subject says so, never a name or an address.
CREATE TABLE identity_link (
    provider  text COLLATE "C" NOT NULL REFERENCES identity_provider (id),
    subject   text COLLATE "C" NOT NULL,
    account   text COLLATE "C" NOT NULL REFERENCES account (id),
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (provider, subject),
    UNIQUE (provider, account)
);

-- Browsers that are on their way there and back; `account` is whose link is being made.
CREATE TABLE identity_visit (
    secret_sha256 bytea PRIMARY KEY,
    provider      text COLLATE "C" NOT NULL REFERENCES identity_provider (id),
    account       text COLLATE "C" REFERENCES account (id),
    afresh        boolean NOT NULL,
    back          text NOT NULL,
    begun_at      timestamptz NOT NULL
);
