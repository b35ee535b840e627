-- Subscriptions: who wants to hear of what, what happened, and how far each was told.
-- depends: 0001.fhir-store

-- One row per Subscription resource; `subscriber` says who wrote it last, whose rights, as
-- they are at delivery time, decide what is sent.
CREATE TABLE subscription (
    id              text COLLATE "C" PRIMARY KEY,
    status          text NOT NULL CHECK (status IN ('requested', 'active', 'error', 'off')),
    subscriber      text COLLATE "C" NOT NULL,
    subscriber_kind text NOT NULL,
    organisation    text COLLATE "C",
    last_number     bigint NOT NULL DEFAULT 0,
    failures        integer NOT NULL DEFAULT 0,
    heartbeat_s     integer NOT NULL,
    ends_at         timestamptz,
    next_try        timestamptz NOT NULL,
    last_sent       timestamptz,
    last_error      text
);

-- The types somebody wants to hear of. The writer's own statement asks this table, so that no
-- worker's cache can miss a new subscription.
CREATE TABLE subscription_type (
    type         text COLLATE "C" NOT NULL,
    subscription text COLLATE "C" NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    PRIMARY KEY (type, subscription)
);
CREATE INDEX subscription_type_subscription ON subscription_type (subscription);

-- What changed, until it is matched. Rows are taken once their transaction and every older one
-- has ended (`xid` below the snapshot's xmin), and deleted then: a late commit is never skipped.
CREATE TABLE subscription_event (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    type     text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    version  integer NOT NULL,
    deleted  boolean NOT NULL,
    at       timestamptz NOT NULL
);

-- One event for one subscription: pending, delivered, dead (gave up, can be replayed), or
-- withheld (the subscriber may not read it any more).
CREATE TABLE subscription_delivery (
    subscription text COLLATE "C" NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    number       bigint NOT NULL,
    type         text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    version      integer NOT NULL,
    deleted      boolean NOT NULL,
    at           timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'withheld')),
    tries        integer NOT NULL DEFAULT 0,
    reason       text,
    settled_at   timestamptz,
    PRIMARY KEY (subscription, number)
);
CREATE INDEX subscription_delivery_waiting ON subscription_delivery (subscription, number)
    WHERE state = 'pending';
CREATE INDEX subscription_delivery_dead ON subscription_delivery (subscription, number)
    WHERE state = 'dead';
CREATE INDEX subscription_delivery_settled ON subscription_delivery (settled_at)
    WHERE state IN ('delivered', 'withheld');
