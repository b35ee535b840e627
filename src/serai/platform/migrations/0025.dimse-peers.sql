-- What each known application entity may do, and where it is reached when we call it.
-- depends: 0003.imaging-archive

-- `address` lists where it may call from: addresses, networks (10.1.0.0/16) or host names with
-- commas between them; NULL accepts any. `host` and `port` say where it listens, if it does.
ALTER TABLE dimse_peer
    ADD COLUMN services text[] COLLATE "C" NOT NULL
        DEFAULT '{store,worklist,mpps,commitment}',
    ADD COLUMN host text COLLATE "C",
    ADD COLUMN port integer,
    ADD COLUMN tls boolean NOT NULL DEFAULT false;
