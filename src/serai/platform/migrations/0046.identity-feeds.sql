-- Accounts that an organisation's own register feeds, and accounts of patients and guardians.
-- depends: 0045.identity

-- Taken out of the feed: disabled, and no longer told of there. The row stays for the audit.
ALTER TABLE account ADD COLUMN removed_at timestamptz;
CREATE UNIQUE INDEX account_feed_id ON account (organisation, feed_id) WHERE feed_id IS NOT NULL;

-- What a feed may ask for has a version, whoever changed it.
CREATE FUNCTION account_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.changed_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER account_changed BEFORE UPDATE ON account FOR EACH ROW
    WHEN ((OLD.login, OLD.name, OLD.role, OLD.organisation, OLD.email, OLD.feed_id, OLD.disabled_at)
          IS DISTINCT FROM
          (NEW.login, NEW.name, NEW.role, NEW.organisation, NEW.email, NEW.feed_id,
           NEW.disabled_at))
    EXECUTE FUNCTION account_changed();

-- A patient's account is about one Patient; a guardian's about those named in `guardianship`.
ALTER TABLE account
    ADD COLUMN kind text NOT NULL DEFAULT 'staff'
        CHECK (kind IN ('staff', 'partner', 'patient', 'guardian')),
    ADD COLUMN patient text COLLATE "C",
    ADD CHECK ((kind = 'patient') = (patient IS NOT NULL));

-- `ends_on` is the first day on which it no longer holds; for a minor never after the day on
-- which they come of age.
CREATE TABLE guardianship (
    account    text COLLATE "C" NOT NULL REFERENCES account (id),
    patient    text COLLATE "C" NOT NULL,
    basis      text NOT NULL CHECK (basis IN ('minor', 'court')),
    starts_on  date NOT NULL,
    ends_on    date,
    revoked_at timestamptz,
    CHECK (basis <> 'minor' OR ends_on IS NOT NULL),
    PRIMARY KEY (account, patient, starts_on)
);
