//! A receiver of alerts: outside the product's process, and trusting nothing that is not signed.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::post,
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Context, Result};

/// A request that came in, whatever the answer was.
#[derive(Clone, Debug)]
pub struct Alert {
    /// When it came.
    pub at: Instant,
    /// `X-Everhold-Event`.
    pub event: String,
    /// `Idempotency-Key`: the same whenever the same alert is sent again.
    pub key: String,
    /// Whether `X-Everhold-Signature` is the HMAC-SHA256 of the body under the shared secret.
    pub signed: bool,
    /// Whether it was taken, with 200.
    pub taken: bool,
    /// The body; null where it is no JSON.
    pub body: Value,
}

#[derive(Debug, Default)]
struct Received {
    alerts: Vec<Alert>,
    refuse: u64,
}

#[derive(Debug)]
struct Inbox {
    secret: String,
    received: Mutex<Received>,
}

/// An HTTP server that takes alerts at `/alerts`.
#[derive(Debug)]
pub struct AlertReceiver {
    inbox: Arc<Inbox>,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
}

impl AlertReceiver {
    /// Starts one on a free port.
    pub async fn start(secret: &str) -> Result<Self> {
        let inbox = Inbox { secret: secret.to_owned(), received: Mutex::default() };
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let mut receiver = Self {
            inbox: Arc::new(inbox),
            address: listener.local_addr().context("alert receiver")?,
            server: None,
        };
        receiver.serve(listener);
        Ok(receiver)
    }

    /// Where alerts are to be sent.
    pub fn url(&self) -> String {
        format!("http://{}/alerts", self.address)
    }

    /// The secret that signatures are made with.
    pub fn secret(&self) -> &str {
        &self.inbox.secret
    }

    /// Everything that came, in its order.
    pub fn requests(&self) -> Vec<Alert> {
        self.inbox.received().alerts.clone()
    }

    /// The alerts that were taken and whose signature is right: the only ones that count.
    pub fn alerts(&self) -> Vec<Alert> {
        let mut alerts = self.requests();
        alerts.retain(|alert| alert.signed && alert.taken);
        alerts
    }

    /// Answers the next `times` requests with 500.
    pub fn refuse(&self, times: u64) {
        self.inbox.received().refuse = times;
    }

    /// Stops listening: connections are refused.
    pub async fn down(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    /// Listens again, at the same address.
    pub async fn up(&mut self) -> Result<()> {
        self.down().await;
        let listener = listen(self.address).await?;
        self.serve(listener);
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener) {
        let inbox = Arc::clone(&self.inbox);
        let router = Router::new().route("/alerts", post(take)).with_state(inbox);
        self.server = Some(tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        }));
    }
}

impl Drop for AlertReceiver {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.context(format!("alert receiver at {address}"))
}

impl Inbox {
    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_signed(&self, header: &str, body: &[u8]) -> bool {
        let given = header.strip_prefix("sha256=").and_then(unhex);
        let mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes());
        let (Some(given), Ok(mut mac)) = (given, mac) else {
            return false;
        };
        mac.update(body);
        mac.verify_slice(&given).is_ok()
    }
}

/// Every answer closes its connection, so that none outlives `down`.
async fn take(
    State(inbox): State<Arc<Inbox>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(header::HeaderName, &'static str); 1]) {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let signed = inbox.is_signed(&text("X-Everhold-Signature"), &body);
    let mut received = inbox.received();
    let taken = received.refuse == 0;
    received.refuse = received.refuse.saturating_sub(1);
    received.alerts.push(Alert {
        at: Instant::now(),
        event: text("X-Everhold-Event"),
        key: text("Idempotency-Key"),
        signed,
        taken,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let status = if taken { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    (status, [(header::CONNECTION, "close")])
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let bytes = digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok());
    bytes.collect()
}
