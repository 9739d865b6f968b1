//! Control endpoints for tests, under `/dev/`. The README describes them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{Router, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{self, Failure};
use crate::envelope::Message;
use crate::item_hash::FileHash;
use crate::ledger::{Record, Status};
use crate::node::Node;
use crate::node::faults::Fault;
use crate::stamp;

/// The routes under `/dev/`.
pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/dev/lose", post(lose))
        .route("/dev/corrupt", post(corrupt))
        .route("/dev/fault", post(set_fault).get(list_faults))
        .route("/dev/status", post(set_status))
        .route("/dev/forge", post(forge))
        .route("/dev/files", get(files))
        .route("/dev/requests", get(requests).delete(clear_requests))
        .route("/dev/peers", get(peers))
        .route("/dev/connect", post(connect))
        .route("/dev/disconnect", post(disconnect))
        .route("/dev/replication", post(replication))
}

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    hash: Option<String>,
    #[serde(default)]
    all: bool,
}

async fn lose(State(node): Shared, Json(which): Json<Which>) -> Result<Response, Failure> {
    let mut lost = Vec::new();
    for name in chosen(&node, which).await? {
        if node.disk.lose(&name).await {
            lost.push(name);
        }
    }
    Ok(answer::ok(&json!({"lost": lost})))
}

async fn corrupt(State(node): Shared, Json(which): Json<Which>) -> Result<Response, Failure> {
    let mut corrupted = Vec::new();
    for name in chosen(&node, which).await? {
        node.disk.corrupt(&name).await.map_err(|_| Failure::not_found())?;
        corrupted.push(name);
    }
    Ok(answer::ok(&json!({"corrupted": corrupted})))
}

async fn chosen(node: &Node, which: Which) -> Result<Vec<String>, Failure> {
    match which {
        Which { all: true, .. } => {
            let files = node.disk.list().await?;
            Ok(files.into_iter().map(|(name, _)| name).collect())
        }
        Which { hash: Some(hash), .. } => Ok(vec![on_disk(&hash)?]),
        _ => Err(Failure::unprocessable("give \"hash\" or \"all\"")),
    }
}

fn on_disk(hash: &str) -> Result<String, Failure> {
    let file = FileHash::parse(hash);
    file.map(|file| file.on_disk).ok_or_else(|| Failure::unprocessable("this is not a file hash"))
}

async fn set_fault(State(node): Shared, Json(mut fault): Json<Fault>) -> Result<Response, Failure> {
    if let Some(hash) = &fault.hash {
        fault.hash = Some(on_disk(hash)?);
    }
    node.faults.set(fault);
    Ok(answer::ok(&json!({"faults": node.faults.list()})))
}

async fn list_faults(State(node): Shared) -> Response {
    answer::ok(&json!({"faults": node.faults.list()}))
}

#[derive(Deserialize)]
struct Standing {
    message: String,
    status: Status,
}

async fn set_status(
    State(node): Shared,
    Json(standing): Json<Standing>,
) -> Result<Response, Failure> {
    let settable =
        matches!(standing.status, Status::Processed | Status::Removing | Status::Removed);
    if !settable {
        return Err(Failure::unprocessable("processed, removing or removed"));
    }
    if !node.ledger().set_status(&standing.message, standing.status) {
        return Err(Failure::not_found());
    }
    if standing.status == Status::Removed {
        collect_file_of(&node, &standing.message).await;
    }
    Ok(answer::ok(&json!({"status": standing.status})))
}

#[derive(Deserialize)]
struct Forged {
    message: Value,
    status: Status,
}

/// Takes a message as it is, whoever signed it: what a node may list that makes things up.
async fn forge(State(node): Shared, Json(forged): Json<Forged>) -> Result<Response, Failure> {
    let message = Message::parse(&forged.message)
        .map_err(|_| Failure::unprocessable("this is not a message"))?;
    let record = Record { status: forged.status, ..Record::pending(message, stamp::now()) };
    let hash = record.hash().to_owned();
    node.ledger().put(record);
    Ok(answer::ok(&json!({"item_hash": hash, "status": forged.status})))
}

/// What a node does with the bytes of a removed message, unless another one keeps them.
async fn collect_file_of(node: &Node, message: &str) {
    let collected = {
        let mut ledger = node.ledger();
        let file = ledger.get(message).and_then(|record| record.message.file());
        file.filter(|file| ledger.collect(&file.on_disk))
    };
    if let Some(file) = collected {
        node.disk.lose(&file.on_disk).await;
    }
}

async fn files(State(node): Shared) -> Result<Response, Failure> {
    let on_disk = node.disk.list().await?;
    let ledger = node.ledger();
    let lost = ledger
        .files()
        .filter(|(hash, _)| !on_disk.iter().any(|(name, _)| name == hash))
        .map(|(hash, size)| json!({"hash": hash, "size": null, "recorded": size}));
    let files: Vec<Value> = on_disk
        .iter()
        .map(|(name, size)| json!({"hash": name, "size": size, "recorded": ledger.file_size(name)}))
        .chain(lost)
        .collect();
    Ok(answer::ok(&json!({"files": files})))
}

async fn requests(State(node): Shared) -> Response {
    answer::ok(&node.requests.report())
}

async fn clear_requests(State(node): Shared) -> Response {
    node.requests.clear();
    answer::ok(&node.requests.report())
}

#[derive(Deserialize)]
struct Peer {
    peer: String,
}

#[derive(Deserialize)]
struct SomePeer {
    #[serde(default)]
    peer: Option<String>,
}

async fn peers(State(node): Shared) -> Response {
    answer::ok(&json!({"peers": node.peer_urls()}))
}

async fn connect(State(node): Shared, Json(peer): Json<Peer>) -> Response {
    node.connect(&peer.peer);
    peers(State(node)).await
}

async fn disconnect(State(node): Shared, Json(peer): Json<SomePeer>) -> Response {
    node.disconnect(peer.peer.as_deref());
    peers(State(node)).await
}

#[derive(Deserialize)]
struct Replication {
    paused: bool,
}

async fn replication(State(node): Shared, Json(replication): Json<Replication>) -> Response {
    node.pause(replication.paused);
    answer::json(StatusCode::OK, &json!({"paused": replication.paused}))
}
