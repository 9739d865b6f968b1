//! What the node's records say about files; no proof of anything.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{self, Failure};
use crate::item_hash::FileHash;
use crate::ledger::Record;
use crate::node::Node;

/// The version the recorded nodes had.
const VERSION: &str = "0.12.0";
const LARGEST_CAR: u64 = 4 << 30;

/// `GET /api/v0/version`
pub(super) async fn version() -> Response {
    answer::ok(&json!({"version": VERSION}))
}

/// `GET /api/v0/storage/limits.json`
pub(super) async fn limits(State(node): Shared) -> Response {
    let limits = node.config.limits;
    let mut answer = json!({"storage": {
        "max_file_size": limits.storage,
        "max_unauthenticated_upload_file_size": limits.storage_unsigned,
    }});
    if node.config.ipfs {
        answer["ipfs"] = json!({
            "max_upload_file_size": limits.ipfs,
            "max_upload_car_size": LARGEST_CAR,
            "max_unauthenticated_upload_file_size": limits.ipfs_unsigned,
        });
    }
    answer::ok(&answer)
}

/// `GET /api/v0/storage/metadata/{h}`
pub(super) async fn metadata(
    State(node): Shared,
    Path(hash): Path<String>,
) -> Result<Response, Failure> {
    let file = FileHash::parse(&hash).filter(|file| node.serves(file));
    let size = file.and_then(|file| node.said_size(&file));
    match size {
        Some(size) => Ok(answer::ok(&json!({"file_hash": hash, "type": "file", "size": size,
            "download_url": format!("/api/v0/storage/raw/{hash}")}))),
        None => Err(no_file("hash", &hash)),
    }
}

/// `GET /api/v0/storage/count/{h}`
pub(super) async fn count(State(node): Shared, Path(hash): Path<String>) -> Response {
    let file = FileHash::parse(&hash).filter(|file| node.serves(file));
    let count = file.map_or(0, |file| {
        let claimed = node.faults.claim(&file.on_disk).is_some();
        node.ledger().count_pins(&file).max(usize::from(claimed))
    });
    answer::ok(&json!(count))
}

/// `GET /api/v0/storage/by-ref/{owner}/{ref}`
pub(super) async fn by_ref(
    State(node): Shared,
    Path((owner, reference)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let tag = match FileHash::parse(&reference) {
        Some(_) => reference.clone(),
        None => format!("{owner}/{reference}"),
    };
    let record = node.ledger().tagged(&tag).cloned();
    let record = record.ok_or_else(|| no_file("tag", &tag))?;
    Ok(answer::ok(&stored(&node, &record, &reference)))
}

/// `GET /api/v0/storage/by-message-hash/{h}`
pub(super) async fn by_message(
    State(node): Shared,
    Path(hash): Path<String>,
) -> Result<Response, Failure> {
    let record = node.ledger().get(&hash).cloned();
    let record = record
        .filter(|record| record.status.is_in_force() && record.message.file().is_some())
        .ok_or_else(|| no_file("message", &hash))?;
    let reference = record.message.text("ref").unwrap_or(&hash);
    Ok(answer::ok(&stored(&node, &record, reference)))
}

fn stored(node: &Node, record: &Record, reference: &str) -> Value {
    let hash = record.message.text("item_hash").unwrap_or_default();
    let size = FileHash::parse(hash).and_then(|file| node.said_size(&file));
    json!({"ref": reference, "owner": record.message.address(), "file_hash": hash,
        "download_url": format!("/api/v0/storage/raw/{hash}"), "size": size.unwrap_or(0)})
}

/// The answer where records know of no file.
pub(super) fn no_file(by: &str, name: &str) -> Failure {
    Failure::new(StatusCode::NOT_FOUND, format!("No file found for {by} {name}"))
}
