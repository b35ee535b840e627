"""FHIR operations (R4 §3.2): one file per `$name`, all listed in `catalogue`."""
