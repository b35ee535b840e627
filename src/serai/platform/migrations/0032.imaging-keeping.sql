-- How long pictures are kept, and how much of them: retention rules, legal holds, quotas.
-- depends: 0028.imaging-trash 0029.imaging-corrections

-- What a study's objects take, true while `settled`.
ALTER TABLE imaging_study ADD COLUMN bytes bigint;
UPDATE imaging_study s SET bytes =
    (SELECT coalesce(sum(i.size), 0) FROM imaging_instance i WHERE i.study_uid = s.uid);
CREATE INDEX imaging_study_bytes ON imaging_study (owner) INCLUDE (bytes);

-- Whose it was, known even when the deletion's own line goes first.
ALTER TABLE imaging_trash_row ADD COLUMN owner text COLLATE "C";
UPDATE imaging_trash_row w SET owner = t.owner FROM imaging_trash t WHERE t.id = w.trash;
CREATE INDEX imaging_trash_row_owner ON imaging_trash_row (owner) WHERE blob IS NOT NULL;
CREATE FUNCTION imaging_trash_row_owned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT owner INTO NEW.owner FROM imaging_trash WHERE id = NEW.trash;
    RETURN NEW;
END $$;
CREATE TRIGGER imaging_trash_row_owned BEFORE INSERT ON imaging_trash_row
    FOR EACH ROW EXECUTE FUNCTION imaging_trash_row_owned();

CREATE TABLE imaging_quota (
    owner  text COLLATE "C" PRIMARY KEY,
    bytes  bigint NOT NULL CHECK (bytes >= 0),
    set_by text COLLATE "C" NOT NULL,
    set_at timestamptz NOT NULL
);

-- Objects stay `days` after they were received; the owner '' stands for every organisation.
CREATE TABLE imaging_retention (
    owner  text COLLATE "C" PRIMARY KEY,
    days   integer NOT NULL CHECK (days BETWEEN 1 AND 73000),
    set_by text COLLATE "C" NOT NULL,
    set_at timestamptz NOT NULL
);

-- A study that stays whatever the rules say, until the hold is released.
CREATE TABLE imaging_hold (
    id             text COLLATE "C" PRIMARY KEY,
    study_uid      text COLLATE "C" NOT NULL,
    owner          text COLLATE "C",
    reason         text NOT NULL,
    placed_by      text COLLATE "C" NOT NULL,
    placed_by_name text NOT NULL,
    placed_at      timestamptz NOT NULL,
    released_by    text COLLATE "C",
    released_at    timestamptz
);
CREATE UNIQUE INDEX imaging_hold_open ON imaging_hold (study_uid) WHERE released_at IS NULL;

-- A rule grows longer, never shorter, and a hold is released but never forgotten.
CREATE FUNCTION imaging_rules_stand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'imaging.rule-stands' USING ERRCODE = 'restrict_violation';
    ELSIF TG_TABLE_NAME = 'imaging_retention' THEN
        IF NEW.owner <> OLD.owner OR NEW.days < OLD.days THEN
            RAISE EXCEPTION 'imaging.rule-stands' USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF (NEW.id, NEW.study_uid, NEW.placed_at) IS DISTINCT FROM
          (OLD.id, OLD.study_uid, OLD.placed_at) OR OLD.released_at IS NOT NULL THEN
        RAISE EXCEPTION 'imaging.rule-stands' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER imaging_retention_stands BEFORE UPDATE OR DELETE ON imaging_retention
    FOR EACH ROW EXECUTE FUNCTION imaging_rules_stand();
CREATE TRIGGER imaging_retention_whole BEFORE TRUNCATE ON imaging_retention
    EXECUTE FUNCTION imaging_rules_stand();
CREATE TRIGGER imaging_hold_stands BEFORE UPDATE OR DELETE ON imaging_hold
    FOR EACH ROW EXECUTE FUNCTION imaging_rules_stand();
CREATE TRIGGER imaging_hold_whole BEFORE TRUNCATE ON imaging_hold
    EXECUTE FUNCTION imaging_rules_stand();

-- The day until which an object stays, 'infinity' under a hold, NULL when nothing keeps it. An
-- owner who is not known any more falls under every rule.
CREATE FUNCTION imaging_kept_until(study text, owned text, owner_known boolean, received timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT max(until) FROM (
        SELECT 'infinity'::timestamptz AS until FROM imaging_hold h
        WHERE h.study_uid = study AND h.released_at IS NULL
        UNION ALL
        SELECT received + r.days * interval '1 day' FROM imaging_retention r
        WHERE r.owner = '' OR r.owner = owned OR NOT owner_known) AS kept
    WHERE until > now()
$$;

-- Looked at by the end of the transaction: moving into the trash and back is no loss.
CREATE FUNCTION imaging_keep_retained() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone jsonb;
    owned text;
    is_known boolean;
BEGIN
    IF OLD.blob IS NULL
       OR EXISTS (SELECT FROM imaging_instance i WHERE i.uid = OLD.uid AND i.blob = OLD.blob)
       OR EXISTS (SELECT FROM imaging_trash_row w WHERE w.blob = OLD.blob) THEN
        RETURN NULL;
    END IF;
    IF TG_TABLE_NAME = 'imaging_trash_row' THEN
        gone := OLD.row;
        owned := OLD.owner;
        is_known := true;
    ELSE
        gone := to_jsonb(OLD);
        SELECT s.owner INTO owned FROM imaging_study s WHERE s.uid = OLD.study_uid;
        is_known := FOUND;
    END IF;
    IF imaging_kept_until(gone ->> 'study_uid', owned, is_known,
                          (gone ->> 'received_at')::timestamptz) IS NOT NULL THEN
        RAISE EXCEPTION 'imaging.retained' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER imaging_instance_retained AFTER DELETE OR UPDATE OF blob
    ON imaging_instance DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION imaging_keep_retained();
CREATE CONSTRAINT TRIGGER imaging_trash_row_retained AFTER DELETE OR UPDATE OF blob
    ON imaging_trash_row DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION imaging_keep_retained();

CREATE FUNCTION imaging_no_truncating() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM imaging_retention)
       OR EXISTS (SELECT FROM imaging_hold WHERE released_at IS NULL) THEN
        RAISE EXCEPTION 'imaging.retained' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER imaging_instance_whole BEFORE TRUNCATE ON imaging_instance
    EXECUTE FUNCTION imaging_no_truncating();
CREATE TRIGGER imaging_trash_row_whole BEFORE TRUNCATE ON imaging_trash_row
    EXECUTE FUNCTION imaging_no_truncating();
