//! What is odd about a document that can be read all the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shown;

/// Warnings that are kept of a document; the rest is counted.
const MOST: usize = 32;

/// Bytes of a key or number that are kept.
const KEPT: usize = 64;

/// Something that other readers may take in another way, or stumble on. Offsets are in bytes,
/// from the document's first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MetadataWarning {
    /// A byte-order mark at the start: `JSON.parse` refuses it.
    ByteOrderMark,
    /// A key that comes twice in one object: the last one counts.
    DuplicateKey {
        /// The key, or its beginning.
        key: String,
        /// Where it comes again.
        offset: usize,
    },
    /// A string with a control character other than tab and line breaks.
    ControlCharacter {
        /// Its number.
        code: u32,
        /// Where the string stands.
        offset: usize,
    },
    /// A string with half a surrogate pair (`\ud800`), which no UTF-8 can hold.
    LoneSurrogate {
        /// Where the string stands.
        offset: usize,
    },
    /// A number that a double can't hold: readers see another one.
    NumberChanges {
        /// The number, or its beginning.
        number: String,
        /// Where it stands.
        offset: usize,
    },
    /// Something that is no string where a link may stand: it is passed over.
    NoLink {
        /// The link's role.
        role: String,
        /// Where it stands.
        offset: usize,
    },
    /// More of these.
    More {
        /// How many.
        count: u64,
    },
}

impl fmt::Display for MetadataWarning {
    /// For people; keys and numbers are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use MetadataWarning as W;
        match self {
            W::ByteOrderMark => f.write_str("a byte-order mark, which some readers refuse"),
            W::DuplicateKey { key, offset } => {
                write!(f, "`{}` twice, again at byte {offset}: the last counts", shown(key))
            }
            W::ControlCharacter { code, offset } => {
                write!(f, "control character U+{code:04X} in the string at byte {offset}")
            }
            W::LoneSurrogate { offset } => {
                write!(f, "half a surrogate pair in the string at byte {offset}")
            }
            W::NumberChanges { number, offset } => {
                write!(f, "{} at byte {offset} is another number to most readers", shown(number))
            }
            W::NoLink { role, offset } => {
                write!(f, "`{}` at byte {offset} is no string: passed over", shown(role))
            }
            W::More { count } => write!(f, "{count} more warnings"),
        }
    }
}

/// The warnings of a document, bounded.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    kept: Vec<MetadataWarning>,
    more: u64,
}

impl Warnings {
    pub(super) fn push(&mut self, warning: impl FnOnce() -> MetadataWarning) {
        match self.kept.len() < MOST {
            true => self.kept.push(warning()),
            false => self.more += 1,
        }
    }

    pub(super) fn finish(self) -> Vec<MetadataWarning> {
        let more = (self.more > 0).then_some(MetadataWarning::More { count: self.more });
        self.kept.into_iter().chain(more).collect()
    }
}

/// The beginning of a text.
pub(crate) fn beginning(text: &str) -> String {
    text[..text.floor_char_boundary(KEPT)].to_owned()
}
