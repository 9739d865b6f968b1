//! The one way out to nodes: bounded in time and size, without redirects, proxies or cookies.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use reqwest::{Client, RequestBuilder, Response, redirect};
use url::Url;

use crate::{cause::root_cause, config::LimitsConfig};

/// Why a fetch gave no bytes, or not all.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection.
    #[error("can't connect: {0}")]
    Connect(String),
    /// Nothing came for too long.
    #[error("no byte came for {0:?}")]
    Idle(Duration),
    /// It took too long altogether.
    #[error("not done after {0:?}")]
    TooSlow(Duration),
    /// An answer that is not the content.
    #[error("HTTP {status}{}", text_of(.body))]
    Status {
        /// The status.
        status: u16,
        /// The start of the answer's body.
        body: String,
    },
    /// The connection ended before the answer did.
    #[error("cut off after {bytes} bytes: {reason}")]
    Cut {
        /// Bytes that came.
        bytes: u64,
        /// What the connection said.
        reason: String,
    },
    /// More bytes than are allowed.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// An answer that can't be read.
    #[error("an answer that makes no sense: {0}")]
    Nonsense(String),
}

impl FetchError {
    /// The HTTP status, where an answer came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the node is up: it answered, though not well.
    pub fn answered(&self) -> bool {
        matches!(self, Self::Status { .. } | Self::Cut { .. } | Self::TooLarge { .. })
    }
}

fn text_of(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

/// Fetches within limits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    limits: Arc<LimitsConfig>,
}

/// After its first seconds, a body that comes more slowly than this (bytes a second) is given up:
/// a node that drips would hold a place among the probes for as long as it likes.
const SLOWEST: u64 = 4 * 1024;
const SLOW_START: Duration = Duration::from_secs(20);

/// Answers other than content (messages, errors, lists) are read up to this length.
const MAX_ANSWER: u64 = 4 << 20;
/// Of an error's body, this much is shown.
const MAX_SHOWN: usize = 300;

impl Fetcher {
    /// A fetcher with the limits of the configuration.
    pub fn new(limits: &LimitsConfig) -> Result<Self, reqwest::Error> {
        // Fails only where another part of the process chose a provider before us.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("everhold/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(limits.connect_timeout.0)
            .pool_idle_timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self { client, limits: Arc::new(limits.clone()) })
    }

    /// The HTTP client, to build requests with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request whose answer should be content.
    pub async fn open(&self, request: RequestBuilder) -> Result<Body, FetchError> {
        let mut body =
            self.send(request, self.limits.max_content, self.limits.idle_timeout.0).await?;
        if body.status() == 200 {
            return Ok(body);
        }
        Err(FetchError::Status { status: body.status(), body: body.shown().await })
    }

    /// Sends a request whose answer is short; gives status and body whatever the status is.
    pub async fn ask(&self, request: RequestBuilder) -> Result<(u16, Bytes), FetchError> {
        self.ask_within(request, self.limits.idle_timeout.0).await
    }

    /// As [`Fetcher::ask`], for requests that send much or wait: `patience` is until the first
    /// byte of the answer.
    pub async fn ask_within(
        &self,
        request: RequestBuilder,
        patience: Duration,
    ) -> Result<(u16, Bytes), FetchError> {
        let mut body = self.send(request, MAX_ANSWER, patience).await?;
        let bytes = body.collect().await?;
        Ok((body.status(), bytes))
    }

    /// GETs a JSON document; statuses other than 200 are errors.
    pub async fn get_json<T: serde::de::DeserializeOwned>(
        &self,
        url: Url,
    ) -> Result<T, FetchError> {
        let (status, bytes) = self.ask(self.client.get(url)).await?;
        if status != 200 {
            return Err(FetchError::Status { status, body: shown(&bytes) });
        }
        serde_json::from_slice(&bytes).map_err(|error| FetchError::Nonsense(error.to_string()))
    }

    async fn send(
        &self,
        request: RequestBuilder,
        limit: u64,
        patience: Duration,
    ) -> Result<Body, FetchError> {
        let deadline = Instant::now() + self.limits.total_timeout.0;
        let sending = request.send();
        let response = match tokio::time::timeout(patience, sending).await {
            Err(_) => return Err(FetchError::Idle(patience)),
            Ok(Err(error)) if error.is_timeout() => {
                return Err(FetchError::Connect("it took too long".to_owned()));
            }
            Ok(Err(error)) if error.is_connect() => {
                return Err(FetchError::Connect(root_cause(&error)));
            }
            Ok(Err(error)) => {
                return Err(FetchError::Cut { bytes: 0, reason: root_cause(&error) });
            }
            Ok(Ok(response)) => response,
        };
        let limits = &self.limits;
        Ok(Body {
            response,
            idle: limits.idle_timeout.0,
            total: limits.total_timeout.0,
            begun: Instant::now(),
            deadline,
            limit,
            received: 0,
        })
    }
}

/// The start of a body, fit to be shown on one line.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SHOWN).collect();
    line.trim().to_owned()
}

/// A body on its way.
#[derive(Debug)]
pub struct Body {
    response: Response,
    idle: Duration,
    total: Duration,
    begun: Instant,
    deadline: Instant,
    limit: u64,
    received: u64,
}

impl Body {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Bytes that came so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Lowers the limit, where the content's length is known.
    pub fn limit_to(&mut self, limit: u64) {
        self.limit = self.limit.min(limit);
    }

    /// The next bytes; `None` at the end of a whole body.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let waited = tokio::time::timeout(self.idle.min(left), self.response.chunk()).await;
        let chunk = match waited {
            Err(_) if left <= self.idle => return Err(FetchError::TooSlow(self.total)),
            Err(_) => return Err(FetchError::Idle(self.idle)),
            Ok(Err(error)) => {
                return Err(FetchError::Cut { bytes: self.received, reason: root_cause(&error) });
            }
            Ok(Ok(chunk)) => chunk,
        };
        let Some(chunk) = chunk else { return Ok(None) };
        self.received += chunk.len() as u64;
        let patience = self.begun.elapsed().saturating_sub(SLOW_START).as_secs();
        if self.received < patience.saturating_mul(SLOWEST) {
            return Err(FetchError::TooSlow(self.begun.elapsed()));
        }
        if self.received > self.limit {
            return Err(FetchError::TooLarge { limit: self.limit });
        }
        Ok(Some(chunk))
    }

    /// The whole body, for answers that are short.
    pub async fn collect(&mut self) -> Result<Bytes, FetchError> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }

    async fn shown(&mut self) -> String {
        self.limit_to(MAX_SHOWN as u64 * 4);
        let mut start = Vec::new();
        while let Ok(Some(chunk)) = self.chunk().await {
            start.extend_from_slice(&chunk);
        }
        shown(&start)
    }
}
