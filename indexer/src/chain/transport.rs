//! JSON-RPC over the fetcher: an alloy transport whose answers are bounded in size and time.

use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use alloy::{
    rpc::json_rpc::{RequestPacket, ResponsePacket},
    transports::{TransportError, TransportErrorKind, TransportFut},
};
use everhold_net::{Fetcher, Url};
use tower_service::Service;

/// Until an endpoint has answered one request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer, in bytes. The logs of many busy blocks are long; endpoints that bound them
/// allow some ten megabytes.
const MAX_ANSWER: u64 = 128 << 20;
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

    async fn ask(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let headers = packet.headers();
        let request = self
            .fetcher
            .post(self.url)
            .json(&packet)
            .headers(headers)
            .first_byte(TIMEOUT)
            .idle(TIMEOUT)
            .total(TIMEOUT)
            .limit(MAX_ANSWER);
        let mut answer = request.send().await.map_err(TransportErrorKind::custom)?;
        let bytes = answer.collect().await;
        if (200..300).contains(&answer.status()) {
            let bytes = bytes.map_err(TransportErrorKind::custom)?;
            return serde_json::from_slice(&bytes)
                .map_err(|error| TransportError::deser_err(error, start(&bytes)));
        }
        // An error of JSON-RPC says more than that of HTTP which it comes with.
        let text = match &bytes {
            Ok(bytes) => {
                let packet = serde_json::from_slice::<ResponsePacket>(bytes).ok();
                if let Some(packet) = packet.filter(ResponsePacket::is_error) {
                    return Ok(packet);
                }
                start(bytes)
            }
            Err(error) => format!("<failed to read response body: {error}>"),
        };
        let (status, wait) = (answer.status(), answer.retry_after());
        Err(TransportErrorKind::http_error_with_retry_after(status, text, wait))
    }
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
