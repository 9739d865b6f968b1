-- Whether somebody is busy with an alert until it is due: then no other process makes it due sooner.
ALTER TABLE alerts ADD COLUMN taken BIGINT NOT NULL DEFAULT 0;

-- How bad an incident was at its worst: 0 info, 1 warning, 2 critical; -1 where that was not written down yet.
ALTER TABLE incidents ADD COLUMN worst BIGINT NOT NULL DEFAULT -1;
UPDATE incidents SET worst = CASE WHEN kind = 'halted' OR (kind = 'content' AND health = 'lost') THEN 2 ELSE 1 END;

-- How bad what an alert tells is, as above; at least as what waits behind it for the same sink. What is due is taken by this and
-- by how often it was tried: eight times count as much as one step of how bad it is.
ALTER TABLE alerts ADD COLUMN severity BIGINT NOT NULL DEFAULT 1;
UPDATE alerts SET severity = (SELECT worst FROM incidents WHERE incidents.id = alerts.incident_id) WHERE due_at IS NOT NULL;
CREATE INDEX alerts_turn ON alerts (sink, (attempts - 8 * severity), seq, due_at) WHERE due_at IS NOT NULL;
-- Whether one waits for those before it.
CREATE INDEX alerts_waiting ON alerts (incident_id, sink, seq) WHERE due_at IS NOT NULL;
-- What the outbox holds for each sink, without a look at what they say.
CREATE INDEX alerts_sinks ON alerts (sink, due_at, delivered_at, created_at);
-- Incidents that have been over for so long that they are forgotten.
CREATE INDEX incidents_closed ON incidents (closed_at) WHERE closed_at IS NOT NULL;
