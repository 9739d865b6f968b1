//! Whether what the vault has is what it should be.

use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};

use super::{Form, Stream, Vault, VaultError, names::Name};
use crate::{
    content::{CarCheck, CarError, Cid, ContentId, DagLimits, Digest, Found, Next, Verifier, Walk},
    nodes::{Known, blocks::Sink},
};

/// What was proved of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Plain sha-256 of its bytes.
    pub sha256: Digest,
    /// How many these are.
    pub bytes: u64,
}

/// Why nothing is proved.
#[derive(Debug, thiserror::Error)]
pub enum Unproved {
    /// It is not there.
    #[error("it is not there")]
    Missing,
    /// It is wrong.
    #[error("{0}")]
    Wrong(String),
    /// That can't be told.
    #[error(transparent)]
    Failed(#[from] VaultError),
}

impl Vault {
    /// Reads a content and hashes it; `sink` gets the bytes of its file as they come, which are right only
    /// if all are proved in the end.
    ///
    /// # Errors
    /// [`Unproved`].
    pub async fn prove(
        &self,
        id: &ContentId,
        form: Form,
        known: Known,
        sink: Sink<'_>,
    ) -> Result<Proved, Unproved> {
        self.prove_at(&Name::of(id, form).path(), id, form, known, sink).await
    }

    /// The same of what lies somewhere in it.
    pub(super) async fn prove_at(
        &self,
        path: &Path,
        id: &ContentId,
        form: Form,
        known: Known,
        sink: Sink<'_>,
    ) -> Result<Proved, Unproved> {
        let mut stream = self.open_at(path).await?.ok_or(Unproved::Missing)?;
        match form {
            Form::File => prove_file(stream, id, known, sink).await,
            Form::Car => prove_archive(id, async || stream.next().await.transpose(), sink).await,
        }
    }
}

async fn prove_file(
    mut stream: Stream,
    id: &ContentId,
    known: Known,
    sink: Sink<'_>,
) -> Result<Proved, Unproved> {
    let mut verifier = match known.sha256 {
        Some(_) => Verifier::new(*id),
        None => Verifier::any_profile(*id),
    };
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        verifier.update(&chunk);
        sink(&chunk);
    }
    let found = verifier.finish();
    let right = known.sha256.map_or(found.matches, |sha256| sha256 == found.sha256);
    match right {
        true => Ok(Proved { sha256: found.sha256, bytes: found.bytes }),
        false => Err(Unproved::Wrong(format!("its bytes hash to {}", found.computed))),
    }
}

/// Whether an archive, whose pieces `next` gives, has all blocks of a content, in the order of a walk, and
/// no others.
pub(super) async fn prove_archive(
    id: &ContentId,
    mut next_piece: impl AsyncFnMut() -> Result<Option<Bytes>, VaultError>,
    sink: Sink<'_>,
) -> Result<Proved, Unproved> {
    let limits = DagLimits::default();
    let mut check = CarCheck::new(Walk::new(Cid::from(*id), &[], limits), limits.block_bytes);
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut take = |data: &[u8]| {
        hasher.update(data);
        bytes += data.len() as u64;
        sink(data);
    };
    let wrong = |error: CarError| Unproved::Wrong(error.to_string());
    let mut next = Next::Bytes;
    let walk = loop {
        next = match next {
            Next::Bytes => match next_piece().await? {
                Some(piece) => check.feed(&piece, &mut take).map_err(wrong)?,
                None => check.end(&mut take).map_err(wrong)?,
            },
            Next::Turn => {
                tokio::task::yield_now().await;
                check.go_on(&mut take).map_err(wrong)?
            }
            Next::Block(cid) => return Err(wrong(CarError::Missing { cid })),
            Next::Nothing => break check.finish().map_err(wrong)?,
        };
    };
    match walk.found() {
        Some(Found::File { .. }) => Ok(Proved { sha256: Digest(hasher.finalize().into()), bytes }),
        _ => Err(Unproved::Wrong("it is a folder, and no file".to_owned())),
    }
}
