-- Keys that sign what must be provable later; the private half is sealed.
-- depends: 0051.encryption-keys

CREATE TABLE signing_key (
    id          text COLLATE "C" PRIMARY KEY,
    purpose     text COLLATE "C" NOT NULL,
    algorithm   text COLLATE "C" NOT NULL,
    public      text NOT NULL,
    private     bytea NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now(),
    replaced_at timestamptz
);
CREATE UNIQUE INDEX signing_key_current ON signing_key (purpose, algorithm)
    WHERE replaced_at IS NULL;
