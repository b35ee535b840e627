-- When a series is complete, and what analysers made of it.
-- depends: 0001.fhir-store 0003.imaging-archive 0012.jobs

-- Studies to look at: something has come and nobody has judged yet whether their series are
-- complete. `ended_at` is when a sender last finished; NULL while the first is still sending.
CREATE TABLE imaging_arrival (
    study_uid text COLLATE "C" PRIMARY KEY,
    ended_at  timestamptz,
    look_at   timestamptz NOT NULL
);
CREATE INDEX imaging_arrival_due ON imaging_arrival (look_at);

CREATE FUNCTION imaging_series_arrived() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO imaging_arrival (study_uid, look_at)
    SELECT DISTINCT study_uid, now() FROM fresh ORDER BY study_uid
    ON CONFLICT (study_uid) DO UPDATE SET look_at = EXCLUDED.look_at;
    RETURN NULL;
END $$;
CREATE TRIGGER imaging_series_arrived AFTER INSERT ON imaging_series
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION imaging_series_arrived();

-- Which instances a modality says a series has: by a completed performed procedure step or by
-- asking for storage commitment. `organisation` is the modality's, '' when it has none.
CREATE TABLE imaging_told (
    series_uid   text COLLATE "C" NOT NULL,
    source       text NOT NULL CHECK (source IN ('mpps', 'commitment')),
    organisation text COLLATE "C" NOT NULL,
    instances    text[] COLLATE "C" NOT NULL,
    told_at      timestamptz NOT NULL,
    PRIMARY KEY (series_uid, source, organisation)
);
CREATE INDEX imaging_told_at ON imaging_told (told_at);

-- The last judgement of each series; `input` is the digest of the instances it was about.
CREATE TABLE imaging_complete (
    study_uid   text COLLATE "C" NOT NULL,
    series_uid  text COLLATE "C" NOT NULL,
    instances   integer NOT NULL,
    input       text COLLATE "C" NOT NULL,
    reason      text NOT NULL,
    complete_at timestamptz NOT NULL,
    PRIMARY KEY (study_uid, series_uid)
);

-- One analyser's look at one series as it was. Of each pair exactly one row is `current`.
CREATE TABLE imaging_analysis (
    id          text COLLATE "C" PRIMARY KEY,
    study_uid   text COLLATE "C" NOT NULL,
    series_uid  text COLLATE "C" NOT NULL,
    resource    text COLLATE "C" NOT NULL,
    owner       text COLLATE "C",
    analyser    text COLLATE "C" NOT NULL,
    title       text NOT NULL,
    revision    text COLLATE "C" NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    input       text COLLATE "C" NOT NULL,
    reason      text NOT NULL,
    current     boolean NOT NULL DEFAULT true,
    state       text NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'running', 'done', 'failed', 'abstained')),
    tries       integer NOT NULL DEFAULT 0,
    why         text,
    details     jsonb NOT NULL DEFAULT '{}',
    result      jsonb NOT NULL DEFAULT '{}',
    isolation   text[] NOT NULL DEFAULT '{}',
    observation text COLLATE "C",
    objects     text[] COLLATE "C" NOT NULL DEFAULT '{}',
    asked_at    timestamptz NOT NULL,
    started_at  timestamptz,
    finished_at timestamptz
);
CREATE UNIQUE INDEX imaging_analysis_current
    ON imaging_analysis (study_uid, series_uid, analyser) WHERE current;
CREATE INDEX imaging_analysis_revision ON imaging_analysis (analyser, revision) WHERE current;
CREATE INDEX imaging_analysis_newest ON imaging_analysis (owner, asked_at DESC, id) WHERE current;
