-- Digests of what is never fetched, stored, repaired or shown, and why. `source`: `command`, or `file` for those of the
-- configuration. Times are milliseconds since 1970.
CREATE TABLE denied (
    digest   BLOB   NOT NULL,
    source   TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (digest, source)
) WITHOUT ROWID;

-- Whether it is one of these, by its name or by the sha-256 of its bytes: then it is not wanted, whoever names it.
ALTER TABLE contents ADD COLUMN denied BIGINT NOT NULL DEFAULT 0;
CREATE INDEX contents_denied ON contents (id) WHERE denied = 1;
