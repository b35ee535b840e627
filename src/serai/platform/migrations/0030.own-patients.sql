-- depends: 0001.fhir-store

-- An organisation lists its own patients without walking everybody's.
CREATE INDEX fhir_resource_own_patients ON fhir_resource (owner, id) WHERE type = 'Patient';
