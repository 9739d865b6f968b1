//! `add_file`: a file, and perhaps the signed STORE that keeps it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::Shared;
use super::answer::{self, Failure};
use super::messages::code_of;
use super::receive::{self, Most, Received};
use crate::envelope::{Kind, Message};
use crate::item_hash::{Engine, FileHash};
use crate::node::hashing::FileHasher;
use crate::node::{Node, Origin};
use crate::signature;

const MIB: u64 = 1 << 20;

/// `POST /api/v0/storage/add_file`
pub(super) async fn storage(State(node): Shared, request: Request) -> Result<Response, Failure> {
    let limits = node.config.limits;
    let most = Most { signed: limits.storage, unsigned: limits.storage_unsigned };
    let received = match receive::is_form(&request) {
        true => receive::form(&node, request, Engine::Storage, most).await?,
        false => receive::body(&node, request.into_body(), most).await?,
    };
    let answer = json!({"status": "success", "hash": received.hash});
    finish(&node, received, Engine::Storage, &answer).await
}

/// `POST /api/v0/ipfs/add_file`
pub(super) async fn ipfs(State(node): Shared, request: Request) -> Result<Response, Failure> {
    if !receive::is_form(&request) {
        let reason = "Expected Content-Type: multipart/form-data";
        return Err(Failure::reason(StatusCode::BAD_REQUEST, reason));
    }
    let limits = node.config.limits;
    let most = Most { signed: limits.ipfs, unsigned: limits.ipfs_unsigned };
    let received = receive::form(&node, request, Engine::Ipfs, most).await?;
    let answer = json!({"status": "success", "hash": received.hash, "name": received.filename,
        "size": received.size});
    finish(&node, received, Engine::Ipfs, &answer).await
}

/// `POST /api/v0/storage/add_json`
pub(super) async fn storage_json(State(node): Shared, body: Bytes) -> Result<Response, Failure> {
    let value: Value =
        serde_json::from_slice(&body).map_err(|_| Failure::bare(StatusCode::BAD_REQUEST))?;
    let text = value.to_string();
    let mut hasher = FileHasher::new(Engine::Storage);
    hasher.update(text.as_bytes());
    let hash = hasher.finish();
    let (mut to, file) = node.disk.unfinished().await?;
    to.write_all(text.as_bytes()).await?;
    to.flush().await?;
    node.disk.place(&file, &hash).await?;
    node.file_came(&hash, text.len() as u64);
    node.ledger().add_grace_pin(&hash);
    Ok(answer::ok(&json!({"status": "success", "hash": hash})))
}

/// Checks the message, puts the file in its place, then takes in the message.
async fn finish(
    node: &Arc<Node>,
    received: Received,
    engine: Engine,
    answer: &Value,
) -> Result<Response, Failure> {
    let signed = match &received.metadata {
        Some(metadata) => Some(read_metadata(metadata)?),
        None => None,
    };
    if let Some((message, _)) = &signed {
        check(node, message, &received, engine)?;
    }
    node.disk.place(&received.file, &received.hash).await?;
    node.file_came(&received.hash, received.size);
    let status = match signed {
        Some((message, sync)) => code_of(node.submit(message, sync, Origin::Client).await),
        None => {
            node.ledger().add_grace_pin(&received.hash);
            StatusCode::OK
        }
    };
    Ok(answer::json(status, answer))
}

fn read_metadata(metadata: &[u8]) -> Result<(Message, bool), Failure> {
    let undecodable = || Failure::unprocessable("Could not decode metadata");
    let metadata: Value = serde_json::from_slice(metadata).map_err(|_| undecodable())?;
    let sync = metadata["sync"].as_bool().ok_or_else(undecodable)?;
    let message = Message::parse(&metadata["message"]).map_err(|_| undecodable())?;
    match message.envelope.kind {
        Kind::Store => Ok((message, sync)),
        _ => Err(undecodable()),
    }
}

/// Signature, engine, hash and payment, before the file is kept.
fn check(
    node: &Node,
    message: &Message,
    received: &Received,
    engine: Engine,
) -> Result<(), Failure> {
    let envelope = &message.envelope;
    let signature = envelope.signature.as_deref().unwrap_or_default();
    let kind = envelope.kind.as_str();
    let (chain, sender, hash) = (&envelope.chain, &envelope.sender, &envelope.item_hash);
    if !signature::is_valid(chain, sender, kind, hash, signature) {
        return Err(Failure::bare(StatusCode::FORBIDDEN));
    }
    let item_type = message.text("item_type").unwrap_or_default();
    if engine == Engine::Ipfs && item_type != "ipfs" {
        let reason = format!("Expected item_type=ipfs in STORE message, got {item_type}");
        return Err(Failure::unprocessable(&reason));
    }
    check_hash(message, received)?;
    let billed = received.size.div_ceil(MIB) * MIB;
    node.ledger()
        .check_payment(message.address(), message.payment(), billed)
        .map_err(|_| Failure::bare(StatusCode::PAYMENT_REQUIRED))
}

/// The very name the node computed, as the real one compares: `bafy…` is not `Qm…` here.
fn check_hash(message: &Message, received: &Received) -> Result<(), Failure> {
    let expected = message.text("item_hash").unwrap_or_default();
    let same_dag = FileHash::parse(expected).is_some_and(|file| file.given == received.hash);
    if same_dag {
        return Ok(());
    }
    let reason = format!("File hash does not match ({} != {expected})", received.hash);
    Err(Failure::unprocessable(&reason))
}
