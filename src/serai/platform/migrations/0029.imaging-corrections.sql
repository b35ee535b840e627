-- Whom a study shows, corrected by people: what is shown and searched changes, the bytes do not.
-- depends: 0003.imaging-archive 0028.imaging-trash

-- NULL while the study is as it was sent. `corrected` are the attributes that replace those sent;
-- instances that come later still name the patient as the sender knows them.
ALTER TABLE imaging_study ADD COLUMN sent_issuer text COLLATE "C";
ALTER TABLE imaging_study ADD COLUMN sent_patient_id text COLLATE "C";
ALTER TABLE imaging_study ADD COLUMN corrected jsonb;
ALTER TABLE imaging_study ADD COLUMN corrected_at timestamptz;
