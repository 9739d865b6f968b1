//! What a reference proves of the bytes behind it, and what nothing in it can prove.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Reference, ReferenceClass as Class};
use crate::{Cid, Codec};

/// What can be proved of the bytes behind a reference, by what the reference itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The reference is the hash of the file.
    ContentByHash,
    /// The reference is the hash of a folder, and a path from there.
    PathByHash,
    /// The reference is the hash of a block of another codec than files have.
    BlockByHash,
    /// The bytes stand in the reference.
    InDocument,
    /// The reference is the id of an Arweave transaction.
    SignedTransaction,
    /// The reference is a name that its owner points where he likes.
    MutableName,
    /// The reference is a place on somebody's server.
    ServedNow,
    /// The reference means nothing without the document it stands in.
    NeedsDocument,
    /// The reference has a hash that can be forged, or that can't be computed here.
    UncheckedHash,
    /// The reference is not understood.
    Nothing,
}

/// Something that can be proved of bytes, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// The bytes are those the reference names, whoever sends them.
    BytesAreNamed,
    /// The bytes are those that the document holds; in a token's URI: that the chain holds.
    BytesInDocument,
    /// The file lies at that path in the folder that the hash names.
    FileAtPath,
    /// The bytes are the same as ever, and will be.
    NeverChanges,
    /// Something is served there, now.
    ServedNow,
    /// Somebody keeps the bytes and will.
    Kept,
}

/// A [`Proof`] with all there is to say about it, for JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Provability {
    /// The kind of proof.
    pub proof: Proof,
    /// What fetching the bytes, or their blocks, and hashing them can prove.
    pub can: &'static [Fact],
    /// What it can't.
    pub cannot: &'static [Fact],
    /// The same for a person, in one sentence.
    pub sentence: &'static str,
}

impl Proof {
    /// Every kind.
    pub const ALL: [Proof; 10] = [
        Proof::ContentByHash,
        Proof::PathByHash,
        Proof::BlockByHash,
        Proof::InDocument,
        Proof::SignedTransaction,
        Proof::MutableName,
        Proof::ServedNow,
        Proof::NeedsDocument,
        Proof::UncheckedHash,
        Proof::Nothing,
    ];

