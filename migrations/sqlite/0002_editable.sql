-- Whether the collection's owners may change their tokens' content: where not, every token is
-- frozen. Each start of the indexer writes what the contract says.
ALTER TABLE collections ADD COLUMN editable BIGINT NOT NULL DEFAULT 1;
