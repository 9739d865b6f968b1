//! The id of bytes that go by.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::{
    Codec, ContentId, Imported, Profile,
    dag::{Leaves, Tree},
    unixfs::Block,
};

/// Bytes read at a time: whole leaves of the default profile, which are then hashed in place.
const READ_SIZE: usize = Profile::DEFAULT.chunk_size;

/// Finds the [`ContentId`] of a stream in constant memory (dag-pb: one chunk at most).
///
/// dag-pb: the CID that aleph nodes and `ipfs add` with CIDv0 settings give
/// ([`Profile::DEFAULT`]). raw: plain sha-256.
#[derive(Clone, Debug)]
pub struct Hasher {
    kind: Kind,
    bytes: u64,
}

#[derive(Clone, Debug)]
enum Kind {
    Raw(Sha256),
    Dag(Leaves, Tree),
}

impl Hasher {
    /// A hasher for content of this codec, with the default profile.
    pub fn new(codec: Codec) -> Hasher {
        match codec {
            Codec::DagPb => Hasher::with_profile(Profile::DEFAULT),
            Codec::Raw => Hasher { kind: Kind::Raw(Sha256::new()), bytes: 0 },
        }
    }

    /// A hasher for the DAG that `profile` describes. A file of one raw leaf gives an id with
    /// codec raw.
    pub fn with_profile(profile: Profile) -> Hasher {
        let kind = Kind::Dag(Leaves::new(&profile), Tree::new(&profile));
        Hasher { kind, bytes: 0 }
    }

    /// The next bytes, in pieces of any size.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        match &mut self.kind {
            Kind::Raw(hasher) => hasher.update(bytes),
            Kind::Dag(leaves, tree) => leaves.update(bytes, |leaf| tree.push(leaf)),
        }
    }

    /// How many bytes have gone by.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The name of the bytes that have gone by.
    pub fn finish(self) -> ContentId {
        self.finish_block().id
    }

    /// The name of the bytes that have gone by, as an entry of a [`Folder`](super::Folder).
    pub fn finish_entry(self) -> Imported {
        Imported(self.finish_block())
    }

    fn finish_block(self) -> Block {
        match self.kind {
            Kind::Raw(hasher) => Block::raw_leaf(hasher, self.bytes),
            Kind::Dag(leaves, mut tree) => {
                leaves.finish().into_iter().for_each(|last| tree.push(last));
                tree.root()
            }
        }
    }
}

/// The name of bytes that are in memory.
pub fn id_of(codec: Codec, bytes: &[u8]) -> ContentId {
    let mut hasher = Hasher::new(codec);
    hasher.update(bytes);
    hasher.finish()
}

/// The name of everything `reader` gives, and how many bytes that was.
///
/// # Errors
/// The reader's own, but for interruptions, after which it is asked again.
pub fn id_of_reader(codec: Codec, mut reader: impl Read) -> io::Result<(ContentId, u64)> {
    let mut hasher = Hasher::new(codec);
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let bytes = hasher.bytes();
    Ok((hasher.finish(), bytes))
}
