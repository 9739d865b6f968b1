-- What the vault holds, or is to hold: `form` is how (`file`, its bytes; `car`, its blocks), or null where nothing right is there.
-- Then it is copied from a node at `due_at`; else that is when it is hashed again. `taken`: whether somebody is busy with
-- copying it until then. `problem`: what was found wrong, or why it can't be kept. `unnamed_since`: when it was first seen that
-- nothing names what is there. Times are milliseconds since 1970.
CREATE TABLE vault_objects (
    content_id    BIGINT PRIMARY KEY REFERENCES contents (id),
    form          TEXT,
    bytes         BIGINT NOT NULL,
    stored_at     BIGINT,
    checked_at    BIGINT,
    due_at        BIGINT NOT NULL,
    taken         BIGINT NOT NULL DEFAULT 0,
    problem       TEXT,
    unnamed_since BIGINT
);
CREATE INDEX vault_objects_due ON vault_objects (due_at);
CREATE INDEX vault_objects_problem ON vault_objects (content_id) WHERE problem IS NOT NULL;

-- The sum of those that are there, in one row: whoever changes one of them changes it in the same transaction.
CREATE TABLE vault_total (
    objects BIGINT NOT NULL,
    bytes   BIGINT NOT NULL
);
INSERT INTO vault_total VALUES (0, 0);
