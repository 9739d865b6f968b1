//! ERC-721 metadata documents: <https://eips.ethereum.org/EIPS/eip-721>, "metadata extension",
//! and what marketplaces made of it (`animation_url`, `image_data`, `properties.files`).

mod rewrite;
mod slots;

use serde::{Deserialize, Serialize};

use super::Reference;
use slots::{Document, Kind};

pub use rewrite::{local_references, rewrite_references};

/// Bounds on a metadata document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataLimits {
    /// Length of the document in bytes.
    pub bytes: usize,
    /// Arrays and objects within one another, the document itself counted.
    pub depth: usize,
    /// Links to content.
    pub references: usize,
}

impl Default for MetadataLimits {
    /// 1 MiB, 64 levels, 64 links.
    fn default() -> MetadataLimits {
        MetadataLimits { bytes: 1 << 20, depth: 64, references: 64 }
    }
}

/// Why bytes are not a metadata document that Everhold can follow. None of these is cured by
/// trying again: the bytes are what they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// More bytes than the limit.
    #[error("metadata of {size} bytes: at most {limit} are read")]
    TooLarge {
        /// Its length in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Not text at all.
    #[error("metadata is not UTF-8 (byte {offset})")]
    NotUtf8 {
        /// Where the first wrong byte stands, from 0.
        offset: usize,
    },
    /// Text, but not JSON.
    #[error("metadata is not JSON: {reason} at line {line}, column {column}")]
    NotJson {
        /// From 1.
        line: usize,
        /// In bytes, as the parser counts: 0 where a line has not begun.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// JSON, but an array, a string, a number….
    #[error("metadata is JSON, but not an object")]
    NotAnObject,
    /// Nested deeper than the limit.
    #[error("metadata is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// A link that is not a string.
    #[error("metadata: `{key}` is not a string")]
    WrongType {
        /// The link's role.
        key: String,
    },
    /// More links than the limit.
    #[error("metadata has more than {limit} references")]
    TooManyReferences {
        /// The limit.
        limit: usize,
    },
}

/// What Everhold needs to know of a metadata document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// `name`; a number is taken as its text, anything else as absent.
    pub name: Option<String>,
    /// `description`, read as `name` is.
    pub description: Option<String>,
    /// Links to content, in the order of the document; empty ones left out.
    pub links: Vec<Link>,
}

/// A link of a metadata document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What the content is for: `image`, `image_url`, `image_data`, `animation_url`,
    /// `properties.files[0]`, …. No two links of a document have the same.
    pub role: String,
    /// Where it points.
    pub reference: Reference,
}

impl Metadata {
    /// Reads a document; a byte-order mark at its start is passed over. Of a key that comes
    /// twice, the last one counts, as in browsers and wallets.
    ///
    /// # Errors
    /// [`MetadataError`]. A document without an image is fine and has no links.
    pub fn parse(bytes: &[u8], limits: &MetadataLimits) -> Result<Metadata, MetadataError> {
        let document = Document::read(bytes, limits)?;
        let mut metadata = Metadata {
            name: document.text_of("name"),
            description: document.text_of("description"),
            links: Vec::new(),
        };
        for slot in document.slots().iter().filter(|slot| slot.counts) {
            let Some(value) = document.value(slot)? else {
                continue;
            };
            let reference = match slot.kind {
                Kind::Link => Reference::parse(&value),
                Kind::Inline => inline(&value),
            };
            metadata.links.push(Link { role: slot.role.clone(), reference });
        }
        Ok(metadata)
    }
}

/// Inline data, unless it is a link after all: then no more is claimed of it than it can prove.
fn inline(value: &str) -> Reference {
    use super::ReferenceClass::{Aleph, Arweave, Gateway, Http, Ipfs, Ipns};
    let reference = Reference::parse(value);
    match reference.class {
        Aleph | Arweave | Gateway | Http | Ipfs | Ipns => reference,
        _ => Reference::inline(value),
    }
}
