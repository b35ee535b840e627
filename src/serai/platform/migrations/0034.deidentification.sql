-- Projects that teaching and research take studies from, without the patients.
-- depends: 0001.fhir-store 0003.imaging-archive 0012.jobs

CREATE TABLE deidentify_project (
    id           text COLLATE "C" PRIMARY KEY,
    organisation text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    purpose      text NOT NULL,
    options      text[] NOT NULL,
    writing      text NOT NULL CHECK (writing IN ('all', 'identifying')),
    stored       boolean NOT NULL,
    keeper       text COLLATE "C" NOT NULL,
    keeper_name  text NOT NULL,
    created_at   timestamptz NOT NULL,
    job          text COLLATE "C"
);
CREATE INDEX deidentify_project_newest ON deidentify_project (organisation, created_at DESC, id);

-- Who may: nobody else sees that the project is there.
CREATE TABLE deidentify_member (
    project text COLLATE "C" NOT NULL REFERENCES deidentify_project (id) ON DELETE CASCADE,
    actor   text COLLATE "C" NOT NULL,
    name    text NOT NULL,
    PRIMARY KEY (project, actor)
);
CREATE INDEX deidentify_member_actor ON deidentify_member (actor);

-- What is to be taken, and what came of it; no study refers to the other.
CREATE TABLE deidentify_study (
    project   text COLLATE "C" NOT NULL REFERENCES deidentify_project (id) ON DELETE CASCADE,
    study_uid text COLLATE "C" NOT NULL,
    added_at  timestamptz NOT NULL,
    PRIMARY KEY (project, study_uid)
);

-- `blob` is NULL where the object is in the archive as a study of its own.
CREATE TABLE deidentify_object (
    project     text COLLATE "C" NOT NULL REFERENCES deidentify_project (id) ON DELETE CASCADE,
    uid         text COLLATE "C" NOT NULL,
    study_uid   text COLLATE "C" NOT NULL,
    series_uid  text COLLATE "C" NOT NULL,
    pseudonym   text NOT NULL,
    blob        text COLLATE "C",
    size        bigint NOT NULL,
    regions     integer NOT NULL,
    identifying integer NOT NULL,
    PRIMARY KEY (project, uid)
);
CREATE INDEX deidentify_object_blob ON deidentify_object (blob);

CREATE TABLE deidentify_refusal (
    project    text COLLATE "C" NOT NULL REFERENCES deidentify_project (id) ON DELETE CASCADE,
    source_uid text COLLATE "C" NOT NULL,
    study_uid  text COLLATE "C" NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (project, source_uid)
);

-- What leads back. Read by one module only (deidentify/projects/secrets.py); in no export, no
-- answer and no backup that leaves the house. Gone with the project, and then nothing leads back.
CREATE TABLE deidentify_secret_key (
    project text COLLATE "C" PRIMARY KEY REFERENCES deidentify_project (id) ON DELETE CASCADE,
    key     bytea NOT NULL
);
CREATE TABLE deidentify_secret_subject (
    project   text COLLATE "C" NOT NULL REFERENCES deidentify_project (id) ON DELETE CASCADE,
    known_as  text COLLATE "C" NOT NULL,
    pseudonym text NOT NULL,
    PRIMARY KEY (project, known_as)
);
CREATE INDEX deidentify_secret_subject_back ON deidentify_secret_subject (project, pseudonym);
CREATE TABLE deidentify_secret_origin (
    project    text COLLATE "C" NOT NULL REFERENCES deidentify_project (id) ON DELETE CASCADE,
    source_uid text COLLATE "C" NOT NULL,
    uid        text COLLATE "C" NOT NULL,
    PRIMARY KEY (project, source_uid)
);
