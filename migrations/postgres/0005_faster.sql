-- Contents up to this one have a row in `replicas` for each node in use; those beyond get theirs when probes are next
-- taken. So writing down a mint costs no more where there are many nodes.
CREATE TABLE scheduled (up_to BIGINT NOT NULL);
INSERT INTO scheduled SELECT COALESCE(MAX(id), 0) FROM contents;

-- PostgreSQL, before it has counted a table, takes the primary key for the better way to a content's tokens, which is
-- through the whole collection.
DROP INDEX tokens_content;
CREATE INDEX tokens_content ON tokens (content_id, collection_id);
DROP INDEX former_contents_content;
CREATE INDEX former_contents_content ON former_contents (content_id, collection_id, superseded_block);

-- Each of these is looked up by a query of its own for each row, and the row it refers to locked and written once more:
-- half the time of a backfill. SQLite keeps them, and the same tests run on both.
ALTER TABLE tokens DROP CONSTRAINT tokens_collection_id_fkey, DROP CONSTRAINT tokens_content_id_fkey;
ALTER TABLE former_contents DROP CONSTRAINT former_contents_collection_id_fkey, DROP CONSTRAINT former_contents_content_id_fkey;
ALTER TABLE token_undo DROP CONSTRAINT token_undo_collection_id_fkey, DROP CONSTRAINT token_undo_content_id_fkey;
