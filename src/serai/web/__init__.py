"""Pages: layout, components, forms, languages, sign-in. Knows nothing of FHIR, DICOM or care."""
