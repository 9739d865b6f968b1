//! Providers that leave: what nobody announces any more has no rows.

use std::collections::{BTreeSet, HashSet};

use super::{
    Millis, Node, Result, RowId, Tx,
    bulk::{fetch_in, fetch_pairs},
    execute, fetch,
};
use crate::hosts::host_of;

type Key = (RowId, RowId);

/// Announcements that are ended in one transaction.
const AT_ONCE: i64 = 1000;

impl Tx {
    /// Ends announcements (content, provider, router), and what hangs on them.
    pub(super) async fn withdraw(&mut self, gone: &[(RowId, RowId, RowId)]) -> Result<()> {
        for (content, node, router) in gone {
            execute!(
                self,
                "DELETE FROM announcements
                 WHERE content_id = $1 AND node_id = $2 AND router_id = $3",
                content,
                node,
                router,
            )?;
        }
        self.end_replicas(gone.iter().map(|(content, node, _)| (*content, *node)).collect()).await
    }

    pub(super) async fn send_away(&mut self, providers: &[RowId]) -> Result<()> {
        let ended = fetch_in!(self, (i64, i64), {} "DELETE FROM announcements WHERE node_id IN",
            providers, "RETURNING content_id, node_id");
        self.end_replicas(ended.into_iter().collect()).await
    }

    /// Ends replicas that nobody announces any more, and takes providers out of use that have none.
    async fn end_replicas(&mut self, replicas: BTreeSet<Key>) -> Result<()> {
        if replicas.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = replicas.iter().copied().collect();
        let still = fetch_pairs!(
            self,
            (i64, i64),
            "a.content_id, a.node_id",
            "announcements a",
            ("a.content_id", "a.node_id"),
            keys,
            ""
        );
        let still: BTreeSet<Key> = still.into_iter().collect();
        let ended: Vec<Key> = replicas.difference(&still).copied().collect();
        for table in ["replica_changes", "leases", "replicas"] {
            self.delete_pairs(table, &ended).await?;
        }
        let contents: BTreeSet<RowId> = ended.iter().map(|(content, _)| *content).collect();
        self.rejudge(&contents.into_iter().collect::<Vec<_>>()).await?;
        execute!(
            self,
            "UPDATE nodes SET active = 0, left_at = $1 WHERE kind = 'provider' AND active = 1
               AND NOT EXISTS (SELECT 1 FROM announcements a WHERE a.node_id = nodes.id)",
            super::now(),
        )?;
        Ok(())
    }

    async fn delete_pairs(&mut self, table: &str, keys: &[Key]) -> Result<()> {
        match self {
            Self::Sqlite(c) => {
                // One by one: with a list of pairs it goes through the whole table.
                let sql = format!("DELETE FROM {table} WHERE content_id = $1 AND node_id = $2");
                for (content, node) in keys {
                    let delete = sqlx::query(sqlx::AssertSqlSafe(sql.as_str()));
                    delete.bind(content).bind(node).execute(&mut **c).await?;
                }
            }
            Self::Postgres(c) => {
                let (contents, nodes): (Vec<i64>, Vec<i64>) = keys.iter().copied().unzip();
                let sql = format!(
                    "DELETE FROM {table} t USING UNNEST($1, $2) AS one (content, node)
                     WHERE t.content_id = one.content AND t.node_id = one.node"
                );
                let delete = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(contents).bind(nodes);
                delete.execute(&mut **c).await?;
            }
        }
        Ok(())
    }

    /// Ends what no router has named since `before`, but for what was seen right since then: who
    /// serves a content need not be named again. At most a thousand at once, since others wait to write;
    /// gives whether there may be more.
    pub async fn forget_unannounced(&mut self, before: Millis) -> Result<bool> {
        self.alone().await?;
        let ended = fetch!(
            fetch_all,
            self,
            (i64, i64, i64),
            "SELECT a.content_id, a.node_id, a.router_id FROM announcements a
             WHERE a.named_at < $1 AND NOT EXISTS (
                SELECT 1 FROM replicas r
                WHERE r.content_id = a.content_id AND r.node_id = a.node_id
                  AND r.state = 'verified' AND r.verified_at >= $1)
             LIMIT $2",
            before,
            AT_ONCE,
        )?;
        self.withdraw(&ended).await?;
        Ok(ended.len() as u64 == AT_ONCE.unsigned_abs())
    }

    /// Routers that are in use no more take those with them whom they alone named.
    pub(super) async fn end_removed_routers(&mut self) -> Result<()> {
        let ended = fetch!(
            fetch_all,
            self,
            (i64, i64),
            "DELETE FROM announcements
             WHERE router_id IN (SELECT id FROM nodes WHERE active = 0 AND kind <> 'provider')
             RETURNING content_id, node_id",
        )?;
        self.end_replicas(ended.into_iter().collect()).await
    }

    /// Ends providers that are configured now, by whatever port or spelling of the host: they are nodes
    /// as others from here on.
    pub(super) async fn take_from_providers(&mut self, nodes: &[Node]) -> Result<()> {
        let rows = "SELECT id, url FROM nodes WHERE kind = 'provider'";
        let rows = fetch!(fetch_all, self, (i64, String), rows)?;
        let giving = nodes.iter().filter(|node| node.kind.gives_bytes());
        let hosts: HashSet<String> = giving.filter_map(|node| host_of(&node.url)).collect();
        let taken = rows.into_iter().filter(|(_, url)| {
            nodes.iter().any(|node| node.url == *url)
                || host_of(url).is_some_and(|host| hosts.contains(&host))
        });
        self.send_away(&taken.map(|(id, _)| id).collect::<Vec<_>>()).await
    }
}
