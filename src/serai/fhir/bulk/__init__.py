"""Work on many resources at once, as jobs: export (Bulk Data Access IG) and re-indexing."""
