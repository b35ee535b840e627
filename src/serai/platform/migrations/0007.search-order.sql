-- Every search by key reads the whole list of keys not yet merged into the index; with the
-- default of 4 MB that list, not the index, is what a search spends its time on.
-- depends: 0001.fhir-store

ALTER INDEX fhir_resource_keys SET (gin_pending_list_limit = 64);
