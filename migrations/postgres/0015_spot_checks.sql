-- When a few blocks of a replica are looked at next, before its next full probe: of large files that stand as `verified`, on
-- nodes that give blocks, and of others null. And when that last found the right blocks.
ALTER TABLE replicas ADD COLUMN spot_at BIGINT;
ALTER TABLE replicas ADD COLUMN spotted_at BIGINT;
CREATE INDEX replicas_spots ON replicas (node_id, spot_at) INCLUDE (content_id) WHERE spot_at IS NOT NULL AND due_at IS NOT NULL;
