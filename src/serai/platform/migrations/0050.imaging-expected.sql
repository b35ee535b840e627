-- The next picture of a series that is there: one statement for what every picture of a series
-- after its first costs. And no bytes in the database any more: small objects, too, are durable by
-- the log of blobs. Rows that are here stand for files which the last clean stop has synced.
-- depends: 0032.imaging-keeping 0026.imaging-staged

DROP TABLE imaging_staged;

-- `bucket` is the lock held against whoever lets go of blobs. False when the UID is taken.
-- KEY SHARE holds off settling, which must count the row or come later; a study settled already
-- is marked after it is held, so that settling cannot fall in between.
CREATE FUNCTION imaging_add_expected(bucket integer, expected imaging_instance)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    was_settled boolean;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(723623113, bucket);
    SELECT settled INTO was_settled FROM imaging_study
    WHERE uid = expected.study_uid FOR KEY SHARE;
    IF was_settled THEN
        UPDATE imaging_study SET settled = false WHERE uid = expected.study_uid AND settled;
    END IF;
    INSERT INTO imaging_instance SELECT (expected).* ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;
