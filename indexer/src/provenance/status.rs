//! Where a message stands on a node.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// Where a message stands on a node (pyaleph, `MessageStatus`). Nodes may disagree for hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreStatus {
    /// Waits for something, usually its file.
    Pending,
    /// In force.
    Processed,
    /// Its end is announced: whoever pays can't. The bytes are served for about a day more.
    Removing,
    /// At its end, for want of payment.
    Removed,
    /// Taken back by a FORGET. The bytes are served for about a day more.
    Forgotten,
    /// Refused.
    Rejected,
}

impl StoreStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Processed,
        Self::Removing,
        Self::Removed,
        Self::Forgotten,
        Self::Rejected,
    ];

    /// The network's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Removing => "removing",
            Self::Removed => "removed",
            Self::Forgotten => "forgotten",
            Self::Rejected => "rejected",
        }
    }

    /// Whether the node keeps the file for it, with no end in sight.
    pub fn is_live(self) -> bool {
        self == Self::Processed
    }

    /// Whether it kept the file, and soon does not any more or does not already.
    pub fn is_ending(self) -> bool {
        matches!(self, Self::Removing | Self::Removed | Self::Forgotten)
    }

    /// Whether it stays so on a node that is not set up anew.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Removed | Self::Forgotten)
    }
}

impl fmt::Display for StoreStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for StoreStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no status of a message"))
    }
}
