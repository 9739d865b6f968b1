//! Words of others, fit to be shown.

use url::Url;

/// Of an error's body, this many characters are shown.
const MAX_SHOWN: usize = 300;

/// The start of a body as one line of at most 300 characters, without anything that could end the
/// line, steer a terminal, or turn the direction of writing.
pub fn shown(bytes: &[u8]) -> String {
    // A character has at most four bytes; what is left out need not be decoded.
    let bytes = &bytes[..bytes.len().min(MAX_SHOWN * 4)];
    let text = String::from_utf8_lossy(bytes);
    let line: String =
        text.chars().map(|c| if steers(c) { ' ' } else { c }).take(MAX_SHOWN).collect();
    line.trim().to_owned()
}

/// Control characters, line and paragraph separators, zero-width and bidirectional marks.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The innermost reason of an error: the outer ones of HTTP libraries only say that there was
/// one.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    shown(inner.to_string().as_bytes())
}

/// A URL's host, and its port where it is not the scheme's own. Paths, queries and userinfo may
/// hold secrets.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_one_short_harmless_line() {
        assert_eq!(shown(b" a\r\nb\x1b[2J\0 "), "a  b [2J");
        assert_eq!(shown("x\u{202e}y\u{2028}z\u{200b}".as_bytes()), "x y z");
        assert_eq!(shown(&[0xff, b'a']), "\u{fffd}a");
        assert_eq!(shown("ä".repeat(1000).as_bytes()).chars().count(), MAX_SHOWN);
    }
}
