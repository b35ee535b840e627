-- How far making search values anew has come, so that it goes on there after an interruption.
-- A migration that sets `due` again also sets both to ''.
-- depends: 0019.search-values-due

ALTER TABLE fhir_index
    ADD COLUMN type  text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN after text COLLATE "C" NOT NULL DEFAULT '';
