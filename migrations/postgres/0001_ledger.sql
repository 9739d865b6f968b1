-- The ledger. Times are milliseconds since 1970-01-01 UTC, booleans 0 or 1,
-- token ids 32 bytes big-endian, so that they sort as numbers do.

-- A ledger never mixes chains that only share an id: the genesis block tells them apart.
CREATE TABLE chains (
    chain_id        BIGINT PRIMARY KEY,
    genesis         BYTEA  NOT NULL,
    finalized_block BIGINT NOT NULL DEFAULT -1
);

CREATE TABLE collections (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain_id      BIGINT NOT NULL REFERENCES chains (chain_id),
    address       BYTEA  NOT NULL,
    name          TEXT   NOT NULL,
    codec         BIGINT NOT NULL,
    start_block   BIGINT NOT NULL,
    indexed_block BIGINT NOT NULL,
    active        BIGINT NOT NULL DEFAULT 1,
    UNIQUE (chain_id, address)
);

-- The hash-linked window of recent blocks: what a reorg is recognised by.
CREATE TABLE blocks (
    chain_id    BIGINT NOT NULL REFERENCES chains (chain_id),
    number      BIGINT NOT NULL,
    hash        BYTEA  NOT NULL,
    parent_hash BYTEA  NOT NULL,
    PRIMARY KEY (chain_id, number)
);

-- One row a content address, however many tokens share it.
CREATE TABLE contents (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    codec        BIGINT NOT NULL,
    digest       BYTEA  NOT NULL,
    size         BIGINT,
    wanted       BIGINT NOT NULL DEFAULT 0,
    wanted_since BIGINT,
    was_healthy  BIGINT NOT NULL DEFAULT 0,
    parsed       BIGINT NOT NULL DEFAULT 0,
    parse_error  TEXT,
    UNIQUE (codec, digest)
);

-- What the collections' logs say, in order; tokens are folded from it, so that a reorg can be
-- taken back exactly.
CREATE TABLE token_events (
    collection_id    BIGINT NOT NULL REFERENCES collections (id),
    token_id         BYTEA  NOT NULL,
    block_number     BIGINT NOT NULL,
    log_index        BIGINT NOT NULL,
    sub_index        BIGINT NOT NULL,
    block_hash       BYTEA  NOT NULL,
    block_time       BIGINT,
    transaction_hash BYTEA  NOT NULL,
    kind             BIGINT NOT NULL,
    owner            BYTEA  ,
    content_id       BIGINT REFERENCES contents (id),
    revision         BIGINT,
    superseded_block BIGINT,
    PRIMARY KEY (collection_id, token_id, block_number, log_index, sub_index)
);
CREATE INDEX token_events_block ON token_events (collection_id, block_number);
CREATE INDEX token_events_content ON token_events (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX token_events_superseded ON token_events (superseded_block) WHERE superseded_block IS NOT NULL;

CREATE TABLE tokens (
    collection_id BIGINT NOT NULL REFERENCES collections (id),
    token_id      BYTEA  NOT NULL,
    owner         BYTEA  NOT NULL,
    content_id    BIGINT REFERENCES contents (id),
    revision      BIGINT NOT NULL,
    frozen        BIGINT NOT NULL,
    minted_block  BIGINT NOT NULL,
    minted_hash   BYTEA  NOT NULL,
    content_block BIGINT,
    content_hash  BYTEA  ,
    PRIMARY KEY (collection_id, token_id)
);
CREATE INDEX tokens_content ON tokens (content_id);

-- References found in metadata documents.
CREATE TABLE links (
    parent_id BIGINT NOT NULL REFERENCES contents (id),
    position  BIGINT NOT NULL,
    role      TEXT   NOT NULL,
    class     TEXT   NOT NULL,
    uri       TEXT   NOT NULL,
    verifiable BIGINT NOT NULL,
    child_id  BIGINT REFERENCES contents (id),
    PRIMARY KEY (parent_id, position)
);
CREATE INDEX links_child ON links (child_id) WHERE child_id IS NOT NULL;

CREATE TABLE nodes (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url      TEXT   NOT NULL UNIQUE,
    kind     TEXT   NOT NULL,
    operator TEXT,
    address  TEXT   NOT NULL,
    active   BIGINT NOT NULL
);

-- The last word on each content at each node.
CREATE TABLE replicas (
    content_id  BIGINT NOT NULL REFERENCES contents (id),
    node_id     BIGINT NOT NULL REFERENCES nodes (id),
    state       TEXT,
    held        BIGINT,
    bytes       BIGINT,
    http_status BIGINT,
    computed    TEXT,
    detail      TEXT,
    checked_at  BIGINT,
    verified_at BIGINT,
    failures    BIGINT NOT NULL DEFAULT 0,
    due_at      BIGINT,
    leased      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (content_id, node_id)
);
CREATE INDEX replicas_due ON replicas (due_at) WHERE due_at IS NOT NULL;

-- The last changes of state, with the evidence of the probe that made each.
CREATE TABLE replica_changes (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content_id  BIGINT NOT NULL,
    node_id     BIGINT NOT NULL,
    state       TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    bytes       BIGINT,
    http_status BIGINT,
    computed    TEXT,
    detail      TEXT,
    FOREIGN KEY (content_id, node_id) REFERENCES replicas (content_id, node_id)
);
CREATE INDEX replica_changes_replica ON replica_changes (content_id, node_id, id);

CREATE TABLE incidents (
    id            TEXT   PRIMARY KEY,
    collection_id BIGINT NOT NULL REFERENCES collections (id),
    content_id    BIGINT NOT NULL REFERENCES contents (id),
    health        TEXT   NOT NULL,
    summary       TEXT   NOT NULL,
    opened_at     BIGINT NOT NULL,
    closed_at     BIGINT,
    close_reason  TEXT
);
CREATE UNIQUE INDEX incidents_open ON incidents (collection_id, content_id) WHERE closed_at IS NULL;
CREATE INDEX incidents_content ON incidents (content_id);

-- What was done about a replica. `done` is written by a later probe and by nothing else.
CREATE TABLE repairs (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content_id   BIGINT NOT NULL REFERENCES contents (id),
    node_id      BIGINT NOT NULL REFERENCES nodes (id),
    action       TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    message_hash TEXT,
    detail       TEXT,
    started_at   BIGINT NOT NULL,
    finished_at  BIGINT
);
CREATE INDEX repairs_content ON repairs (content_id, node_id, id);

-- STORE messages this ledger's repairer signed: written before they are sent, sent again as they are.
CREATE TABLE messages (
    item_hash  TEXT   PRIMARY KEY,
    content_id BIGINT NOT NULL REFERENCES contents (id),
    sender     TEXT   NOT NULL,
    envelope   TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX messages_content ON messages (content_id);

-- The outbox: an alert leaves it only when its sink has taken it.
CREATE TABLE alerts (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT   NOT NULL UNIQUE,
    incident_id  TEXT   NOT NULL REFERENCES incidents (id),
    sink         TEXT   NOT NULL,
    event        TEXT   NOT NULL,
    payload      TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    attempts     BIGINT NOT NULL DEFAULT 0,
    due_at       BIGINT,
    delivered_at BIGINT,
    last_error   TEXT
);
CREATE INDEX alerts_due ON alerts (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX alerts_incident ON alerts (incident_id, sink, seq);
