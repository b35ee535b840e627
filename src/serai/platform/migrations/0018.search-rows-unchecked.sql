-- Names and dates without foreign keys, as the other search values: rows are only written with
-- their resource, in one statement, resources are never removed, and a check for every row is a
-- trigger with a lookup and a lock of the resource's row.
-- depends: 0001.fhir-store 0006.search-values

ALTER TABLE fhir_string DROP CONSTRAINT fhir_string_type_id_fkey;
ALTER TABLE fhir_date DROP CONSTRAINT fhir_date_type_id_fkey;
