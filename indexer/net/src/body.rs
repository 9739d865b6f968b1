//! An answer whose body is on its way.

use std::{fmt, io};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER, TRANSFER_ENCODING},
};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;
use url::Url;

use crate::{
    decode::{Decoded, Encoding},
    error::FetchError,
    hosts::Permit,
    retry,
    text::{host_of, shown},
    wire::{Meter, Pace, Wire},
};

/// Of the body of an error, this many bytes are read.
const MAX_ERROR: usize = 1200;

/// Memory that is taken at once for a body that says that it is so long, in bytes.
const MOST_BELIEVED: usize = 4 << 20;

/// An answer whose body is on its way. Its place among the requests under way is held until the
/// body has ended, failed, or is dropped.
pub struct Body {
    status: StatusCode,
    headers: HeaderMap,
    url: Url,
    pace: Pace,
    meter: std::sync::Arc<Meter>,
    source: Source,
    permit: Option<Permit>,
}

enum Source {
    Plain(Box<Wire>),
    Decoded(Box<Decoded>),
    Ended,
    Failed,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("host", &self.host())
            .field("status", &self.status)
            .field("received", &self.received())
            .finish_non_exhaustive()
    }
}

impl Body {
    pub(crate) fn new(
        mut response: Response,
        url: Url,
        pace: Pace,
        limit: u64,
        permit: Permit,
        is_head: bool,
    ) -> Result<Self, FetchError> {
        let (status, host) = (response.status(), host_of(&url));
        let headers = std::mem::take(response.headers_mut());
        check_framing(&headers)
            .map_err(|reason| FetchError::Nonsense { host: host.clone(), reason })?;
        let meter = Meter::new(limit);
        let bare = is_head || matches!(status.as_u16(), 204 | 304);
        let encoding = if bare { Ok(None) } else { Encoding::of(&headers) };
        let encoding =
            encoding.map_err(|fault| FetchError::Encoding { host: host.clone(), fault })?;
        let wire = Wire::new(response, host.clone(), pace, meter.clone(), encoding.is_some());
        let source = match encoding {
            Some(encoding) => {
                Source::Decoded(Box::new(Decoded::new(host, encoding, meter.clone(), wire)))
            }
            None => Source::Plain(Box::new(wire)),
        };
        Ok(Self { status, headers, url, pace, meter, source, permit: Some(permit) })
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The headers of the answer.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header of the answer, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `Content-Type` without its parameters, in lower case (RFC 9110, section 8.3). It is only
    /// what the server says.
    pub fn content_type(&self) -> Option<String> {
        let value = self.header(CONTENT_TYPE.as_str())?;
        let kind = value.split(';').next().unwrap_or_default().trim();
        (!kind.is_empty()).then(|| kind.to_ascii_lowercase())
    }

    /// When the server wants to be asked again (RFC 9110, section 10.2.3), at most
    /// [`crate::MAX_RETRY_AFTER`].
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        let value = self.header(RETRY_AFTER.as_str())?;
        retry::retry_after(value, std::time::SystemTime::now())
    }

    /// Where the answer came from, after all redirects, without user name and password.
    pub fn final_url(&self) -> &Url {
        &self.url
    }

    /// Bytes that came so far, after decoding.
    pub fn received(&self) -> u64 {
        self.meter.received()
    }

    /// Lowers the limit (bytes, after decoding), where the content's length is known.
    pub fn limit_to(&mut self, limit: u64) {
        self.meter.limit_to(limit);
    }

    /// The next bytes, never none of them; `None` at the end of a whole body.
    ///
    /// # Errors
    /// [`FetchError::TooLarge`], [`FetchError::Idle`], [`FetchError::TooSlow`],
    /// [`FetchError::Cut`] and [`FetchError::Encoding`]. After an error there is nothing more.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        let next = match &mut self.source {
            Source::Plain(wire) => wire.next().await,
            Source::Decoded(decoded) => decoded.next().await,
            Source::Ended => Ok(None),
            // Whoever did not look at the error must not take this for the end.
            Source::Failed => Err(FetchError::Cut {
                host: self.host(),
                bytes: self.received(),
                reason: "it has already failed".to_owned(),
            }),
        };
        match &next {
            Ok(Some(_)) => {}
            Ok(None) => self.end(Source::Ended),
            Err(_) => self.end(Source::Failed),
        }
        next
    }

    fn end(&mut self, source: Source) {
        self.source = source;
        self.permit = None;
    }

    /// The whole body in memory, for answers that are short: set a limit.
    ///
    /// # Errors
    /// As [`Body::chunk`].
    pub async fn collect(&mut self) -> Result<Bytes, FetchError> {
        // What it says of its length may be a lie.
        let told = self.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        let mut all = Vec::with_capacity(told.unwrap_or(0).min(MOST_BELIEVED));
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }

    /// The chunks as a stream that ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, FetchError>> + Send + Unpin {
        stream::try_unfold(self, |mut body| async move {
            Ok(body.chunk().await?.map(|chunk| (chunk, body)))
        })
        .boxed()
    }

    /// The bytes as a reader, whose errors are [`FetchError`]s within [`io::Error`].
    pub fn into_reader(self) -> impl AsyncRead + Send + Unpin {
        StreamReader::new(self.into_stream().map_err(io::Error::other))
    }

    /// The answer as an error, with the start of its body.
    pub(crate) async fn into_error(mut self) -> FetchError {
        let (mut start, patience) = (Vec::new(), self.pace.idle);
        let reading = async {
            while start.len() < MAX_ERROR {
                let Ok(Some(chunk)) = self.chunk().await else { break };
                start.extend_from_slice(&chunk);
            }
        };
        // What cannot be read in this time is not worth reading.
        let _ = tokio::time::timeout(patience, reading).await;
        self.status_error(&start)
    }

    pub(crate) fn status_error(&self, body: &[u8]) -> FetchError {
        FetchError::Status {
            host: self.host(),
            status: self.status(),
            body: shown(body),
            retry_after: self.retry_after(),
        }
    }

    pub(crate) fn check_announced(&self) -> Result<(), FetchError> {
        match &self.source {
            Source::Plain(wire) => wire.check_announced(),
            _ => Ok(()),
        }
    }

    pub(crate) fn host(&self) -> String {
        host_of(&self.url)
    }
}

/// Refuses what leaves open where a body ends (RFC 9112, section 6.3), and transfer codings
/// besides `chunked`, which would be bytes that are not the content's.
fn check_framing(headers: &HeaderMap) -> Result<(), String> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err("its Transfer-Encoding is not `chunked`".to_owned());
    }
    if headers.contains_key(CONTENT_LENGTH) {
        return Err("it has both Transfer-Encoding and Content-Length".to_owned());
    }
    Ok(())
}
