//! A link from metadata to content: what kind it is, and what it can prove.

mod parse;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::ContentId;

/// A longer reference that is not inline data is [`ReferenceClass::Unknown`] and cut to this.
pub const MAX_REFERENCE_BYTES: usize = 8192;

/// What kind of place a reference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceClass {
    /// The data itself: a `data:` URI or an inline image.
    OnChain,
    /// An aleph node's raw file, or a bare aleph item hash.
    Aleph,
    /// `ipfs://`, `/ipfs/…` or a bare CID.
    Ipfs,
    /// `ar://` or arweave.net. Its ids are not hashes of the bytes: not verifiable here.
    Arweave,
    /// A gateway's URL that carries a CID in its path or host.
    Gateway,
    /// Any other http or https URL: no hash, not verifiable.
    Http,
    /// A path relative to the document, as in a folder that is not published yet.
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
    pub const ALL: [ReferenceClass; 8] = [
        ReferenceClass::OnChain,
        ReferenceClass::Aleph,
        ReferenceClass::Ipfs,
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

/// A link to content, classed.
///
/// `text` is what the host or chain said and stays hostile: escape it wherever it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The reference as written, less white space around it.
    pub text: String,
    /// What kind of place it points to.
    pub class: ReferenceClass,
    /// The content it names; with a `path`, the directory that it names the content from.
    pub content: Option<ContentId>,
    /// The path below a directory root: percent-decoded, without a slash at either end, without
    /// `.`, `..`, empty or control-character segments. Then `content` is not the bytes' name.
    pub path: Option<String>,
}

impl Reference {
    /// Classes any text. What can't be understood is [`ReferenceClass::Unknown`]; what is
    /// understood but carries no usable hash has no `content`.
    ///
    /// ```
    /// use everhold_content::{Reference, ReferenceClass};
    ///
    /// let cid = "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e";
    /// let file = Reference::parse(&format!("https://ipfs.io/ipfs/{cid}?filename=1.json"));
    /// assert_eq!(file.class, ReferenceClass::Gateway);
    /// assert!(file.verifiable());
    ///
    /// let in_a_folder = Reference::parse(&format!("ipfs://{cid}/my%20image.png"));
    /// assert_eq!(in_a_folder.path.as_deref(), Some("my image.png"));
    /// assert!(!in_a_folder.verifiable());
    /// ```
    pub fn parse(text: &str) -> Reference {
        let text = text.trim();
        let (class, content, path) = parse::classify(text);
        let kept = match class {
            ReferenceClass::Unknown => &text[..text.floor_char_boundary(MAX_REFERENCE_BYTES)],
            _ => text,
        };
        Reference { text: kept.to_owned(), class, content, path }
    }

    /// Data that stands in the metadata itself, such as an SVG in `image_data`.
    pub fn inline(text: &str) -> Reference {
        let class = ReferenceClass::OnChain;
        Reference { text: text.to_owned(), class, content: None, path: None }
    }

    /// Whether the bytes behind the reference can be checked against it (or are part of what
    /// was checked): it names content and no path below it, or it is on-chain.
    pub fn verifiable(&self) -> bool {
        self.class == ReferenceClass::OnChain || (self.content.is_some() && self.path.is_none())
    }
}
