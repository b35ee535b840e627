-- Numbers, quantities and places that resources are found by, and what stands beside a value.
-- depends: 0001.fhir-store

-- [low, high] as written and in the canonical unit of what is measured; `held` are the keys of
-- the first component where the value is part of a composite. No foreign key: rows are only
-- written with their resource, in one statement, and only read beside it.
CREATE TABLE fhir_quantity (
    type          text COLLATE "C" NOT NULL,
    param         text COLLATE "C" NOT NULL,
    low           numeric NOT NULL,
    high          numeric NOT NULL,
    measure       bigint,
    measured_low  numeric,
    measured_high numeric,
    code          text COLLATE "C",
    unit          text COLLATE "C",
    held          bigint[],
    id            text COLLATE "C" NOT NULL
);
CREATE INDEX fhir_quantity_written ON fhir_quantity (type, param, low, id);
CREATE INDEX fhir_quantity_measured ON fhir_quantity (type, param, measure, measured_low, id)
    WHERE measure IS NOT NULL;
-- Few values are ranges; those alone need their upper end found.
CREATE INDEX fhir_quantity_written_high ON fhir_quantity (type, param, high) WHERE low <> high;
CREATE INDEX fhir_quantity_measured_high ON fhir_quantity (type, param, measure, measured_high)
    WHERE low <> high;
CREATE INDEX fhir_quantity_row ON fhir_quantity (type, id, param);

CREATE TABLE fhir_position (
    type      text COLLATE "C" NOT NULL,
    param     text COLLATE "C" NOT NULL,
    latitude  double precision NOT NULL,
    longitude double precision NOT NULL,
    id        text COLLATE "C" NOT NULL
);
CREATE INDEX fhir_position_latitude ON fhir_position (type, param, latitude);
CREATE INDEX fhir_position_row ON fhir_position (type, id, param);

ALTER TABLE fhir_string ADD COLUMN held bigint[];
ALTER TABLE fhir_date ADD COLUMN held bigint[];
