//! How bad an incident is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::health::Health;

/// How bad an incident is. The order is from least to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// To be known, no more.
    Info,
    /// Something is to be done, and there is time.
    Warning,
    /// Something is lost, or nobody watches a collection any more.
    Critical,
}

/// What an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The health of a content.
    Content,
    /// A path below a content address that leads nowhere.
    Path,
    /// A content that some node is about to give up.
    Removal,
    /// A collection that is not read any further.
    Halted,
    /// Who pays for a collection's STOREs can't for long.
    Credits,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{text}` is none of {}", [$($word),+].join(", "))),
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words!(Severity { Info = "info", Warning = "warning", Critical = "critical" });
words!(Kind {
    Content = "content",
    Path = "path",
    Removal = "removal",
    Halted = "halted",
    Credits = "credits",
});

impl Severity {
    /// Of an incident of a kind whose subject has this health now. What is about to happen, or is below
    /// a folder that is there, can wait for somebody's morning, whatever its health: where the content
    /// itself is lost, an incident of its own says so.
    pub fn of(kind: Kind, health: Health) -> Self {
        match (kind, health) {
            (Kind::Halted, _) | (Kind::Content | Kind::Credits, Health::Lost) => Self::Critical,
            (Kind::Path | Kind::Removal, _) | (_, Health::Degraded | Health::Unverifiable) => {
                Self::Warning
            }
            _ => Self::Info,
        }
    }

    /// As the ledger keeps it: larger is worse.
    pub fn rank(self) -> i64 {
        self as i64
    }

    /// Back from [`Severity::rank`].
    pub fn of_rank(rank: i64) -> Option<Self> {
        Self::ALL.iter().copied().find(|severity| severity.rank() == rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_or_halted_is_critical() {
        use Health::{Degraded, Healthy, Lost, Unverifiable};
        for (kind, health, expected) in [
            (Kind::Content, Lost, Severity::Critical),
            (Kind::Content, Degraded, Severity::Warning),
            (Kind::Content, Healthy, Severity::Info),
            (Kind::Halted, Unverifiable, Severity::Critical),
            (Kind::Removal, Healthy, Severity::Warning),
            (Kind::Path, Lost, Severity::Warning),
        ] {
            assert_eq!(Severity::of(kind, health), expected, "{kind} {health}");
        }
    }

    #[test]
    fn words_and_ranks_come_back() {
        for severity in Severity::ALL {
            assert_eq!(severity.as_str().parse(), Ok(*severity));
            assert_eq!(Severity::of_rank(severity.rank()), Some(*severity));
        }
        assert!("loud".parse::<Severity>().unwrap_err().contains("info, warning, critical"));
        assert!(Kind::ALL.iter().all(|kind| kind.as_str().parse() == Ok(*kind)));
    }
}
