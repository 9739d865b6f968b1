//! Hostile texts for terminals and pages.

/// Characters that are shown; of a longer text, this much of its beginning.
const MOST: usize = 256;

/// Characters that show as nothing though Unicode calls them letters, marks or symbols.
const BLANKS: &str = "\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{2800}\u{3164}\u{ffa0}";

/// The text with every character that a reader would not see, or that turns the order of what
/// he sees, written as its number: controls, marks of direction, zero-width and other invisible
/// ones, spaces but the plain one. A backslash is doubled, so that no text can look like the
/// escape of another. A long text is cut, and says its length.
///
/// This is no escape for HTML or a shell.
///
/// ```
/// use everhold_content::shown;
///
/// assert_eq!(shown("gpj.\u{202e}exe.art"), "gpj.\\u{202e}exe.art");
/// ```
pub fn shown(text: &str) -> String {
    let end = text.char_indices().nth(MOST).map_or(text.len(), |(at, _)| at);
    let mut shown = String::with_capacity(end);
    // What the standard library does for Debug, but for quotes.
    for piece in text[..end].split_inclusive(['\'', '"']) {
        let (plain, quote) = match piece.strip_suffix(['\'', '"']) {
            Some(plain) => (plain, &piece[plain.len()..]),
            None => (piece, ""),
        };
        for c in plain.escape_debug() {
            match BLANKS.contains(c) {
                true => shown.extend(c.escape_unicode()),
                false => shown.push(c),
            }
        }
        shown.push_str(quote);
    }
    if end < text.len() {
        shown.push_str(&format!("… ({} bytes)", text.len()));
    }
    shown
}

/// Whether a character is one that a reader sees, where it stands.
pub fn is_visible(c: char) -> bool {
    !BLANKS.contains(c) && (matches!(c, '\\' | '\'' | '"') || c.escape_debug().len() == 1)
}
