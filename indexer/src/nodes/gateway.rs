//! IPFS HTTP gateways: `GET /ipfs/CID`, as a file, as blocks and as archives.
//!
//! <https://specs.ipfs.tech/http-gateways/>

use async_trait::async_trait;
use everhold_net::Request;
use url::Url;

use super::{BlockNode, Body, ContentNode, FetchError, Fetcher, NodeKind, join};
use crate::content::{Cid, ContentId};

/// One block.
const RAW_BLOCK: &str = "application/vnd.ipld.raw";

/// An archive in the order of a walk, with blocks that come again.
const CAR: &str = "application/vnd.ipld.car;version=1;order=dfs;dups=y";

/// A gateway. What it serves may come from any peer, so it proves that content can be retrieved,
/// not who holds it.
#[derive(Clone, Debug)]
pub struct Gateway {
    url: Url,
    fetcher: Fetcher,
    anywhere: bool,
}

impl Gateway {
    /// The gateway at `url` (without `/ipfs`). Redirects are followed to hosts below its own only:
    /// what others serve is no answer of this one.
    pub fn new(url: Url, fetcher: Fetcher) -> Self {
        Self { url, fetcher, anywhere: false }
    }

    /// Follows redirects to anybody: for who wants the content, and not to know who has it.
    #[must_use]
    pub fn anywhere(mut self) -> Self {
        self.anywhere = true;
        self
    }

    /// The request for what lies at a path, as the gateway shows it to browsers.
    pub fn file(&self, cid: &Cid, path: &[&str]) -> Request {
        self.get(self.at(cid, path))
    }

    /// Where it has that.
    pub fn at(&self, cid: &Cid, path: &[&str]) -> Url {
        let mut url = join(&self.url, &format!("ipfs/{cid}"));
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url
    }

    fn get(&self, url: Url) -> Request {
        let request = self.fetcher.get(url);
        match self.anywhere {
            true => request.redirects(self.fetcher.limits().max_redirects),
            false => request.redirects_at_home(),
        }
    }
}

impl BlockNode for Gateway {
    fn base(&self) -> &Url {
        &self.url
    }

    fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    fn block(&self, cid: &Cid) -> Request {
        let mut url = self.at(cid, &[]);
        url.query_pairs_mut().append_pair("format", "raw");
        self.get(url).header("Accept", RAW_BLOCK)
    }

    fn archive(&self, cid: &Cid, path: &[&str]) -> Option<Request> {
        let mut url = self.at(cid, path);
        url.query_pairs_mut().append_pair("format", "car").append_pair("dag-scope", "entity");
        Some(self.get(url).header("Accept", CAR))
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
        self.file(&Cid::from(*id), &[]).open().await
    }

    fn blocks(&self) -> Option<&dyn BlockNode> {
        Some(self)
    }
}
