-- What the vault holds, or is to hold: `form` is how (`file`, its bytes; `car`, its blocks), or null where nothing right is there.
-- Then it is copied from a node at `due_at`; else that is when it is hashed again. `problem`: what was found wrong, or why it
-- can't be kept. Times are milliseconds since 1970.
CREATE TABLE vault_objects (
    content_id BIGINT PRIMARY KEY REFERENCES contents (id),
    form       TEXT,
    bytes      BIGINT NOT NULL,
    stored_at  BIGINT,
    checked_at BIGINT,
    due_at     BIGINT NOT NULL,
    problem    TEXT
) WITHOUT ROWID;
CREATE INDEX vault_objects_due ON vault_objects (due_at);
