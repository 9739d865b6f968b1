//! A CCN's HTTP interface (`/api/v0`), as far as it is used.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use everhold_net::{
    RequestBody,
    multipart::{Form, Part},
    shown,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;
use url::Url;

use super::{
    Message,
    refusal::{advice, rejection},
};
use crate::{
    content::{Codec, ContentId},
    nodes::{Answer, ContentNode, FetchError, Fetcher, Heeds, NodeKind, join},
};

/// The two engines a file can be stored with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Files by their sha-256, copied to each node's disk.
    Storage,
    /// UnixFS DAGs by their CID.
    Ipfs,
}

impl Engine {
    /// The engine that keeps content of this name.
    pub fn of(id: &ContentId) -> Self {
        match id.codec {
            Codec::Raw => Self::Storage,
            Codec::DagPb => Self::Ipfs,
        }
    }

    /// Its word in messages and paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Ipfs => "ipfs",
        }
    }
}

/// Bytes of a file that are read, and sent, at once.
const CHUNK: usize = 256 * 1024;
const SMALL_CHUNK: usize = 16 * 1024;
/// How long a hesitating upload waits for a refusal.
const HESITATION: Duration = Duration::from_secs(1);

/// Bytes to be uploaded.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A file, streamed from the disk.
    File {
        /// Where.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// Bytes in memory.
    Memory(Bytes),
}

impl Payload {
    /// The length.
    pub fn len(&self) -> u64 {
        match self {
            Self::File { bytes, .. } => *bytes,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as a request's body, with a pause after its first chunk.
    async fn body(&self, pause: Option<Duration>) -> Result<RequestBody, AlephError> {
        let chunk = if pause.is_some() { SMALL_CHUNK } else { CHUNK };
        let chunks = match self {
            Self::Memory(bytes) => {
                let bytes = bytes.clone();
                let starts = (0..bytes.len()).step_by(chunk);
                let piece = move |start| Ok(bytes.slice(start..bytes.len().min(start + chunk)));
                stream::iter(starts).map(piece).boxed()
            }
            Self::File { path, .. } => {
                let file = tokio::fs::File::open(path)
                    .await
                    .map_err(|source| AlephError::File { path: path.clone(), source })?;
                ReaderStream::with_capacity(file, chunk).boxed()
            }
        };
        Ok(RequestBody::wrap_stream(chunks.enumerate().then(move |(index, chunk)| async move {
            if let (1, Some(pause)) = (index, pause) {
                tokio::time::sleep(pause).await;
            }
            chunk
        })))
    }
}

/// Why a node did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AlephError {
    /// It could not be asked.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// It said no.
    #[error("the node refused: HTTP {status} {body}{}", advice(*status))]
    Refused {
        /// The status.
        status: u16,
        /// What it said.
        body: String,
    },
    /// It took the bytes and gave them another name than their own.
    #[error("the node says it stored {answered}, but the bytes are {expected}")]
    OtherHash {
        /// What it should have said.
        expected: String,
        /// What it said.
        answered: String,
    },
    /// The file to be sent can't be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl AlephError {
    /// Whether the account can't pay.
    pub fn is_payment(&self) -> bool {
        matches!(self, Self::Refused { status: 402, .. })
    }

    /// Whether it refused a message, and not the bytes that came with it.
    pub fn is_refusal_of_message(&self) -> bool {
        matches!(self, Self::Refused { status: 402 | 403 | 422, .. })
    }

    /// Whether nothing came back: it is down, or lets everybody wait.
    pub fn is_silence(&self) -> bool {
        use FetchError::{Connect, Idle, TooSlow};
        matches!(self, Self::Fetch(Connect { .. } | Idle { .. } | TooSlow { .. }))
    }

    /// Whether the node has no such endpoint or engine.
    pub fn is_lacking(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 404 | 405 | 501, .. })
    }
}

/// What a node says of a message. It proves nothing about bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageStatus {
    /// It never heard of it, or says nothing that makes sense.
    Unknown,
    /// On its way: the node may still be fetching the file.
    Pending,
    /// Taken in.
    Processed,
    /// Refused for good or for now, with the reason.
    Rejected(String),
    /// Taken back: `forgotten` or `removed`.
    Gone,
}

/// How long a node may take to answer an upload beyond the time the bytes need.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(60);
/// The slowest upload that is waited for, in bytes a second.
const SLOWEST_UPLOAD: u64 = 128 * 1024;

/// A CCN. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    url: Url,
    pub(super) fetcher: Fetcher,
}

impl Client {
    /// The node at `url` (without `/api/v0`).
    pub fn new(url: Url, fetcher: Fetcher) -> Self {
        Self { url, fetcher }
    }

    pub(super) fn endpoint(&self, path: &str) -> Url {
        join(&self.url, &format!("api/v0/{path}"))
    }

    fn nonsense(&self, error: &dyn std::error::Error) -> FetchError {
        let host = self.url.host_str().unwrap_or_default().to_owned();
        FetchError::Nonsense { host, reason: error.to_string() }
    }

    /// What the node says of a message.
    pub async fn message_status(&self, item_hash: &str) -> Result<MessageStatus, FetchError> {
        let url = self.endpoint(&format!("messages/{item_hash}"));
        let value: Value = match self.fetcher.get_json(url).await {
            Err(FetchError::Status { status: 404, .. }) => return Ok(MessageStatus::Unknown),
            other => other?,
        };
        Ok(match value.get("status").and_then(Value::as_str).unwrap_or_default() {
            "pending" => MessageStatus::Pending,
            "processed" => MessageStatus::Processed,
            "rejected" => MessageStatus::Rejected(rejection(&value)),
            "forgotten" | "removed" => MessageStatus::Gone,
            // Its end is announced; until then it lives.
            "removing" => MessageStatus::Processed,
            _ => MessageStatus::Unknown,
        })
    }

