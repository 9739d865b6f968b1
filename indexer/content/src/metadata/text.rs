//! JSON strings and numbers that are grammar but not sense.

use std::borrow::Cow;

/// The first thing in a JSON string (with its quotation marks) that readers may stumble on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Oddities {
    /// A control character other than tab and line breaks, escaped or (from U+007F) not.
    pub(super) control: Option<u32>,
    /// Half a surrogate pair.
    pub(super) lone_surrogate: bool,
}

/// Looks at each escape of a string.
pub(super) fn oddities(raw: &str) -> Oddities {
    let mut odd = Oddities::default();
    let unseen = |c: &char| c.is_control() && !"\t\n\r".contains(*c);
    odd.control = raw.chars().find(unseen).map(u32::from);
    for (_, unit) in units(raw) {
        match unit {
            Unit::Lone => odd.lone_surrogate = true,
            Unit::Plain(code) if char::from_u32(code).is_some_and(|c| unseen(&c)) => {
                odd.control = odd.control.or(Some(code));
            }
            Unit::Plain(_) => {}
        }
    }
    odd
}

/// The text of a JSON string; half a surrogate pair becomes U+FFFD, as where browsers send it.
/// Empty for what is no JSON string.
pub(super) fn decode(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => return Cow::Borrowed(inner),
        Some(_) => {}
        None => return Cow::Borrowed(""),
    }
    let mut whole = String::with_capacity(raw.len());
    let mut copied = 0;
    for (at, unit) in units(raw) {
        if unit == Unit::Lone {
            whole.push_str(&raw[copied..at]);
            whole.push_str("\\ufffd");
            copied = at + ESCAPE;
        }
    }
    whole.push_str(&raw[copied..]);
    Cow::Owned(serde_json::from_str(&whole).unwrap_or_default())
}

/// Bytes of `\uXXXX`.
const ESCAPE: usize = 6;

/// What a numeric escape is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A character, or a whole pair (0).
    Plain(u32),
    /// Half a pair.
    Lone,
}

/// Each `\b`, `\f` and `\uXXXX` of a JSON string, and where it stands.
fn units(raw: &str) -> impl Iterator<Item = (usize, Unit)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += raw.get(at..)?.find('\\')?;
            let start = at;
            let escape = raw.as_bytes().get(at + 1)?;
            at += 2;
            let unit = match escape {
                b'b' => Unit::Plain(8),
                b'f' => Unit::Plain(12),
                b'u' => {
                    let code = hex(raw, start)?;
                    at = start + ESCAPE;
                    match code {
                        0xd800..=0xdbff if hex(raw, at).is_some_and(is_low) => {
                            at += ESCAPE;
                            Unit::Plain(0xfffd)
                        }
                        0xd800..=0xdfff => Unit::Lone,
                        code => Unit::Plain(code),
                    }
                }
                _ => continue,
            };
            return Some((start, unit));
        }
    })
}

fn is_low(code: u32) -> bool {
    (0xdc00..=0xdfff).contains(&code)
}

/// The number of `\uXXXX` at a place.
fn hex(raw: &str, at: usize) -> Option<u32> {
    let digits = raw.get(at..at + ESCAPE)?.strip_prefix("\\u")?;
    u32::from_str_radix(digits, 16).ok()
}

/// Whether a JSON number becomes another one in a reader that has doubles only, as browsers do:
/// too large, too small, or an integer with more digits than fit.
pub(super) fn changes_as_double(raw: &str) -> bool {
    let Ok(double) = raw.parse::<f64>() else { return false };
    let mantissa = raw.split(['e', 'E']).next().unwrap_or(raw);
    let zero = !mantissa.contains(|c: char| ('1'..='9').contains(&c));
    if double.is_infinite() || (double == 0.0) != zero {
        return true;
    }
    // 15 digits always fit.
    raw.len() > 15
        && raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        && format!("{double:.0}") != raw
}
