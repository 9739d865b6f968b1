//! WebSockets (RFC 6455) to what is configured: bounded in the time until they stand and in the
//! size of what comes. Nothing else is connected to by them.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use rustls::{ClientConfig, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        ClientRequestBuilder, Error, Message, error::CapacityError, http::Uri,
        protocol::WebSocketConfig,
    },
};
use url::Url;

use crate::{
    error::{FetchError, Refusal},
    fetcher::Fetcher,
    origin::Way,
    text::{host_of, root_cause, shown},
    trust::distrust,
};

/// A message must be handed to the network in so long.
const SEND: Duration = Duration::from_secs(10);

/// What the connection runs over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A WebSocket that stands.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    host: String,
    limit: u64,
}

/// What came over a [`Socket`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A message.
    Message(Bytes),
    /// A sign of life (ping or pong).
    Alive,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// Connects a WebSocket (`ws:`, `wss:`) to a configured origin. It takes messages of at most
    /// `limit` bytes.
    ///
    /// # Errors
    /// [`FetchError::Refused`] for an origin that is not configured, [`FetchError::Connect`] where
    /// the network, TLS or the handshake fails, [`FetchError::Status`] where the server answers
    /// the handshake with a status of HTTP.
    pub async fn socket(&self, url: &Url, limit: u64) -> Result<Socket, FetchError> {
        let host = host_of(url);
        let refused = |why| FetchError::Refused { host: host.clone(), why };
        let secure = match url.scheme() {
            "wss" => true,
            "ws" => false,
            other => return Err(refused(Refusal::Scheme(other.to_owned()))),
        };
        let mut as_http = url.clone();
        // The port without one is the same for both.
        let _ = as_http.set_scheme(if secure { "https" } else { "http" });
        let (_, way) = self.inner.origins.judge(&as_http, false)?;
        if way == Way::Open {
            return Err(refused(Refusal::Address));
        }
        let connect = self.limits().connect;
        let stream = within(connect, &host, open(url, secure, &host)).await?;
        let shaking = shake_hands(url, stream, limit, &host);
        let stream = within(self.limits().first_byte, &host, shaking).await?;
        Ok(Socket { stream, host, limit })
    }
}

async fn within<T>(
    time: Duration,
    host: &str,
    work: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    let late =
        |_| FetchError::Connect { host: host.to_owned(), reason: "it took too long".to_owned() };
    timeout(time, work).await.map_err(late)?
}

async fn open(url: &Url, secure: bool, host: &str) -> Result<Box<dyn Stream>, FetchError> {
    let failed = |reason: String| FetchError::Connect { host: host.to_owned(), reason };
    let no_host = || FetchError::Refused { host: host.to_owned(), why: Refusal::NoHost };
    let (name, port) = (url.host_str(), url.port_or_known_default());
    let (Some(name), Some(port)) = (name, port) else { return Err(no_host()) };
    // An IPv6 address stands in brackets in a URL, and nowhere else.
    let name = name.trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((name.as_str(), port)).await;
    let stream = stream.map_err(|error| failed(root_cause(&error)))?;
    // Requests are short, and each is waited for.
    stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
    if !secure {
        return Ok(Box::new(stream));
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ClientConfig::builder().with_platform_verifier();
    let config = config.map_err(|error| FetchError::Setup(error.to_string()))?;
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let server = ServerName::try_from(name).map_err(|_| no_host())?;
    let stream = connector.connect(server, stream).await;
    let why = |error| distrust(&error).unwrap_or_else(|| root_cause(&error));
    Ok(Box::new(stream.map_err(|error| failed(why(error)))?))
}

async fn shake_hands(
    url: &Url,
    stream: Box<dyn Stream>,
    limit: u64,
    host: &str,
) -> Result<WebSocketStream<Box<dyn Stream>>, FetchError> {
    let failed = |reason: String| FetchError::Connect { host: host.to_owned(), reason };
    let mut bare = url.clone();
    // They fail only for URLs that can't have any.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_fragment(None);
    let uri: Uri = bare.as_str().parse().map_err(|_| failed("the URL is no URI".to_owned()))?;
    let agent = concat!("everhold/", env!("CARGO_PKG_VERSION"));
    let mut request = ClientRequestBuilder::new(uri).with_header("User-Agent", agent);
    if !url.username().is_empty() || url.password().is_some() {
        let decoded = |text| percent_decoded(text);
        let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or("")));
        let basic = STANDARD.encode([user, password].join(&b':'));
        request = request.with_header("Authorization", format!("Basic {basic}"));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let config =
        WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((stream, _)) => Ok(stream),
        Err(Error::Http(answer)) => Err(FetchError::Status {
            host: host.to_owned(),
            status: answer.status().as_u16(),
            body: shown(answer.body().as_deref().unwrap_or_default()),
            retry_after: answer
                .headers()
                .get("retry-after")
                .and_then(|value| value.to_str().ok())
                .and_then(|value| crate::retry::retry_after(value, std::time::SystemTime::now())),
        }),
        Err(error) => Err(failed(root_cause(&error))),
    }
}

/// The bytes that `%XX` in a URL stand for.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex =
            tail.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

impl Socket {
    /// The host it is connected to, with its port where that is not the scheme's own.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends a text.
    ///
    /// # Errors
    /// [`FetchError::Cut`] where the connection is gone, or takes nothing any more.
    pub async fn send(&mut self, text: String) -> Result<(), FetchError> {
        self.put(Message::text(text)).await
    }

    /// Asks for a sign of life, which comes as [`Taken::Alive`].
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub async fn ping(&mut self) -> Result<(), FetchError> {
        self.put(Message::Ping(Bytes::new())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), FetchError> {
        let sent = timeout(SEND, self.stream.send(message)).await;
        let late = |_| self.cut("it takes nothing any more".to_owned());
        sent.map_err(late)?.map_err(|error| self.failed(&error))
    }

    /// What comes next; nothing is lost where this is given up before it is done.
    ///
    /// # Errors
    /// [`FetchError::Cut`] where the connection ended, [`FetchError::TooLarge`] where a message is
    /// longer than it may be, [`FetchError::Nonsense`] where what came is no WebSocket.
    pub async fn take(&mut self) -> Result<Taken, FetchError> {
        loop {
            return match self.stream.next().await {
                None | Some(Ok(Message::Close(_))) => Err(self.cut("it was closed".to_owned())),
                Some(Ok(Message::Text(text))) => Ok(Taken::Message(text.into())),
                Some(Ok(Message::Binary(bytes))) => Ok(Taken::Message(bytes)),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Taken::Alive),
                Some(Ok(Message::Frame(_))) => continue,
                Some(Err(error)) => Err(self.failed(&error)),
            };
        }
    }

    fn cut(&self, reason: String) -> FetchError {
        FetchError::Cut { host: self.host.clone(), bytes: 0, reason }
    }

    fn failed(&self, error: &Error) -> FetchError {
        let (host, reason) = (self.host.clone(), root_cause(error));
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                FetchError::TooLarge { host, limit: self.limit, announced: None }
            }
            Error::Protocol(_) | Error::Utf8(_) => FetchError::Nonsense { host, reason },
            _ => self.cut(reason),
        }
    }
}