    /// Publishes a message; `Ok` says that the node did not refuse it, nothing more.
    ///
    /// A node that refused an upload without reading it closes that connection after its answer: what is
    /// sent next may meet the end of it. A message is the same however often it comes, so that it is sent
    /// once more then.
    pub async fn publish(&self, message: &Message) -> Result<(), AlephError> {
        match self.publish_once(message).await {
            Err(AlephError::Fetch(FetchError::Cut { .. })) => self.publish_once(message).await,
            done => done,
        }
    }

    async fn publish_once(&self, message: &Message) -> Result<(), AlephError> {
        let request = self
            .fetcher
            .post(self.endpoint("messages"))
            .json(&json!({ "sync": true, "message": message }));
        match request.ask_within(UPLOAD_PATIENCE).await? {
            (200 | 202, _) => Ok(()),
            (status, body) => Err(AlephError::Refused { status, body: shown(&body) }),
        }
    }

    /// Uploads bytes, with a signed STORE or without, and compares the name the node gives them
    /// with `id`.
    ///
    /// A node that refuses early closes the connection on the rest of the bytes, and its answer
    /// is lost in that. So a cut upload is tried once more, with a pause in which to hear it.
    pub async fn upload(
        &self,
        id: &ContentId,
        payload: &Payload,
        message: Option<&Message>,
    ) -> Result<(), AlephError> {
        match self.upload_once(id, payload, message, None).await {
            Err(AlephError::Fetch(FetchError::Cut { .. })) => {
                self.upload_once(id, payload, message, Some(HESITATION)).await
            }
            done => done,
        }
    }

    async fn upload_once(
        &self,
        id: &ContentId,
        payload: &Payload,
        message: Option<&Message>,
        pause: Option<Duration>,
    ) -> Result<(), AlephError> {
        let part = Part::stream_with_length(payload.body(pause).await?, payload.len())
            .file_name(id.aleph_hash());
        let mut form = Form::new();
        if let Some(message) = message {
            // Nodes read the message first: it decides how many bytes they take.
            let metadata = json!({ "message": message, "sync": true }).to_string();
            let metadata = Part::text(metadata).mime_str("application/json");
            form = form.part("metadata", metadata.map_err(|error| self.nonsense(&error))?);
        }
        let path = format!("{}/add_file", Engine::of(id).as_str());
        let request = self.fetcher.post(self.endpoint(&path)).multipart(form.part("file", part));
        let patience = UPLOAD_PATIENCE + Duration::from_secs(payload.len() / SLOWEST_UPLOAD);
        let (status, body) = request.ask_within(patience).await?;
        // 202: the bytes are taken, the message waits.
        if !matches!(status, 200 | 202) {
            return Err(AlephError::Refused { status, body: shown(&body) });
        }
        let answer: Value = serde_json::from_slice(&body).map_err(|error| self.nonsense(&error))?;
        let answered = answer.get("hash").and_then(Value::as_str).unwrap_or_default();
        if answered.parse::<ContentId>().is_ok_and(|answered| answered == *id) {
            return Ok(());
        }
        Err(AlephError::OtherHash {
            expected: id.aleph_hash(),
            answered: shown(answered.as_bytes()),
        })
    }

    /// The largest file that may be uploaded with an engine: with a signed STORE, and without.
    /// A node that does not say has the network's defaults.
    pub async fn limits(&self, engine: Engine) -> (u64, u64) {
        let defaults = match engine {
            Engine::Storage => (100 << 20, 25 << 20),
            Engine::Ipfs => (1 << 30, 25 << 20),
        };
        let url = self.endpoint("storage/limits.json");
        let Ok(value) = self.fetcher.get_json::<Value>(url).await else {
            return defaults;
        };
        let limit = |keys: &[&str], default| {
            let engine = value.get(engine.as_str());
            keys.iter()
                .find_map(|key| engine.and_then(|limits| limits.get(key)).and_then(Value::as_u64))
                .unwrap_or(default)
        };
        (
            limit(&["max_file_size", "max_upload_file_size"], defaults.0),
            limit(&["max_unauthenticated_upload_file_size"], defaults.1),
        )
    }

    /// The credits of an account, where the node says.
    pub async fn credits(&self, address: &str) -> Result<Option<u64>, FetchError> {
        let url = self.endpoint(&format!("addresses/{address}/balance"));
        let value: Value = self.fetcher.get_json(url).await?;
        Ok(value.get("credit_balance").and_then(Value::as_u64))
    }
}

#[async_trait]
impl ContentNode for Client {
    fn url(&self) -> &Url {
        &self.url
    }

    fn kind(&self) -> NodeKind {
        NodeKind::Aleph
    }

    /// The storage engine serves its own disk; a CID may come from the node's peers.
    async fn open(&self, id: &ContentId) -> Result<Answer, FetchError> {
        let url = self.endpoint(&format!("storage/raw/{}", id.aleph_hash()));
        let is_own = Engine::of(id) == Engine::Storage;
        let heeds = if is_own { Heeds::Yes } else { Heeds::No };
        Ok(Answer::bytes(self.fetcher.get(url).open().await?, heeds))
    }
}
