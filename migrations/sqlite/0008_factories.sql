-- A factory is a row of `collections`, with standard 'factory': it is followed as they are. `configured`: the
-- configuration names it. `active` follows from that, or from a factory that is configured and made it.
ALTER TABLE collections ADD COLUMN configured BIGINT NOT NULL DEFAULT 1;
UPDATE collections SET configured = active;
-- The factory that announced it, the block it did so in (null: a reorg took that back; -1: to be seen again, the factory is
-- being read anew), and who may mint.
ALTER TABLE collections ADD COLUMN factory_id BIGINT REFERENCES collections (id);
ALTER TABLE collections ADD COLUMN made_block BIGINT;
ALTER TABLE collections ADD COLUMN creator BLOB;
CREATE INDEX collections_factory ON collections (factory_id) WHERE factory_id IS NOT NULL;

-- Whose collections of a factory are watched; no row: everybody's.
CREATE TABLE factory_creators (
    factory_id BIGINT NOT NULL REFERENCES collections (id),
    creator    BLOB   NOT NULL,
    PRIMARY KEY (factory_id, creator)
) WITHOUT ROWID;
