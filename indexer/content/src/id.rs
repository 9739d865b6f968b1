//! The name of content and its spellings.
//!
//! CID: <https://github.com/multiformats/cid>; item hashes: aleph-message, `ItemHash`.

use std::{borrow::Cow, fmt, str::FromStr};

use ::cid::multibase::{self, Base};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Cid, Codec, Digest, HashFunction};

/// sha2-256 in the multihash table, and the length of its digest.
const SHA2_256: u8 = 0x12;
const SHA2_256_LEN: u8 = 32;

/// The name of content: a codec and a sha-256 digest.
///
/// The canonical text (`Display`, serde) is what aleph nodes take: `Qm…` (CIDv0) for `dag-pb`,
/// 64 lowercase hexadecimal digits for `raw`. Two spellings of the same content are equal.
///
/// ```
/// use everhold_content::{Codec, ContentId};
///
/// let id: ContentId = "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e".parse()?;
/// assert_eq!(id.codec, Codec::DagPb);
/// assert_eq!(id.to_string(), "QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4");
/// # Ok::<(), everhold_content::ContentIdError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId {
    /// What the digest is of.
    pub codec: Codec,
    /// sha-256 of the root block (`dag-pb`) or of the bytes (`raw`).
    pub digest: Digest,
}

/// Why a text names no content that Everhold can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentIdError {
    /// Neither a CID nor an aleph item hash.
    #[error("not a content address: a CID (Qm…, bafy…, bafk…) or 64 hexadecimal digits expected")]
    NotAContentAddress,
    /// A well-formed CID of something other than a file's bytes or its DAG.
    #[error("unsupported codec 0x{code:x} in the content address: dag-pb or raw can be checked")]
    UnsupportedCodec {
        /// Its number in the multicodec table.
        code: u64,
    },
    /// A well-formed CID whose hash function is not sha2-256 with its full 32 bytes.
    #[error("unsupported hash 0x{code:x} of {size} bytes in the content address: only sha2-256")]
    UnsupportedHash {
        /// Its number in the multihash table.
        code: u64,
        /// The length of its digest in bytes.
        size: usize,
    },
}

impl ContentId {
    /// The content that `digest` names under `codec`.
    pub const fn new(codec: Codec, digest: Digest) -> ContentId {
        ContentId { codec, digest }
    }

    /// The CIDv1 in base32: `bafybei…` or `bafkrei…`, 59 characters.
    pub fn cid(&self) -> String {
        let mut bytes = vec![1, self.codec.multicodec(), SHA2_256, SHA2_256_LEN];
        bytes.extend_from_slice(&self.digest.0);
        multibase::encode(Base::Base32Lower, bytes)
    }

    /// `ipfs://` and [`ContentId::cid`]: what a contract's `tokenURI` and metadata say.
    pub fn uri(&self) -> String {
        format!("ipfs://{}", self.cid())
    }

    /// What aleph nodes take: `Qm…` for `dag-pb`, 64 lowercase hexadecimal digits for `raw`.
    pub fn aleph_hash(&self) -> String {
        match self.codec {
            Codec::DagPb => {
                let mut bytes = vec![SHA2_256, SHA2_256_LEN];
                bytes.extend_from_slice(&self.digest.0);
                Base::Base58Btc.encode(bytes)
            }
            Codec::Raw => self.digest.to_hex(),
        }
    }

    /// Reads a CID (v0, or v1 in base32, base36, base58, base16 or base64url) and nothing else:
    /// 64 hexadecimal digits, which name content on aleph only, are refused.
    ///
    /// # Errors
    /// [`ContentIdError`], with the number of the codec or hash that can't be checked.
    pub fn from_cid_text(text: &str) -> Result<ContentId, ContentIdError> {
        let cid: Cid = text.parse().map_err(|_| ContentIdError::NotAContentAddress)?;
        ContentId::try_from(&cid)
    }
}

impl TryFrom<&Cid> for ContentId {
    type Error = ContentIdError;

    fn try_from(cid: &Cid) -> Result<ContentId, ContentIdError> {
        let digest = match cid.function() {
            Ok(HashFunction::Sha256) => Digest::from_slice(cid.digest()),
            _ => None,
        };
        let size = cid.digest().len();
        let digest =
            digest.ok_or(ContentIdError::UnsupportedHash { code: cid.hash_code(), size })?;
        let codec = u8::try_from(cid.codec()).ok().and_then(Codec::from_multicodec);
        let codec = codec.ok_or(ContentIdError::UnsupportedCodec { code: cid.codec() })?;
        Ok(ContentId { codec, digest })
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.aleph_hash())
    }
}

impl FromStr for ContentId {
    type Err = ContentIdError;

    fn from_str(text: &str) -> Result<ContentId, ContentIdError> {
        match Digest::from_hex(text) {
            Some(digest) => Ok(ContentId::new(Codec::Raw, digest)),
            None => ContentId::from_cid_text(text),
        }
    }
}

impl Serialize for ContentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ContentId, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
