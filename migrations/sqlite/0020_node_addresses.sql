-- From which addresses right bytes came of late, by node: health tells nodes apart by them. A few of each; of those that
-- show more, `several addresses` says so. When the first came from there, and until when that was last so, to the minute.
CREATE TABLE node_addresses (
    node_id  BIGINT NOT NULL REFERENCES nodes (id),
    address  TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    seen_at  BIGINT NOT NULL,
    PRIMARY KEY (node_id, address)
) WITHOUT ROWID;
CREATE INDEX node_addresses_address ON node_addresses (address);

-- Until now each replica had the address of its last proof.
INSERT INTO node_addresses (node_id, address, first_at, seen_at)
SELECT node_id, address, first_at, seen_at FROM (
    SELECT node_id, address, MIN(verified_at) AS first_at, MAX(verified_at) AS seen_at,
        ROW_NUMBER() OVER (PARTITION BY node_id ORDER BY address = 'several addresses' DESC, MAX(verified_at) DESC) AS place
    FROM replicas WHERE address IS NOT NULL AND verified_at IS NOT NULL GROUP BY node_id, address
) AS placed WHERE place <= 32;
ALTER TABLE replicas DROP COLUMN address;
-- Others count as one now.
UPDATE assessments SET due_at = 0;
