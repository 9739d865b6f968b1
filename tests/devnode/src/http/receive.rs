//! Uploads, streamed to disk and hashed on the way.

use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::answer::Failure;
use crate::item_hash::Engine;
use crate::node::Node;
use crate::node::disk::Unfinished;
use crate::node::hashing::FileHasher;

/// The `metadata` part may have this many bytes.
const LARGEST_METADATA: usize = 1 << 20;
/// A client that is told its file is too large may go on sending for this long.
const LINGER: Duration = Duration::from_secs(10);

/// A file that came in whole.
pub(super) struct Received {
    pub(super) file: Unfinished,
    pub(super) hash: String,
    pub(super) size: u64,
    pub(super) filename: String,
    pub(super) metadata: Option<Bytes>,
}

/// How large a file may be.
#[derive(Clone, Copy)]
pub(super) struct Most {
    pub(super) signed: u64,
    pub(super) unsigned: u64,
}

/// Receives a form with a `file`, and perhaps `metadata`.
pub(super) async fn form(
    node: &Node,
    request: Request,
    engine: Engine,
    most: Most,
) -> Result<Received, Failure> {
    let bad = |_| Failure::bare(StatusCode::BAD_REQUEST);
    let mut form = Multipart::from_request(request, &()).await.map_err(bad)?;
    match parts(node, &mut form, engine, most).await {
        Ok(received) => Ok(received),
        Err(failure) => {
            tokio::spawn(timeout(LINGER, async move {
                while let Ok(Some(_)) = form.next_field().await {}
            }));
            Err(failure)
        }
    }
}

async fn parts(
    node: &Node,
    form: &mut Multipart,
    engine: Engine,
    most: Most,
) -> Result<Received, Failure> {
    let bad = |_| Failure::bare(StatusCode::BAD_REQUEST);
    let mut file = None;
    let mut metadata = None;
    while let Some(field) = form.next_field().await.map_err(bad)? {
        match field.name() {
            Some("file") => {
                let filename = field.file_name().unwrap_or("file").to_owned();
                file = Some((filename, save(node, field, engine, most.signed).await?));
            }
            Some("metadata") => metadata = Some(small(field).await?),
            _ => {}
        }
    }
    let missing = || Failure::unprocessable("Missing 'file' in multipart form.");
    let (filename, (file, hash, size)) = file.ok_or_else(missing)?;
    if metadata.is_none() && size > most.unsigned {
        return Err(too_large(most.unsigned, size));
    }
    Ok(Received { file, hash, size, filename, metadata })
}

/// Receives a body that is the file itself.
pub(super) async fn body(node: &Node, body: Body, most: Most) -> Result<Received, Failure> {
    let mut pieces = body.into_data_stream();
    match save(node, &mut pieces, Engine::Storage, most.unsigned).await {
        Ok((file, hash, size)) => {
            Ok(Received { file, hash, size, filename: "file".to_owned(), metadata: None })
        }
        Err(failure) => {
            tokio::spawn(timeout(
                LINGER,
                async move { while let Some(Ok(_)) = pieces.next().await {} },
            ));
            Err(failure)
        }
    }
}

/// Whether a request's body is a form.
pub(super) fn is_form(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/form-data"))
}

async fn save<E>(
    node: &Node,
    pieces: impl Stream<Item = Result<Bytes, E>>,
    engine: Engine,
    most: u64,
) -> Result<(Unfinished, String, u64), Failure> {
    let (mut to, file): (File, Unfinished) = node.disk.unfinished().await?;
    let mut hasher = FileHasher::new(engine);
    let mut pieces = pin!(pieces);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Failure::bare(StatusCode::BAD_REQUEST))?;
        hasher.update(&piece);
        if hasher.size > most {
            return Err(too_large(most, hasher.size));
        }
        to.write_all(&piece).await?;
    }
    to.flush().await?;
    let size = hasher.size;
    Ok((file, hasher.finish(), size))
}

async fn small(mut field: Field<'_>) -> Result<Bytes, Failure> {
    let mut whole = Vec::new();
    let bad = |_| Failure::bare(StatusCode::BAD_REQUEST);
    while let Some(piece) = field.chunk().await.map_err(bad)? {
        whole.extend_from_slice(&piece);
        if whole.len() > LARGEST_METADATA {
            return Err(too_large(LARGEST_METADATA as u64, whole.len() as u64));
        }
    }
    Ok(Bytes::from(whole))
}

fn too_large(most: u64, size: u64) -> Failure {
    let text = format!("Maximum request body size {most} exceeded, actual body size {size}");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}
