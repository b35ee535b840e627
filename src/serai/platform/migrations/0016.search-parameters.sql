-- Tells every process that the server's own SearchParameters changed.
-- depends: 0001.fhir-store

CREATE TABLE fhir_search_change (
    version uuid NOT NULL
);
INSERT INTO fhir_search_change (version) VALUES (gen_random_uuid());
