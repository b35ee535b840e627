-- Apps that act for people or for themselves (SMART App Launch), and what each was allowed.
-- depends: 0045.identity

-- `organisation` is whose people may use it, or whose record a service of its own works on;
-- nobody's means the whole network's. Of a secret only its SHA-256 is kept. `origins` are the web
-- pages whose scripts may call: those of the redirect addresses of an app without a secret.
CREATE TABLE app (
    id            text COLLATE "C" PRIMARY KEY,
    name          text NOT NULL,
    organisation  text COLLATE "C",
    method        text NOT NULL
                  CHECK (method IN ('none', 'client_secret_basic', 'private_key_jwt')),
    secret_sha256 bytea,
    jwks          jsonb,
    jwks_uri      text,
    redirect_uris text[] NOT NULL,
    origins       text[] NOT NULL,
    launch_uri    text,
    scopes        text[] NOT NULL,
    registered_at timestamptz NOT NULL,
    revoked_at    timestamptz,
    CHECK ((method = 'client_secret_basic') = (secret_sha256 IS NOT NULL)),
    CHECK ((method = 'private_key_jwt') = (jwks IS NOT NULL OR jwks_uri IS NOT NULL))
);

-- A patient's chart from which somebody opened an app; used once, by whoever opened it.
CREATE TABLE app_launch (
    secret_sha256 bytea PRIMARY KEY,
    app           text COLLATE "C" NOT NULL REFERENCES app (id),
    account       text COLLATE "C" NOT NULL REFERENCES account (id),
    patient       text COLLATE "C" NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);

-- What an app asks for, until somebody answers.
CREATE TABLE app_request (
    secret_sha256 bytea PRIMARY KEY,
    app           text COLLATE "C" NOT NULL REFERENCES app (id),
    redirect_uri  text NOT NULL,
    state         text,
    scopes        text[] NOT NULL,
    challenge     text NOT NULL,
    nonce         text,
    account       text COLLATE "C" REFERENCES account (id),
    patient       text COLLATE "C",
    fresh_since   timestamptz,
    expires_at    timestamptz NOT NULL,
    answered_at   timestamptz
);

-- What somebody allowed an app, at the place they then acted for. Everything issued for it hangs
-- on it and ends with it. `session` is the session that it ends with.
CREATE TABLE app_grant (
    id           text COLLATE "C" PRIMARY KEY,
    app          text COLLATE "C" NOT NULL REFERENCES app (id),
    account      text COLLATE "C" NOT NULL REFERENCES account (id),
    organisation text COLLATE "C" NOT NULL,
    role         text NOT NULL,
    scopes       text[] NOT NULL,
    patient      text COLLATE "C",
    session      text COLLATE "C",
    nonce        text,
    proved_at    timestamptz NOT NULL,
    proved_by    text NOT NULL,
    given_at     timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    ended_at     timestamptz
);
CREATE INDEX app_grant_account ON app_grant (account) WHERE ended_at IS NULL;

CREATE TABLE app_code (
    secret_sha256 bytea PRIMARY KEY,
    app_grant     text COLLATE "C" NOT NULL REFERENCES app_grant (id),
    redirect_uri  text NOT NULL,
    challenge     text NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);

CREATE TABLE app_refresh (
    secret_sha256 bytea PRIMARY KEY,
    app_grant     text COLLATE "C" NOT NULL REFERENCES app_grant (id),
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);

ALTER TABLE access_token
    ADD COLUMN app       text COLLATE "C" REFERENCES app (id),
    ADD COLUMN app_grant text COLLATE "C" REFERENCES app_grant (id);

-- Assertions that were used (RFC 7523 §3, jti), until they are over anyway.
CREATE TABLE app_assertion (
    app        text COLLATE "C" NOT NULL REFERENCES app (id),
    jti_sha256 bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (app, jti_sha256)
);

-- What identity tokens are signed with. The private half is sealed with a key that is not in the
-- database; the public half is shown until everything signed with it is over.
CREATE TABLE identity_signing_key (
    id         text COLLATE "C" PRIMARY KEY,
    public     jsonb NOT NULL,
    sealed     bytea NOT NULL,
    made_at    timestamptz NOT NULL,
    retired_at timestamptz
);
