//! Kubo nodes over their RPC (`/api/v0`, POST only).

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use everhold_net::{
    Request, RequestBody,
    multipart::{Form, Part},
    shown,
};
use serde::Deserialize;
use tokio_util::io::ReaderStream;
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

/// The media type of archives.
const CAR: &str = "application/vnd.ipld.car";
/// Bytes of a file that are sent at once.
const CHUNK: usize = 256 * 1024;

/// How long it may take to answer beyond the time the bytes need, and the slowest way that is waited for,
/// in bytes a second.
const PATIENCE: Duration = Duration::from_secs(60);
const SLOWEST: u64 = 128 * 1024;

/// Why a node did not take what it was given.
#[derive(Debug, thiserror::Error)]
pub enum KuboError {
    /// It could not be asked, or refused.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It does not say that it pinned it.
    #[error("the node did not pin it: {0}")]
    Refused(String),
    /// The archive can't be read.
    #[error("the archive of its blocks: {0}")]
    File(#[from] std::io::Error),
}

/// A line of the answer to an import.
#[derive(Deserialize)]
struct Imported {
    #[serde(rename = "Root")]
    root: Option<Root>,
}

#[derive(Deserialize)]
struct Root {
    #[serde(rename = "Cid")]
    cid: Link,
    #[serde(rename = "PinErrorMsg", default)]
    error: String,
}

#[derive(Deserialize)]
struct Link {
    #[serde(rename = "/")]
    name: String,
}

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

    /// Whether it answers at all (`version`).
    pub async fn is_up(&self) -> bool {
        let asked = self.fetcher.post(join(&self.url, "api/v0/version")).limit(LONGEST_ANSWER);
        asked.ask().await.is_ok_and(|(status, _)| status == 200)
    }

    /// Puts the blocks of an archive (CARv1, the content its root) on the node, which pins them
    /// (`dag/import`). `Ok` proves nothing.
    ///
    /// # Errors
    /// [`FetchError`], where it could not be asked, refused, or says that it pinned another root or none.
    pub async fn import(&self, id: &ContentId, car: &Path) -> Result<(), KuboError> {
        let file = tokio::fs::File::open(car).await?;
        let bytes = file.metadata().await?.len();
        let body = RequestBody::wrap_stream(ReaderStream::with_capacity(file, CHUNK));
        let part = Part::stream_with_length(body, bytes).file_name("blocks.car");
        let part = part.mime_str(CAR).map_err(std::io::Error::other)?;
        let mut url = join(&self.url, "api/v0/dag/import");
        url.query_pairs_mut().append_pair("pin-roots", "true");
        let request = self.fetcher.post(url).limit(LONGEST_ANSWER);
        let patience = PATIENCE + Duration::from_secs(bytes / SLOWEST);
        let (status, said) =
            request.multipart(Form::new().part("file", part)).ask_within(patience).await?;
        if status != 200 {
            return Err(KuboError::Refused(format!("HTTP {status} {}", shown(&said))));
        }
        let lines = said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let roots = lines.filter_map(|line| serde_json::from_slice::<Imported>(line).ok());
        let ours = Cid::from(*id);
        for root in roots.filter_map(|line| line.root) {
            let is_ours = root.cid.name.parse::<Cid>().is_ok_and(|cid| cid == ours);
            if is_ours && root.error.is_empty() {
                return Ok(());
            }
            if is_ours {
                return Err(KuboError::Refused(shown(root.error.as_bytes())));
            }
        }
        Err(KuboError::Refused(format!("it answered: {}", shown(&said))))
    }

    /// Has the node fetch a DAG from its peers, if it has it not, and keep it (`pin/add`). It answers when
    /// it has; `Ok` proves nothing.
    ///
    /// # Errors
    /// [`FetchError`], where it refused or found no peer that has it in time.
    pub async fn pin(&self, id: &ContentId) -> Result<(), FetchError> {
        let mut url = join(&self.url, "api/v0/pin/add");
        url.query_pairs_mut().append_pair("arg", &id.cid()).append_pair("recursive", "true");
        let request = self.fetcher.post(url).limit(LONGEST_ANSWER).first_byte(PATIENCE);
        let mut body = request.open().await?;
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
