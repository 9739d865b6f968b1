-- Each node has a queue of its own, in three classes: what is urgent (0: unwell, in doubt, an early warning), what was
-- never probed (1), and the rest (2). So what is due next is found without a look at what is due elsewhere.
ALTER TABLE replicas ADD COLUMN priority BIGINT NOT NULL DEFAULT 1;
UPDATE replicas SET priority = CASE WHEN failures > 0 OR state <> 'verified' THEN 0 ELSE 2 END WHERE state IS NOT NULL;
DROP INDEX replicas_due;
CREATE INDEX replicas_due ON replicas (node_id, priority, due_at) INCLUDE (content_id) WHERE due_at IS NOT NULL;
CREATE INDEX replicas_doubt ON replicas (due_at) WHERE due_at IS NOT NULL AND failures > 0 AND failures < 3;
CREATE INDEX repairs_open ON repairs (content_id, node_id) WHERE state IN ('planned', 'sent');

-- What a worker has taken, and until when nobody else gets it: apart from the replicas, so that taking a thousand of
-- them changes no thousand rows all over the table.
CREATE TABLE leases (
    content_id BIGINT NOT NULL,
    node_id    BIGINT NOT NULL,
    until      BIGINT NOT NULL,
    PRIMARY KEY (content_id, node_id)
);
UPDATE replicas SET due_at = 0 WHERE leased = 1 AND due_at IS NOT NULL;
ALTER TABLE replicas DROP COLUMN leased;

-- The health of each content that has replicas, as it was last judged, and when it is to be judged again: when something
-- of it changed, or time alone may change it.
CREATE TABLE assessments (
    content_id BIGINT PRIMARY KEY REFERENCES contents (id),
    health     TEXT,
    due_at     BIGINT
);
INSERT INTO assessments SELECT DISTINCT content_id, NULL, 0 FROM replicas;
CREATE INDEX assessments_due ON assessments (due_at) WHERE due_at IS NOT NULL;

-- What is not well, to be repaired.
CREATE INDEX replicas_unwell ON replicas (content_id) WHERE due_at IS NOT NULL AND state IN ('missing', 'corrupt', 'unreachable');
