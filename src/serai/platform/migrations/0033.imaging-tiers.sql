-- Where pictures lie (hot or cold), when they were looked at, and whether their bytes are whole.
-- depends: 0032.imaging-keeping

-- Studies nobody has looked at for `days` go to the cold place; '' is every organisation without
-- a rule of its own.
CREATE TABLE imaging_tier_rule (
    owner  text COLLATE "C" PRIMARY KEY,
    days   integer NOT NULL CHECK (days BETWEEN 1 AND 73000),
    set_by text COLLATE "C" NOT NULL,
    set_at timestamptz NOT NULL
);

CREATE TABLE imaging_viewed (
    study_uid text COLLATE "C" PRIMARY KEY,
    at        timestamptz NOT NULL
);

-- A study that is not simply hot. Hot copies go only in `moving`, cold ones only in `returning`,
-- each in a transaction that holds the row; `token` tells this stay from an earlier or later one.
CREATE TABLE imaging_cold (
    study_uid text COLLATE "C" PRIMARY KEY,
    token     text COLLATE "C" NOT NULL,
    state     text NOT NULL
              CHECK (state IN ('copying', 'moving', 'cold', 'recalling', 'returning')),
    since     timestamptz NOT NULL,
    done      integer NOT NULL DEFAULT 0,
    total     integer NOT NULL DEFAULT 0
);
CREATE INDEX imaging_cold_on_its_way ON imaging_cold (state) WHERE state <> 'cold';

-- What the scrub found: bytes that are not there, not the same, or referred to by nothing.
CREATE TABLE imaging_finding (
    blob         text COLLATE "C" NOT NULL,
    place        text NOT NULL CHECK (place IN ('hot', 'cold')),
    kind         text NOT NULL CHECK (kind IN ('missing', 'damaged', 'orphan')),
    study_uid    text COLLATE "C",
    instance_uid text COLLATE "C",
    owner        text COLLATE "C",
    found_at     timestamptz NOT NULL,
    PRIMARY KEY (blob, place, kind)
);
CREATE INDEX imaging_finding_owner ON imaging_finding (owner, found_at DESC);

-- What a scrub has listed of a place and not yet met a row for.
CREATE TABLE imaging_listed (
    blob text COLLATE "C" PRIMARY KEY
);
