//! Kubo nodes over their RPC (`/api/v0`, POST only).

use async_trait::async_trait;
use everhold_net::Request;
use url::Url;

use super::{BlockNode, Body, ContentNode, FetchError, Fetcher, NodeKind, join};
use crate::content::{Cid, ContentId};

/// A Kubo node. It is asked offline, so that what it serves is its own copy.
#[derive(Clone, Debug)]
pub struct Kubo {
    url: Url,
    fetcher: Fetcher,
}

impl Kubo {
    /// The node whose RPC is at `url` (without `/api/v0`).
    pub fn new(url: Url, fetcher: Fetcher) -> Self {
        Self { url, fetcher }
    }

    fn offline(&self, method: &str, cid: &str) -> Request {
        let mut url = join(&self.url, &format!("api/v0/{method}"));
        url.query_pairs_mut().append_pair("arg", cid).append_pair("offline", "true");
        self.fetcher.post(url)
    }
}

/// Whether an answer says that the node does not have what it was asked for: Kubo has one status
/// for every error.
pub(super) fn says_missing(error: &FetchError) -> bool {
    let FetchError::Status { status: 500, body, .. } = error else { return false };
    body.contains("not found") || body.contains("could not find")
}

impl BlockNode for Kubo {
    fn base(&self) -> &Url {
        &self.url
    }

    fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    fn block(&self, cid: &Cid) -> Request {
        self.offline("block/get", &cid.to_string())
    }

    /// `dag/export` has the whole DAG, and each block once: no walk could go along with it.
    fn archive(&self, _: &Cid, _: &[&str]) -> Option<Request> {
        None
    }

    fn says_missing(&self, error: &FetchError) -> bool {
        says_missing(error)
    }
}

#[async_trait]
impl ContentNode for Kubo {
    fn url(&self) -> &Url {
        &self.url
    }

    fn kind(&self) -> NodeKind {
        NodeKind::Kubo
    }

    fn holds_what_it_serves(&self, _: &ContentId) -> Option<bool> {
        Some(true)
    }

    async fn open(&self, id: &ContentId) -> Result<Body, FetchError> {
        self.offline("cat", &id.cid()).open().await
    }

    fn blocks(&self) -> Option<&dyn BlockNode> {
        Some(self)
    }
}
