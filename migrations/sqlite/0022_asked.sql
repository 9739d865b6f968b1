-- Since when a content is asked for: the first answer of a node that gives bytes, or its wish to be left alone, since it was
-- last named anew. And since when a node is in the configuration. Who can't be asked for long after that is waited for no more.
ALTER TABLE contents ADD COLUMN asked_since BIGINT;
ALTER TABLE nodes ADD COLUMN since BIGINT;
-- What was asked for before counts from the last answer on.
UPDATE contents SET asked_since = (SELECT MAX(r.checked_at) FROM replicas r JOIN nodes n ON n.id = r.node_id
    WHERE r.content_id = contents.id AND r.state IS NOT NULL AND n.kind NOT IN ('provider', 'routing', 'pinning'))
WHERE wanted = 1 AND id IN (SELECT content_id FROM assessments WHERE health = 'pending');
-- A time may end what had none.
UPDATE assessments SET due_at = 0 WHERE health = 'pending';
