//! `WS /api/ws0/messages`: messages as they come into force.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use tokio::sync::broadcast::error::RecvError;

use super::Shared;
use crate::ledger::{Filter, listed, live};
use crate::node::Node;

/// Messages sent at once, unless the query says how many.
const HISTORY: usize = 10;

/// Opens the socket.
pub(super) async fn socket(
    State(node): Shared,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(move |socket| serve(node, query, socket))
}

async fn serve(node: Arc<Node>, query: HashMap<String, String>, mut socket: WebSocket) {
    let filter = Filter::from_query(&query);
    let history = query.get("history").and_then(|text| text.parse().ok());
    let mut coming = node.subscribe();
    for message in past(&node, &filter, history.unwrap_or(HISTORY)) {
        if socket.send(Frame::text(message)).await.is_err() {
            return;
        }
    }
    loop {
        let message = tokio::select! {
            message = coming.recv() => message,
            frame = socket.recv() => match frame {
                Some(Ok(_)) => continue,
                _ => return,
            },
        };
        match message {
            Ok(record) if filter.admits(&record) => {
                let text = live(&record).to_string();
                if socket.send(Frame::text(text)).await.is_err() {
                    return;
                }
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// The newest messages, oldest first.
fn past(node: &Node, filter: &Filter, count: usize) -> Vec<String> {
    let ledger = node.ledger();
    let newest = ledger.matching(filter).into_iter().take(count);
    let mut messages: Vec<String> =
        newest.map(|record| listed(record, "full").to_string()).collect();
    messages.reverse();
    messages
}
