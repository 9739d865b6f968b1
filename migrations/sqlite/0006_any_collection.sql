-- Collections of others: what they are, and what their tokens' URIs were found to mean.
ALTER TABLE collections ADD COLUMN standard TEXT NOT NULL DEFAULT 'everhold';
-- When all its URIs were last read.
ALTER TABLE collections ADD COLUMN uris_read BIGINT NOT NULL DEFAULT 0;

-- How many there are of a token of ERC-1155: 32 bytes big-endian. Others have an owner instead.
ALTER TABLE tokens ADD COLUMN supply BLOB;
ALTER TABLE token_undo ADD COLUMN supply BLOB;

-- One row a token that is not ours. `state`: new, content, document, path, unverifiable.
CREATE TABLE token_uris (
    collection_id BIGINT NOT NULL REFERENCES collections (id),
    token_id      BLOB   NOT NULL,
    state         TEXT   NOT NULL,
    -- What the contract answered: sha-256 of its bytes, and the text, the beginning of a long one.
    answer        BLOB,
    uri           TEXT,
    class         TEXT,
    -- Why nothing of it can be proved, or why what it names is not found.
    problem       TEXT,
    -- The document that stands in it (`data:`), or the content it names.
    document_id   BIGINT REFERENCES contents (id),
    content_id    BIGINT REFERENCES contents (id),
    -- The block that it was read at.
    read_block    BIGINT,
    read_hash     BLOB,
    since         BIGINT NOT NULL,
    -- When it is to be read again by itself; null: with its collection.
    due_at        BIGINT,
    -- Of a path: when it is to be followed (again), and how often that failed.
    path_due      BIGINT,
    failures      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (collection_id, token_id)
) WITHOUT ROWID;
CREATE INDEX token_uris_due ON token_uris (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX token_uris_path_due ON token_uris (path_due) WHERE path_due IS NOT NULL;
CREATE INDEX token_uris_document ON token_uris (document_id) WHERE document_id IS NOT NULL;
CREATE INDEX token_uris_block ON token_uris (read_block) WHERE read_block IS NOT NULL;

-- Links with a path below a content address: when the path is to be followed (again), and why it leads nowhere.
ALTER TABLE links ADD COLUMN path_due BIGINT;
ALTER TABLE links ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN problem TEXT;
CREATE INDEX links_path_due ON links (path_due) WHERE path_due IS NOT NULL;
UPDATE links SET path_due = 0 WHERE class IN ('ipfs', 'gateway') AND child_id IS NULL AND verifiable = 0;

-- Logs that were passed over, by what was odd about them. A reorg does not take them back: they are told to people.
CREATE TABLE odd_logs (
    collection_id BIGINT NOT NULL REFERENCES collections (id),
    kind          TEXT   NOT NULL,
    count         BIGINT NOT NULL,
    first_block   BIGINT NOT NULL,
    last_block    BIGINT NOT NULL,
    PRIMARY KEY (collection_id, kind)
) WITHOUT ROWID;
