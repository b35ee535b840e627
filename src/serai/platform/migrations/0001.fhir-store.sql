-- The FHIR store and the audit trail.
-- depends:

-- Current version of every resource. `content` is the JSON exactly as served, so that a read
-- is one primary-key lookup and no parsing. `keys` are hashes of every equality search value.
CREATE TABLE fhir_resource (
    type         text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    version      integer NOT NULL,
    last_updated timestamptz NOT NULL,
    method       text NOT NULL CHECK (method IN ('POST', 'PUT', 'DELETE')),
    deleted      boolean NOT NULL DEFAULT false,
    owner        text COLLATE "C",
    patients     text[] COLLATE "C" NOT NULL DEFAULT '{}',
    keys         bigint[] NOT NULL DEFAULT '{}',
    content      bytea,
    PRIMARY KEY (type, id),
    CHECK (deleted = (content IS NULL))
);
CREATE INDEX fhir_resource_keys ON fhir_resource USING gin (keys);
CREATE INDEX fhir_resource_updated ON fhir_resource (type, last_updated DESC, id);
CREATE INDEX fhir_resource_history ON fhir_resource (last_updated DESC, type, id);
CREATE INDEX fhir_resource_patients ON fhir_resource USING gin (patients);

-- Superseded versions, moved here whole when a resource changes.
CREATE TABLE fhir_version (
    type         text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    version      integer NOT NULL,
    last_updated timestamptz NOT NULL,
    method       text NOT NULL,
    deleted      boolean NOT NULL,
    owner        text COLLATE "C",
    patients     text[] COLLATE "C" NOT NULL,
    content      bytea,
    PRIMARY KEY (type, id, version)
);
CREATE INDEX fhir_version_history ON fhir_version (last_updated DESC, type, id, version);
CREATE INDEX fhir_version_type_history ON fhir_version (type, last_updated DESC, id, version);

-- Ordered search values of the current version: names and dates.
CREATE TABLE fhir_string (
    type  text COLLATE "C" NOT NULL,
    param text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    exact text COLLATE "C" NOT NULL,
    id    text COLLATE "C" NOT NULL,
    FOREIGN KEY (type, id) REFERENCES fhir_resource (type, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX fhir_string_value ON fhir_string (type, param, left(value, 200), id);
-- The values of one row, so that testing or sorting the rows of a narrow search touches the
-- index only.
CREATE INDEX fhir_string_row ON fhir_string (type, id, param);

CREATE TABLE fhir_date (
    type  text COLLATE "C" NOT NULL,
    param text COLLATE "C" NOT NULL,
    low   timestamptz NOT NULL,
    high  timestamptz NOT NULL,
    id    text COLLATE "C" NOT NULL,
    FOREIGN KEY (type, id) REFERENCES fhir_resource (type, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX fhir_date_low ON fhir_date (type, param, low, id);
CREATE INDEX fhir_date_high ON fhir_date (type, param, high, id);
CREATE INDEX fhir_date_row ON fhir_date (type, id, param) INCLUDE (low, high);

-- What another organisation may read because of an open reason, until it closes.
CREATE TABLE fhir_share (
    organisation text COLLATE "C" NOT NULL,
    type         text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    reason       text COLLATE "C" NOT NULL,
    opened_at    timestamptz NOT NULL,
    closed_at    timestamptz,
    PRIMARY KEY (organisation, type, id, reason)
);
CREATE INDEX fhir_share_reason ON fhir_share (reason);

CREATE TABLE audit_event (
    sequence     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL,
    actor        text NOT NULL,
    actor_name   text NOT NULL,
    organisation text,
    act          text NOT NULL,
    resource     text,
    version      integer,
    patients     text[] NOT NULL DEFAULT '{}',
    outcome      text NOT NULL
);
CREATE INDEX audit_event_at ON audit_event (at DESC);
CREATE INDEX audit_event_resource ON audit_event (resource, sequence);
