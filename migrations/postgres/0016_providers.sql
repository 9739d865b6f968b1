-- Who was named for which content by which router: a provider has replicas of what it was named for, and of nothing else.
CREATE TABLE announcements (
    content_id BIGINT NOT NULL REFERENCES contents (id),
    node_id    BIGINT NOT NULL REFERENCES nodes (id),
    router_id  BIGINT NOT NULL REFERENCES nodes (id),
    named_at   BIGINT NOT NULL,
    PRIMARY KEY (content_id, node_id, router_id)
);
CREATE INDEX announcements_node ON announcements (node_id);
CREATE INDEX announcements_router ON announcements (router_id);
CREATE INDEX announcements_named ON announcements (named_at);

-- Of providers: since when they were asked, when one last served what it had announced, and when it was last announced for
-- nothing any more. Then its row is another's, in time: nobody but routers says how many there are.
ALTER TABLE nodes ADD COLUMN asked_at BIGINT;
ALTER TABLE nodes ADD COLUMN served_at BIGINT;
ALTER TABLE nodes ADD COLUMN left_at BIGINT;

-- Those that have a replica of each content.
CREATE INDEX nodes_everywhere ON nodes (active, id, operator, address, kind) WHERE active = 1 AND kind <> 'provider';
CREATE INDEX nodes_providers ON nodes (active, id) WHERE kind = 'provider';
