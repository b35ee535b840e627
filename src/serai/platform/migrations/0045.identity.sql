-- What people prove themselves with beside a password, how long they stay in, and where they work.
-- depends: 0002.accounts

ALTER TABLE account ADD COLUMN email text;

-- What an accounts feed calls the person, when the change was made, and which change it is.
ALTER TABLE account ADD COLUMN feed_id text COLLATE "C";
ALTER TABLE account ADD COLUMN fed boolean NOT NULL DEFAULT false;
ALTER TABLE account ADD COLUMN changed_at timestamptz;
ALTER TABLE account ADD COLUMN version integer NOT NULL DEFAULT 1;

-- Further places where the person works, each with the role held there.
CREATE TABLE account_place (
    account      text COLLATE "C" NOT NULL REFERENCES account (id),
    organisation text COLLATE "C" NOT NULL,
    role         text NOT NULL,
    practitioner text COLLATE "C",
    PRIMARY KEY (account, organisation, role)
);

-- `awaits` is what still stands between the password and the work: a second factor, or having
-- none where the role needs one. `organisation` and `role` name the place acted for, where it is
-- not the account's first. The address and browser are shown to the person alone.
ALTER TABLE account_session
    ADD COLUMN id           text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text UNIQUE,
    ADD COLUMN awaits       text CHECK (awaits IN ('factor', 'enrolment')),
    ADD COLUMN proved_at    timestamptz,
    ADD COLUMN proved_by    text,
    ADD COLUMN organisation text COLLATE "C",
    ADD COLUMN role         text,
    ADD COLUMN address      text NOT NULL DEFAULT '',
    ADD COLUMN agent        text NOT NULL DEFAULT '';

-- Roles without a row: one factor, half an hour idle, twelve hours in all.
CREATE TABLE role_policy (
    role        text PRIMARY KEY,
    two_factors boolean NOT NULL,
    idle        interval NOT NULL CHECK (idle BETWEEN '1 minute' AND '24 hours'),
    lifetime    interval NOT NULL CHECK (lifetime BETWEEN '5 minutes' AND '7 days')
);

-- The secret is sealed with a key that is not in the database; a code counts once, so the step
-- of the last one is kept. Unconfirmed until a first code shows that the app has the secret.
CREATE TABLE account_totp (
    account      text COLLATE "C" PRIMARY KEY REFERENCES account (id),
    sealed       bytea NOT NULL,
    begun_at     timestamptz NOT NULL,
    confirmed_at timestamptz,
    last_step    bigint NOT NULL DEFAULT 0
);

CREATE TABLE account_passkey (
    credential bytea PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    account    text COLLATE "C" NOT NULL REFERENCES account (id),
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name       text NOT NULL,
    added_at   timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX account_passkey_account ON account_passkey (account);

-- A challenge is answered once and soon.
CREATE TABLE passkey_challenge (
    challenge  bytea PRIMARY KEY,
    account    text COLLATE "C",
    expires_at timestamptz NOT NULL
);

CREATE TABLE account_recovery_code (
    account     text COLLATE "C" NOT NULL REFERENCES account (id),
    code_sha256 bytea NOT NULL,
    used_at     timestamptz,
    PRIMARY KEY (account, code_sha256)
);

-- A link that lets its holder choose a password, once.
CREATE TABLE account_link (
    secret_sha256 bytea PRIMARY KEY,
    account       text COLLATE "C" NOT NULL REFERENCES account (id),
    issued_at     timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);
CREATE INDEX account_link_account ON account_link (account) WHERE used_at IS NULL;

-- What the person should know: wrong tries, a factor added, a password set by somebody else.
CREATE TABLE account_notice (
    account text COLLATE "C" NOT NULL REFERENCES account (id),
    at      timestamptz NOT NULL,
    what    text NOT NULL,
    count   integer,
    address text NOT NULL DEFAULT '',
    seen_at timestamptz
);
CREATE INDEX account_notice_account ON account_notice (account, at DESC);

-- How often the login was locked in a row; every lock lasts twice as long as the one before.
ALTER TABLE sign_in_tries ADD COLUMN locks integer NOT NULL DEFAULT 0;
