-- STORE messages that name a content: what each says. `verified`: its hash and its signature were checked here. `ours`: it
-- is of the key that repairs. Times are milliseconds since 1970.
CREATE TABLE stores (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content_id BIGINT NOT NULL REFERENCES contents (id),
    item_hash  TEXT   NOT NULL,
    sender     TEXT   NOT NULL,
    chain      TEXT   NOT NULL,
    -- Whose it is: the account that pays. Null where the message does not say so itself.
    address    TEXT,
    channel    TEXT,
    payment    TEXT,
    time       BIGINT,
    verified   BIGINT NOT NULL,
    ours       BIGINT NOT NULL,
    UNIQUE (content_id, item_hash)
);

-- Where each stands on each node: since when it was seen to, and when it was last.
CREATE TABLE store_statuses (
    store_id BIGINT NOT NULL REFERENCES stores (id),
    node_id  BIGINT NOT NULL REFERENCES nodes (id),
    status   TEXT   NOT NULL,
    since    BIGINT NOT NULL,
    seen_at  BIGINT NOT NULL,
    PRIMARY KEY (store_id, node_id)
);

-- Who authorised the sender to act for them (aggregate `security`), and the nodes that say so.
CREATE TABLE store_grants (
    store_id  BIGINT NOT NULL REFERENCES stores (id),
    authority BYTEA  NOT NULL,
    said_by   TEXT   NOT NULL,
    PRIMARY KEY (store_id, authority)
);

-- What each node said of a content's STOREs when it was last asked: how many proved ones it has in force, or why it could
-- not say.
CREATE TABLE store_nodes (
    content_id BIGINT NOT NULL REFERENCES contents (id),
    node_id    BIGINT NOT NULL REFERENCES nodes (id),
    live       BIGINT,
    problem    TEXT,
    asked_at   BIGINT NOT NULL,
    PRIMARY KEY (content_id, node_id)
);

-- When the nodes are asked again. Contents up to `up_to` have a row, those beyond get theirs when some are next taken.
CREATE TABLE store_checks (
    content_id BIGINT NOT NULL PRIMARY KEY REFERENCES contents (id),
    due_at     BIGINT,
    checked_at BIGINT,
    leased     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX store_checks_due ON store_checks (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE store_checks_scheduled (up_to BIGINT NOT NULL);
INSERT INTO store_checks_scheduled VALUES (0);

-- What `owner()` of the contract gave when it was last looked at.
ALTER TABLE collections ADD COLUMN owner BYTEA;

-- Incidents of kind `removal`: nothing will keep the content on some node. Apart from `content_id`, which is of the health.
ALTER TABLE incidents ADD COLUMN ending_id BIGINT REFERENCES contents (id);
CREATE UNIQUE INDEX incidents_ending ON incidents (collection_id, ending_id)
    WHERE closed_at IS NULL AND ending_id IS NOT NULL;
CREATE INDEX incidents_endings ON incidents (ending_id) WHERE ending_id IS NOT NULL;
