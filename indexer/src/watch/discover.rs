//! Nodes found through the network's own list: which are used, and that the list is read again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tracing::{info, warn};
use url::Url;

use super::{Watch, WatchError, shortage::short_of, whereabouts::holders};
use crate::{
    config::{Config, NodeConfig},
    content::ListedNode,
    ledger::{Ledger, LedgerError, RowId, Tx},
    nodes::{self, Configured, Fetcher, Network, NetworkError, NodeKind, aleph, sample},
};

/// A list that could not be read is tried again after this, or after `refresh` where that is less.
const RETRY: Duration = Duration::from_secs(300);

/// Nodes by their rows in the ledger.
pub(super) type Nodes = HashMap<RowId, Arc<Configured>>;

/// Where nodes are found, and how many are used.
#[derive(Debug)]
pub(super) struct Discovery {
    network: Network,
    size: usize,
    seed: [u8; 32],
    refresh: Duration,
}

impl Discovery {
    /// As configured; `None` where nodes are named.
    pub(super) async fn configured(
        config: &Config,
        fetcher: &Fetcher,
        ledger: &Ledger,
    ) -> Result<Option<Self>, LedgerError> {
        let Some(network) = Network::configured(config, fetcher) else { return Ok(None) };
        let mut tx = ledger.write().await?;
        let seed = tx.seed().await?;
        tx.commit().await?;
        let (size, refresh) = (config.aleph.sample as usize, config.aleph.refresh.0);
        Ok(Some(Self { network, size, seed, refresh }))
    }

    /// The nodes to use now; `before` are those in use.
    async fn read(&self, before: &[ListedNode]) -> Result<Vec<ListedNode>, NetworkError> {
        let (listed, passed) = self.network.nodes(before).await?;
        let chosen = sample(&listed, &self.seed, self.size);
        info!("the aleph network has {} nodes; {} are used ({passed})", listed.len(), chosen.len());
        Ok(chosen)
    }

    /// The nodes to begin with; those of the last list, where none can be read.
    pub(super) async fn first(&self, ledger: &Ledger) -> Result<Vec<ListedNode>, LedgerError> {
        let last = last(&mut ledger.read().await?).await?;
        match self.read(&last).await {
            Ok(chosen) => Ok(chosen),
            Err(error) => {
                warn!("{error}; {} nodes of the last list are used", last.len());
                Ok(last)
            }
        }
    }
}

/// The configuration with the nodes in its name that are found where it names none: for commands that
/// ask them once. They are those that `watch` uses.
///
/// # Errors
/// Those of the ledger, which has the seed.
pub async fn with_found_nodes(
    mut config: Config,
    fetcher: &Fetcher,
) -> Result<Config, LedgerError> {
    if config.aleph.nodes.is_none() {
        let ledger = Ledger::open(&config.database).await?;
        if let Some(discovery) = Discovery::configured(&config, fetcher, &ledger).await? {
            let found = discovery.first(&ledger).await?.into_iter();
            let named = found.map(|node| NodeConfig { url: node.url, operator: Some(node.owner) });
            config.aleph.nodes = Some(named.collect());
        }
        ledger.close().await;
    }
    Ok(config)
}

/// The found nodes that the ledger has in use.
async fn last(tx: &mut Tx) -> Result<Vec<ListedNode>, LedgerError> {
    let known = tx.nodes().await?.into_iter().filter(|node| node.kind == NodeKind::Aleph);
    let listed = known.filter_map(|node| {
        let (url, owner) = (node.url.parse::<Url>().ok()?, node.operator?);
        Some(ListedNode { url, owner })
    });
    Ok(listed.collect())
}

/// What is asked of nodes that were found. Those in use stay as they are, with what they know.
pub(super) fn clients(
    found: Vec<ListedNode>,
    in_use: &[Arc<Configured>],
    fetcher: &Fetcher,
) -> Vec<Arc<Configured>> {
    let client = |node: ListedNode| {
        let same = |known: &&Arc<Configured>| {
            known.node.kind() == NodeKind::Aleph
                && *known.node.url() == node.url
                && known.operator.as_ref() == Some(&node.owner)
        };
        in_use.iter().find(same).cloned().unwrap_or_else(|| {
            let client = aleph::Client::new(node.url.clone(), fetcher.clone());
            Arc::new(Configured::aleph(client, Some(node.owner)))
        })
    };
    found.into_iter().map(client).collect()
}

