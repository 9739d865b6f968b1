//! IPFS HTTP gateways: `GET /ipfs/CID`.

use async_trait::async_trait;
use url::Url;

use super::{Body, ContentNode, FetchError, Fetcher, NodeKind, join};
use crate::content::ContentId;

/// A gateway. What it serves may come from any peer, so it proves that content can be retrieved,
/// not who holds it.
#[derive(Clone, Debug)]
pub struct Gateway {
    url: Url,
    fetcher: Fetcher,
}

impl Gateway {
    /// The gateway at `url` (without `/ipfs`).
    pub fn new(url: Url, fetcher: Fetcher) -> Self {
        Self { url, fetcher }
    }
}

#[async_trait]
impl ContentNode for Gateway {
    fn url(&self) -> &Url {
        &self.url
    }

    fn kind(&self) -> NodeKind {
        NodeKind::Gateway
    }

    fn holds_what_it_serves(&self, _: &ContentId) -> Option<bool> {
        None
    }

    async fn open(&self, id: &ContentId) -> Result<Body, FetchError> {
        let url = join(&self.url, &format!("ipfs/{}", id.cid()));
        self.fetcher.get(url).open().await
    }
}
