-- How its subject stood when an incident was last told of; null where that was not written down, or has no replicas.
ALTER TABLE incidents ADD COLUMN independent BIGINT;
ALTER TABLE incidents ADD COLUMN held BIGINT;

-- Whether it comes and goes, and is not told each time; then how its subject was last seen, and since when it is so.
ALTER TABLE incidents ADD COLUMN flapping BIGINT NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN seen TEXT;
ALTER TABLE incidents ADD COLUMN seen_since BIGINT;
CREATE INDEX incidents_paths ON incidents (path_hash) WHERE path_hash IS NOT NULL;

-- Who looks after it, since when, and why nobody need be told again.
ALTER TABLE incidents ADD COLUMN acked_at BIGINT;
ALTER TABLE incidents ADD COLUMN acked_by TEXT;
ALTER TABLE incidents ADD COLUMN ack_reason TEXT;

-- What nobody is told of for a while. `scope`: `incident`, `collection` or `content`; `target`: its id, or address.
CREATE TABLE silences (
    id         TEXT   PRIMARY KEY,
    scope      TEXT   NOT NULL,
    target     TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    set_by     TEXT   NOT NULL,
    set_at     BIGINT NOT NULL,
    until_at   BIGINT NOT NULL,
    ended_at   BIGINT,
    ended_by   TEXT
);

-- Whether an alert waits for the end of a silence.
ALTER TABLE alerts ADD COLUMN withheld BIGINT NOT NULL DEFAULT 0;