/// Nodes by their rows, as the ledger has them now.
pub(super) async fn by_row(
    tx: &mut Tx,
    configured: Vec<Arc<Configured>>,
) -> Result<Nodes, LedgerError> {
    let mut by_url: HashMap<_, _> =
        configured.into_iter().map(|node| (nodes::name(node.node.url()), node)).collect();
    let rows = tx.nodes().await?;
    Ok(rows.iter().filter_map(|row| Some((row.id, by_url.remove(&row.url)?))).collect())
}

impl Watch {
    /// Reads the list again and again, where nodes are found through it.
    pub(super) async fn discover(&self) {
        let Some(discovery) = &self.discovery else { return };
        let mut pause = discovery.refresh;
        loop {
            // A pause of nothing is none between requests to others.
            tokio::time::sleep(pause.max(Duration::from_secs(1))).await;
            pause = match self.renew(discovery).await {
                Ok(()) => discovery.refresh,
                Err(text) => {
                    warn!("{text}; the nodes stay as they are");
                    discovery.refresh.min(RETRY)
                }
            };
        }
    }

    /// A node in use. One that another process has found, which shares the ledger, is taken from there.
    pub(super) async fn node(&self, row: RowId) -> Option<Arc<Configured>> {
        let known = self.nodes().get(&row).cloned();
        if known.is_some() || self.discovery.is_none() {
            return known;
        }
        if let Err(error) = self.adopt().await {
            warn!("nodes that others have found: {error}");
        }
        self.nodes().get(&row).cloned()
    }

    /// Takes over what another process has found, which shares the ledger.
    pub(super) async fn adopt_new(&self) -> Result<(), LedgerError> {
        if self.discovery.is_none() {
            return Ok(());
        }
        let rows = self.ledger.read().await?.nodes().await?;
        let known = self.nodes();
        let mut found = rows.iter().filter(|row| row.kind != NodeKind::Provider);
        match found.all(|row| known.contains_key(&row.id)) {
            true => Ok(()),
            false => self.adopt().await,
        }
    }

    async fn adopt(&self) -> Result<(), LedgerError> {
        let mut tx = self.ledger.read().await?;
        let before: Vec<_> = self.nodes().values().cloned().collect();
        let mut nodes = clients(last(&mut tx).await?, &before, &self.fetcher);
        nodes.extend(before.into_iter().filter(|node| node.aleph.is_none()));
        self.set_nodes(by_row(&mut tx, nodes).await?);
        Ok(())
    }

    /// Reads the list once, and uses what it says from now on.
    async fn renew(&self, discovery: &Discovery) -> Result<(), String> {
        let before = async { last(&mut self.ledger.read().await?).await };
        let before = before.await.map_err(|error: LedgerError| error.to_string())?;
        let found = discovery.read(&before).await.map_err(|error| error.to_string())?;
        self.use_nodes(found).await.map_err(|error| error.to_string())
    }

    async fn use_nodes(&self, found: Vec<ListedNode>) -> Result<(), WatchError> {
        let before: Vec<_> = self.nodes().values().cloned().collect();
        let mut after = clients(found, &before, &self.fetcher);
        if after.iter().all(|node| before.iter().any(|known| Arc::ptr_eq(known, node)))
            && after.len() == before.iter().filter(|node| node.aleph.is_some()).count()
        {
            return Ok(());
        }
        after.extend(before.into_iter().filter(|node| node.aleph.is_none()));
        let rows = holders(&after).await;
        if let Some(shortage) = short_of(&rows, self.settings.policy.min) {
            warn!("{shortage}");
        }
        let mut tx = self.ledger.write().await?;
        tx.set_nodes(&rows).await?;
        let nodes = by_row(&mut tx, after).await?;
        tx.commit().await?;
        self.set_nodes(nodes);
        Ok(())
    }
}
