//! Those who announced content and have a web server.

use std::net::IpAddr;

use async_trait::async_trait;
use everhold_net::{Request, Witness};
use url::Url;

use super::{
    Answer, BlockNode, ContentNode, FetchError, Fetcher, Gateway, Known, NodeKind, Seen, probe,
};
use crate::content::{Cid, ContentId, Provider};

/// Fetches a content from somebody who announced it, as from a trustless gateway: block by block or
/// as an archive, each block hashed, from that very server. Redirects are not followed, and nothing
/// on a private address is asked, whatever is configured.
///
/// Right bytes are `verified` and `held`: who has announced the content gave it. Anything else is as
/// with gateways; a provider without a web server is not asked, and stays a claim of the router.
pub async fn confirm(provider: &Provider, id: &ContentId, known: Known, fetcher: &Fetcher) -> Seen {
    probe(&Announced::new(provider.url.clone(), fetcher), id, known, None).await
}

/// A provider with a web server, as a node of kind `provider`. It is one only for the contents that
/// it announced.
#[derive(Clone, Debug)]
pub struct Announced {
    gateway: Gateway,
    witness: Witness,
}

impl Announced {
    /// The node that a provider is, by the URL of its web server.
    pub fn new(url: Url, fetcher: &Fetcher) -> Self {
        let gateway = Gateway::new(url, fetcher.clone()).of_a_stranger();
        Self { gateway, witness: Witness::default() }
    }

    /// The same where it is configured that it may be on a private address.
    pub fn private(url: Url, fetcher: &Fetcher) -> Self {
        let gateway = Gateway::new(url, fetcher.clone()).of_a_known_stranger();
        Self { gateway, witness: Witness::default() }
    }

    /// From which address its bytes came: what its name leads to is up to itself, and may be another
    /// address for whoever asks next.
    pub fn address(&self) -> Option<IpAddr> {
        self.witness.address()
    }
}

#[async_trait]
impl ContentNode for Announced {
    fn url(&self) -> &Url {
        self.gateway.base()
    }

    fn kind(&self) -> NodeKind {
        NodeKind::Provider
    }

    async fn open(&self, _: &ContentId) -> Result<Answer, FetchError> {
        Ok(Answer::BlocksOnly { held: Some(true) })
    }

    fn blocks(&self) -> Option<&dyn BlockNode> {
        Some(self)
    }
}

/// As the gateway that it has, but that it is asked for no block of its own: it is to have them.
impl BlockNode for Announced {
    fn base(&self) -> &Url {
        self.gateway.base()
    }

    fn fetcher(&self) -> &Fetcher {
        self.gateway.fetcher()
    }

    fn block(&self, cid: &Cid) -> Request {
        self.gateway.block(cid).witnessed(&self.witness)
    }

    fn archive(&self, cid: &Cid, path: &[&str]) -> Option<Request> {
        Some(self.gateway.archive(cid, path)?.witnessed(&self.witness))
    }
}
