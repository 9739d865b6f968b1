//! Those who hold content: one file a kind behind one small trait.

pub mod aleph;
mod announced;
pub mod blocks;
mod canary;
mod gateway;
mod kubo;
mod network;
mod pinning;
mod probe;
mod resolve;
mod routing;
mod sample;
mod seen;
mod spot;

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

pub use crate::ledger::{Known, NodeKind};
pub use announced::{Announced, confirm};
pub use blocks::BlockNode;
pub use canary::Heeds;
pub use everhold_net::{Body, FetchError, Fetcher};
pub use gateway::Gateway;
pub use kubo::{Kubo, KuboError};
pub use network::{Network, NetworkError, PassedOver, agreed};
pub use pinning::{PinRequest, Pinning};
pub use probe::{probe, probe_into, probe_to_file};
pub use resolve::{PathError, Resolver};
pub use routing::Routing;
pub use sample::sample;
pub use seen::Seen;
pub use spot::{OFFSETS, SpotFound, Spotted, draw_offsets, spot_check};

use crate::{
    config::{Config, ConfigError, NodeConfig},
    content::{ContentId, Provider},
};

/// Something that may hold content.
#[async_trait]
pub trait ContentNode: Send + Sync + std::fmt::Debug {
    /// Its base URL, as configured.
    fn url(&self) -> &Url;

    /// What it is.
    fn kind(&self) -> NodeKind;

    /// Begins a full GET of `id`.
    async fn open(&self, id: &ContentId) -> Result<Answer, FetchError>;

    /// The same node as one that gives blocks, where it does.
    fn blocks(&self) -> Option<&dyn BlockNode> {
        None
    }

    /// Whether it was seen to answer from its own copies alone where it is asked to.
    async fn keeps_to_its_own(&self) -> Heeds {
        Heeds::No
    }

    /// It failed to answer: it may be another software, or have other settings, when it is back.
    async fn has_failed(&self) {}
}

/// What a node answers when it is asked for content.
#[derive(Debug)]
pub enum Answer {
    /// Bytes, still to be hashed.
    Bytes {
        /// Them.
        body: Box<Body>,
        /// Whether they are the node's own copy, should they be right.
        heeds: Heeds,
    },
    /// Nothing yet: it gives no files, but blocks.
    BlocksOnly,
    /// Words, of one who gives no bytes.
    Says {
        /// Whether they are that somebody has the content.
        claimed: bool,
        /// They.
        detail: String,
        /// Those of whom they are said, where they have a web server.
        named: Vec<Provider>,
    },
}

impl Answer {
    fn bytes(body: Body, heeds: Heeds) -> Self {
        Self::Bytes { body: Box::new(body), heeds }
    }
}

/// A configured node, and whose it is.
#[derive(Debug)]
pub struct Configured {
    /// The node.
    pub node: Arc<dyn ContentNode>,
    /// The same node's aleph interface, if it has one.
    pub aleph: Option<aleph::Client>,
    /// The same node's RPC, if it is a Kubo node that may be pinned on.
    pub kubo: Option<Kubo>,
    /// The same as a pinning service, if it is one.
    pub pinning: Option<Pinning>,
    /// Who runs it, where the configuration says so.
    pub operator: Option<String>,
}

impl Configured {
    /// An aleph node.
    pub fn aleph(client: aleph::Client, operator: Option<String>) -> Self {
        let aleph = Some(client.clone());
        Self { node: Arc::new(client), aleph, kubo: None, pinning: None, operator }
    }
}

/// The nodes of the configuration, in its order.
///
/// # Errors
/// Where the token of a pinning service can't be read.
pub fn configured(config: &Config, fetcher: &Fetcher) -> Result<Vec<Configured>, ConfigError> {
    let aleph = config.aleph.named().iter().map(|node| {
        let client = aleph::Client::new(node.url.clone(), fetcher.clone());
        Configured::aleph(client, node.operator.clone())
    });
    let other = |node: Arc<dyn ContentNode>, from: &NodeConfig| Configured {
        node,
        aleph: None,
        kubo: None,
        pinning: None,
        operator: from.operator.clone(),
    };
    let gateways = config
        .ipfs
        .gateways
        .iter()
        .map(|node| other(Arc::new(Gateway::new(node.url.clone(), fetcher.clone())), node));
    let kubo = config.ipfs.kubo.iter().map(|node| {
        let kubo = Kubo::new(node.url.clone(), fetcher.clone());
        Configured { kubo: Some(kubo.clone()), ..other(Arc::new(kubo), node) }
    });
    let routing = config
        .ipfs
        .routing
        .iter()
        .map(|node| other(Arc::new(Routing::new(node.url.clone(), fetcher.clone())), node));
    let kubo_routing = config
        .ipfs
        .kubo_routing
        .iter()
        .map(|node| other(Arc::new(Routing::of_kubo(&node.url, fetcher.clone())), node));
    let routing = routing.chain(kubo_routing);
    let mut all: Vec<_> = aleph.chain(gateways).chain(kubo).chain(routing).collect();
    for service in &config.pinning {
        let node = Pinning::new(service.url.clone(), service.token()?, fetcher.clone());
        all.push(Configured {
            node: Arc::new(node.clone()),
            aleph: None,
            kubo: None,
            pinning: Some(node),
            operator: service.operator.clone(),
        });
    }
    Ok(all)
}

/// The text by which a node is known everywhere: its URL without a final slash.
pub fn name(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// `base` with `path` below it, whatever `base`'s own path is.
pub(crate) fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}/{path}"));
    url.set_query(None);
    url
}
