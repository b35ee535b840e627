-- Subscriptions told over websockets, and changes told as they become visible.
-- depends: 0014.subscriptions

-- Who sends: the deliverer (rest-hook), or the web worker that a client is connected to.
ALTER TABLE subscription ADD COLUMN channel text NOT NULL DEFAULT 'rest-hook'
    CHECK (channel IN ('rest-hook', 'websocket'));

-- What may be bound with a token (Subscriptions R5 Backport, $get-ws-binding-token), and the
-- rights it is bound with: those its holder has whenever something is sent.
CREATE TABLE subscription_binding (
    secret_sha256 bytea PRIMARY KEY,
    subscriptions text[] COLLATE "C" NOT NULL,
    holder        text COLLATE "C" NOT NULL,
    holder_kind   text NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX subscription_binding_expiring ON subscription_binding (expires_at);

-- An event is taken as soon as it is visible and its row deleted then, so one that commits late
-- is neither skipped nor waited for: whoever changes a version has seen the one before committed,
-- so every snapshot that shows an event shows all it depends on, with lower numbers.
ALTER TABLE subscription_event DROP COLUMN xid;
