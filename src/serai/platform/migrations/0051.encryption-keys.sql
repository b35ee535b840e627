-- Data keys, wrapped by a master key that is not in the database.
-- depends: 0034.deidentification 0045.identity

CREATE TABLE encryption_key (
    id         text COLLATE "C" PRIMARY KEY,
    purpose    text COLLATE "C" NOT NULL,
    algorithm  text COLLATE "C" NOT NULL,
    -- By which master key, for people; what it takes to unwrap is in `wrapped`.
    master     text NOT NULL,
    -- NULL once it is destroyed: the row stays, so that nothing is ever taken for unknown.
    wrapped    bytea,
    made_at    timestamptz NOT NULL DEFAULT now(),
    -- New things are sealed with the one that was never replaced.
    replaced_at timestamptz,
    -- Nothing that we keep needs it any more, but an older backup may.
    retired_at timestamptz
);
CREATE UNIQUE INDEX encryption_key_current ON encryption_key (purpose, algorithm)
    WHERE replaced_at IS NULL;

-- A column whose secrets earlier versions did not seal by such a key: the next start does. Whoever
-- adds a column of sealed secrets to a table that has rows names it here in the same migration.
CREATE TABLE encryption_due (
    table_name text PRIMARY KEY
);
INSERT INTO encryption_due SELECT 'account_totp' WHERE EXISTS (SELECT FROM account_totp);
INSERT INTO encryption_due
    SELECT 'deidentify_secret_key' WHERE EXISTS (SELECT FROM deidentify_secret_key);
INSERT INTO encryption_due
    SELECT 'Subscription' WHERE EXISTS (SELECT FROM fhir_resource WHERE type = 'Subscription');
