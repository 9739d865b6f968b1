//! A document known to be JSON within the limits, with not a byte of it changed.

use serde_json::value::RawValue;

use super::{
    MetadataError, MetadataLimits, MetadataWarning,
    place::Kind,
    survey::{Slot, Survey},
    text::{decode, oddities},
};
use crate::{Reference, ReferenceClass as Class};

/// The marks of encodings that JSON may not have (RFC 8259, section 8.1), the longer ones first:
/// that of UTF-32LE begins like that of UTF-16LE.
const MARKS: [(&[u8], &str); 4] = [
    (&[0xff, 0xfe, 0, 0], "UTF-32LE"),
    (&[0, 0, 0xfe, 0xff], "UTF-32BE"),
    (&[0xff, 0xfe], "UTF-16LE"),
    (&[0xfe, 0xff], "UTF-16BE"),
];

/// The mark of UTF-8.
const MARK: char = '\u{feff}';

/// A document known to be a JSON object within the limits.
pub(super) struct Document<'a> {
    text: &'a str,
    survey: Survey,
}

impl<'a> Document<'a> {
    pub(super) fn read(bytes: &'a [u8], limits: &MetadataLimits) -> Result<Self, MetadataError> {
        let (size, limit) = (bytes.len(), limits.bytes);
        if size > limit {
            return Err(MetadataError::TooLarge { size, limit });
        }
        if let Some((_, encoding)) = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
            return Err(MetadataError::WrongEncoding { encoding });
        }
        let whole = std::str::from_utf8(bytes)
            .map_err(|error| MetadataError::NotUtf8 { offset: error.valid_up_to() })?;
        if let Some(offset) = whole.find('\0') {
            return Err(MetadataError::NulByte { offset });
        }
        let text = whole.strip_prefix(MARK).unwrap_or(whole);
        let skipped = whole.len() - text.len();
        // Limits first: what is beyond them is not looked at by any parser.
        let survey = Survey::of(text, skipped, limits)?;
        // For a raw value serde_json checks the grammar and makes nothing, without recursion.
        let value: &RawValue = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => return Err(not_json(text, skipped, &survey, &error)),
        };
        if !value.get().starts_with('{') {
            return Err(MetadataError::NotAnObject);
        }
        Ok(Document { text, survey })
    }

    /// The places of links, repeated ones included.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.survey.slots
    }

    pub(super) fn warnings(&mut self) -> Vec<MetadataWarning> {
        std::mem::take(&mut self.survey.warnings)
    }

    /// The link in a slot; `None` where it is null or blank, or a word where there need not be
    /// a link.
    pub(super) fn reference(&self, slot: &Slot) -> Result<Option<Reference>, MetadataError> {
        let raw = &self.text[slot.span.clone()];
        if raw == "null" {
            return Ok(None);
        }
        if !raw.starts_with('"') {
            return Err(MetadataError::WrongType { key: slot.spot.role.clone() });
        }
        let value = decode(raw);
        if value.trim().is_empty() {
            return Ok(None);
        }
        // No text can hold what it says, so it may not pass for another place.
        if oddities(raw).lone_surrogate {
            return Ok(Some(Reference::unknown(&value)));
        }
        let reference = Reference::parse(&value);
        Ok(match slot.spot.kind {
            Kind::Link => Some(reference),
            Kind::Maybe => looks_like_a_link(&reference).then_some(reference),
            // A link after all: then no more is claimed of it than it can prove.
            Kind::Inline => match reference.class {
                Class::OnChain | Class::Relative | Class::Unknown => {
                    Some(Reference::inline(&value))
                }
                _ => Some(reference),
            },
        })
    }

    /// `name`: a string, or a number as it is written.
    pub(super) fn name(&self) -> Option<String> {
        self.shown(self.survey.name.clone()?)
    }

    /// `description`, as [`Document::name`].
    pub(super) fn description(&self) -> Option<String> {
        self.shown(self.survey.description.clone()?)
    }

    fn shown(&self, span: std::ops::Range<usize>) -> Option<String> {
        let raw = &self.text[span];
        match raw.bytes().next()? {
            b'"' => Some(decode(raw).into_owned()),
            b'-' | b'0'..=b'9' => Some(raw.to_owned()),
            _ => None,
        }
    }

    /// The document less its byte-order mark.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }
}

/// Whether a string is more than a word or a sentence: a file's name, or a place.
fn looks_like_a_link(reference: &Reference) -> bool {
    match reference.class {
        Class::Relative => reference.text.rsplit_once('.').is_some_and(|(_, extension)| {
            (1..=5).contains(&extension.len())
                && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }),
        Class::Unknown => reference.text.contains("://"),
        _ => true,
    }
}

fn not_json(
    text: &str,
    skipped: usize,
    survey: &Survey,
    error: &serde_json::Error,
) -> MetadataError {
    // Whether it is a document and then something: the same question of its first part.
    if let Some(end) = survey.trailing
        && serde_json::from_str::<&RawValue>(&text[..end]).is_ok()
    {
        return MetadataError::TrailingData { offset: end + skipped };
    }
    MetadataError::NotJson { line: error.line(), column: error.column(), reason: reason(error) }
}

/// The message less its position.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}
