//! Metadata documents: of tokens (<https://eips.ethereum.org/EIPS/eip-721>, "metadata
//! extension", <https://eips.ethereum.org/EIPS/eip-1155>), of contracts
//! (<https://eips.ethereum.org/EIPS/eip-7572>), and what marketplaces made of them
//! (`animation_url`, `image_data`, `properties.files`).

mod document;
mod limits;
mod place;
mod rewrite;
mod scan;
mod survey;
mod surveyor;
mod text;
mod warning;

use serde::{Deserialize, Serialize};

use super::{DataUri, Reference, ReferenceClass, substitute_id};
use document::Document;

pub use limits::{MetadataError, MetadataLimits};
pub use rewrite::{local_references, rewrite_references};
pub use warning::MetadataWarning;
pub(crate) use warning::beginning;

/// What Everhold needs to know of a metadata document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// `name`; a number is taken as its text, anything else as absent.
    pub name: Option<String>,
    /// `description`, read as `name` is.
    pub description: Option<String>,
    /// Links to content, in the order of the document; empty ones left out.
    pub links: Vec<Link>,
    /// What is odd about the document, though it can be read.
    #[serde(default)]
    pub warnings: Vec<MetadataWarning>,
}

/// A link of a metadata document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What the content is for: `image`, `image_url`, `image_data`, `animation_url`,
    /// `properties.files[0]`, …. No two links of a document have the same.
    pub role: String,
    /// Where it points.
    pub reference: Reference,
    /// Where the link stands in the document: a JSON pointer (RFC 6901).
    #[serde(default)]
    pub pointer: String,
    /// The media type that the document says the content has, or that of a `data:` URI.
    #[serde(default)]
    pub media_type: Option<String>,
}

impl Link {
    /// A link of which no more is known.
    pub fn new(role: impl Into<String>, reference: Reference) -> Link {
        Link { role: role.into(), reference, pointer: String::new(), media_type: None }
    }

    /// The link for a token: see [`Metadata::for_token`].
    #[must_use]
    pub fn for_token(&self, id: &[u8; 32], limit: usize) -> Link {
        let text = &self.reference.text;
        let reference = match (self.reference.class, substitute_id(text, id, limit)) {
            // A substitute can't make sense of what was none.
            (ReferenceClass::Unknown, _) | (_, None) => Reference::unknown(text),
            (ReferenceClass::OnChain, Some(text)) => Reference::inline(&text),
            (_, Some(text)) => Reference::parse(&text),
        };
        Link { reference, ..self.clone() }
    }
}

impl Metadata {
    /// Reads a document; a byte-order mark at its start is passed over. Of a key that comes
    /// twice, the last one counts, as in browsers and wallets.
    ///
    /// Time and memory are linear in the document, which is not recursed into, whatever its
    /// limits.
    ///
    /// # Errors
    /// [`MetadataError`]. A document without an image is fine and has no links.
    pub fn parse(bytes: &[u8], limits: &MetadataLimits) -> Result<Metadata, MetadataError> {
        let mut document = Document::read(bytes, limits)?;
        let mut links = Vec::new();
        for slot in document.slots().iter().filter(|slot| slot.counts) {
            let Some(reference) = document.reference(slot)? else {
                continue;
            };
            let said = || DataUri::parse(&reference.text).ok().map(|uri| uri.media_type);
            let media_type = match reference.class {
                ReferenceClass::OnChain => said().or_else(|| slot.media_type.clone()),
                _ => slot.media_type.clone(),
            };
            let (role, pointer) = (slot.spot.role.clone(), slot.spot.pointer.clone());
            links.push(Link { role, reference, pointer, media_type });
        }
        Ok(Metadata {
            name: document.name(),
            description: document.description(),
            links,
            warnings: document.warnings(),
        })
    }

    /// The same document for a token of ERC-1155, whose `{id}` is put into every text; see
    /// [`substitute_id`]. A text that would be longer than `limit` bytes keeps its `{id}`, a
    /// link is [unknown](Reference::unknown) then.
    #[must_use]
    pub fn for_token(&self, id: &[u8; 32], limit: usize) -> Metadata {
        let text = |text: &String| match substitute_id(text, id, limit) {
            Some(new) => new.into_owned(),
            None => text.clone(),
        };
        Metadata {
            name: self.name.as_ref().map(text),
            description: self.description.as_ref().map(text),
            links: self.links.iter().map(|link| link.for_token(id, limit)).collect(),
            warnings: self.warnings.clone(),
        }
    }
}
