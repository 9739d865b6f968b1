//! One message as the node keeps it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::envelope::{Envelope, Message};

/// Where a message stands on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waits for something, usually its file.
    Pending,
    /// In force.
    Processed,
    /// Refused, with a reason.
    Rejected,
    /// Taken back by a FORGET.
    Forgotten,
    /// Its owner can't pay any more; still in force.
    Removing,
    /// Gone for want of payment.
    Removed,
}

impl Status {
    /// The word used for it in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Rejected => "rejected",
            Self::Forgotten => "forgotten",
            Self::Removing => "removing",
            Self::Removed => "removed",
        }
    }

    /// Whether a message of this status counts.
    pub fn is_in_force(self) -> bool {
        matches!(self, Self::Processed | Self::Removing)
    }
}

/// Why a message was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The network's number for it.
    pub error_code: i64,
    /// More about it.
    pub details: Value,
}

/// A message, where it stands, and since when.
#[derive(Clone, Debug)]
pub struct Record {
    /// The message.
    pub message: Message,
    /// Where it stands.
    pub status: Status,
    /// When it came in.
    pub received: f64,
    /// Why it was rejected.
    pub refusal: Option<Refusal>,
    /// The FORGET messages that named it.
    pub forgotten_by: Vec<String>,
    /// When it was forgotten or removed.
    pub ended: Option<f64>,
    /// The size of its file at that time.
    pub size: Option<u64>,
}

impl Record {
    /// A message that has just come in.
    pub fn pending(message: Message, received: f64) -> Self {
        Self {
            message,
            status: Status::Pending,
            received,
            refusal: None,
            forgotten_by: Vec::new(),
            ended: None,
            size: None,
        }
    }

    /// The message's hash.
    pub fn hash(&self) -> &str {
        &self.message.envelope.item_hash
    }

    /// The line that keeps this record in the journal.
    pub(super) fn to_line(&self) -> Line {
        Line {
            envelope: self.message.envelope.clone(),
            status: self.status,
            received: self.received,
            refusal: self.refusal.clone(),
            forgotten_by: self.forgotten_by.clone(),
            ended: self.ended,
            size: self.size,
        }
    }
}

/// A record as it stands in the journal.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    envelope: Envelope,
    status: Status,
    received: f64,
    refusal: Option<Refusal>,
    forgotten_by: Vec<String>,
    ended: Option<f64>,
    size: Option<u64>,
}

impl Line {
    /// The record this line keeps.
    pub(super) fn into_record(self) -> Option<Record> {
        let content = serde_json::from_str(&self.envelope.item_content).ok()?;
        Some(Record {
            message: Message { envelope: self.envelope, content },
            status: self.status,
            received: self.received,
            refusal: self.refusal,
            forgotten_by: self.forgotten_by,
            ended: self.ended,
            size: self.size,
        })
    }
}
