//! How bad an incident is.

use crate::{
    health::Health,
    words::{words, words_in_serde},
};

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

words!(Severity { Info = "info", Warning = "warning", Critical = "critical" });
words!(Kind {
    Content = "content",
    Path = "path",
    Removal = "removal",
    Halted = "halted",
    Credits = "credits",
});
words_in_serde!(Severity, Kind);

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
