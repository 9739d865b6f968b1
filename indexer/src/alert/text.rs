//! Texts of strangers, made fit for where they go.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::content::is_visible;

/// One line, without anything that nobody sees, or that turns the order of the rest.
pub(super) fn clean(text: &str) -> String {
    let seen: String = text.chars().map(|c| if is_visible(c) { c } else { ' ' }).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as `escape` writes each character, cut where it would be longer than `limit`, which is counted
/// by `length`; no escaped character is cut apart.
fn fit(
    text: &str,
    limit: usize,
    escape: impl Fn(char) -> String,
    length: impl Fn(&str) -> usize,
) -> String {
    let mut fitted = String::new();
    let (mut used, mut kept) = (0, 0);
    for c in text.chars() {
        let piece = escape(c);
        let more = length(&piece);
        if used + more > limit {
            fitted.truncate(kept);
            return fitted + "…";
        }
        fitted += &piece;
        used += more;
        // The mark of what was cut needs room, too.
        if used < limit {
            kept = fitted.len();
        }
    }
    fitted
}

fn in_characters(text: &str) -> usize {
    text.chars().count()
}

/// As it is, in so many characters.
pub(super) fn cut(text: &str, limit: usize) -> String {
    fit(text, limit, |c| c.to_string(), in_characters)
}

/// For markup in which `&`, `<` and `>` alone have a meaning: Slack's, and Telegram's HTML. Counted as
/// UTF-16, as Telegram does; Slack's limits are wider.
pub(super) fn entities(text: &str, limit: usize) -> String {
    let escape = |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        other => other.to_string(),
    };
    fit(text, limit, escape, |piece| piece.encode_utf16().count())
}

/// For Markdown as Discord reads it: a backslash takes its meaning from every sign, and from `://` that
/// it links.
pub(super) fn markdown(text: &str, limit: usize) -> String {
    let escape = |c: char| if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() };
    fit(text, limit, escape, in_characters)
}

/// For plain text in which programs look for what may be a link: `://`, and a dot within a word, as in the
/// name of a host or `www.`, are put into brackets. Numbers keep their dots.
pub(super) fn unlinked(text: &str) -> String {
    let is_dot = |c: char| matches!(c, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}');
    let mut free = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied();
        let digits = [before, after].iter().flatten().all(char::is_ascii_digit);
        let within = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
        match c {
            c if is_dot(c) && within(before) && within(after) && !digits => free += "[.]",
            c => free.push(c),
        }
        before = Some(c);
    }
    free.replace("://", "[:]//")
}

/// What of a URL may be secret, the longest first: who one is there, the values of its query, each part of its
/// path, and what these are together. As it is written, and as it is meant. What is short is a word, which
/// would be struck out of everything.
pub(super) fn secrets_of(url: &Url) -> Vec<String> {
    let (path, query) = (url.path().trim_matches('/'), url.query().unwrap_or_default());
    let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    let names = [url.username(), url.password().unwrap_or_default()].into_iter();
    let mut secrets: Vec<_> = both_ways(names.chain(values)).filter(|one| one.len() >= 4).collect();
    let parts = path.split('/').chain(query.split('&')).chain([path, query]);
    secrets.extend(both_ways(parts).filter(|one| one.len() >= 8));
    // A part of one that was struck out would leave the rest of it.
    secrets.sort_by_key(|part| std::cmp::Reverse(part.len()));
    secrets.dedup();
    secrets
}

/// Parts of a URL as they are written, and without percent encoding.
fn both_ways<'a>(parts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = String> {
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    parts.flat_map(move |part| [part.to_owned(), decoded(part)])
}

/// Strikes secrets out.
pub(super) fn without(text: &str, secrets: &[String]) -> String {
    let strike = |text: String, secret: &String| match secret.is_empty() {
        true => text,
        false => text.replace(secret.as_str(), "…"),
    };
    secrets.iter().fold(text.to_owned(), strike)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_of_a_stranger_has_a_meaning() {
        assert_eq!(clean("a\r\nBcc: x\u{202e}y\u{200b} \t z"), "a Bcc: x y z");
        assert_eq!(entities("<!channel> & <@U1>", 99), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert_eq!(
            markdown("@everyone **b** [x](http://y)", 99),
            "\\@everyone \\*\\*b\\*\\* \\[x\\]\\(http\\:\\/\\/y\\)"
        );
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(entities("a<<", 6), "a&lt;…");
        assert_eq!(markdown("a**", 4), "a\\*…");
    }

    #[test]
    fn nothing_reads_as_a_link() {
        for (text, free) in [
            ("http://evil.example/x", "http[:]//evil[.]example/x"),
            (
                "see www.1and1.example, or a@evil.example.",
                "see www[.]1and1[.]example, or a@evil[.]example.",
            ),
            ("пример.рф and xn--e1a.xn--p1ai", "пример[.]рф and xn--e1a[.]xn--p1ai"),
            ("evil\u{3002}example", "evil[.]example"),
            ("7.5 of 10 nodes. It is so… .5", "7.5 of 10 nodes. It is so… .5"),
        ] {
            assert_eq!(unlinked(text), free);
        }
    }

    #[test]
    fn secrets_are_struck_out() {
        let url = Url::parse(
            "https://somebody:long%2Fpassword@h/services/T0000001/B0/hush%20hush?k=verysecret&key=k3y4&o=z",
        )
        .unwrap();
        let said = "no B0/hush%20hush at /services/T0000001/B0/hush%20hush?k=verysecret&key=k3y4&o=z for somebody, \
                    `hush hush`, T0000001, k3y4 or verysecret by long/password, which is long%2Fpassword";
        let struck = without(said, &secrets_of(&url));
        for secret in ["hush", "verysecret", "password", "somebody", "T0000001", "k3y4"] {
            assert!(!struck.contains(secret), "{secret}: {struck}");
        }
        assert!(struck.contains("no B0/"), "short words stay: {struck}");
        assert_eq!(without("a b", &[String::new()]), "a b");
    }

    proptest! {
        #[test]
        fn no_text_is_longer_than_its_limit_or_cut_within_an_escape(text in ".{0,80}", limit in 1..60_usize) {
            let (html, mark, plain) = (entities(&text, limit), markdown(&text, limit), cut(&text, limit));
            prop_assert!(html.encode_utf16().count() <= limit);
            prop_assert!(mark.chars().count() <= limit && plain.chars().count() <= limit);
            let back = html.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "");
            let clear = !back.contains('&') && !back.contains('<') && !back.contains('>');
            prop_assert!(clear, "{}", html);
            // Each sign has a backslash of its own.
            let mut signs = mark.trim_end_matches('…').chars();
            while let Some(c) = signs.next() {
                if c == '\\' {
                    let next = signs.next();
                    prop_assert!(next.is_some_and(|c| c.is_ascii_punctuation()), "{}", mark);
                } else {
                    prop_assert!(!c.is_ascii_punctuation(), "{}", mark);
                }
            }
        }
    }
}
