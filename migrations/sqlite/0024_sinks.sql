-- Whether somebody is busy with an alert until it is due: then no other process makes it due sooner.
ALTER TABLE alerts ADD COLUMN taken BIGINT NOT NULL DEFAULT 0;

-- How bad an incident was at its worst: 0 info, 1 warning, 2 critical; -1 where that was not written down yet.
ALTER TABLE incidents ADD COLUMN worst BIGINT NOT NULL DEFAULT -1;
UPDATE incidents SET worst = CASE WHEN kind = 'halted' OR (kind = 'content' AND health = 'lost') THEN 2 ELSE 1 END;
