//! For publishing: local files' names out, content addresses in.

use super::{
    MetadataError, MetadataLimits, document::Document, place::Kind, survey::Slot, text::decode,
};
use crate::ReferenceClass;

/// The references of a document that name files beside it, as pairs of JSON pointer and value
/// (the string as it is, to be looked up and given to [`rewrite_references`]).
///
/// Looked for wherever [`Metadata`](super::Metadata) has links, but not in `image_data`. A value
/// may still climb out of its folder (`../x`): whoever opens the file refuses that.
///
/// # Errors
/// As [`Metadata::parse`](super::Metadata::parse), with the default limits.
pub fn local_references(bytes: &[u8]) -> Result<Vec<(String, String)>, MetadataError> {
    let document = Document::read(bytes, &MetadataLimits::default())?;
    let local = locals(&document)?.into_iter();
    Ok(local.map(|(slot, value)| (slot.spot.pointer.clone(), value)).collect())
}

/// Replaces each local reference for which `map` has another text. Every other byte stays as it
/// is: order, numbers, white space, a byte-order mark; so without a replacement the document is
/// what it was.
///
/// # Errors
/// As [`local_references`].
pub fn rewrite_references(
    bytes: &[u8],
    map: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<u8>, MetadataError> {
    let document = Document::read(bytes, &MetadataLimits::default())?;
    let mark = bytes.len() - document.text().len();
    let mut written = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for (slot, value) in locals(&document)? {
        if let Some(new) = map(&value) {
            let span = &slot.span;
            written.extend_from_slice(&bytes[copied..mark + span.start]);
            written.extend_from_slice(serde_json::Value::String(new).to_string().as_bytes());
            copied = mark + span.end;
        }
    }
    written.extend_from_slice(&bytes[copied..]);
    Ok(written)
}

/// The slots with a relative path and that path, in the order of the document.
fn locals<'d>(document: &'d Document<'_>) -> Result<Vec<(&'d Slot, String)>, MetadataError> {
    let mut found = Vec::new();
    for slot in document.slots().iter().filter(|slot| slot.spot.kind != Kind::Inline) {
        if document.reference(slot)?.is_some_and(|link| link.class == ReferenceClass::Relative) {
            let value = decode(&document.text()[slot.span.clone()]);
            found.push((slot, value.into_owned()));
        }
    }
    Ok(found)
}
