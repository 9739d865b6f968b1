//! What is asked, and how the answer is taken.

use std::{fmt, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    multipart::Form,
};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{body::Body, error::FetchError, fetcher::Fetcher, send, text::host_of};

/// A request that is not sent yet. It says what may come back, and how long that may take, where
/// this is not what [`crate::Limits`] say.
pub struct Request {
    pub(crate) fetcher: Fetcher,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    pub(crate) open_web: bool,
    pub(crate) redirects: usize,
    /// Whether redirects may only lead to the same host and those below it.
    pub(crate) at_home: bool,
    pub(crate) first_byte: Duration,
    pub(crate) idle: Duration,
    pub(crate) total: Duration,
    pub(crate) limit: Option<u64>,
    /// Why it can't be sent.
    broken: Option<String>,
}

/// What is sent.
pub(crate) enum Payload {
    None,
    Body(reqwest::Body),
    Form(Form),
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &host_of(&self.url))
            .finish_non_exhaustive()
    }
}

impl Request {
    pub(crate) fn new(fetcher: Fetcher, method: Method, url: Url) -> Self {
        let limits = fetcher.limits();
        let (first_byte, idle, total) = (limits.first_byte, limits.idle, limits.total);
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            payload: Payload::None,
            open_web: false,
            redirects: 0,
            at_home: false,
            first_byte,
            idle,
            total,
            limit: None,
            broken: None,
            fetcher,
        }
    }

    /// Sets a header. One that is none is an error when the request is sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            _ => self.broken = Some("a header that is none".to_owned()),
        }
        self
    }

    /// Sets headers.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Sends bytes, or a stream of them (`RequestBody::wrap_stream`).
    #[must_use]
    pub fn body(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.payload = Payload::Body(body.into());
        self
    }

    /// Sends JSON.
    #[must_use]
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => {
                let json = HeaderValue::from_static("application/json");
                self.headers.entry(CONTENT_TYPE).or_insert(json);
                self.body(bytes)
            }
            Err(error) => {
                self.broken = Some(error.to_string());
                self
            }
        }
    }

    /// Sends a form (RFC 7578).
    #[must_use]
    pub fn multipart(mut self, form: Form) -> Self {
        self.payload = Payload::Form(form);
        self
    }

    /// For a URL that strangers chose: nothing counts as configured for it, and the redirects
    /// that the limits allow are followed.
    #[must_use]
    pub fn open_web(mut self) -> Self {
        self.open_web = true;
        self.redirects = self.fetcher.limits().max_redirects;
        self
    }

    /// Follows so many redirects. By default none: a node that redirects is not the node. Only a
    /// GET or HEAD is ever redirected.
    #[must_use]
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = most;
        self.at_home = false;
        self
    }

    /// Follows redirects, as many as the limits allow, to the same host and to hosts below it: so
    /// gateways that give each content a host of its own answer. One that leads to other hosts
    /// answers for others, and is an error.
    #[must_use]
    pub fn redirects_at_home(mut self) -> Self {
        self.redirects = self.fetcher.limits().max_redirects;
        self.at_home = true;
        self
    }

    /// How long the head of an answer may take, in place of [`crate::Limits::first_byte`].
    #[must_use]
    pub fn first_byte(mut self, patience: Duration) -> Self {
        self.first_byte = patience;
        self
    }

    /// How long the next byte may take, in place of [`crate::Limits::idle`].
    #[must_use]
    pub fn idle(mut self, patience: Duration) -> Self {
        self.idle = patience;
        self
    }

    /// How long everything may take, in place of [`crate::Limits::total`].
    #[must_use]
    pub fn total(mut self, patience: Duration) -> Self {
        self.total = patience;
        self
    }

    /// How many bytes may come, after decoding. Without it, content may be as large as
    /// [`crate::Limits::max_content`] and other answers as [`crate::Limits::max_answer`].
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Sends it; the answer should be content.
    ///
    /// # Errors
    /// [`FetchError::Status`] for any status but 200; [`FetchError::TooLarge`] where the length
    /// announced is above the limit; and whatever kept an answer from coming.
    pub async fn open(self) -> Result<Body, FetchError> {
        let limit = self.limit.unwrap_or(self.fetcher.limits().max_content);
        let body = self.checked()?.send_within(limit).await?;
        if body.status() != 200 {
            return Err(body.into_error().await);
        }
        body.check_announced()?;
        Ok(body)
    }

    /// Sends it and gives the answer whatever its status is, its body unread.
    ///
    /// # Errors
    /// Whatever kept an answer from coming.
    pub async fn send(self) -> Result<Body, FetchError> {
        let limit = self.limit.unwrap_or(self.fetcher.limits().max_answer);
        self.checked()?.send_within(limit).await
    }

    /// Sends it; gives status and body, which is short, whatever the status is.
    ///
    /// # Errors
    /// As [`Request::send`] and [`Body::chunk`].
    pub async fn ask(self) -> Result<(u16, Bytes), FetchError> {
        let mut body = self.send().await?;
        let bytes = body.collect().await?;
        Ok((body.status(), bytes))
    }

    /// As [`Request::ask`], for requests that send much or wait: `patience` is from the
    /// connection to the whole head of the answer. The total is longer where it must be.
    ///
    /// # Errors
    /// As [`Request::ask`].
    pub async fn ask_within(self, patience: Duration) -> Result<(u16, Bytes), FetchError> {
        let total = self.total.max(patience.saturating_add(self.idle));
        self.first_byte(patience).total(total).ask().await
    }

    /// Sends it; the answer should be a JSON document.
    ///
    /// # Errors
    /// As [`Request::ask`]; [`FetchError::Status`] for any status but 200, and
    /// [`FetchError::Nonsense`] for other JSON than is wanted.
    pub async fn get_json<T: DeserializeOwned>(self) -> Result<T, FetchError> {
        let mut body = self.send().await?;
        let bytes = body.collect().await?;
        if body.status() != 200 {
            return Err(body.status_error(&bytes));
        }
        serde_json::from_slice(&bytes).map_err(|error| FetchError::Nonsense {
            host: body.host(),
            // The message names what it expected, and may quote what it found.
            reason: crate::text::shown(error.to_string().as_bytes()),
        })
    }

    fn checked(self) -> Result<Self, FetchError> {
        match self.broken {
            Some(reason) => Err(FetchError::Request { host: host_of(&self.url), reason }),
            None => Ok(self),
        }
    }

    async fn send_within(self, limit: u64) -> Result<Body, FetchError> {
        send::send(self, limit).await
    }
}
