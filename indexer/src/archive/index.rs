//! What is where in an archive. Each block is hashed before it counts.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::content::{CarError, CarPart, CarReader, Cid, StreamHasher};

/// Blocks of an archive that are kept in mind, at most: some hundred megabytes of memory.
const MOST_BLOCKS: usize = 1 << 21;
/// Wrong blocks that are named, at most.
const MOST_WRONG: usize = 1000;
/// No block is larger: blocks come in parts, and take no memory.
const MOST_BYTES: usize = 1 << 40;
/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// What an archive has, and where.
#[derive(Debug)]
pub struct Index {
    file: File,
    /// How many different blocks are taken, at most.
    most: usize,
    blocks: HashMap<[u8; 32], Place>,
    /// The roots that its header names.
    pub roots: Vec<Cid>,
    /// Blocks that are not what they are called, the first of them.
    pub wrong: Vec<WrongBlock>,
    /// How many these are.
    pub wrong_count: u64,
    /// Blocks whose hash function is not known: they may be right, and nothing can prove it.
    pub unprovable: u64,
    /// Why it was read no further, if so.
    pub broken: Option<String>,
}

/// Where a block is.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    size: u64,
    used: bool,
}

/// A block that is not what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrongBlock {
    /// What it is called.
    pub cid: String,
    /// Where its bytes stand.
    pub offset: u64,
}

/// A block that is being read.
struct Open {
    cid: Cid,
    offset: u64,
    size: u64,
    /// `None` where nothing can prove it.
    hasher: Option<StreamHasher>,
}

impl Index {
    /// Reads an archive, as far as that goes.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn of(file: File) -> io::Result<Self> {
        Self::of_at_most(file, MOST_BLOCKS)
    }

    fn of_at_most(file: File, most: usize) -> io::Result<Self> {
        let (mut reader, mut piece) = (CarReader::new(MOST_BYTES), vec![0; PIECE]);
        let mut index = Self {
            file: file.try_clone()?,
            most,
            blocks: HashMap::new(),
            roots: Vec::new(),
            wrong: Vec::new(),
            wrong_count: 0,
            unprovable: 0,
            broken: None,
        };
        let (mut from, mut open) = (file, None);
        loop {
            let read = match from.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read == 0 {
                index.broken = reader.finish().err().map(|error| error.to_string());
                break;
            }
            reader.feed(&piece[..read]);
            if let Err(why) = index.take(&mut reader, &mut open) {
                index.broken = Some(why);
                break;
            }
        }
        index.roots = reader.roots().unwrap_or_default().to_vec();
        Ok(index)
    }

    /// Takes what has come.
    fn take(&mut self, reader: &mut CarReader, open: &mut Option<Open>) -> Result<(), String> {
        while let Some(part) = reader.part().map_err(|error: CarError| error.to_string())? {
            match part {
                CarPart::Begin { cid, size, offset } => {
                    *open = Some(Open { cid, offset, size, hasher: cid.hasher().ok() });
                }
                CarPart::Bytes(bytes) => {
                    if let Some(Open { hasher: Some(hasher), .. }) = open {
                        hasher.update(bytes);
                    }
                }
                CarPart::End => {
                    if let Some(open) = open.take() {
                        self.end(open)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a block that has come whole.
    fn end(&mut self, open: Open) -> Result<(), String> {
        let Open { cid, offset, size, hasher } = open;
        let Some(hasher) = hasher else {
            self.unprovable += 1;
            return Ok(());
        };
        if hasher.finish() != cid.digest() {
            self.wrong_count += 1;
            if self.wrong.len() < MOST_WRONG {
                self.wrong.push(WrongBlock { cid: cid.to_string(), offset });
            }
            return Ok(());
        }
        let (key, full) = (key(&cid), self.blocks.len() >= self.most);
        // The first will do, and what comes again takes no more memory.
        match self.blocks.entry(key) {
            Entry::Occupied(_) => {}
            Entry::Vacant(_) if full => {
                return Err(format!("it has more than {} blocks: the rest is not read", self.most));
            }
            Entry::Vacant(free) => {
                free.insert(Place { offset, size, used: false });
            }
        }
        Ok(())
    }

    /// Whether it has a block, and how large that is.
    pub fn size_of(&self, cid: &Cid) -> Option<u64> {
        self.blocks.get(&key(cid)).map(|place| place.size)
    }

    /// A block of at most `most` bytes.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn block(&mut self, cid: &Cid, most: usize) -> io::Result<Option<Vec<u8>>> {
        let Some(place) = self.blocks.get_mut(&key(cid)) else { return Ok(None) };
        if place.size > most as u64 {
            return Ok(None);
        }
        place.used = true;
        let mut bytes = vec![0; place.size as usize];
        self.file.seek(SeekFrom::Start(place.offset))?;
        self.file.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// The bytes of a block of any size, as a reader; `None` where it is not there.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub(super) fn reader(&mut self, cid: &Cid) -> io::Result<Option<impl Read>> {
        let Some(place) = self.blocks.get_mut(&key(cid)) else { return Ok(None) };
        place.used = true;
        self.file.seek(SeekFrom::Start(place.offset))?;
        Ok(Some((&self.file).take(place.size)))
    }

    /// How many blocks it has, of those that are right.
    pub fn len(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// How many of them nobody asked for.
    pub fn unused(&self) -> u64 {
        self.blocks.values().filter(|place| !place.used).count() as u64
    }
}

/// Names of any length take as much memory.
fn key(cid: &Cid) -> [u8; 32] {
    Sha256::digest(cid.to_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{CarWriter, Codec, id_of};

    /// An archive of these blocks, from its beginning.
    fn archive(blocks: &[(Cid, &[u8])]) -> File {
        let mut car = CarWriter::new(tempfile::tempfile().unwrap(), &[blocks[0].0]).unwrap();
        for (cid, block) in blocks {
            car.block(cid, block).unwrap();
        }
        let mut file = car.into_inner();
        file.rewind().unwrap();
        file
    }

    fn raw(block: &'static [u8]) -> (Cid, &'static [u8]) {
        (Cid::from(id_of(Codec::Raw, block)), block)
    }

    #[test]
    fn what_comes_again_counts_once() {
        let [one, two, three] = [raw(b"one"), raw(b"two"), raw(b"three")];
        let index = Index::of_at_most(archive(&[one, two, one, two, one]), 2).unwrap();
        assert_eq!((index.len(), index.broken), (2, None));
        let index = Index::of_at_most(archive(&[one, two, one, three, one]), 2).unwrap();
        assert_eq!(index.len(), 2);
        assert!(index.broken.unwrap().contains("more than 2 blocks"));
    }

    #[test]
    fn what_nothing_can_prove_is_not_wrong() {
        // CIDv1, raw, Skein-256-256, which is not computed here.
        let [one, wrong] = [raw(b"one"), (raw(b"two").0, &b"other"[..])];
        let unknown = [&[1, 0x55, 0xa0, 0xe6, 0x02, 32][..], &[7; 32]].concat();
        let unknown = (Cid::from_bytes(&unknown).unwrap(), &b"any"[..]);
        let index = Index::of(archive(&[one, unknown, wrong])).unwrap();
        assert_eq!((index.len(), index.unprovable, index.wrong_count), (1, 1, 1));
        assert_eq!(index.size_of(&unknown.0), None, "nothing of it is used");
    }
}
