-- Lists of studies in order for each organisation, however many studies others have. These columns
-- only propose rows: whether one may be seen is decided by the record, row by row, as everywhere.
-- depends: 0001.fhir-store 0003.imaging-archive

-- The one organisation that keeps every patient of the study; NULL when there is none, '?' while a
-- patient is not known here.
ALTER TABLE imaging_study ADD COLUMN custodian text COLLATE "C";

CREATE FUNCTION imaging_custodian(about text[]) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN count(*) = 0 THEN NULL
                WHEN count(kept.id) < count(*) THEN '?'
                WHEN count(kept.owner) = count(*) AND min(kept.owner) = max(kept.owner)
                    THEN min(kept.owner) END
    FROM unnest(about) AS one(id)
    LEFT JOIN fhir_resource kept ON kept.type = 'Patient' AND kept.id = one.id
$$;

CREATE FUNCTION imaging_study_arrived() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.custodian := imaging_custodian((
        SELECT r.patients FROM fhir_resource r
        WHERE r.type = 'ImagingStudy' AND r.id = NEW.resource));
    RETURN NEW;
END $$;
CREATE TRIGGER imaging_study_arrived BEFORE INSERT ON imaging_study
    FOR EACH ROW EXECUTE FUNCTION imaging_study_arrived();

CREATE FUNCTION imaging_study_linked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE imaging_study SET custodian = imaging_custodian(NEW.patients), owner = NEW.owner
    WHERE resource = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER imaging_study_linked AFTER UPDATE ON fhir_resource FOR EACH ROW
    WHEN (NEW.type = 'ImagingStudy' AND (NEW.patients, NEW.owner)
          IS DISTINCT FROM (OLD.patients, OLD.owner))
    EXECUTE FUNCTION imaging_study_linked();

CREATE FUNCTION imaging_patient_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE imaging_study SET custodian = imaging_custodian(r.patients)
    FROM fhir_resource r
    WHERE r.type = 'ImagingStudy' AND r.patients @> ARRAY[NEW.id]
      AND imaging_study.resource = r.id;
    RETURN NULL;
END $$;
CREATE TRIGGER imaging_patient_moved AFTER UPDATE ON fhir_resource FOR EACH ROW
    WHEN (NEW.type = 'Patient' AND NEW.owner IS DISTINCT FROM OLD.owner)
    EXECUTE FUNCTION imaging_patient_moved();

UPDATE imaging_study SET custodian = imaging_custodian(r.patients)
FROM fhir_resource r WHERE r.type = 'ImagingStudy' AND r.id = imaging_study.resource;

CREATE INDEX imaging_study_owner ON imaging_study (owner, study_date DESC NULLS LAST, uid);
CREATE INDEX imaging_study_custodian ON imaging_study (custodian, study_date DESC NULLS LAST, uid)
    WHERE custodian IS NOT NULL;

-- The words of a name in all three component groups, and each group written in one: what fuzzy
-- matching compares, in any order.
CREATE FUNCTION imaging_name_words(alphabetic text, ideographic text, phonetic text)
RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_remove(
        string_to_array(translate(
            alphabetic || '^' || ideographic || '^' || phonetic, ' ,-.', '^^^^'), '^')
        || ARRAY[translate(alphabetic, '^ ,-.', ''), translate(ideographic, '^ ,-.', ''),
                 translate(phonetic, '^ ,-.', '')], '')
$$;
CREATE INDEX imaging_study_words ON imaging_study
    USING gin (imaging_name_words(name_alphabetic, name_ideographic, name_phonetic));
