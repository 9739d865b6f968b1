//! The archive of a file that was outlined, read as it is made.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::writer::{header, section_head};
use crate::{
    Cid, ContentId, Outline,
    outline::{Order, Part},
};

/// The archive of a file, or its sections alone: reads the file once more, in its order, and no more
/// of it at a time than it is asked for.
///
/// Each leaf is hashed again on its way: where the file is another by now, reading fails with
/// [`io::ErrorKind::InvalidData`], or, where it is shorter, [`io::ErrorKind::UnexpectedEof`].
#[derive(Debug)]
pub struct CarFile<'o, R> {
    outline: &'o Outline,
    file: R,
    order: Order,
    /// Bytes that are to be given next, from `at` on.
    ready: Vec<u8>,
    at: usize,
    leaf: Option<Leaf>,
}

/// A leaf that is on its way.
#[derive(Debug)]
struct Leaf {
    id: ContentId,
    left: u64,
    hasher: Sha256,
    tail: Vec<u8>,
}

impl<'o, R: Read> CarFile<'o, R> {
    /// The whole archive, whose one root is the content.
    pub(crate) fn archive(outline: &'o Outline, file: R) -> CarFile<'o, R> {
        let header = header(&[outline.id().into()]);
        CarFile { ready: header, ..CarFile::sections(outline, file) }
    }

    /// The sections without a header.
    pub(crate) fn sections(outline: &'o Outline, file: R) -> CarFile<'o, R> {
        let order = outline.order();
        CarFile { outline, file, order, ready: Vec::new(), at: 0, leaf: None }
    }

    /// Has what comes next ready; whether there is anything.
    fn next_part(&mut self) -> bool {
        self.at = 0;
        match self.order.next(self.outline) {
            None => return false,
            Some(Part::Inner(node)) => {
                self.ready = section_head(&Cid::from(node.id), node.bytes.len() as u64);
                self.ready.extend_from_slice(&node.bytes);
            }
            Some(Part::Leaf { id, size, mut frame, tail }) => {
                let all = (frame.len() + tail.len()) as u64 + size;
                self.ready = section_head(&Cid::from(id), all);
                let hasher = Sha256::new().chain_update(&frame);
                self.ready.append(&mut frame);
                self.leaf = Some(Leaf { id, left: size, hasher, tail });
            }
        }
        true
    }

    /// The next bytes of the open leaf.
    fn read_leaf(&mut self, mut leaf: Leaf, into: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(leaf.left).unwrap_or(usize::MAX).min(into.len());
        let mut read = 0;
        if leaf.left > 0 {
            read = match self.file.read(&mut into[..room]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) => {
                    self.leaf = Some(leaf);
                    return Err(error);
                }
            };
            leaf.hasher.update(&into[..read]);
            leaf.left -= read as u64;
        }
        if leaf.left > 0 {
            self.leaf = Some(leaf);
            return Ok(read);
        }
        leaf.hasher.update(&leaf.tail);
        if leaf.hasher.finalize()[..] != leaf.id.digest.0 {
            let what = "the file changed while its archive was made";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        (self.ready, self.at) = (leaf.tail, 0);
        Ok(read)
    }
}

impl<R: Read> Read for CarFile<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            let ready = &self.ready[self.at..];
            if !ready.is_empty() {
                let size = ready.len().min(into.len());
                into[..size].copy_from_slice(&ready[..size]);
                self.at += size;
                return Ok(size);
            }
            if let Some(leaf) = self.leaf.take() {
                match self.read_leaf(leaf, into)? {
                    0 => continue,
                    read => return Ok(read),
                }
            }
            if !self.next_part() {
                return Ok(0);
            }
        }
    }
}
