-- What is drawn once for a ledger: by it the nodes are chosen from the network's list.
CREATE TABLE seeds (id BIGINT PRIMARY KEY, seed BLOB NOT NULL);
