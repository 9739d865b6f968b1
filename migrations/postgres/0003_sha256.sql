-- Plain sha-256 of a content's bytes, once a probe has proved them: what tells right bytes from wrong ones where
-- nobody knows how a DAG was cut.
ALTER TABLE contents ADD COLUMN sha256 BYTEA;
