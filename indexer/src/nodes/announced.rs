//! Those who announced content and have a web server.

use async_trait::async_trait;
use everhold_net::Request;
use url::Url;

use super::{
    Answer, BlockNode, ContentNode, FetchError, Fetcher, Gateway, Heeds, Known, NodeKind, Seen,
    probe,
};
use crate::{
    content::{Cid, ContentId, Provider},
    health::ReplicaState,
};

/// Said of right bytes that nobody knows to be a provider's own.
const NOT_ITS_OWN: &str = "it gave the right bytes, but may have fetched them from others as well: \
    nobody knows that they are its own";

/// Fetches a content from somebody who announced it, as from a trustless gateway that is to give nothing but
/// its own: block by block, each hashed, from that very server. Redirects are not followed, and nothing
/// on a private address is asked, whatever is configured.
///
/// Right bytes are `verified` and `held` where each block came from a server that was seen to give
/// none but its own. Other right bytes are `claimed`: who announced the content need not run the server that it
/// named, so that anybody could name public gateways, each of which would fetch the same seed.
/// Where it can't be told at the moment, that is silence. Anything else is as with gateways; a provider without a web server is not asked, and stays a
/// claim of the router.
pub async fn confirm(provider: &Provider, id: &ContentId, known: Known, fetcher: &Fetcher) -> Seen {
    probe(&Announced::new(provider.url.clone(), fetcher), id, known, None).await
}

/// Said of right bytes of which a provider did not say, this once, whether they are its own.
const UNTOLD: &str = "it gave the right bytes, but did not answer so that it could be told whether \
    they are its own";

/// What a provider gave, as it counts: only right bytes of its own do. Others of which that can't be
/// told just now are no more than silence, which takes nothing at once and gives nothing.
pub(super) fn of_its_own_alone(seen: Seen) -> Seen {
    let (state, why) = match (seen.state, seen.held) {
        (ReplicaState::Verified, None | Some(false)) if seen.is_untold => {
            (ReplicaState::Unreachable, UNTOLD)
        }
        (ReplicaState::Verified, None | Some(false)) => (ReplicaState::Claimed, NOT_ITS_OWN),
        _ => return seen,
    };
    Seen { state, detail: Some(why.to_owned()), is_untold: false, ..seen }
}

/// A provider with a web server, as a node of kind `provider`. It is one only for the contents that
/// it announced. Clones share what was seen of it.
#[derive(Clone, Debug)]
pub struct Announced {
    gateway: Gateway,
}

impl Announced {
    /// The node that a provider is, by the URL of its web server.
    pub fn new(url: Url, fetcher: &Fetcher) -> Self {
        Self { gateway: Gateway::new(url, fetcher.clone()).of_a_stranger() }
    }

    /// The same where it is configured that it may be on a private address.
    pub fn private(url: Url, fetcher: &Fetcher) -> Self {
        Self { gateway: Gateway::new(url, fetcher.clone()).of_a_known_stranger() }
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
        Ok(Answer::BlocksOnly)
    }

    fn blocks(&self) -> Option<&dyn BlockNode> {
        Some(self)
    }

    async fn keeps_to_its_own(&self) -> Heeds {
        self.gateway.keeps_to_its_own().await
    }

    async fn has_failed(&self) {
        self.gateway.has_failed().await;
    }
}

/// As the gateway that it has.
impl BlockNode for Announced {
    fn base(&self) -> &Url {
        self.gateway.base()
    }

    fn fetcher(&self) -> &Fetcher {
        self.gateway.fetcher()
    }

    /// Always with the wish: a public gateway that is named by a stranger would else fetch the content
    /// for us, and have a copy of its own the next time it is asked.
    fn block(&self, cid: &Cid) -> Request {
        self.own_block(cid).unwrap_or_else(|| self.gateway.block(cid))
    }

    fn archive(&self, _: &Cid, _: &[&str]) -> Option<Request> {
        None
    }

    fn own_block(&self, cid: &Cid) -> Option<Request> {
        self.gateway.own_block(cid)
    }
}
