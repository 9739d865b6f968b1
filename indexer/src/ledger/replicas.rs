//! Replicas: the last word on each content at each node.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{LedgerError, Millis, NodeKind, Result, RowId, Tx, bulk::fetch_in, fetch, uint};
use crate::health::{Address, Holder, ReplicaState, ReplicaView};

/// From where nodes served.
type Addresses = HashMap<RowId, Arc<[Address]>>;

/// A replica as the ledger has it.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Of which content.
    pub content: RowId,
    /// On which node.
    pub node: RowId,
    /// What health needs.
    pub view: ReplicaView,
    /// `held` as it is shown.
    pub held: Option<bool>,
    /// Bytes the last probe saw.
    pub bytes: Option<u64>,
    /// HTTP status the last probe saw.
    pub http_status: Option<u16>,
    /// The name that the last bytes really had.
    pub computed: Option<String>,
    /// In words, what was wrong.
    pub detail: Option<String>,
    /// When the last probe ended.
    pub checked_at: Option<Millis>,
    /// When a spot check last found the right blocks.
    pub spotted_at: Option<Millis>,
    /// Probes in a row without an answer that says anything.
    pub failures: u32,
}

/// One change of a replica's state.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// The new state.
    pub state: ReplicaState,
    /// When.
    pub at: Millis,
    /// In words, what was wrong.
    pub detail: Option<String>,
}

/// A row of `replicas`, with its node's operator, and where its node's name leads.
#[derive(sqlx::FromRow)]
struct ReplicaRow {
    content_id: i64,
    node_id: i64,
    state: Option<String>,
    held: Option<i64>,
    bytes: Option<i64>,
    http_status: Option<i64>,
    computed: Option<String>,
    detail: Option<String>,
    checked_at: Option<i64>,
    verified_at: Option<i64>,
    spotted_at: Option<i64>,
    failures: i64,
    operator: Option<String>,
    address: String,
    kind: String,
    in_use_since: Option<i64>,
}

fn state(text: &str) -> Result<ReplicaState> {
    text.parse().map_err(LedgerError::Corrupt)
}

impl ReplicaRow {
    fn key(&self) -> (RowId, RowId) {
        (self.content_id, self.node_id)
    }

    fn into_replica(self, addresses: &Addresses) -> Result<Replica> {
        let kind = NodeKind::parse(&self.kind)?;
        let mut holder = Holder::at(self.operator, self.address);
        holder.is_stranger = kind == NodeKind::Provider;
        if let Some(seen) = addresses.get(&self.node_id) {
            holder.addresses = seen.clone();
        }
        Ok(Replica {
            content: self.content_id,
            node: self.node_id,
            view: ReplicaView {
                state: self.state.as_deref().map(state).transpose()?,
                verified_at: self.verified_at,
                held: self.held == Some(1),
                gives_bytes: kind.gives_bytes(),
                in_use_since: self.in_use_since,
                holder,
            },
            held: self.held.map(|held| held != 0),
            bytes: self.bytes.map(uint),
            http_status: self.http_status.and_then(|status| u16::try_from(status).ok()),
            computed: self.computed,
            detail: self.detail,
            checked_at: self.checked_at,
            spotted_at: self.spotted_at,
            failures: u32::try_from(self.failures).unwrap_or(u32::MAX),
        })
    }
}

/// What a replica (`r`) on a node (`n`) is, but for its content and node.
macro_rules! replica_columns {
    () => {
        "r.state, r.held, r.bytes, r.http_status, r.computed, r.detail, r.checked_at, r.verified_at,
         r.spotted_at, COALESCE(r.failures, 0) AS failures, n.operator,
         n.address, n.kind, n.since AS in_use_since"
    };
}

/// Replicas on nodes in use (`n`) of contents (`c`). Most have no row before they are first due.
macro_rules! replica_sql {
    () => {
        concat!(
            "SELECT c.id AS content_id, n.id AS node_id, ",
            replica_columns!(),
            " FROM contents c CROSS JOIN nodes n
             LEFT JOIN replicas r ON r.content_id = c.id AND r.node_id = n.id
             WHERE n.active = 1 AND n.kind <> 'provider'"
        )
    };
}

/// Replicas of contents at providers that announced them (`a`), once for each router that said so.
macro_rules! announced_sql {
    () => {
        concat!(
            "SELECT r.content_id, r.node_id, ",
            replica_columns!(),
            " FROM announcements a
             JOIN replicas r ON r.content_id = a.content_id AND r.node_id = a.node_id
             JOIN nodes n ON n.id = a.node_id
             WHERE n.kind = 'provider'"
        )
    };
}

