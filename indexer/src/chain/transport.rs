//! JSON-RPC over the fetcher: an alloy transport whose answers are bounded in size and time.

use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use alloy::{
    rpc::json_rpc::{ErrorPayload, RequestPacket, ResponsePacket},
    transports::{TransportError, TransportErrorKind, TransportFut},
};
use bytes::Bytes;
use everhold_net::{Body, FetchError, Fetcher, HeaderMap, Url};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tower_service::Service;

/// Until an endpoint has answered one request.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer, in bytes. The logs of many busy blocks are long; endpoints that bound them
/// allow some ten megabytes.
pub(super) const MAX_ANSWER: u64 = 128 << 20;
/// Of an answer that is no JSON-RPC, this much goes into the error, in bytes.
const MAX_SHOWN: usize = 4096;

/// JSON-RPC over HTTP to one endpoint.
#[derive(Clone)]
pub struct RpcTransport {
    fetcher: Fetcher,
    url: Url,
}

impl fmt::Debug for RpcTransport {
    /// Without the path and query, which hold API keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcTransport").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl RpcTransport {
    /// A transport to the endpoint at `url`, for which the fetcher must be configured if it is on
    /// a private address.
    pub fn new(fetcher: Fetcher, url: Url) -> Self {
        Self { fetcher, url }
    }

    /// Asks one question and takes the answer apart in one pass: through alloy a long one would be
    /// copied out of its envelope first.
    ///
    /// # Errors
    /// As of any request; that of the endpoint is an `ErrorResp`.
    pub(super) async fn request<P, T>(
        &self,
        method: &'static str,
        params: P,
    ) -> Result<T, TransportError>
    where
        P: Serialize,
        T: DeserializeOwned,
    {
        let body = Question { jsonrpc: "2.0", id: 0, method, params };
        let (answer, bytes) = self.post(&body, HeaderMap::new()).await?;
        if !(200..300).contains(&answer.status()) {
            let packet = refusal(&answer, &bytes)?;
            let error = packet.as_error().cloned().ok_or(TransportError::NullResp)?;
            return Err(TransportError::ErrorResp(error));
        }
        let bytes = bytes.map_err(TransportErrorKind::custom)?;
        match serde_json::from_slice(&bytes) {
            Ok(Told { error: Some(error), .. }) => Err(TransportError::ErrorResp(error)),
            Ok(Told { result, .. }) => result.ok_or(TransportError::NullResp),
            Err(error) => Err(TransportError::deser_err(error, start(&bytes))),
        }
    }

    async fn ask(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let (answer, bytes) = self.post(&packet, packet.headers()).await?;
        if !(200..300).contains(&answer.status()) {
            return refusal(&answer, &bytes);
        }
        let bytes = bytes.map_err(TransportErrorKind::custom)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| TransportError::deser_err(error, start(&bytes)))
    }

    async fn post(
        &self,
        body: &impl Serialize,
        headers: HeaderMap,
    ) -> Result<(Body, Result<Bytes, FetchError>), TransportError> {
        let request = self
            .fetcher
            .post(self.url.clone())
            .json(body)
            .headers(headers)
            .first_byte(TIMEOUT)
            .idle(TIMEOUT)
            .total(TIMEOUT)
            .limit(MAX_ANSWER);
        let mut answer = request.send().await.map_err(TransportErrorKind::custom)?;
        let bytes = answer.collect().await;
        Ok((answer, bytes))
    }
}

#[derive(Serialize)]
struct Question<P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'static str,
    params: P,
}

#[derive(Deserialize)]
struct Told<T> {
    #[serde(default = "Option::default")]
    result: Option<T>,
    #[serde(default)]
    error: Option<ErrorPayload>,
}

/// What an answer says whose status is none of success. An error of JSON-RPC says more than that of
/// HTTP which it comes with, but not when to come back.
fn refusal(
    answer: &Body,
    bytes: &Result<Bytes, FetchError>,
) -> Result<ResponsePacket, TransportError> {
    let (status, wait) = (answer.status(), answer.retry_after());
    let text = match bytes {
        Ok(bytes) => {
            let packet = serde_json::from_slice::<ResponsePacket>(bytes).ok();
            let packet = packet.filter(|packet| packet.is_error() && wait.is_none());
            if let Some(packet) = packet {
                return Ok(packet);
            }
            start(bytes)
        }
        Err(error) => format!("<failed to read response body: {error}>"),
    };
    Err(TransportErrorKind::http_error_with_retry_after(status, text, wait))
}

fn start(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_SHOWN)]).into_owned()
}

impl Service<RequestPacket> for RpcTransport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        Box::pin(self.clone().ask(packet))
    }
}

#[cfg(test)]
mod tests {
    use alloy::{
        providers::{Provider, RootProvider},
        rpc::client::RpcClient,
    };
    use everhold_net::Limits;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// What alloy makes of an endpoint that answers so.
    async fn chain_id(answer: String) -> Result<u64, TransportError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/key", listener.local_addr().unwrap());
        let url = Url::parse(&url).unwrap();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).to_lowercase()
        });
        let fetcher = Fetcher::new(Limits::default(), [url.clone()]).unwrap();
        let transport = RpcTransport::new(fetcher, url);
        assert!(!format!("{transport:?}").contains("key"));
        let provider: RootProvider = RootProvider::new(RpcClient::new(transport, false));
        let answer = provider.get_chain_id().await;
        let request = served.await.unwrap();
        assert!(request.starts_with("post /key "), "{request}");
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
        answer
    }

    fn http(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn answers_are_read() {
        let answer = r#"{"jsonrpc":"2.0","id":0,"result":"0x7a69"}"#;
        assert_eq!(chain_id(http("200 OK", answer)).await.unwrap(), 31337);
        let error = chain_id(http("200 OK", "<html>")).await.unwrap_err();
        assert!(matches!(error, TransportError::DeserError { .. }), "{error}");
    }

    #[tokio::test]
    async fn errors_keep_their_meaning() {
        let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"too many"}}"#;
        for status in ["200 OK", "400 Bad Request", "429 Too Many Requests"] {
            let error = chain_id(http(status, error)).await.unwrap_err();
            assert_eq!(error.as_error_resp().unwrap().code, -32005, "{status}");
        }
        let limited = http("429 Too Many Requests\r\nRetry-After: 7", "slow down");
        let error = chain_id(limited).await.unwrap_err();
        let kind = error.as_transport_err().unwrap();
        let http = kind.as_http_error().unwrap();
        assert_eq!((http.status, http.body.as_str()), (429, "slow down"));
        assert_eq!(kind.retry_after(), Some(Duration::from_secs(7)));
        assert!(kind.is_retry_err());
    }

    #[tokio::test]
    async fn answers_are_bounded() {
        let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MAX_ANSWER + 1);
        let error = chain_id(long).await.unwrap_err().to_string();
        assert!(error.contains("more than 134217728 bytes"), "{error}");
    }
}
