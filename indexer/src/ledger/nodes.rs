//! The nodes that may hold content.

use serde::Serialize;

use super::{LedgerError, Result, RowId, Tx, execute, fetch};

/// What a node is, and so how it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// An aleph.im Core Channel Node.
    Aleph,
    /// An IPFS HTTP gateway.
    Gateway,
    /// A Kubo node, asked over its RPC.
    Kubo,
    /// A delegated router: it says who has content, and has none.
    Routing,
    /// A pinning service: it says that it has content, and gives none.
    Pinning,
    /// Somebody who announced content, as a router says, and has a web server. It has replicas of what
    /// it announced, and is no node of other contents.
    Provider,
}

impl NodeKind {
    const ALL: [Self; 6] =
        [Self::Aleph, Self::Gateway, Self::Kubo, Self::Routing, Self::Pinning, Self::Provider];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aleph => "aleph",
            Self::Gateway => "gateway",
            Self::Kubo => "kubo",
            Self::Routing => "routing",
            Self::Pinning => "pinning",
            Self::Provider => "provider",
        }
    }

    /// Whether it gives bytes, so that there can be a replica: others only claim.
    pub fn gives_bytes(self) -> bool {
        !matches!(self, Self::Routing | Self::Pinning)
    }

    /// Whether a content waits for its answer: nobody waits for those who only announced it.
    pub fn is_waited_for(self) -> bool {
        self.gives_bytes() && self != Self::Provider
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| LedgerError::Corrupt(format!("node kind `{text}`")))
    }
}

/// A node in the ledger.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its key.
    pub id: RowId,
    /// Its URL, as configured.
    pub url: String,
    /// What it is.
    pub kind: NodeKind,
    /// Who runs it, where that is known.
    pub operator: Option<String>,
    /// Where its name leads, before bytes come from it.
    pub address: String,
}

type NodeRow = (i64, String, String, Option<String>, String);

impl Node {
    fn from_row((id, url, kind, operator, address): NodeRow) -> Result<Self> {
        Ok(Self { id, url, kind: NodeKind::parse(&kind)?, operator, address })
    }
}

impl Tx {
    /// Makes the ledger's nodes those given (the `id` is ignored): new ones get every wanted
    /// content to probe, those left out no longer count.
    ///
    /// Providers are none of them: they stay as long as a router that stays has named them.
    pub async fn set_nodes(&mut self, nodes: &[Node]) -> Result<()> {
        self.alone().await?;
        self.take_from_providers(nodes).await?;
        execute!(self, "UPDATE nodes SET active = 0 WHERE kind <> 'provider'")?;
        for node in nodes {
            execute!(
                self,
                "INSERT INTO nodes (url, kind, operator, address, active, since)
                 VALUES ($1, $2, $3, $4, 1, $5)
                 ON CONFLICT (url) DO UPDATE SET kind = excluded.kind,
                    operator = excluded.operator, address = excluded.address, active = 1,
                    since = COALESCE(nodes.since, excluded.since)",
                &node.url,
                node.kind.as_str(),
                node.operator.as_deref(),
                &node.address,
                super::now(),
            )?;
        }
        execute!(
            self,
            "UPDATE replicas SET due_at = NULL
             WHERE node_id IN (SELECT id FROM nodes WHERE active = 0)",
        )?;
        self.end_removed_routers().await?;
        execute!(
            self,
            "INSERT INTO replicas (content_id, node_id, due_at)
             SELECT c.id, n.id, 0 FROM contents c CROSS JOIN nodes n
             WHERE c.wanted = 1 AND n.active = 1 AND n.kind <> 'provider' AND c.id <= (SELECT up_to FROM scheduled)
             ON CONFLICT (content_id, node_id) DO UPDATE
                SET due_at = COALESCE(replicas.due_at, 0)",
        )?;
        // Other nodes count now.
        execute!(self, "UPDATE assessments SET due_at = 0")?;
        Ok(())
    }

    /// 32 bytes that were drawn for this ledger, and stay: what is chosen by them is chosen alike
    /// by all who share it, and nobody else knows them.
    pub async fn seed(&mut self) -> Result<[u8; 32]> {
        let drawn: [u8; 32] = rand::random();
        execute!(
            self,
            "INSERT INTO seeds (id, seed) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
            &drawn[..],
        )?;
        let (seed,) = fetch!(fetch_one, self, (Vec<u8>,), "SELECT seed FROM seeds WHERE id = 1")?;
        seed.try_into()
            .map_err(|_| LedgerError::Corrupt("a seed of other than 32 bytes".to_owned()))
    }

    /// The nodes in use, providers among them, in the order they first came.
    pub async fn nodes(&mut self) -> Result<Vec<Node>> {
        let rows = fetch!(
            fetch_all,
            self,
            NodeRow,
            "SELECT id, url, kind, operator, address FROM nodes WHERE active = 1 ORDER BY id",
        )?;
        rows.into_iter().map(Node::from_row).collect()
    }
}
