-- Which parts of the demonstration this database holds, so that each is loaded once.
-- depends: 0001.fhir-store

CREATE TABLE demonstration (
    part    text PRIMARY KEY,
    done_at timestamptz NOT NULL
);
