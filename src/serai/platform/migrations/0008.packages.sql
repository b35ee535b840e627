-- Which FHIR packages have been loaded into the store.
-- depends: 0001.fhir-store

CREATE TABLE fhir_package (
    name      text COLLATE "C" NOT NULL,
    version   text COLLATE "C" NOT NULL,
    resources integer NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (name, version)
);
