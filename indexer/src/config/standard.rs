//! What kind of contract a collection is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What kind of contract a collection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standard {
    /// One of ours: it holds a digest a token.
    Everhold,
    /// ERC-721, also of before it was one: a token has one owner, and `tokenURI`.
    Erc721,
    /// ERC-1155: a token has a supply, and `uri`.
    Erc1155,
    /// No collection, but a contract that makes ours and announces each: a `[[factory]]`.
    #[serde(skip_deserializing)]
    Factory,
}

impl Standard {
    /// Every standard that a collection may be of.
    pub const ALL: [Self; 3] = [Self::Everhold, Self::Erc721, Self::Erc1155];

    /// The word for it, the same in settings, ledger and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everhold => "everhold",
            Self::Erc721 => "erc721",
            Self::Erc1155 => "erc1155",
            Self::Factory => "factory",
        }
    }

    /// Whether it is somebody else's: its tokens have URIs, and no digests.
    pub const fn is_foreign(self) -> bool {
        matches!(self, Self::Erc721 | Self::Erc1155)
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Standard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter().chain([Self::Factory]);
        all.find(|standard| standard.as_str() == text)
            .ok_or_else(|| format!("`{text}` is none of everhold, erc721, erc1155"))
    }
}
