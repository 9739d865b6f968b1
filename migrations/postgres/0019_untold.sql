-- Of a copy that was proved to be the node's own: probes in a row since that did not tell whether it is. Another is waited
-- for, as where nothing came.
ALTER TABLE replicas ADD COLUMN untold BIGINT NOT NULL DEFAULT 0;
DROP INDEX replicas_doubt;
CREATE INDEX replicas_doubt ON replicas (due_at)
    WHERE due_at IS NOT NULL AND ((failures > 0 AND failures < 3) OR untold > 0);
