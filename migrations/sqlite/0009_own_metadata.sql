-- What a collection says of itself (contractURI, ERC-7572) is a row of token_uris without a token: `token_id` is empty.
-- `state` may be `none`, too.
INSERT INTO token_uris (collection_id, token_id, state, since, due_at)
    SELECT id, x'', 'new', 0, 0 FROM collections WHERE standard <> 'factory';
CREATE INDEX token_uris_own ON token_uris (content_id) WHERE LENGTH(token_id) = 0;

-- What URIs named before is in former_contents, too; `revision` is 0, or -1 where the block in which another was seen
-- was taken back, and it was not read again.

-- Incidents of kind `path`: a path below a content address that leads nowhere, and its sha-256.
ALTER TABLE incidents ADD COLUMN path TEXT;
ALTER TABLE incidents ADD COLUMN path_hash BLOB;
CREATE UNIQUE INDEX incidents_path ON incidents (collection_id, path_hash) WHERE closed_at IS NULL AND path_hash IS NOT NULL;
