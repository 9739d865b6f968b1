//! Stands in for the services that alerts go to: an HTTP server that takes everything, each path as the
//! service does whose path it is.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Context, Result};

/// A request that came in, whatever the answer was.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The path.
    pub path: String,
    /// `Content-Type`.
    pub content_type: String,
    /// `Idempotency-Key`.
    pub key: String,
    /// The body; null where it is no JSON.
    pub body: Value,
}

#[derive(Debug, Default)]
struct Inbox {
    posted: Vec<Posted>,
    answers: HashMap<String, (u16, String)>,
    delay: Duration,
    delays: HashMap<String, Duration>,
    /// By path: what the alert that came first is answered, and its key.
    disliked: HashMap<String, (u16, Option<String>)>,
}

/// The server.
#[derive(Debug)]
pub struct Services {
    inbox: Arc<Mutex<Inbox>>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Services {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("services")?;
        let address = listener.local_addr().context("services")?;
        let inbox: Arc<Mutex<Inbox>> = Arc::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&inbox));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { inbox, address, server })
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What came to paths that begin so, in its order.
    pub fn posted(&self, path: &str) -> Vec<Posted> {
        let posted = lock(&self.inbox).posted.clone();
        posted.into_iter().filter(|one| one.path.starts_with(path)).collect()
    }

    /// Has a path answer otherwise from now on; 200 and nothing: as its service does.
    pub fn answer(&self, path: &str, status: u16, body: &str) {
        lock(&self.inbox).answers.insert(path.to_owned(), (status, body.to_owned()));
    }

    /// Has a path answer so, and for ever, to the alert that comes there first, and as its service does to the
    /// others.
    pub fn refuse_first(&self, path: &str, status: u16) {
        lock(&self.inbox).disliked.insert(path.to_owned(), (status, None));
    }

    /// Has the answers of one path wait so long.
    pub fn delay_at(&self, path: &str, delay: Duration) {
        lock(&self.inbox).delays.insert(path.to_owned(), delay);
    }

    /// Has every answer wait so long.
    pub fn delay(&self, delay: Duration) {
        lock(&self.inbox).delay = delay;
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(
    State(inbox): State<Arc<Mutex<Inbox>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(header::HeaderName, &'static str); 1], String) {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let path = uri.path().to_owned();
    let (answer, delay) = {
        let mut inbox = lock(&inbox);
        let key = text("Idempotency-Key");
        let refusal = inbox.disliked.get_mut(&path).and_then(|(status, first)| {
            let is_it = *first.get_or_insert_with(|| key.clone()) == key;
            is_it.then(|| (*status, String::new()))
        });
        inbox.posted.push(Posted {
            path: path.clone(),
            content_type: text("Content-Type"),
            key,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        let delay = inbox.delays.get(&path).copied().unwrap_or(inbox.delay);
        (refusal.or_else(|| inbox.answers.get(&path).cloned()), delay)
    };
    tokio::time::sleep(delay).await;
    let (status, body) = match answer {
        Some((status, body)) if (status, &*body) != (200, "") => (status, body),
        _ => usual(&path),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONNECTION, "close")], body)
}

/// What a service answers that has taken a message.
fn usual(path: &str) -> (u16, String) {
    let (status, body) = match path {
        _ if path.ends_with("/sendMessage") => (200, r#"{"ok":true,"result":{"message_id":1}}"#),
        _ if path.starts_with("/api/webhooks/") => (204, ""),
        "/v2/enqueue" => (202, r#"{"status":"success","message":"Event processed"}"#),
        "/api/v2/alerts" => (200, ""),
        _ => (200, "ok"),
    };
    (status, body.to_owned())
}
