//! Servers that pretend to be others.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{Request, StatusCode, Uri, header},
    response::IntoResponse,
};
use everhold_harness::{Context, Result};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// A server that answers every GET of a file with a redirect to another node, all else with 404.
#[derive(Debug)]
pub struct Redirector {
    url: String,
    asked: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl Redirector {
    /// Starts one that redirects with this status.
    pub async fn start(to: &str, status: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("redirector")?;
        let url = format!("http://{}", listener.local_addr().context("redirector")?);
        let status = StatusCode::from_u16(status).context("status")?;
        let asked = Arc::new(AtomicU64::new(0));
        let (to, seen) = (to.to_owned(), Arc::clone(&asked));
        let answer = move |uri: Uri| {
            let raw = uri.path().starts_with("/api/v0/storage/raw/");
            seen.fetch_add(u64::from(raw), Ordering::Relaxed);
            let location = [(header::LOCATION, format!("{to}{uri}"))];
            let answer = match raw {
                true => (status, location).into_response(),
                false => StatusCode::NOT_FOUND.into_response(),
            };
            async move { answer }
        };
        let router = Router::new().fallback(answer);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, asked, server })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// How many files it was asked for.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Redirector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An RPC that is a chain's, but takes no transaction without EIP-155, as many do.
#[derive(Debug)]
pub struct CautiousRpc {
    url: String,
    server: JoinHandle<()>,
}

impl CautiousRpc {
    /// Starts one in front of a chain.
    pub async fn start(chain: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("RPC")?;
        let url = format!("http://{}", listener.local_addr().context("RPC")?);
        let chain = chain.to_owned();
        let answer = move |body: Bytes| {
            let chain = chain.clone();
            async move { answer(&chain, body).await.map_err(|_| StatusCode::BAD_GATEWAY) }
        };
        let router = Router::new().fallback(answer);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, server })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for CautiousRpc {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(chain: &str, body: Bytes) -> Result<Bytes> {
    let request: Value = serde_json::from_slice(&body).context("request")?;
    // Transactions of a type (EIP-2718) begin with its number and name their chain; lists are
    // older, and this one's signature does not.
    let raw = request["params"][0].as_str().unwrap_or_default();
    if request["method"] == "eth_sendRawTransaction" && raw.starts_with("0xf8") {
        let error = json!({"code": -32000,
            "message": "only replay-protected (EIP-155) transactions allowed over RPC"});
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "error": error});
        return Ok(answer.to_string().into());
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let request = Request::post(chain).header(header::CONTENT_TYPE, "application/json");
    let answer = client.request(request.body(Body::from(body)).context(chain)?).await;
    let answer = Body::new(answer.context(chain)?.into_body());
    to_bytes(answer, usize::MAX).await.context(chain)
}
