-- Whether search values must be made anew before anybody is served: a migration that changes how
-- they are made says so here.
-- depends: 0001.fhir-store 0006.search-values 0015.search-text

CREATE TABLE fhir_index (
    due boolean NOT NULL
);
-- Keys are hashed in another way since 0007, and quantities are indexed since 0006.
INSERT INTO fhir_index (due) SELECT EXISTS (SELECT FROM fhir_resource);