/// Rows of both kinds, by content and node.
fn together(everywhere: Vec<ReplicaRow>, announced: Vec<ReplicaRow>) -> Vec<ReplicaRow> {
    let mut rows = everywhere;
    if !announced.is_empty() {
        rows.extend(announced);
        rows.sort_by_key(ReplicaRow::key);
        rows.dedup_by_key(|row| row.key());
    }
    rows
}

impl Tx {
    /// Replicas of both kinds, by content and node, and where their nodes are.
    async fn all(
        &mut self,
        everywhere: Vec<ReplicaRow>,
        announced: Vec<ReplicaRow>,
    ) -> Result<Vec<Replica>> {
        let rows = together(everywhere, announced);
        let nodes: BTreeSet<RowId> = rows.iter().map(|row| row.node_id).collect();
        let addresses = self.addresses_of(&nodes).await?;
        rows.into_iter().map(|row| row.into_replica(&addresses)).collect()
    }

    /// Every replica of wanted content on nodes in use, also those not probed yet, and at providers
    /// that announced it, by content and node.
    pub async fn replicas(&mut self) -> Result<Vec<Replica>> {
        let rows = fetch!(
            fetch_all,
            self,
            ReplicaRow,
            concat!(replica_sql!(), " AND c.wanted = 1 ORDER BY c.id, n.id"),
        )?;
        let announced = fetch!(
            fetch_all,
            self,
            ReplicaRow,
            concat!(
                announced_sql!(),
                " AND EXISTS (SELECT 1 FROM contents c WHERE c.id = a.content_id AND c.wanted = 1)"
            ),
        )?;
        self.all(rows, announced).await
    }

    /// The replicas of one content on nodes in use, also those not probed yet, and at providers that
    /// announced it, by node.
    pub async fn replicas_of(&mut self, content: RowId) -> Result<Vec<Replica>> {
        let rows = fetch!(
            fetch_all,
            self,
            ReplicaRow,
            concat!(replica_sql!(), " AND c.id = $1 ORDER BY n.id"),
            content,
        )?;
        let announced = fetch!(
            fetch_all,
            self,
            ReplicaRow,
            concat!(announced_sql!(), " AND a.content_id = $1"),
            content,
        )?;
        self.all(rows, announced).await
    }

    /// The replicas of contents on nodes in use, also those not probed yet, and at providers that
    /// announced them, by node.
    pub async fn replicas_of_rows(
        &mut self,
        contents: &[RowId],
    ) -> Result<HashMap<RowId, Vec<Replica>>> {
        let rows = fetch_in!(
            self,
            ReplicaRow,
            {}
            concat!(replica_sql!(), " AND c.id IN"),
            contents,
            "ORDER BY c.id, n.id"
        );
        let announced = fetch_in!(
            self,
            ReplicaRow,
            {}
            concat!(announced_sql!(), " AND a.content_id IN"),
            contents,
            ""
        );
        let mut by_content: HashMap<RowId, Vec<Replica>> = HashMap::new();
        for replica in self.all(rows, announced).await? {
            by_content.entry(replica.content).or_default().push(replica);
        }
        Ok(by_content)
    }

    /// How many replicas of wanted content nodes in use have, by node and state.
    pub async fn replica_counts(&mut self) -> Result<Vec<(RowId, ReplicaState, usize)>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64, String, i64),
            "SELECT r.node_id, r.state, COUNT(*) FROM replicas r
             JOIN contents c ON c.id = r.content_id JOIN nodes n ON n.id = r.node_id
             WHERE c.wanted = 1 AND n.active = 1 AND r.state IS NOT NULL
             GROUP BY r.node_id, r.state",
        )?;
        let counted = |(node, text, count): (i64, String, i64)| {
            Ok((node, state(&text)?, usize::try_from(count).unwrap_or(0)))
        };
        rows.into_iter().map(counted).collect()
    }

    /// The last changes of a replica's state, oldest first.
    pub async fn changes(&mut self, content: RowId, node: RowId) -> Result<Vec<StateChange>> {
        let rows = fetch!(
            fetch_all,
            self,
            (String, i64, Option<String>),
            "SELECT state, at, detail FROM replica_changes
             WHERE content_id = $1 AND node_id = $2 ORDER BY id",
            content,
            node,
        )?;
        rows.into_iter()
            .map(|(text, at, detail)| Ok(StateChange { state: state(&text)?, at, detail }))
            .collect()
    }
}
