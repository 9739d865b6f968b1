//! The hash functions that content addresses are made with.
//!
//! Table of codes: <https://github.com/multiformats/multicodec/blob/master/table.csv>, tag
//! `multihash`. Which of them may be trusted follows what Kubo accepts (boxo, `verifcid`), less
//! sha-1, of which collisions can be made at will.

use std::fmt;

use blake2::{Blake2b256, Blake2b512, Blake2s256};
use sha2::{Digest as _, Sha256, Sha512};
use sha3::{Keccak256, Keccak512, Sha3_224, Sha3_256, Sha3_384, Sha3_512};

/// A hash function that proves what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HashFunction {
    /// The digest *is* the data, up to 128 bytes of it.
    Identity,
    /// sha2-256, what aleph, contracts and nearly all of IPFS use.
    Sha256,
    /// sha2-512.
    Sha512,
    /// sha2-256 of the sha2-256.
    DoubleSha256,
    /// sha3-224.
    Sha3_224,
    /// sha3-256.
    Sha3_256,
    /// sha3-384.
    Sha3_384,
    /// sha3-512.
    Sha3_512,
    /// keccak-256, Ethereum's.
    Keccak256,
    /// keccak-512.
    Keccak512,
    /// blake2b-256, Filecoin's.
    Blake2b256,
    /// blake2b-512.
    Blake2b512,
    /// blake2s-256.
    Blake2s256,
    /// blake3 with 32 bytes.
    Blake3,
}

/// Why a hash in a content address proves nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// A function that was broken: other bytes with the same hash can be made.
    #[error("{name} (0x{code:x}) proves nothing: other bytes with the same hash can be made")]
    Broken {
        /// Its number in the multihash table.
        code: u64,
        /// Its name there.
        name: &'static str,
    },
    /// A function that Everhold does not compute.
    #[error("hash function 0x{code:x}{} can't be checked", parenthesis(*name))]
    Unsupported {
        /// Its number in the multihash table.
        code: u64,
        /// Its name there, if it is one that is seen in the wild.
        name: Option<&'static str>,
    },
    /// A digest that is not as long as the function's.
    #[error("a digest of {size} bytes, where {function} has {expected}")]
    WrongLength {
        /// The function.
        function: HashFunction,
        /// Bytes of this digest.
        size: usize,
        /// Bytes of the function's digests; for `identity`, the most that are taken.
        expected: usize,
    },
}

fn parenthesis(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" ({name})"))
}

/// Bytes that an identity hash may hold (as in Kubo).
pub const MAX_IDENTITY: usize = 128;

/// Every function: its code, its name in the table, and the length of its digest in bytes.
const TABLE: [(HashFunction, u64, &str, usize); 14] = [
    (HashFunction::Identity, 0x00, "identity", MAX_IDENTITY),
    (HashFunction::Sha256, 0x12, "sha2-256", 32),
    (HashFunction::Sha512, 0x13, "sha2-512", 64),
    (HashFunction::DoubleSha256, 0x56, "dbl-sha2-256", 32),
    (HashFunction::Sha3_224, 0x17, "sha3-224", 28),
    (HashFunction::Sha3_256, 0x16, "sha3-256", 32),
    (HashFunction::Sha3_384, 0x15, "sha3-384", 48),
    (HashFunction::Sha3_512, 0x14, "sha3-512", 64),
    (HashFunction::Keccak256, 0x1b, "keccak-256", 32),
    (HashFunction::Keccak512, 0x1d, "keccak-512", 64),
    (HashFunction::Blake2b256, 0xb220, "blake2b-256", 32),
    (HashFunction::Blake2b512, 0xb240, "blake2b-512", 64),
    (HashFunction::Blake2s256, 0xb260, "blake2s-256", 32),
    (HashFunction::Blake3, 0x1e, "blake3", 32),
];

/// Functions that content can be found with again, but not proved.
const BROKEN: [(u64, &str); 3] = [(0x11, "sha1"), (0xd5, "md5"), (0xd4, "md4")];

/// Others that are seen in the wild: only their names are known here.
const OTHERS: [(u64, &str); 6] = [
    (0x18, "shake-128"),
    (0x19, "shake-256"),
    (0x22, "murmur3-x64-64"),
    (0x1012, "sha2-256-trunc254-padded"),
    (0x1053, "ripemd-160"),
    (0xb401, "poseidon-bls12_381-a2-fc1"),
];

impl HashFunction {
    /// The function with this number in the multihash table.
    ///
    /// # Errors
    /// [`HashError`], for functions that prove nothing here.
    pub fn from_code(code: u64) -> Result<HashFunction, HashError> {
        if let Some((function, ..)) = TABLE.iter().find(|row| row.1 == code) {
            return Ok(*function);
        }
        if let Some((_, name)) = BROKEN.iter().find(|row| row.0 == code) {
            return Err(HashError::Broken { code, name });
        }
        let name = OTHERS.iter().find(|row| row.0 == code).map(|row| row.1);
        Err(HashError::Unsupported { code, name })
    }

