//! A link from metadata to content: what kind it is, and what it can prove.

mod class;
mod http;
mod parse;
mod path;
mod proof;
mod resolve;
mod shown;
mod token_id;

use serde::{Deserialize, Serialize};

use super::{Cid, ContentId};

pub use class::{ReferenceClass, ReferenceClassError};
pub use proof::{Fact, Proof, Provability};
pub use shown::{is_visible, shown};
pub use token_id::{ID_PLACE, id_hex, substitute_id};

/// A longer reference that is not inline data is [`ReferenceClass::Unknown`] and cut to this.
pub const MAX_REFERENCE_BYTES: usize = 8192;

/// A link to content, classed.
///
/// `text` is what the host or chain said and stays hostile: show it only as [`Reference::shown`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The reference as written, less white space around it.
    pub text: String,
    /// What kind of place it points to.
    pub class: ReferenceClass,
    /// The content address it carries; with a `path`, that of the directory it starts from.
    pub cid: Option<Cid>,
    /// The name it carries that is no hash of the bytes: an IPNS name or domain, or an Arweave
    /// transaction's id.
    #[serde(default)]
    pub id: Option<String>,
    /// The path below `cid` or `id`: percent-decoded, without a slash at either end, without
    /// `.`, `..`, empty or control-character segments.
    pub path: Option<String>,
}

impl Reference {
    /// Classes any text. What can't be understood is [`ReferenceClass::Unknown`]; what is
    /// understood but carries no usable name has neither `cid` nor `id`.
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
        let found = parse::classify(text);
        match found.class {
            ReferenceClass::Unknown => Reference::unknown(text),
            _ => found.with_text(text),
        }
    }

    /// Data that stands in the metadata itself, such as an SVG in `image_data`.
    pub fn inline(text: &str) -> Reference {
        parse::Found::nothing(ReferenceClass::OnChain).with_text(text)
    }

    /// A text that is not to be understood, whatever it looks like; its beginning is kept.
    pub fn unknown(text: &str) -> Reference {
        let kept = &text[..text.floor_char_boundary(MAX_REFERENCE_BYTES)];
        parse::Found::nothing(ReferenceClass::Unknown).with_text(kept)
    }

    /// The content whose bytes this names: `None` where it names none, none that a contract can
    /// hold, or where the bytes are those of a file below it.
    pub fn content(&self) -> Option<ContentId> {
        match self.path {
            None => self.cid.as_ref().and_then(Cid::content_id),
            Some(_) => None,
        }
    }

    /// Whether the bytes behind the reference can be checked against it without any others (or
    /// are part of what was checked). More can be proved where blocks can be had, too: see
    /// [`Reference::proof`].
    pub fn verifiable(&self) -> bool {
        self.class == ReferenceClass::OnChain || self.content().is_some()
    }

    /// The text for terminals and pages: see [`shown()`].
    pub fn shown(&self) -> String {
        shown(&self.text)
    }
}
