//! How much of a document is read, and why one is not.

/// Bounds on a metadata document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataLimits {
    /// Length of the document in bytes.
    pub bytes: usize,
    /// Arrays and objects within one another, the document itself counted.
    pub depth: usize,
    /// Keys and values in all: an empty object is one, `{"a":[1]}` four.
    pub values: usize,
    /// Length of a string as it is written, in bytes.
    pub string: usize,
    /// Links to content.
    pub references: usize,
}

impl Default for MetadataLimits {
    /// 1 MiB, 64 levels, 65,536 keys and values, strings of any length, 64 links.
    fn default() -> MetadataLimits {
        MetadataLimits {
            bytes: 1 << 20,
            depth: 64,
            values: 1 << 16,
            string: 1 << 20,
            references: 64,
        }
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
    /// The byte-order mark of another encoding.
    #[error("metadata is {encoding}, not UTF-8")]
    WrongEncoding {
        /// `UTF-16LE`, `UTF-16BE`, `UTF-32LE` or `UTF-32BE`.
        encoding: &'static str,
    },
    /// Not text at all.
    #[error("metadata is not UTF-8 (byte {offset})")]
    NotUtf8 {
        /// Where the first wrong byte stands, from 0.
        offset: usize,
    },
    /// A NUL byte, which no JSON text has.
    #[error("metadata holds a NUL byte (byte {offset})")]
    NulByte {
        /// Where the first one stands, from 0.
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
    /// A JSON document with something behind it.
    #[error("metadata goes on after its JSON document (byte {offset})")]
    TrailingData {
        /// Where it goes on, from 0.
        offset: usize,
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
    /// More keys and values than the limit.
    #[error("metadata has more than {limit} keys and values")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// A string longer than the limit.
    #[error("metadata has a string of {size} bytes: at most {limit} are read")]
    LongString {
        /// Its length in bytes, as it is written.
        size: usize,
        /// The limit in bytes.
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
