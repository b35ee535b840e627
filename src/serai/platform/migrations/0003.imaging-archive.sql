-- The picture archive: index and ready-made metadata of DICOM objects. Pixels are blobs.
-- depends: 0001.fhir-store

-- One row per Study Instance UID. `resource` is the ImagingStudy kept in step, whose visibility
-- is the study's. The patient is (owner, issuer, patient_id): one number, two hospitals, two people.
-- `instances` and `series` are true while `settled`; otherwise they are counted when asked for.
CREATE TABLE imaging_study (
    uid              text COLLATE "C" PRIMARY KEY,
    resource         text COLLATE "C" NOT NULL UNIQUE,
    owner            text COLLATE "C",
    issuer           text COLLATE "C" NOT NULL,
    patient_id       text COLLATE "C" NOT NULL,
    name_alphabetic  text COLLATE "C" NOT NULL,
    name_ideographic text COLLATE "C" NOT NULL,
    name_phonetic    text COLLATE "C" NOT NULL,
    study_date       date,
    study_time       text COLLATE "C" NOT NULL,
    accession        text COLLATE "C" NOT NULL,
    modalities       text[] COLLATE "C" NOT NULL,
    instances        integer NOT NULL,
    series           integer NOT NULL,
    settled          boolean NOT NULL,
    attributes       jsonb NOT NULL,
    received_at      timestamptz NOT NULL
);
CREATE INDEX imaging_study_newest ON imaging_study (study_date DESC NULLS LAST, uid);
CREATE INDEX imaging_study_patient ON imaging_study (patient_id);
CREATE INDEX imaging_study_accession ON imaging_study (accession) WHERE accession <> '';
CREATE INDEX imaging_study_alphabetic ON imaging_study (left(name_alphabetic, 200));
CREATE INDEX imaging_study_ideographic ON imaging_study (left(name_ideographic, 200))
    WHERE name_ideographic <> '';
CREATE INDEX imaging_study_phonetic ON imaging_study (left(name_phonetic, 200))
    WHERE name_phonetic <> '';
CREATE INDEX imaging_study_modalities ON imaging_study USING gin (modalities);
CREATE INDEX imaging_study_unsettled ON imaging_study (received_at) WHERE NOT settled;

CREATE TABLE imaging_series (
    study_uid  text COLLATE "C" NOT NULL REFERENCES imaging_study (uid),
    uid        text COLLATE "C" NOT NULL,
    modality   text COLLATE "C" NOT NULL,
    number     integer,
    attributes jsonb NOT NULL,
    PRIMARY KEY (study_uid, uid)
);
CREATE INDEX imaging_series_uid ON imaging_series (uid);

-- `metadata` is the DICOM JSON as served, bulk data addresses relative to the DICOMweb root.
-- Frames: native ones lie `frame_bits` apart from `pixels_start` on; encapsulated ones are listed
-- in `frame_table`, 16 bytes each (start, length; little endian), uncompressed so that one frame's
-- place is read without the rest of the table.
CREATE TABLE imaging_instance (
    study_uid       text COLLATE "C" NOT NULL,
    series_uid      text COLLATE "C" NOT NULL,
    uid             text COLLATE "C" NOT NULL UNIQUE,
    sop_class       text COLLATE "C" NOT NULL,
    transfer_syntax text COLLATE "C" NOT NULL,
    number          integer,
    frames          integer NOT NULL,
    pixels_start    bigint,
    pixels_length   bigint,
    frame_bits      bigint,
    frame_table     bytea,
    blob            text COLLATE "C" NOT NULL,
    size            bigint NOT NULL,
    metadata        bytea NOT NULL,
    received_at     timestamptz NOT NULL,
    PRIMARY KEY (study_uid, series_uid, uid),
    FOREIGN KEY (study_uid, series_uid) REFERENCES imaging_series (study_uid, uid)
);
ALTER TABLE imaging_instance ALTER COLUMN frame_table SET STORAGE EXTERNAL;

-- Calling AE titles that may associate; `address` NULL accepts any.
CREATE TABLE dimse_peer (
    ae_title     text COLLATE "C" PRIMARY KEY,
    organisation text COLLATE "C",
    address      text COLLATE "C"
);
