-- The follower keeps tokens, and of the blocks that a reorg may still take back what was before; no longer every event.
-- What was indexed before is read again from the chain; contents, replicas and their evidence stay.
DROP TABLE token_events;
DELETE FROM tokens;
DELETE FROM blocks;
UPDATE chains SET finalized_block = -1;
UPDATE collections SET indexed_block = start_block - 1;
UPDATE contents SET wanted = 0, wanted_since = NULL;
UPDATE replicas SET due_at = NULL;

-- When the present content was set, in seconds since 1970.
ALTER TABLE tokens ADD COLUMN content_time BIGINT;

-- Contents that tokens had, and the block in which each was replaced or its token burned.
CREATE TABLE former_contents (
    collection_id    BIGINT NOT NULL REFERENCES collections (id),
    token_id         BYTEA NOT NULL,
    superseded_block BIGINT NOT NULL,
    revision         BIGINT NOT NULL,
    content_id       BIGINT NOT NULL REFERENCES contents (id),
    PRIMARY KEY (collection_id, token_id, superseded_block, revision, content_id)
);
CREATE INDEX former_contents_content ON former_contents (content_id);
CREATE INDEX former_contents_superseded ON former_contents (superseded_block);

CREATE TABLE burns (
    collection_id    BIGINT NOT NULL REFERENCES collections (id),
    token_id         BYTEA NOT NULL,
    block_number     BIGINT NOT NULL,
    block_hash       BYTEA NOT NULL,
    transaction_hash BYTEA NOT NULL,
    PRIMARY KEY (collection_id, token_id, block_number)
);
CREATE INDEX burns_block ON burns (block_number);

-- Of each block of the window, the tokens it touched as they were before: what a reorg brings back. No owner: no token.
CREATE TABLE token_undo (
    collection_id BIGINT NOT NULL REFERENCES collections (id),
    token_id      BYTEA NOT NULL,
    block_number  BIGINT NOT NULL,
    owner         BYTEA,
    content_id    BIGINT REFERENCES contents (id),
    revision      BIGINT,
    frozen        BIGINT,
    minted_block  BIGINT,
    minted_hash   BYTEA,
    content_block BIGINT,
    content_hash  BYTEA,
    content_time  BIGINT,
    PRIMARY KEY (collection_id, token_id, block_number)
);
CREATE INDEX token_undo_block ON token_undo (block_number);
