-- The search values of one row, so that testing or sorting the rows of a narrow search touches
-- the index only.
-- depends: 0001.fhir-store

CREATE INDEX fhir_date_row ON fhir_date (type, id, param) INCLUDE (low, high);
CREATE INDEX fhir_string_row ON fhir_string (type, id, param);
DROP INDEX fhir_date_owner;
DROP INDEX fhir_string_owner;
