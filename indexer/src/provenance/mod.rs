//! Who had the network keep a content, and whether somebody still does: pure functions of what
//! messages and nodes say.
//!
//! A STORE message keeps a file for as long as it is in force. Its signature says who sent it; what
//! it stands for is told from who that is to the token.

mod security;
mod status;

#[cfg(test)]
mod tests;

use std::{cmp::Reverse, fmt};

use alloy::primitives::Address;
use serde::Serialize;

pub use security::{Authorization, agreed, authorizations};
pub use status::StoreStatus;

/// STORE messages that are kept of one content. Anyone may send as many as they like.
pub const MOST_STORES: usize = 32;

/// Who the sender of a STORE is to a content, from the nearest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// Owns a token that names the content.
    Owner,
    /// Made or owns the collection.
    Creator,
    /// Is the key that repairs here.
    Repairer,
    /// May act for one of these, as that one's `security` aggregate says.
    Authorised,
    /// None of these.
    Stranger,
}

impl Relation {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Creator => "creator",
            Self::Repairer => "repairer",
            Self::Authorised => "authorised",
            Self::Stranger => "stranger",
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Those whose word on a content counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorities {
    /// Owners of tokens that name it.
    pub owners: Vec<Address>,
    /// Those who made or own the collections.
    pub creators: Vec<Address>,
    /// Keys that repair here.
    pub repairers: Vec<Address>,
}

impl Authorities {
    /// All of them, each once, nearest first.
    pub fn all(&self) -> Vec<Address> {
        let mut all: Vec<Address> = Vec::new();
        for one in self.owners.iter().chain(&self.creators).chain(&self.repairers) {
            if !all.contains(one) {
                all.push(*one);
            }
        }
        all
    }

    /// Who a sender is to the content. `grants` are those who authorised the sender; only those count
    /// that are authorities themselves.
    pub fn relation(&self, sender: &str, grants: &[Address]) -> Relation {
        // Accounts of other kinds of chains own no tokens here.
        let Ok(sender) = sender.parse::<Address>() else { return Relation::Stranger };
        if self.owners.contains(&sender) {
            Relation::Owner
        } else if self.creators.contains(&sender) {
            Relation::Creator
        } else if self.repairers.contains(&sender) {
            Relation::Repairer
        } else if grants.iter().any(|one| self.all().contains(one)) {
            Relation::Authorised
        } else {
            Relation::Stranger
        }
    }
}

/// What decides which of too many messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who sent it; `None` where that is not proved.
    pub relation: Option<Relation>,
    /// Nodes that have it in force.
    pub live_on: usize,
    /// Nodes that know it at all.
    pub known_on: usize,
    /// When it was made, as it says.
    pub time: Option<i64>,
}

impl Standing {
    /// Smaller is kept first: what is proved, of those who are nearest, in force on most nodes, oldest.
    /// So a node that lists a million made-up ones displaces none that others list.
    pub fn rank(&self) -> impl Ord + use<> {
        let relation = self.relation.map_or(u8::MAX, |relation| relation as u8);
        (relation, Reverse(self.live_on), Reverse(self.known_on), self.time.unwrap_or(i64::MAX))
    }
}

/// Whether a node is about to give a content up, or may have: a STORE kept it there, and ends or has
/// ended, and no other is in force. `live` counts proved messages in force on that node, also those
/// that are not kept here.
pub fn is_ending(statuses: &[StoreStatus], live: u64) -> bool {
    live == 0 && statuses.iter().any(|status| status.is_ending())
}
