//! The places in a document where links stand, found without changing a byte of it.

use std::{borrow::Cow, fmt, ops::Range};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{MetadataError, MetadataLimits};

/// What serde_json itself refuses to go beyond.
const MAX_DEPTH: usize = 127;

/// A document known to be a JSON object within the limits.
pub(super) struct Document<'a> {
    text: &'a str,
    pairs: Pairs<'a>,
    slots: Vec<Slot<'a>>,
}

/// A value that is, or should be, a link.
pub(super) struct Slot<'a> {
    /// `image`, `properties.files[0]`, ….
    pub(super) role: String,
    /// JSON pointer (RFC 6901) of the value.
    pub(super) pointer: String,
    pub(super) kind: Kind,
    /// Whether it is the last with its role, the one that readers see.
    pub(super) counts: bool,
    raw: &'a str,
}

/// How a link's value is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A reference.
    Link,
    /// The data itself.
    Inline,
}

/// Every key and value of an object in their order, repeated ones included.
#[derive(Default)]
struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Document<'a> {
    pub(super) fn read(bytes: &'a [u8], limits: &MetadataLimits) -> Result<Self, MetadataError> {
        let (size, limit) = (bytes.len(), limits.bytes);
        if size > limit {
            return Err(MetadataError::TooLarge { size, limit });
        }
        let whole = std::str::from_utf8(bytes)
            .map_err(|error| MetadataError::NotUtf8 { offset: error.valid_up_to() })?;
        let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
        check_depth(text, limits.depth.min(MAX_DEPTH))?;

        let value: &RawValue = serde_json::from_str(text).map_err(not_json)?;
        if !value.get().starts_with('{') {
            return Err(MetadataError::NotAnObject);
        }
        let pairs: Pairs<'a> = serde_json::from_str(text).map_err(not_json)?;
        let slots = find(&pairs);
        if slots.len() > limits.references {
            return Err(MetadataError::TooManyReferences { limit: limits.references });
        }
        Ok(Document { text, pairs, slots })
    }

    /// Every link, repeated ones included.
    pub(super) fn slots(&self) -> &[Slot<'a>] {
        &self.slots
    }

    /// The string in a slot; `None` where it is null or blank.
    pub(super) fn value(&self, slot: &Slot<'a>) -> Result<Option<String>, MetadataError> {
        if slot.raw == "null" {
            return Ok(None);
        }
        if !slot.raw.starts_with('"') {
            return Err(MetadataError::WrongType { key: slot.role.clone() });
        }
        let value: String =
            serde_json::from_str(slot.raw).map_err(|error| self.bad_string(slot, &error))?;
        Ok((!value.trim().is_empty()).then_some(value))
    }

    /// The last value of a key that is only shown: a string, or a number as it is written.
    pub(super) fn text_of(&self, key: &str) -> Option<String> {
        let raw = self.pairs.last(key)?.get();
        match raw.bytes().next()? {
            b'"' => serde_json::from_str(raw).ok(),
            b'-' | b'0'..=b'9' => Some(raw.to_owned()),
            _ => None,
        }
    }

    /// Where a slot's value stands in the text, in bytes; a byte-order mark is not counted.
    pub(super) fn span(&self, slot: &Slot<'a>) -> Range<usize> {
        let start = slot.raw.as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + slot.raw.len()
    }

    /// The document less its byte-order mark.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// An escape that no string can hold (half a surrogate pair): valid to the grammar only.
    fn bad_string(&self, slot: &Slot<'a>, error: &serde_json::Error) -> MetadataError {
        let before = &self.text[..self.span(slot).start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        MetadataError::NotJson {
            line: before.matches('\n').count() + 1,
            column: before.len() - line_start + 1,
            reason: reason(error),
        }
    }
}

impl<'a> Pairs<'a> {
    fn last(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(own, _)| own == key).map(|(_, value)| *value)
    }
}

/// The links of a document, in its order.
fn find<'a>(pairs: &Pairs<'a>) -> Vec<Slot<'a>> {
    let mut slots = Vec::new();
    for (key, value) in &pairs.0 {
        match key.as_ref() {
            "image" | "image_url" | "animation_url" => {
                push(&mut slots, key, format!("/{key}"), Kind::Link, value);
            }
            "image_data" => push(&mut slots, key, format!("/{key}"), Kind::Inline, value),
            "properties" => files(&mut slots, value),
            _ => {}
        }
    }
    let mut seen = std::collections::HashSet::new();
    for slot in slots.iter_mut().rev() {
        slot.counts = seen.insert(slot.role.clone());
    }
    slots
}

/// `properties.files[].uri`. `properties` of another shape are somebody else's and left alone.
fn files<'a>(slots: &mut Vec<Slot<'a>>, properties: &'a RawValue) {
    let properties: Pairs<'a> = serde_json::from_str(properties.get()).unwrap_or_default();
    for (_, files) in properties.0.iter().filter(|(key, _)| key == "files") {
        let files: Vec<&'a RawValue> = serde_json::from_str(files.get()).unwrap_or_default();
        for (index, file) in files.into_iter().enumerate() {
            let file: Pairs<'a> = serde_json::from_str(file.get()).unwrap_or_default();
            for (_, uri) in file.0.iter().filter(|(key, _)| key == "uri") {
                let pointer = format!("/properties/files/{index}/uri");
                push(slots, &format!("properties.files[{index}]"), pointer, Kind::Link, uri);
            }
        }
    }
}

fn push<'a>(
    slots: &mut Vec<Slot<'a>>,
    role: &str,
    pointer: String,
    kind: Kind,
    value: &'a RawValue,
) {
    slots.push(Slot { role: role.to_owned(), pointer, kind, counts: false, raw: value.get() });
}

/// Refuses a document before any parser recurses into it. Brackets are counted outside strings;
/// whether they match is the parser's business.
fn check_depth(text: &str, limit: usize) -> Result<(), MetadataError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return Err(MetadataError::TooDeep { limit });
        }
    }
    Ok(())
}

fn not_json(error: serde_json::Error) -> MetadataError {
    MetadataError::NotJson { line: error.line(), column: error.column(), reason: reason(&error) }
}

/// The message less its position.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}
