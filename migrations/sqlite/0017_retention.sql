-- What is probed no longer, by when it last was: kept for a while, then deleted.
CREATE INDEX replicas_idle ON replicas ((COALESCE(checked_at, 0))) WHERE due_at IS NULL;
