//! Files as they are on disk, or as a fault shows them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::time::sleep;
use tokio_util::io::ReaderStream;

use super::Shared;
use super::answer::Failure;
use super::storage::no_file;
use crate::item_hash::FileHash;
use crate::node::Node;
use crate::node::disk::PIECE;
use crate::node::faults::{Fault, FaultKind};

/// Lines of base64 as the node writes them: 57 bytes each.
const LINE: usize = 57;

/// `GET /api/v0/storage/raw/{h}`: from the disk, every time. `Range` is ignored.
pub(super) async fn get(
    State(node): Shared,
    Path(hash): Path<String>,
) -> Result<Response, Failure> {
    let file = name_of(&node, &hash)?;
    let fault = node.faults.on_body(&file.on_disk);
    match &fault {
        Some(fault) if fault.kind == FaultKind::Status => return Err(fault_status(fault)),
        Some(fault) if fault.kind == FaultKind::Claim => return Err(not_found()),
        _ => {}
    }
    let recorded = node.ledger().file_size(&file.on_disk);
    let recorded = recorded.ok_or_else(not_found)?;
    let length = node.disk.length(&file.on_disk).await;
    if length.ok_or_else(not_found)? < recorded {
        return Err(std::io::Error::other(format!("{hash} is shorter than recorded")).into());
    }
    let content = node.disk.read(&file.on_disk).await?;
    let headers = headers(recorded);
    Ok((headers, body(content, recorded, fault)).into_response())
}

/// `HEAD /api/v0/storage/raw/{h}`: from the records, whatever is on disk.
pub(super) async fn head(
    State(node): Shared,
    Path(hash): Path<String>,
) -> Result<Response, Failure> {
    let file = name_of(&node, &hash)?;
    let size = node.said_size(&file).ok_or_else(not_found)?;
    Ok((headers(size), Body::empty()).into_response())
}

/// `GET /api/v0/storage/{h}`: the bytes in base64, inside JSON.
pub(super) async fn encoded(
    State(node): Shared,
    Path(hash): Path<String>,
) -> Result<Response, Failure> {
    let invalid = || Failure::new(StatusCode::BAD_REQUEST, "Invalid hash provided");
    let file = FileHash::parse(&hash).ok_or_else(invalid)?;
    let recorded = node.ledger().file_size(&file.on_disk);
    let recorded = recorded.filter(|_| node.serves(&file)).ok_or_else(not_found)?;
    if recorded > node.config.limits.storage {
        return Err(Failure::bare(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let content = node.disk.read(&file.on_disk).await;
    let content = content.map_err(|_| no_file("hash", &hash))?;
    let engine = file.engine.as_str();
    let head = format!(
        "{{\"status\": \"success\", \"hash\": \"{hash}\", \"engine\": \"{engine}\", \"content\": \""
    );
    let parts = stream::iter([Ok(Bytes::from(head))])
        .chain(base64_lines(content))
        .chain(stream::iter([Ok(Bytes::from_static(b"\"}"))]));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, json)], Body::from_stream(parts)).into_response())
}

fn base64_lines(file: File) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold(file, |mut file| async move {
        let mut piece = Vec::with_capacity(LINE * 1024);
        let most = piece.capacity() as u64;
        (&mut file).take(most).read_to_end(&mut piece).await?;
        let lines: Vec<String> =
            piece.chunks(LINE).map(|line| STANDARD.encode(line) + "\\n").collect();
        Ok((!piece.is_empty()).then(|| (Bytes::from(lines.concat()), file)))
    })
}

/// The answer that a status fault gives.
pub(super) fn fault_status(fault: &Fault) -> Failure {
    let status = fault.status.and_then(|code| StatusCode::from_u16(code).ok());
    Failure::bare(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE))
}

fn name_of(node: &Node, hash: &str) -> Result<FileHash, Failure> {
    let invalid = || Failure::new(StatusCode::BAD_REQUEST, "Invalid hash");
    let file = FileHash::parse(hash).ok_or_else(invalid)?;
    match node.serves(&file) {
        true => Ok(file),
        false => Err(not_found()),
    }
}

fn not_found() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "Not found")
}

fn headers(size: u64) -> [(header::HeaderName, HeaderValue); 3] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, HeaderValue::from(size)),
        (header::ACCEPT_RANGES, HeaderValue::from_static("none")),
    ]
}

/// The recorded number of bytes, or what a fault leaves of them.
fn body(content: File, size: u64, fault: Option<Fault>) -> Body {
    let fault = match fault {
        None => return Body::from_stream(ReaderStream::with_capacity(content.take(size), PIECE)),
        Some(fault) if fault.kind == FaultKind::Slow => return slow(content, size, &fault),
        Some(fault) => fault,
    };
    let half = ReaderStream::with_capacity(content.take(size / 2), PIECE);
    if fault.kind == FaultKind::Stall {
        return Body::from_stream(half.chain(stream::pending()));
    }
    Body::from_stream(half.chain(stream::once(async {
        // Time for the first half to go out before the connection breaks.
        sleep(Duration::from_millis(50)).await;
        Err(std::io::Error::other("cut, as asked for"))
    })))
}

fn slow(content: File, size: u64, fault: &Fault) -> Body {
    let delay = Duration::from_millis(fault.delay_ms.unwrap_or(200));
    let drop = usize::try_from(size / 20).unwrap_or(PIECE).clamp(1, PIECE);
    let pieces = ReaderStream::with_capacity(content.take(size), drop);
    Body::from_stream(pieces.then(move |piece| async move {
        sleep(delay).await;
        piece
    }))
}
