//! IPFS HTTP gateways: `GET /ipfs/CID`, as a file, as blocks and as archives.
//!
//! <https://specs.ipfs.tech/http-gateways/>

use async_trait::async_trait;
use everhold_net::Request;
use url::Url;

use super::{
    Answer, BlockNode, ContentNode, FetchError, Fetcher, NodeKind,
    canary::{Answered, Canary, Heeds},
    join,
};
use crate::content::{Cid, ContentId};

/// One block.
const RAW_BLOCK: &str = "application/vnd.ipld.raw";

/// An archive in the order of a walk, with blocks that come again.
const CAR: &str = "application/vnd.ipld.car;version=1;order=dfs;dups=y";

/// A gateway. What it serves may come from any peer, so it proves that content can be retrieved,
/// not who holds it; but for blocks that it gives `only-if-cached`, if it was seen to heed that.
#[derive(Clone, Debug)]
pub struct Gateway {
    url: Url,
    fetcher: Fetcher,
    way: Way,
    canary: Canary,
}

/// Where its requests may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// To its own host, and hosts below it.
    Home,
    /// To anybody.
    Anywhere,
    /// To itself alone, and only if it is on a public address.
    Stranger,
    /// To itself alone.
    KnownStranger,
}

impl Gateway {
    /// The gateway at `url` (without `/ipfs`). Redirects are followed to hosts below its own only:
    /// what others serve is no answer of this one.
    pub fn new(url: Url, fetcher: Fetcher) -> Self {
        Self { url, fetcher, way: Way::Home, canary: Canary::default() }
    }

    /// Follows redirects to anybody: for who wants the content, and not to know who has it.
    #[must_use]
    pub fn anywhere(mut self) -> Self {
        self.way = Way::Anywhere;
        self
    }

    /// The same gateway as one that a stranger has named: no redirects, no private addresses.
    #[must_use]
    pub(super) fn of_a_stranger(mut self) -> Self {
        self.way = Way::Stranger;
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

    /// As [`Gateway::of_a_stranger`], of one that may be on a private address if the fetcher has it
    /// configured.
    #[must_use]
    pub(super) fn of_a_known_stranger(mut self) -> Self {
        self.way = Way::KnownStranger;
        self
    }

    fn get(&self, url: Url) -> Request {
        let request = self.fetcher.get(url);
        match self.way {
            Way::Anywhere => request.redirects(self.fetcher.limits().max_redirects),
            Way::Home => request.redirects_at_home(),
            Way::Stranger => request.open_web().redirects(0),
            Way::KnownStranger => request.redirects(0),
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

    /// Block by block, since gateways look for the first block only when they decide whether they
    /// have a file (boxo, `IsCached`): the others may come from their peers.
    fn own_block(&self, cid: &Cid) -> Option<Request> {
        Some(self.block(cid).header("Cache-Control", "only-if-cached"))
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

    async fn open(&self, id: &ContentId) -> Result<Answer, FetchError> {
        Ok(Answer::bytes(self.file(&Cid::from(*id), &[]).open().await?, Heeds::No))
    }

    fn blocks(&self) -> Option<&dyn BlockNode> {
        Some(self)
    }

    /// Trustless gateways: `Cache-Control` of the request, and status 412
    /// (<https://specs.ipfs.tech/http-gateways/path-gateway/#cache-control-request-header>).
    async fn keeps_to_its_own(&self) -> Heeds {
        let refused = |status, _: &str| status == 412;
        self.canary
            .heeds(async |nobodys| match self.own_block(&nobodys) {
                Some(request) => Answered::of(request, refused).await,
                None => Answered::Otherwise,
            })
            .await
    }

    async fn has_failed(&self) {
        self.canary.doubt().await;
    }
}
