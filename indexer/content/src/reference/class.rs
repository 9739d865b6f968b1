//! What kind of place a reference points to.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What kind of place a reference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceClass {
    /// The data itself: a `data:` URI, an inline image or document.
    OnChain,
    /// An aleph node's raw file, or a bare aleph item hash.
    Aleph,
    /// `ipfs://`, `/ipfs/…` or a bare CID.
    Ipfs,
    /// `ipns://`, `/ipns/…` or a gateway's URL of such a name: whoever holds the name's key, or
    /// the domain, points it elsewhere at any time.
    Ipns,
    /// `ar://` or a gateway of Arweave. Its ids are not hashes of the bytes.
    Arweave,
    /// A gateway's URL that carries a CID in its path or host.
    Gateway,
    /// Any other http or https URL: no hash, not verifiable.
    Http,
    /// A path relative to the document, see [`Reference::resolve`](super::Reference::resolve).
    Relative,
    /// Nothing that Everhold understands.
    Unknown,
}

/// A text that names no class of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown class of references")]
pub struct ReferenceClassError;

impl ReferenceClass {
    /// Every class.
    pub const ALL: [ReferenceClass; 9] = [
        ReferenceClass::OnChain,
        ReferenceClass::Aleph,
        ReferenceClass::Ipfs,
        ReferenceClass::Ipns,
        ReferenceClass::Arweave,
        ReferenceClass::Gateway,
        ReferenceClass::Http,
        ReferenceClass::Relative,
        ReferenceClass::Unknown,
    ];

    /// The class in kebab-case, the same as in JSON: `on-chain`, `aleph`, ….
    pub const fn as_str(self) -> &'static str {
        match self {
            ReferenceClass::OnChain => "on-chain",
            ReferenceClass::Aleph => "aleph",
            ReferenceClass::Ipfs => "ipfs",
            ReferenceClass::Ipns => "ipns",
            ReferenceClass::Arweave => "arweave",
            ReferenceClass::Gateway => "gateway",
            ReferenceClass::Http => "http",
            ReferenceClass::Relative => "relative",
            ReferenceClass::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ReferenceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ReferenceClass {
    type Err = ReferenceClassError;

    fn from_str(text: &str) -> Result<ReferenceClass, ReferenceClassError> {
        let mut all = ReferenceClass::ALL.into_iter();
        all.find(|class| class.as_str() == text).ok_or(ReferenceClassError)
    }
}
