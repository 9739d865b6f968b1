//! Any content identifier that is seen in the wild.
//!
//! <https://github.com/multiformats/cid>, and for its text <https://github.com/multiformats/multibase>.

use std::{borrow::Cow, fmt, str::FromStr};

use ::cid::{
    CidGeneric,
    multibase::{self, Base},
    multihash::Multihash,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Codec, ContentId, HashError, HashFunction, StreamHasher, multihash::MAX_IDENTITY};

/// The library's CID, with room for every digest that can be checked.
type Inner = CidGeneric<MAX_IDENTITY>;

/// No CID with a digest of at most 128 bytes is longer, whatever its base.
const MAX_TEXT: usize = 300;

/// The multibase prefixes that are read: base32, base32hex, base36, base58, base16, base64url.
const BASES: &str = "bBvVkKzfFu";

/// The number of dag-pb in the multicodec table.
pub(crate) const DAG_PB: u64 = 0x70;
/// The number of raw bytes.
pub(crate) const RAW: u64 = 0x55;

/// Codecs that are seen in the wild, for errors that a person reads.
const CODEC_NAMES: [(u64, &str); 11] = [
    (RAW, "raw"),
    (DAG_PB, "dag-pb"),
    (0x71, "dag-cbor"),
    (0x72, "libp2p-key"),
    (0x78, "git-raw"),
    (0x90, "eth-block"),
    (0x93, "eth-tx"),
    (0xb0, "bitcoin-block"),
    (0x0129, "dag-json"),
    (0x0200, "json"),
    (0x0202, "car"),
];

/// The name of one block, or of a DAG by its root: a codec and a multihash.
///
/// The version (0 or 1) and the base are spelling and not kept: two spellings of the same name
/// are equal. A [`ContentId`] is a `Cid` that a contract can hold.
///
/// ```
/// use everhold_content::Cid;
///
/// let cid: Cid = "QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4".parse()?;
/// assert_eq!(cid.to_string(), "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e");
/// assert_eq!(cid.codec_name(), "dag-pb");
/// # Ok::<(), everhold_content::CidError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cid {
    codec: u64,
    hash: Multihash<MAX_IDENTITY>,
}

/// Why a text or bytes are no CID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CID: Qm…, or a CIDv1 such as bafy… or bafk…, is expected")]
pub struct CidError;

impl Cid {
    /// The CID that names these bytes as one block of the codec.
    pub fn of(codec: Codec, function: HashFunction, bytes: &[u8]) -> Option<Cid> {
        Cid::from_parts(u64::from(codec.multicodec()), function, &function.digest(bytes))
    }

    /// The CID of a codec's number and a digest; `None` where the digest has not the function's
    /// length.
    pub fn from_parts(codec: u64, function: HashFunction, digest: &[u8]) -> Option<Cid> {
        function.check_len(digest.len()).ok()?;
        let hash = Multihash::wrap(function.code(), digest).ok()?;
        Some(Cid { codec, hash })
    }

    /// Reads a binary CID (version 0: a bare sha2-256 multihash; version 1) from the start of
    /// `bytes`; gives the rest, too.
    ///
    /// # Errors
    /// [`CidError`], for anything else, and for digests of more than 128 bytes.
    pub fn read(bytes: &[u8]) -> Result<(Cid, &[u8]), CidError> {
        let mut rest = bytes;
        let cid = Inner::read_bytes(&mut rest).map_err(|_| CidError)?;
        Ok((Cid { codec: cid.codec(), hash: *cid.hash() }, rest))
    }

    /// Reads a binary CID and nothing behind it.
    ///
    /// # Errors
    /// As [`Cid::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Cid, CidError> {
        match Cid::read(bytes)? {
            (cid, []) => Ok(cid),
            _ => Err(CidError),
        }
    }

    /// The binary CIDv1.
    pub fn to_bytes(&self) -> Vec<u8> {
        Inner::new_v1(self.codec, self.hash).to_bytes()
    }

    /// The codec's number in the multicodec table.
    pub fn codec(&self) -> u64 {
        self.codec
    }

    /// The codec's name, or its number where it is a rare one.
    pub fn codec_name(&self) -> Cow<'static, str> {
        let known = CODEC_NAMES.iter().find(|(code, _)| *code == self.codec);
        known.map_or_else(|| format!("0x{:x}", self.codec).into(), |(_, name)| (*name).into())
    }

    /// The hash function's number in the multihash table, be it one that proves anything or not.
    pub fn hash_code(&self) -> u64 {
        self.hash.code()
    }

    /// The digest's bytes.
    pub fn digest(&self) -> &[u8] {
        self.hash.digest()
    }

    /// The hash function.
    ///
    /// # Errors
    /// [`HashError`], for functions that prove nothing here, and for digests of another length
    /// than the function's.
    pub fn function(&self) -> Result<HashFunction, HashError> {
        let function = HashFunction::from_code(self.hash.code())?;
        function.check_len(self.digest().len())?;
        Ok(function)
    }

    /// A hasher for the block that this names: its digest must be [`Cid::digest`].
    ///
    /// # Errors
    /// As [`Cid::function`].
    pub fn hasher(&self) -> Result<StreamHasher, HashError> {
        Ok(self.function()?.hasher())
    }

    /// Whether `block` is the block that this names.
    ///
    /// # Errors
    /// As [`Cid::function`].
    pub fn names(&self, block: &[u8]) -> Result<bool, HashError> {
        Ok(self.function()?.digest(block) == self.digest())
    }

    /// The block itself, where the hash is `identity`.
    pub fn inlined(&self) -> Option<&[u8]> {
        (self.hash.code() == HashFunction::Identity.code()).then(|| self.digest())
    }

    /// The same name as a contract can hold it: sha2-256 of dag-pb or raw.
    pub fn content_id(&self) -> Option<ContentId> {
        ContentId::try_from(self).ok()
    }
}

impl From<ContentId> for Cid {
    fn from(id: ContentId) -> Cid {
        let hash = Multihash::wrap(HashFunction::Sha256.code(), &id.digest.0);
        // 32 bytes fit into 128.
        Cid { codec: u64::from(id.codec.multicodec()), hash: hash.unwrap_or_default() }
    }
}

impl fmt::Display for Cid {
    /// CIDv1 in base32.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&multibase::encode(Base::Base32Lower, self.to_bytes()))
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cid {
    type Err = CidError;

    /// Reads CIDv0, and CIDv1 in base32, base32hex, base36, base58, base16 or base64url.
    fn from_str(text: &str) -> Result<Cid, CidError> {
        Cid::from_bytes(&decode(text).ok_or(CidError)?)
    }
}

/// The binary CID of a text; `None` where it is none. CIDv0 is base58 without a prefix, so its
/// bytes and those of a CIDv1 may not stand in for each other.
fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_TEXT || !text.is_ascii() {
        return None;
    }
    if text.len() == 46 && text.starts_with("Qm") {
        return Base::Base58Btc.decode(text).ok();
    }
    if !text.starts_with(|prefix| BASES.contains(prefix)) {
        return None;
    }
    let (_, bytes) = multibase::decode(text).ok()?;
    (bytes.first() == Some(&1)).then_some(bytes)
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cid, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
