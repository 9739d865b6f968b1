//! The aleph network's list of nodes, and who gives it.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use everhold_harness::Result;
use serde_json::{Value, json};

use crate::web::Web;

/// A host that gives a list, or none.
#[derive(Debug)]
pub struct ListHost {
    web: Web,
    nodes: Arc<Mutex<Option<Vec<Value>>>>,
}

impl ListHost {
    /// One with this list.
    pub async fn start(nodes: Vec<Value>) -> Result<Self> {
        let nodes = Arc::new(Mutex::new(Some(nodes)));
        let shared = Arc::clone(&nodes);
        let web = Web::start(move |uri| {
            let asked = "/api/v0/aggregates/0xa1B3bb7d2332383D96b7796B908fB7f7F3c2Be10.json";
            match &*shared.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(nodes) if uri.path() == asked => answer(nodes),
                _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        })
        .await?;
        Ok(Self { web, nodes })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        self.web.url()
    }

    /// Has it give another list, or none.
    pub fn set(&self, nodes: Option<Vec<Value>>) {
        *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
    }
}

fn answer(nodes: &[Value]) -> Response {
    json!({"data": {"corechannel": {"nodes": nodes}}}).to_string().into_response()
}

/// An entry of the list.
pub fn entry(ip: &str, owner: u32) -> Value {
    json!({
        "hash": "00", "name": "node", "owner": format!("0x{owner:040x}"), "status": "active",
        "multiaddress": format!("/ip4/{ip}/tcp/4025/p2p/QmNode"), "time": 1_700_000_000.5,
    })
}

/// An address of this machine that nobody else is likely to use: all of 127.0.0.0/8 is loopback, so
/// that many nodes have the same port on it.
pub fn own_address() -> String {
    let drawn = RandomState::new().build_hasher().finish();
    let [a, b, c, ..] = drawn.to_le_bytes();
    format!("127.{}.{}.{}", a.max(1), b, c.clamp(2, 250))
}
