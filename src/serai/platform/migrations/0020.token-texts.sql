-- The texts of codes and identifiers, for the modifier :text.
-- depends: 0001.fhir-store 0015.search-text

-- Filled with fhir_text by the next search for words, so that a write pays nothing for it.
CREATE TABLE fhir_token_text (
    type  text COLLATE "C" NOT NULL,
    param text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    id    text COLLATE "C" NOT NULL
);
CREATE INDEX fhir_token_text_value ON fhir_token_text (type, param, left(value, 200), id);
CREATE INDEX fhir_token_text_row ON fhir_token_text (type, id, param);

INSERT INTO fhir_text_pending (type, id) SELECT type, id FROM fhir_resource WHERE NOT deleted;
