//! Servers that are no nodes, and pretend to be.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::IntoResponse,
};
use everhold_harness::{Context, Result};
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
