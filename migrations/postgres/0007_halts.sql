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
);
CREATE INDEX kept_contents_content ON kept_contents (content_id);

-- Seconds since 1970, as the chain says.
ALTER TABLE blocks ADD COLUMN block_time BIGINT;

-- The head last seen: its number, its time in seconds, and when that was in milliseconds.
ALTER TABLE chains ADD COLUMN head_block BIGINT;
ALTER TABLE chains ADD COLUMN head_time BIGINT;
ALTER TABLE chains ADD COLUMN head_seen BIGINT;

-- An incident may be about a whole collection.
ALTER TABLE incidents ALTER COLUMN content_id DROP NOT NULL;
ALTER TABLE incidents ADD COLUMN kind TEXT NOT NULL DEFAULT 'content';
ALTER TABLE incidents ADD CHECK ((kind = 'content') = (content_id IS NOT NULL));
CREATE UNIQUE INDEX incidents_halted ON incidents (collection_id) WHERE closed_at IS NULL AND kind = 'halted';
