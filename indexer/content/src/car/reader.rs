//! Takes an archive apart as its bytes come.
//!
//! CARv1: <https://ipld.io/specs/transport/car/carv1/>; CARv2, of which the CARv1 inside is read:
//! <https://ipld.io/specs/transport/car/carv2/>.

use super::{
    CarError,
    header::{MAX_HEADER, V2_PRAGMA, roots},
};
use crate::{Cid, node::varint};

/// Bytes of a CARv2's fixed header: characteristics (16), then offset and size of the CARv1
/// inside, and the offset of the index (8 each, little-endian).
const V2_HEADER: usize = 40;

/// The longest varint of 64 bits.
const MAX_VARINT: usize = 10;

/// The longest binary CID that can be checked, and some.
const MAX_CID: u64 = 160;

/// Takes an archive apart, in the memory of its largest block.
///
/// Nothing is proved by that: what a block is called, only its bytes can prove.
#[derive(Debug)]
pub struct CarReader {
    max_block: u64,
    buffer: Vec<u8>,
    /// Where in `buffer` the first byte stands that is not read yet.
    start: usize,
    /// Bytes of the archive before `start`.
    offset: u64,
    state: State,
    roots: Vec<Cid>,
    /// Of a CARv2: bytes of the CARv1 inside that are still to come.
    left: Option<u64>,
    /// Bytes of the block that is being given in parts that are still to come.
    open: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the header.
    Begin,
    /// Behind a CARv2's pragma.
    V2,
    /// Before the CARv1 inside a CARv2.
    Skip(u64),
    /// Before the header of that CARv1.
    Inner,
    /// Between blocks.
    Blocks,
}

/// A block as an archive names it: unproved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarBlock<'a> {
    /// What the archive says that it is.
    pub cid: Cid,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Where the bytes stand, from the start of the archive.
    pub offset: u64,
}

/// A part of a block, of whatever size that is: unproved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarPart<'a> {
    /// A block begins.
    Begin {
        /// What the archive says that it is.
        cid: Cid,
        /// Its bytes, if they all come.
        size: u64,
        /// Where they stand, from the start of the archive.
        offset: u64,
    },
    /// Its next bytes.
    Bytes(&'a [u8]),
    /// It has ended.
    End,
}

impl CarReader {
    /// A reader that takes blocks of up to `max_block` bytes.
    pub fn new(max_block: usize) -> CarReader {
        CarReader {
            max_block: max_block as u64,
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            state: State::Begin,
            roots: Vec::new(),
            left: None,
            open: None,
        }
    }

    /// The archive's next bytes, in pieces of any size. They are kept until they are read: take
    /// all [blocks](CarReader::block) before feeding more.
    pub fn feed(&mut self, bytes: &[u8]) {
        // What is read already makes room before the buffer grows.
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next block; `None` where more bytes are needed.
    ///
    /// # Errors
    /// [`CarError::Header`] or [`CarError::Malformed`].
    pub fn block(&mut self) -> Result<Option<CarBlock<'_>>, CarError> {
        while self.state != State::Blocks {
            if !self.begin()? {
                return Ok(None);
            }
        }
        if self.left == Some(0) {
            // Behind the CARv1 inside comes an index, which proves nothing.
            self.consume(self.buffer.len() - self.start);
            return Ok(None);
        }
        let Some(section) = self.section(self.max_block + MAX_CID)? else {
            return Ok(None);
        };
        let (begin, end) = (self.start + section.0, self.start + section.1);
        let offset = self.offset;
        let malformed = |reason| CarError::Malformed { offset, reason };
        let (cid, size) = match Cid::read(&self.buffer[begin..end]) {
            Ok((cid, rest)) => (cid, rest.len()),
            Err(_) => return Err(malformed("a block without a CID that can be read")),
        };
        self.take(section.1).map_err(malformed)?;
        let bytes = &self.buffer[end - size..end];
        Ok(Some(CarBlock { cid, bytes, offset: self.offset - size as u64 }))
    }

