-- Code systems with every concept, value sets and concept maps, ready to be asked.
-- depends: 0001.fhir-store

-- What carries a canonical URL: one row per origin (HL7's package, a stored resource, a release
-- file) and version. `head` is the resource without its text, concepts, enumerations and mappings.
CREATE TABLE terminology_artifact (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text COLLATE "C" NOT NULL CHECK (kind IN ('CodeSystem', 'ValueSet', 'ConceptMap')),
    url      text COLLATE "C" NOT NULL,
    version  text COLLATE "C" NOT NULL DEFAULT '',
    origin   text COLLATE "C" NOT NULL CHECK (origin IN ('package', 'release', 'resource')),
    resource text COLLATE "C",
    rank     smallint NOT NULL,
    -- A code system's content code, and the value set that holds all of it.
    content  text COLLATE "C",
    implicit text COLLATE "C",
    -- A value set's rules without enumerated codes; a concept map's groups without elements.
    rules    jsonb,
    imports  text[] COLLATE "C" NOT NULL DEFAULT '{}',
    systems  text[] COLLATE "C" NOT NULL DEFAULT '{}',
    head     jsonb NOT NULL
);
CREATE INDEX terminology_artifact_url ON terminology_artifact (kind, url, rank);
CREATE INDEX terminology_artifact_implicit ON terminology_artifact (implicit)
    WHERE implicit IS NOT NULL;
CREATE UNIQUE INDEX terminology_artifact_resource ON terminology_artifact (kind, resource)
    WHERE resource IS NOT NULL;

-- `ancestors` are the ids of everything above, so that is-a is one index condition and
-- subsumption one row; `facts` are properties as "name" and "name=value".
CREATE SEQUENCE terminology_concept_id AS integer;
CREATE TABLE terminology_concept (
    id           integer PRIMARY KEY DEFAULT nextval('terminology_concept_id'),
    system       integer NOT NULL REFERENCES terminology_artifact ON DELETE CASCADE,
    code         text COLLATE "C" NOT NULL,
    display      text,
    definition   text,
    inactive     boolean NOT NULL,
    abstract     boolean NOT NULL,
    position     integer NOT NULL,
    ancestors    integer[] NOT NULL,
    facts        text[] COLLATE "C" NOT NULL,
    words        tsvector NOT NULL,
    designations jsonb,
    properties   jsonb,
    UNIQUE (system, code)
);
CREATE INDEX terminology_concept_position ON terminology_concept (system, position);
CREATE INDEX terminology_concept_ancestors ON terminology_concept USING gin (ancestors);
CREATE INDEX terminology_concept_facts ON terminology_concept USING gin (facts);
CREATE INDEX terminology_concept_words ON terminology_concept USING gin (words);

-- Codes that a value set enumerates; `rule` is the place in compose.include or, from 10000 on,
-- in compose.exclude.
CREATE TABLE terminology_member (
    value_set    integer NOT NULL REFERENCES terminology_artifact ON DELETE CASCADE,
    rule         integer NOT NULL,
    code         text COLLATE "C" NOT NULL,
    display      text,
    position     integer NOT NULL,
    words        tsvector NOT NULL,
    designations jsonb
);
CREATE INDEX terminology_member_code ON terminology_member (value_set, rule, code);

CREATE TABLE terminology_mapping (
    map           integer NOT NULL REFERENCES terminology_artifact ON DELETE CASCADE,
    source_system text COLLATE "C",
    source_code   text COLLATE "C" NOT NULL,
    target_system text COLLATE "C",
    target_code   text COLLATE "C",
    equivalence   text COLLATE "C" NOT NULL,
    position      integer NOT NULL,
    target        jsonb NOT NULL
);
CREATE INDEX terminology_mapping_map ON terminology_mapping (map);
CREATE INDEX terminology_mapping_source ON terminology_mapping (source_code, source_system);
CREATE INDEX terminology_mapping_target ON terminology_mapping (target_code, target_system);

-- Client-named closure tables (R4 §4.8.6), each seen by its own organisation only.
CREATE TABLE terminology_closure (
    owner   text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (owner, name)
);
CREATE TABLE terminology_closure_code (
    owner  text COLLATE "C" NOT NULL,
    name   text COLLATE "C" NOT NULL,
    system text COLLATE "C" NOT NULL,
    code   text COLLATE "C" NOT NULL,
    since  integer NOT NULL,
    PRIMARY KEY (owner, name, system, code),
    FOREIGN KEY (owner, name) REFERENCES terminology_closure ON DELETE CASCADE
);
