-- A collection that a reorg below a final block has touched is halted until it is read again: since when, why, the last
-- block that is known to be on the chain still (null: none is), and up to where replaced content had been given up.
ALTER TABLE collections ADD COLUMN halted_at BIGINT;
ALTER TABLE collections ADD COLUMN halted_reason TEXT;
ALTER TABLE collections ADD COLUMN halted_block BIGINT;
ALTER TABLE collections ADD COLUMN halted_final BIGINT;

-- While a collection is read again from its start, what it named before stays wanted.
ALTER TABLE collections ADD COLUMN rereading BIGINT NOT NULL DEFAULT 0;
CREATE TABLE kept_contents (
    collection_id BIGINT NOT NULL REFERENCES collections (id),
    content_id    BIGINT NOT NULL REFERENCES contents (id),
    PRIMARY KEY (collection_id, content_id)
) WITHOUT ROWID;
CREATE INDEX kept_contents_content ON kept_contents (content_id);

-- Seconds since 1970, as the chain says.
ALTER TABLE blocks ADD COLUMN block_time BIGINT;

-- The head last seen: its number, its time in seconds, and when that was in milliseconds.
ALTER TABLE chains ADD COLUMN head_block BIGINT;
ALTER TABLE chains ADD COLUMN head_time BIGINT;
ALTER TABLE chains ADD COLUMN head_seen BIGINT;

-- An incident may be about a whole collection. SQLite can't drop a NOT NULL, so the table is made anew; what refers to it
-- is put aside meanwhile, since foreign keys can't be switched off within a transaction.
CREATE TABLE alerts_aside AS SELECT * FROM alerts;
DROP TABLE alerts;

CREATE TABLE incidents_new (
    id            TEXT   PRIMARY KEY,
    collection_id BIGINT NOT NULL REFERENCES collections (id),
    kind          TEXT   NOT NULL DEFAULT 'content',
    content_id    BIGINT REFERENCES contents (id),
    health        TEXT   NOT NULL,
    summary       TEXT   NOT NULL,
    opened_at     BIGINT NOT NULL,
    closed_at     BIGINT,
    close_reason  TEXT,
    CHECK ((kind = 'content') = (content_id IS NOT NULL))
);
INSERT INTO incidents_new (id, collection_id, content_id, health, summary, opened_at, closed_at, close_reason)
    SELECT id, collection_id, content_id, health, summary, opened_at, closed_at, close_reason FROM incidents;
DROP TABLE incidents;
ALTER TABLE incidents_new RENAME TO incidents;
CREATE UNIQUE INDEX incidents_open ON incidents (collection_id, content_id) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX incidents_halted ON incidents (collection_id) WHERE closed_at IS NULL AND kind = 'halted';
CREATE INDEX incidents_content ON incidents (content_id);

CREATE TABLE alerts (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT   NOT NULL UNIQUE,
    incident_id  TEXT   NOT NULL REFERENCES incidents (id),
    sink         TEXT   NOT NULL,
    event        TEXT   NOT NULL,
    payload      TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    attempts     BIGINT NOT NULL DEFAULT 0,
    due_at       BIGINT,
    delivered_at BIGINT,
    last_error   TEXT
);
INSERT INTO alerts (seq, id, incident_id, sink, event, payload, created_at, attempts, due_at, delivered_at, last_error)
    SELECT seq, id, incident_id, sink, event, payload, created_at, attempts, due_at, delivered_at, last_error
    FROM alerts_aside;
DROP TABLE alerts_aside;
CREATE INDEX alerts_due ON alerts (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX alerts_incident ON alerts (incident_id, sink, seq);
