//! Kubo nodes over their RPC (`/api/v0`, POST only).

use async_trait::async_trait;
use everhold_net::Request;
use url::Url;

use super::{
    Answer, BlockNode, ContentNode, FetchError, Fetcher, NodeKind,
    canary::{Answered, Canary, Heeds},
    join, routing,
};
use crate::content::{Cid, ContentId, Providers, Shape};

/// What Kubo says of a block that it lacks, where it does not look for it elsewhere (boxo,
/// `exchange/offline`).
const OFFLINE: &str = "block was not found locally (offline)";

/// Bytes of an answer that only says what was done.
const LONGEST_ANSWER: u64 = 256 << 10;

/// Providers that it is to find, at most.
const PROVIDERS: &str = "100";

/// A Kubo node. It is asked offline, so that what it serves is its own copy where it heeds that:
/// npm's `ipfs`, which has the same RPC, asks its peers all the same.
#[derive(Clone, Debug)]
pub struct Kubo {
    url: Url,
    fetcher: Fetcher,
    canary: Canary,
}

impl Kubo {
    /// The node whose RPC is at `url` (without `/api/v0`).
    pub fn new(url: Url, fetcher: Fetcher) -> Self {
        Self { url, fetcher, canary: Canary::default() }
    }

    /// Who announces a content, by the node's own routing. What an old node has instead is asked for
    /// where it has no such method.
    ///
    /// # Errors
    /// [`FetchError`], where nothing was said.
    pub async fn providers(&self, id: &ContentId) -> Result<Providers, FetchError> {
        let ask = |method: &str| {
            let mut url = join(&self.url, &format!("api/v0/{method}/findprovs"));
            url.query_pairs_mut()
                .append_pair("arg", &id.cid())
                .append_pair("num-providers", PROVIDERS);
            routing::within(self.fetcher.post(url)).open()
        };
        let body = match ask("routing").await {
            Err(FetchError::Status { status: 404, .. }) => ask("dht").await?,
            opened => opened?,
        };
        routing::read(body, Shape::Kubo).await
    }

    /// Has the node fetch a DAG from its peers, if it has it not, and keep it (`pin/add`). It answers when
    /// it has; `Ok` proves nothing.
    ///
    /// # Errors
    /// [`FetchError`], where it refused or found no peer that has it in time.
    pub async fn pin(&self, id: &ContentId) -> Result<(), FetchError> {
        let mut url = join(&self.url, "api/v0/pin/add");
        url.query_pairs_mut().append_pair("arg", &id.cid()).append_pair("recursive", "true");
        let mut body = self.fetcher.post(url).limit(LONGEST_ANSWER).open().await?;
        body.collect().await.map(|_| ())
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

    async fn open(&self, id: &ContentId) -> Result<Answer, FetchError> {
        let heeds = self.keeps_to_its_own().await;
        Ok(Answer::bytes(self.offline("cat", &id.cid()).open().await?, heeds))
    }

    fn blocks(&self) -> Option<&dyn BlockNode> {
        Some(self)
    }

    async fn keeps_to_its_own(&self) -> Heeds {
        let ask = async |nobodys| Answered::of(self.block(&nobodys), told_offline).await;
        self.canary.heeds(ask).await
    }

    async fn has_failed(&self) {
        self.canary.doubt().await;
    }
}

/// Whether Kubo refused a block since it is to look nowhere else.
fn told_offline(status: u16, body: &str) -> bool {
    status == 500 && body.contains(OFFLINE)
}
