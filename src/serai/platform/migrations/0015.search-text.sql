-- The words of resources, for _text and _content.
-- depends: 0001.fhir-store

-- Written in the statement that changes a resource, read by the next search for words. It has no
-- index, so that a write pays next to nothing.
CREATE TABLE fhir_text_pending (
    type text COLLATE "C" NOT NULL,
    id   text COLLATE "C" NOT NULL
);

-- The vectors are made in Python: PostgreSQL's own parsers know no words in scripts without
-- spaces.
CREATE TABLE fhir_text (
    type      text COLLATE "C" NOT NULL,
    id        text COLLATE "C" NOT NULL,
    narrative tsvector NOT NULL,
    content   tsvector NOT NULL,
    PRIMARY KEY (type, id)
);
CREATE INDEX fhir_text_narrative ON fhir_text USING gin (narrative);
CREATE INDEX fhir_text_content ON fhir_text USING gin (content);

INSERT INTO fhir_text_pending (type, id) SELECT type, id FROM fhir_resource WHERE NOT deleted;
