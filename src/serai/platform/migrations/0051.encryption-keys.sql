-- Data keys, wrapped by a master key that is not in the database.
-- depends: 0001.fhir-store

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