    /// Its number in the multihash table.
    pub fn code(self) -> u64 {
        self.row().1
    }

    /// Its name in the multihash table, such as `sha2-256`.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Bytes of its digests; the most that are taken for `identity`.
    pub fn digest_len(self) -> usize {
        self.row().3
    }

    fn row(self) -> &'static (HashFunction, u64, &'static str, usize) {
        // Every function has a row: `table_is_whole` among the tests.
        TABLE.iter().find(|row| row.0 == self).unwrap_or(&TABLE[0])
    }

    /// Whether a digest of this function may be this long.
    ///
    /// # Errors
    /// [`HashError::WrongLength`]. A digest that was cut short is easier to forge.
    pub fn check_len(self, size: usize) -> Result<(), HashError> {
        let expected = self.digest_len();
        let fits = match self {
            HashFunction::Identity => size <= expected,
            _ => size == expected,
        };
        if fits { Ok(()) } else { Err(HashError::WrongLength { function: self, size, expected }) }
    }

    /// A hasher of this function.
    pub fn hasher(self) -> StreamHasher {
        StreamHasher(match self {
            HashFunction::Identity => State::Identity(Vec::new()),
            HashFunction::Sha256 => State::Sha256(Sha256::new()),
            HashFunction::Sha512 => State::Sha512(Sha512::new()),
            HashFunction::DoubleSha256 => State::DoubleSha256(Sha256::new()),
            HashFunction::Sha3_224 => State::Sha3_224(Sha3_224::new()),
            HashFunction::Sha3_256 => State::Sha3_256(Sha3_256::new()),
            HashFunction::Sha3_384 => State::Sha3_384(Sha3_384::new()),
            HashFunction::Sha3_512 => State::Sha3_512(Sha3_512::new()),
            HashFunction::Keccak256 => State::Keccak256(Keccak256::new()),
            HashFunction::Keccak512 => State::Keccak512(Keccak512::new()),
            HashFunction::Blake2b256 => State::Blake2b256(Blake2b256::new()),
            HashFunction::Blake2b512 => State::Blake2b512(Blake2b512::new()),
            HashFunction::Blake2s256 => State::Blake2s256(Blake2s256::new()),
            HashFunction::Blake3 => State::Blake3(Box::new(blake3::Hasher::new())),
        })
    }

    /// The digest of bytes that are in memory.
    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Hashes a stream with any [`HashFunction`], in constant memory.
#[derive(Clone)]
pub struct StreamHasher(State);

/// One state for each function.
#[derive(Clone)]
enum State {
    /// At most one byte more than an identity hash can hold: enough to differ from any.
    Identity(Vec<u8>),
    Sha256(Sha256),
    Sha512(Sha512),
    DoubleSha256(Sha256),
    Sha3_224(Sha3_224),
    Sha3_256(Sha3_256),
    Sha3_384(Sha3_384),
    Sha3_512(Sha3_512),
    Keccak256(Keccak256),
    Keccak512(Keccak512),
    Blake2b256(Blake2b256),
    Blake2b512(Blake2b512),
    Blake2s256(Blake2s256),
    Blake3(Box<blake3::Hasher>),
}

impl StreamHasher {
    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Identity(kept) => {
                let room = (MAX_IDENTITY + 1).saturating_sub(kept.len());
                kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            State::Sha256(hasher) | State::DoubleSha256(hasher) => hasher.update(bytes),
            State::Sha512(hasher) => hasher.update(bytes),
            State::Sha3_224(hasher) => hasher.update(bytes),
            State::Sha3_256(hasher) => hasher.update(bytes),
            State::Sha3_384(hasher) => hasher.update(bytes),
            State::Sha3_512(hasher) => hasher.update(bytes),
            State::Keccak256(hasher) => hasher.update(bytes),
            State::Keccak512(hasher) => hasher.update(bytes),
            State::Blake2b256(hasher) => hasher.update(bytes),
            State::Blake2b512(hasher) => hasher.update(bytes),
            State::Blake2s256(hasher) => hasher.update(bytes),
            State::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// The digest of the bytes that have gone by.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            State::Identity(kept) => kept,
            State::Sha256(hasher) => hasher.finalize().to_vec(),
            State::DoubleSha256(hasher) => Sha256::digest(hasher.finalize()).to_vec(),
            State::Sha512(hasher) => hasher.finalize().to_vec(),
            State::Sha3_224(hasher) => hasher.finalize().to_vec(),
            State::Sha3_256(hasher) => hasher.finalize().to_vec(),
            State::Sha3_384(hasher) => hasher.finalize().to_vec(),
            State::Sha3_512(hasher) => hasher.finalize().to_vec(),
            State::Keccak256(hasher) => hasher.finalize().to_vec(),
            State::Keccak512(hasher) => hasher.finalize().to_vec(),
            State::Blake2b256(hasher) => hasher.finalize().to_vec(),
            State::Blake2b512(hasher) => hasher.finalize().to_vec(),
            State::Blake2s256(hasher) => hasher.finalize().to_vec(),
            State::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
        }
    }
}

impl fmt::Debug for StreamHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamHasher")
    }
}
