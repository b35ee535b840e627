-- Long work asked of the server: export, import, re-index. Its queue is procrastinate's own
-- tables, brought up by serai.platform.queue_schema.
-- depends: 0001.fhir-store

-- Which of procrastinate's migrations this database has.
CREATE TABLE job_queue_schema (
    migration text PRIMARY KEY
);

-- `state` is the checkpoint a killed job resumes from, written in the transaction that does the
-- step. `run` numbers its starts: a runner that was taken for dead cannot move a job any more.
CREATE TABLE fhir_job (
    id            text COLLATE "C" PRIMARY KEY,
    kind          text NOT NULL,
    status        text NOT NULL
                  CHECK (status IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    asked_by      text COLLATE "C" NOT NULL,
    organisation  text COLLATE "C",
    actor         jsonb NOT NULL,
    parameters    jsonb NOT NULL,
    state         jsonb NOT NULL DEFAULT '{}',
    run           integer NOT NULL DEFAULT 0,
    done          bigint NOT NULL DEFAULT 0,
    total         bigint,
    error         text,
    error_details jsonb NOT NULL DEFAULT '{}',
    asked_at      timestamptz NOT NULL,
    started_at    timestamptz,
    moved_at      timestamptz,
    finished_at   timestamptz,
    expires_at    timestamptz
);
CREATE INDEX fhir_job_newest ON fhir_job (asked_at DESC, id);
CREATE INDEX fhir_job_open ON fhir_job (kind) WHERE status IN ('waiting', 'running');
CREATE INDEX fhir_job_expiring ON fhir_job (expires_at) WHERE expires_at IS NOT NULL;

-- The blobs a job has made or was given.
CREATE TABLE fhir_job_file (
    job    text COLLATE "C" NOT NULL REFERENCES fhir_job (id) ON DELETE CASCADE,
    number integer NOT NULL,
    list   text NOT NULL CHECK (list IN ('output', 'deleted', 'error', 'input')),
    type   text NOT NULL,
    digest text COLLATE "C" NOT NULL,
    count  bigint NOT NULL,
    PRIMARY KEY (job, number)
);
CREATE INDEX fhir_job_file_digest ON fhir_job_file (digest);
