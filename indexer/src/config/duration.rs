//! Durations as people write them: `"0s"`, `"500ms"`, `"30s"`, `"10m"`, `"24h"`, `"7d"`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration in a configuration file: a whole number and a unit (`ms`, `s`, `m`, `h`, `d`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// A span of whole seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Milliseconds, capped at `i64::MAX`: the ledger's unit of time.
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Milliseconds in one of each unit, largest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let wrong = || {
            format!(
                "`{text}` is not a duration; write a whole number and ms, s, m, h or d: \"30s\""
            )
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        number
            .checked_mul(*millis)
            .filter(|total| i64::try_from(*total).is_ok())
            .map(|total| Self(Duration::from_millis(total)))
            .ok_or_else(|| format!("`{text}` is too long a duration"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let unit =
            UNITS.iter().find(|(_, size)| millis != 0 && millis.is_multiple_of(u128::from(*size)));
        match unit {
            Some((name, size)) => write!(f, "{}{name}", millis / u128::from(*size)),
            None => write!(f, "0s"),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in
            [("0s", 0), ("30s", 30), ("10m", 600), ("24h", 86_400), ("7d", 604_800)]
        {
            assert_eq!(text.parse::<Span>().unwrap(), Span::secs(seconds), "{text}");
        }
        for text in
            ["", "30", "s", "-1s", "1.5h", "10 m", "99999999999999999999s", "9999999999999999d"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(millis in 0u64..10_000_000_000) {
            let span = Span(Duration::from_millis(millis));
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
    }
}
