//! Kubo nodes over their RPC (`/api/v0`, POST only).

use async_trait::async_trait;
use url::Url;

use super::{Body, ContentNode, FetchError, Fetcher, NodeKind, join};
use crate::content::ContentId;

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
        let mut url = join(&self.url, "api/v0/cat");
        url.query_pairs_mut().append_pair("arg", &id.cid()).append_pair("offline", "true");
        self.fetcher.post(url).open().await
    }
}