    /// The kind in kebab-case, the same as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Proof::ContentByHash => "content-by-hash",
            Proof::PathByHash => "path-by-hash",
            Proof::BlockByHash => "block-by-hash",
            Proof::InDocument => "in-document",
            Proof::SignedTransaction => "signed-transaction",
            Proof::MutableName => "mutable-name",
            Proof::ServedNow => "served-now",
            Proof::NeedsDocument => "needs-document",
            Proof::UncheckedHash => "unchecked-hash",
            Proof::Nothing => "nothing",
        }
    }

    /// Whether the bytes can be proved to be those that are meant.
    pub const fn proves_bytes(self) -> bool {
        use Proof::{BlockByHash, ContentByHash, InDocument, PathByHash};
        matches!(self, ContentByHash | PathByHash | BlockByHash | InDocument)
    }

    /// What can be proved.
    pub const fn can(self) -> &'static [Fact] {
        match self {
            Proof::ContentByHash | Proof::BlockByHash => {
                &[Fact::BytesAreNamed, Fact::NeverChanges, Fact::ServedNow]
            }
            Proof::PathByHash => {
                &[Fact::BytesAreNamed, Fact::FileAtPath, Fact::NeverChanges, Fact::ServedNow]
            }
            Proof::InDocument => &[Fact::BytesInDocument],
            Proof::SignedTransaction
            | Proof::MutableName
            | Proof::ServedNow
            | Proof::UncheckedHash => &[Fact::ServedNow],
            Proof::NeedsDocument | Proof::Nothing => &[],
        }
    }

    /// What can't be proved.
    pub const fn cannot(self) -> &'static [Fact] {
        match self {
            Proof::ContentByHash | Proof::PathByHash | Proof::BlockByHash => &[Fact::Kept],
            Proof::InDocument => &[],
            Proof::SignedTransaction
            | Proof::MutableName
            | Proof::ServedNow
            | Proof::UncheckedHash => &[Fact::BytesAreNamed, Fact::NeverChanges, Fact::Kept],
            Proof::NeedsDocument | Proof::Nothing => {
                &[Fact::BytesAreNamed, Fact::NeverChanges, Fact::ServedNow, Fact::Kept]
            }
        }
    }

    /// What it proves and what not, in one sentence for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Proof::ContentByHash => {
                "The reference is a hash: whoever sends the bytes, they are proved to be those it \
                 names, but not that anybody keeps them."
            }
            Proof::PathByHash => {
                "The reference is the hash of a folder and a path: with the folder's blocks the \
                 bytes are proved to be those at that path, but not that anybody keeps them."
            }
            Proof::BlockByHash => {
                "The reference is the hash of a block that is no file: the block is proved, but \
                 not what a gateway makes of it, nor that anybody keeps it."
            }
            Proof::InDocument => {
                "The bytes stand in the reference itself: they are as sure as the document it \
                 stands in, and in a token's URI that is the chain."
            }
            Proof::SignedTransaction => {
                "The reference is an Arweave transaction's id, which is no hash of the bytes: only \
                 that something is served under it now is seen, not that it is what was signed."
            }
            Proof::MutableName => {
                "The reference is a name that its owner can point elsewhere at any time: only \
                 where it points now is seen."
            }
            Proof::ServedNow => {
                "The reference is a place without a hash: only that something is served there now \
                 is seen, and it may be something else tomorrow or for others."
            }
            Proof::NeedsDocument => {
                "The reference is relative to a document whose own place is not known: nothing can \
                 be fetched."
            }
            Proof::UncheckedHash => {
                "The reference is a hash that can be forged or that Everhold does not compute: the \
                 bytes can't be checked against it."
            }
            Proof::Nothing => "The reference is not understood: nothing can be fetched.",
        }
    }

    /// All of that at once.
    pub const fn provability(self) -> Provability {
        Provability {
            proof: self,
            can: self.can(),
            cannot: self.cannot(),
            sentence: self.sentence(),
        }
    }

    /// Whether there is anything to be fetched.
    pub const fn fetchable(self) -> bool {
        !matches!(self, Proof::InDocument | Proof::NeedsDocument | Proof::Nothing)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Reference {
    /// Whether it is an http(s) URL.
    fn is_url(&self) -> bool {
        self.text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
    }

    /// What can be proved of the bytes behind it.
    pub fn proof(&self) -> Proof {
        let by_hash = self.cid.as_ref().and_then(|cid| of_cid(cid, self.path.is_some()));
        if let Some(proof) = by_hash {
            return proof;
        }
        match self.class {
            Class::OnChain => Proof::InDocument,
            Class::Ipns if self.id.is_some() => Proof::MutableName,
            Class::Arweave if self.id.is_some() => Proof::SignedTransaction,
            // `ar://name`.
            Class::Arweave if !self.is_url() => Proof::MutableName,
            // Whatever is wrong with its path, a URL can be asked for.
            Class::Arweave | Class::Gateway | Class::Http => Proof::ServedNow,
            Class::Aleph if self.is_url() => Proof::ServedNow,
            Class::Relative => Proof::NeedsDocument,
            Class::Aleph | Class::Ipfs | Class::Ipns | Class::Unknown => Proof::Nothing,
        }
    }
}

/// What a CID proves; `None` where it is a file's and there is a path: nothing lies below a file.
fn of_cid(cid: &Cid, path: bool) -> Option<Proof> {
    let codec = u8::try_from(cid.codec()).ok().and_then(Codec::from_multicodec);
    Some(match (cid.function(), codec, path) {
        (Err(_), _, _) => Proof::UncheckedHash,
        (Ok(_), Some(_), false) => Proof::ContentByHash,
        (Ok(_), Some(Codec::DagPb), true) => Proof::PathByHash,
        (Ok(_), Some(Codec::Raw), true) => return None,
        (Ok(_), None, false) => Proof::BlockByHash,
        // Paths through other codecs lead to values, not to files.
        (Ok(_), None, true) => Proof::UncheckedHash,
    })
}
