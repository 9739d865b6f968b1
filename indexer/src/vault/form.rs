//! In which form a content can be kept.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::Path,
};

use tempfile::NamedTempFile;

use crate::{
    aside::io_aside,
    content::{CarWriter, Cid, Codec, ContentId, DagLimits, Found, Outline, Walk},
    nodes::{BlockNode, blocks},
};

/// Whether the bytes of a file, cut in one of the known ways, make this name: then they prove
/// themselves.
///
/// # Errors
/// Where it can't be read.
pub async fn is_named_by(id: &ContentId, file: &Path) -> io::Result<bool> {
    if id.codec == Codec::Raw {
        return Ok(true);
    }
    let (id, file) = (*id, file.to_owned());
    io_aside(move || Ok(Outline::of(id, File::open(file)?)?.is_some())).await
}

/// An archive of all blocks of a content, of at most `most` bytes, from a node that gives blocks; `None`
/// where it does not give them all, they are more, or what they make is no file.
///
/// # Errors
/// Where it can't be written.
pub async fn blocks_from(
    node: &dyn BlockNode,
    id: &ContentId,
    most: u64,
) -> io::Result<Option<NamedTempFile>> {
    let limits = DagLimits { file_bytes: most, ..DagLimits::default() };
    let root = Cid::from(*id);
    let mut car = CarWriter::new(BufWriter::new(NamedTempFile::new()?), &[root])?;
    let (mut written, mut is_too_large) = (Ok(()), false);
    let walk = Walk::new(root, &[], limits);
    let walked = blocks::each_block(node, walk, &limits, &mut |cid, block| {
        is_too_large |= car.bytes() + block.len() as u64 > most;
        if written.is_ok() && !is_too_large {
            written = car.block(cid, block);
        }
    })
    .await;
    match walked.ok().as_ref().and_then(Walk::found) {
        Some(Found::File { .. }) if !is_too_large => {
            written?;
            let file = car.into_inner().into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok(Some(file))
        }
        _ => Ok(None),
    }
}
