//! The tokens of a JSON text, one after the other, without recursion.
//!
//! Whether the text is JSON at all is for serde_json to say: here anything is cut into tokens,
//! and those of a text that is none mean nothing.

use std::ops::Range;

/// A token and where it stands, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// `[` (or else `{`) and where it stands.
    Open { array: bool, at: usize },
    /// `]` or `}`.
    Close,
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// A string with its quotation marks; the last one may lack its end.
    Text(Range<usize>),
    /// A number, `true`, `false`, `null`, or any other run of bytes.
    Scalar(Range<usize>),
}

/// Cuts a text into tokens.
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Scan<'a> {
        Scan { bytes: text.as_bytes(), at: 0 }
    }

    /// The end of the string that begins at `start`.
    fn string_end(&self, start: usize) -> usize {
        let mut at = start + 1;
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'"' => return at + 1,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.bytes.len()
    }

    fn scalar_end(&self, start: usize) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let ends = |byte: &u8| b" \t\r\n,:[]{}\"".contains(byte);
        start + rest.iter().position(ends).unwrap_or(rest.len())
    }
}

impl Iterator for Scan<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        while self.bytes.get(self.at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.at += 1;
        }
        let start = self.at;
        let byte = *self.bytes.get(start)?;
        self.at = match byte {
            b'"' => self.string_end(start),
            b'{' | b'[' | b'}' | b']' | b',' | b':' => start + 1,
            _ => self.scalar_end(start),
        };
        Some(match byte {
            b'{' | b'[' => Token::Open { array: byte == b'[', at: start },
            b'}' | b']' => Token::Close,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => Token::Text(start..self.at),
            _ => Token::Scalar(start..self.at),
        })
    }
}
