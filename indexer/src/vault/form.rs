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
    nodes::{
        BlockNode,
        blocks::{self, BlocksError},
    },
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

/// An archive of the blocks of one content, of at most so many bytes, as it is written.
#[derive(Debug)]
pub struct CarFile {
    car: CarWriter<BufWriter<NamedTempFile>>,
    most: u64,
}

impl CarFile {
    /// Begins it.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn new(id: &ContentId, most: u64) -> io::Result<Self> {
        let out = BufWriter::new(NamedTempFile::new()?);
        Ok(Self { car: CarWriter::new(out, &[Cid::from(*id)])?, most })
    }

    /// Adds a block; whether all of it still fits. Whoever goes on where it does not fills the disk.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn add(&mut self, cid: &Cid, block: &[u8]) -> io::Result<bool> {
        self.car.block(cid, block)?;
        Ok(self.car.bytes() <= self.most)
    }

    /// Ends it.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn finish(self) -> io::Result<NamedTempFile> {
        self.car.into_inner().into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// What a node gives of the blocks of a content.
#[derive(Debug)]
pub enum Blocks {
    /// All of them, in an archive.
    Car(NamedTempFile),
    /// Not now: it is busy, or can't be reached, and may give them another time.
    NotNow,
    /// More than are wanted.
    TooLarge,
    /// None, or none that make a file.
    None,
}

/// All blocks of a content in an archive of at most `most` bytes, from a node that gives blocks.
///
/// # Errors
/// Where it can't be written.
pub async fn blocks_from(node: &dyn BlockNode, id: &ContentId, most: u64) -> io::Result<Blocks> {
    let limits = DagLimits { file_bytes: most, ..DagLimits::default() };
    let (mut car, mut fits) = (CarFile::new(id, most)?, Ok(true));
    let walk = Walk::new(Cid::from(*id), &[], limits);
    let walked = blocks::each_block(node, walk, &limits, &mut |cid, block| {
        fits = car.add(cid, block);
        matches!(fits, Ok(true))
    })
    .await;
    if !fits? {
        return Ok(Blocks::TooLarge);
    }
    Ok(match walked.as_ref().map(Walk::found) {
        Ok(Some(Found::File { .. })) => Blocks::Car(car.finish()?),
        Err(error) if error.is_limit() => Blocks::TooLarge,
        Err(BlocksError::Fetch(error))
            if blocks::says_nothing(error) && !node.says_missing(error) =>
        {
            Blocks::NotNow
        }
        Ok(_) | Err(_) => Blocks::None,
    })
}
