-- Workitems (unified procedure steps), who is told of their changes, and what is still to be told.
-- depends: 0001.fhir-store 0027.study-lists

-- `type`, `id`, `owner` and `patients` are what the one rule of visibility reads of any row; a
-- share of ('Workitem', id) lets another organisation read it. `attributes` is the workitem as it
-- is served, without its Transaction UID, which is a lock and never told.
CREATE TABLE imaging_workitem (
    id                  text COLLATE "C" PRIMARY KEY,
    type                text COLLATE "C" NOT NULL DEFAULT 'Workitem' CHECK (type = 'Workitem'),
    owner               text COLLATE "C",
    patients            text[] COLLATE "C" NOT NULL DEFAULT '{}',
    -- Proposes rows for lists, as in imaging_study; whether one may be seen is decided otherwise.
    custodian           text COLLATE "C",
    state               text COLLATE "C" NOT NULL
        CHECK (state IN ('SCHEDULED', 'IN PROGRESS', 'COMPLETED', 'CANCELED')),
    transaction_uid     text COLLATE "C",
    ended_at            timestamptz,
    issuer              text COLLATE "C" NOT NULL,
    patient_id          text COLLATE "C" NOT NULL,
    name_alphabetic     text COLLATE "C" NOT NULL,
    name_ideographic    text COLLATE "C" NOT NULL,
    name_phonetic       text COLLATE "C" NOT NULL,
    scheduled_start     timestamptz NOT NULL,
    expected_completion timestamptz,
    expiration          timestamptz,
    modified            timestamptz NOT NULL,
    attributes          jsonb NOT NULL,
    CHECK ((state IN ('COMPLETED', 'CANCELED')) = (ended_at IS NOT NULL)),
    CHECK ((state = 'SCHEDULED') = (transaction_uid IS NULL))
);
CREATE INDEX imaging_workitem_start ON imaging_workitem (scheduled_start, id);
CREATE INDEX imaging_workitem_state ON imaging_workitem (state, scheduled_start, id);
CREATE INDEX imaging_workitem_owner ON imaging_workitem (owner, state, scheduled_start, id);
CREATE INDEX imaging_workitem_custodian ON imaging_workitem (custodian, state, scheduled_start, id)
    WHERE custodian IS NOT NULL;
CREATE INDEX imaging_workitem_patient ON imaging_workitem (patient_id, issuer);
CREATE INDEX imaging_workitem_alphabetic ON imaging_workitem (left(name_alphabetic, 200));
CREATE INDEX imaging_workitem_ideographic ON imaging_workitem (left(name_ideographic, 200))
    WHERE name_ideographic <> '';
CREATE INDEX imaging_workitem_phonetic ON imaging_workitem (left(name_phonetic, 200))
    WHERE name_phonetic <> '';
CREATE INDEX imaging_workitem_words ON imaging_workitem
    USING gin (imaging_name_words(name_alphabetic, name_ideographic, name_phonetic));
CREATE INDEX imaging_workitem_patients ON imaging_workitem USING gin (patients);
CREATE INDEX imaging_workitem_ended ON imaging_workitem (ended_at) WHERE ended_at IS NOT NULL;

CREATE FUNCTION imaging_workitem_arrived() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.custodian := imaging_custodian(NEW.patients);
    RETURN NEW;
END $$;
CREATE TRIGGER imaging_workitem_arrived BEFORE INSERT ON imaging_workitem
    FOR EACH ROW EXECUTE FUNCTION imaging_workitem_arrived();

CREATE FUNCTION imaging_workitem_patient_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE imaging_workitem SET custodian = imaging_custodian(patients)
    WHERE patients @> ARRAY[NEW.id];
    RETURN NULL;
END $$;
CREATE TRIGGER imaging_workitem_patient_moved AFTER UPDATE ON fhir_resource FOR EACH ROW
    WHEN (NEW.type = 'Patient' AND NEW.owner IS DISTINCT FROM OLD.owner)
    EXECUTE FUNCTION imaging_workitem_patient_moved();

-- The Global Subscription State of a subscriber (PS3.4 Table CC.2.3-2). An AE title is one
-- organisation's own: '' is whoever sees everything. `filter` is [[key, value], …], NULL for none.
CREATE TABLE imaging_workitem_subscriber (
    organisation  text COLLATE "C" NOT NULL,
    subscriber    text COLLATE "C" NOT NULL,
    deletion_lock boolean NOT NULL,
    filter        jsonb,
    PRIMARY KEY (organisation, subscriber)
);

-- The UPS Subscription State of a subscriber for one workitem.
CREATE TABLE imaging_workitem_subscription (
    workitem      text COLLATE "C" NOT NULL REFERENCES imaging_workitem (id) ON DELETE CASCADE,
    organisation  text COLLATE "C" NOT NULL,
    subscriber    text COLLATE "C" NOT NULL,
    deletion_lock boolean NOT NULL,
    PRIMARY KEY (workitem, organisation, subscriber)
);
CREATE INDEX imaging_workitem_subscription_of
    ON imaging_workitem_subscription (organisation, subscriber);

-- Event reports until they are told, or too old. `workitem` is NULL for one about the server.
CREATE TABLE imaging_workitem_event (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation text COLLATE "C" NOT NULL,
    subscriber   text COLLATE "C" NOT NULL,
    workitem     text COLLATE "C" REFERENCES imaging_workitem (id) ON DELETE CASCADE,
    at           timestamptz NOT NULL,
    content      jsonb NOT NULL
);
CREATE INDEX imaging_workitem_event_of ON imaging_workitem_event (organisation, subscriber, number);
CREATE INDEX imaging_workitem_event_workitem ON imaging_workitem_event (workitem);
CREATE INDEX imaging_workitem_event_at ON imaging_workitem_event (at);
