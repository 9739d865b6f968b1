-- When all that a node serves was last judged anew since it came to where another is, and whether it moved again since then.
CREATE TABLE moves (
    node_id   BIGINT NOT NULL PRIMARY KEY REFERENCES nodes (id),
    judged_at BIGINT NOT NULL,
    again     BIGINT NOT NULL
);
CREATE INDEX moves_again ON moves (judged_at) WHERE again = 1;