    /// As [`CarReader::block`], in parts as they come, for blocks that are too large for memory: the
    /// limit on a block holds all the same.
    ///
    /// # Errors
    /// As [`CarReader::block`].
    pub fn part(&mut self) -> Result<Option<CarPart<'_>>, CarError> {
        while self.state != State::Blocks {
            if !self.begin()? {
                return Ok(None);
            }
        }
        if let Some(open) = self.open {
            let here = (self.buffer.len() - self.start) as u64;
            let (begin, size) = (self.start, here.min(open) as usize);
            self.open = (open > 0).then_some(open - size as u64);
            if open == 0 {
                return Ok(Some(CarPart::End));
            }
            self.consume(size);
            let bytes = &self.buffer[begin..begin + size];
            return Ok((size > 0).then_some(CarPart::Bytes(bytes)));
        }
        if self.left == Some(0) {
            self.consume(self.buffer.len() - self.start);
            return Ok(None);
        }
        self.begin_block()
    }

    /// The head of the next section, where it is there.
    fn begin_block(&mut self) -> Result<Option<CarPart<'_>>, CarError> {
        let offset = self.offset;
        let malformed = |reason| CarError::Malformed { offset, reason };
        let Some((head, size)) = self.section_size(self.max_block + MAX_CID)? else {
            return Ok(None);
        };
        let here = &self.buffer[self.start + head..];
        let here = &here[..here.len().min(usize::try_from(size).unwrap_or(usize::MAX))];
        let cid = match Cid::read(here) {
            Ok((cid, rest)) => Some((cid, (here.len() - rest.len()) as u64)),
            Err(_) if here.len() as u64 >= size.min(MAX_CID) => None,
            Err(_) => return Ok(None),
        };
        let Some((cid, named)) = cid else {
            return Err(malformed("a block without a CID that can be read"));
        };
        // The whole section counts as read from here on: it must lie within the CARv1.
        if let Some(left) = &mut self.left {
            let rest = left.checked_sub(head as u64 + size);
            *left = rest.ok_or(malformed("a section beyond the end that the CARv2 names"))?;
        }
        self.consume(head + named as usize);
        self.open = Some(size - named);
        Ok(Some(CarPart::Begin { cid, size: size - named, offset: self.offset }))
    }

    /// Whether the archive may end here.
    ///
    /// # Errors
    /// [`CarError::Truncated`].
    pub fn finish(&self) -> Result<(), CarError> {
        let between = self.state == State::Blocks
            && self.start == self.buffer.len()
            && self.open.is_none_or(|open| open == 0);
        if between && self.left.is_none_or(|left| left == 0) {
            return Ok(());
        }
        let bytes = self.offset + (self.buffer.len() - self.start) as u64;
        Err(CarError::Truncated { bytes })
    }

    /// Bytes of the archive that were read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The roots that the header names; `None` while it has not come.
    pub fn roots(&self) -> Option<&[Cid]> {
        (self.state == State::Blocks).then_some(&*self.roots)
    }

    /// One step towards the blocks; whether it was made.
    fn begin(&mut self) -> Result<bool, CarError> {
        match self.state {
            State::Begin | State::Inner => self.header(),
            State::V2 => self.v2_header(),
            State::Skip(bytes) => {
                let here = (self.buffer.len() - self.start) as u64;
                let skipped = here.min(bytes);
                self.consume(skipped as usize);
                self.state =
                    if skipped == bytes { State::Inner } else { State::Skip(bytes - skipped) };
                Ok(skipped == bytes)
            }
            State::Blocks => Ok(true),
        }
    }

    fn header(&mut self) -> Result<bool, CarError> {
        let section = self.section(MAX_HEADER).map_err(|error| match error {
            CarError::Malformed { reason, .. } => CarError::Header(reason.to_owned()),
            _ => CarError::Header("a header of more than 64 KiB".to_owned()),
        })?;
        let Some((begin, end)) = section else {
            return Ok(false);
        };
        let bytes = &self.buffer[self.start + begin..self.start + end];
        if self.state == State::Begin && bytes == V2_PRAGMA {
            self.consume(end);
            self.state = State::V2;
            return Ok(true);
        }
        self.roots = roots(bytes)?;
        self.take(end).map_err(|reason| CarError::Header(reason.to_owned()))?;
        self.state = State::Blocks;
        Ok(true)
    }

    fn v2_header(&mut self) -> Result<bool, CarError> {
        let Some(header) = self.buffer[self.start..].first_chunk::<V2_HEADER>() else {
            return Ok(false);
        };
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (begin, size) = (number(16), number(24));
        let before = self.offset + V2_HEADER as u64;
        let Some(skip) = begin.checked_sub(before) else {
            return Err(CarError::Header("a CARv2 whose CARv1 begins in its header".to_owned()));
        };
        self.consume(V2_HEADER);
        self.left = Some(size);
        self.state = State::Skip(skip);
        Ok(true)
    }

    /// The next section (a varint of its length, then that many bytes): where its content begins
    /// and ends, from `start`.
    fn section(&self, limit: u64) -> Result<Option<(usize, usize)>, CarError> {
        let section = self.section_size(limit)?;
        let here = (self.buffer.len() - self.start) as u64;
        let whole = section.filter(|(begin, size)| here - *begin as u64 >= *size);
        Ok(whole.map(|(begin, size)| (begin, begin + size as usize)))
    }

    /// Where the content of the next section begins, from `start`, and its size.
    fn section_size(&self, limit: u64) -> Result<Option<(usize, u64)>, CarError> {
        let here = &self.buffer[self.start..];
        let malformed = |reason| CarError::Malformed { offset: self.offset, reason };
        let mut rest = here;
        let size = match varint(&mut rest) {
            Ok(size) => size,
            Err(_) if here.len() < MAX_VARINT => return Ok(None),
            Err(reason) => return Err(malformed(reason)),
        };
        if size == 0 {
            return Err(malformed("a section without bytes"));
        }
        if size > limit {
            return Err(CarError::TooLarge { offset: self.offset, size, limit });
        }
        Ok(Some((here.len() - rest.len(), size)))
    }

    /// Consumes bytes of the CARv1, of which there may be only so many.
    fn take(&mut self, bytes: usize) -> Result<(), &'static str> {
        if let Some(left) = &mut self.left {
            let rest = left.checked_sub(bytes as u64);
            *left = rest.ok_or("a section beyond the end that the CARv2 names")?;
        }
        self.consume(bytes);
        Ok(())
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }
}
