//! Numbers in what providers write: how many blocks they take, and when they want to be asked again.
//! All texts are in lower case.

use std::time::Duration;

/// The longest wait that words can ask for.
const MOST_WAIT: Duration = Duration::from_secs(60 * 60);

/// The number of blocks that a text says would be answered.
pub(super) fn named_blocks(text: &str) -> Option<u64> {
    bracketed(text).or_else(|| dashed(text)).or_else(|| limit(text))
}

/// `… range [0x1, 0x64]`: 100 blocks.
fn bracketed(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("[0x")?;
    let (inner, _) = rest.split_once(']')?;
    let (from, to) = inner.split_once(',')?;
    let hex = |digits: &str| u64::from_str_radix(digits.trim().trim_start_matches("0x"), 16).ok();
    length(hex(from)?, hex(to)?)
}

/// `… with the range 100-199`: 100 blocks.
fn dashed(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("with the range ")?;
    let (from, to) = rest.split_whitespace().next()?.split_once('-')?;
    length(from.parse().ok()?, to.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()?)
}

fn length(from: u64, to: u64) -> Option<u64> {
    to.checked_sub(from)?.checked_add(1)
}

/// The limit in a text about blocks or ranges: the last number that is not of something else.
fn limit(text: &str) -> Option<u64> {
    if !text.contains("block") && !text.contains("range") {
        return None;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_of_else = |word: Option<&&str>| {
        let others = ["result", "log", "address", "topic", "byte", "second", "request"];
        word.is_some_and(|word| others.iter().any(|other| word.starts_with(other)))
    };
    let numbers = words.iter().enumerate().filter(|(index, _)| !is_of_else(words.get(index + 1)));
    numbers.filter_map(|(_, word)| number(word)).rfind(|number| *number > 0)
}

/// `10,000`, `10000`, `2k`, with what punctuation is around it.
fn number(word: &str) -> Option<u64> {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let (digits, factor) = match word.strip_suffix('k') {
        Some(digits) => (digits, 1000),
        None => (word, 1),
    };
    let digits = digits.replace(',', "");
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// What stands before a time to wait.
const BEFORE_WAIT: [&str; 7] = [
    "try again in ",
    "retry in ",
    "retry after ",
    "retry-after: ",
    "again after ",
    "wait ",
    "\"backoff_seconds\":",
];

/// How long a text says to wait.
pub(super) fn named_wait(text: &str) -> Option<Duration> {
    let rest = BEFORE_WAIT.iter().find_map(|words| Some(text.split_once(words)?.1))?;
    duration(rest)
}

/// `10`, `10s`, `3 seconds`, `500ms`, `10m0s`, `1.5s`: of parts, the first counts, rounded up.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    // More digits than fit are a very long time.
    let mut value: u64 = text[..digits].parse().unwrap_or(u64::MAX);
    let mut unit = &text[digits..];
    if let Some(fraction) = unit.strip_prefix('.').filter(|rest| rest.starts_with(digit)) {
        value = value.saturating_add(1);
        unit = fraction.trim_start_matches(digit);
    }
    let unit = unit.trim_start();
    let millis = match unit {
        _ if unit.starts_with("ms") || unit.starts_with("milli") => value,
        _ if unit.starts_with('m') => value.saturating_mul(60_000),
        _ if unit.starts_with('h') => value.saturating_mul(3_600_000),
        _ => value.saturating_mul(1000),
    };
    Some(Duration::from_millis(millis).min(MOST_WAIT))
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_to_wait() {
        for (text, millis) in [
            ("retry in 10s", Some(10_000)),
            ("please try again in 500ms.", Some(500)),
            ("retry in 1.5s", Some(2000)),
            ("retry in 10m0s", Some(600_000)),
            ("try again in 2 hours", Some(3_600_000)),
            ("wait 3", Some(3000)),
            ("retry in a while", None),
            ("retry in ", None),
            ("slow down", None),
        ] {
            assert_eq!(named_wait(text).map(|wait| wait.as_millis()), millis, "{text}");
        }
    }

    #[test]
    fn strange_texts_name_nothing() {
        for text in [
            "block range [0x, 0x]",
            "block range [0x5, 0x1]",
            "block range [0x0, 0xffffffffffffffff]",
            "block range [0x1",
            "blocks",
            "range 99999999999999999999",
            "with the range 9-1",
            "with the range -",
        ] {
            assert_eq!(named_blocks(text), None, "{text}");
        }
    }
}
