-- What each repair took and cost, so that budgets can be kept and people told. `sent_at`: when the node answered that it took
-- it. `prove_by`: until then a probe that sees nothing right says nothing yet. `bytes`: what was sent. `credits`: what a
-- new STORE adds to the bill, in ten-thousandths of a credit an hour. On whose account it goes: a token that names the
-- content, its owner and its collection.
ALTER TABLE repairs ADD COLUMN sent_at BIGINT;
ALTER TABLE repairs ADD COLUMN prove_by BIGINT;
ALTER TABLE repairs ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE repairs ADD COLUMN credits BIGINT NOT NULL DEFAULT 0;
ALTER TABLE repairs ADD COLUMN collection_id BIGINT REFERENCES collections (id);
ALTER TABLE repairs ADD COLUMN token_id BLOB;
-- Whether the node refused the message that went with it.
ALTER TABLE repairs ADD COLUMN refused BIGINT NOT NULL DEFAULT 0;
-- How often in a row the same was found, where nothing could be tried.
ALTER TABLE repairs ADD COLUMN times BIGINT NOT NULL DEFAULT 1;
ALTER TABLE repairs ADD COLUMN owner BLOB;

-- There is one at a time for each replica. Those of before were only waited for while their process lived.
UPDATE repairs SET state = 'failed', detail = 'the process that sent it ended' WHERE state IN ('planned', 'sent');
DROP INDEX repairs_open;
CREATE UNIQUE INDEX repairs_open ON repairs (content_id, node_id) WHERE state IN ('planned', 'sent');
CREATE INDEX repairs_started ON repairs (started_at);
CREATE INDEX repairs_waiting ON repairs (content_id, node_id) WHERE state = 'waiting';
CREATE INDEX repairs_pins ON repairs (content_id) WHERE state = 'sent' AND action = 'pin-request';

-- What each message that was signed here costs, on whose account, and when it was seen to have ended.
ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT 'STORE';
ALTER TABLE messages ADD COLUMN credits BIGINT NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN collection_id BIGINT REFERENCES collections (id);
ALTER TABLE messages ADD COLUMN token_id BLOB;
ALTER TABLE messages ADD COLUMN owner BLOB;
ALTER TABLE messages ADD COLUMN ended_at BIGINT;
-- Of a FORGET: the message that it takes back.
ALTER TABLE messages ADD COLUMN target TEXT;
CREATE INDEX messages_live ON messages (created_at) WHERE ended_at IS NULL;

-- Whether it was told of an incident that all was tried in vain. And incidents of kind `credits`: who pays for a collection's
-- STOREs can't for long.
ALTER TABLE incidents ADD COLUMN stuck BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX incidents_credits ON incidents (collection_id) WHERE closed_at IS NULL AND kind = 'credits';
