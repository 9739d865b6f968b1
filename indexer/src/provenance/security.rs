//! Whom an account lets act for it: its aggregate `security`.
//!
//! The rules are pyaleph's (`permissions.py`): an entry covers a message of its `address` whose chain,
//! channel and type it names; what it leaves out, or leaves empty, covers any.

use serde_json::Value;

/// Entries of one aggregate that are looked at.
const MOST: usize = 1_000;
/// The type of message that is asked about most.
const STORE: &str = "STORE";

/// Somebody who may act for the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    address: String,
    chain: Option<String>,
    channels: Vec<String>,
    types: Vec<String>,
}

impl Authorization {
    /// Reads an entry. One whose lists are no lists of texts is none: what is not understood allows
    /// nothing.
    fn read(entry: &Value) -> Option<Self> {
        let list = |key: &str| match entry.get(key) {
            None => Some(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
            }
            Some(_) => None,
        };
        let chain = match entry.get("chain") {
            None | Some(Value::Null) => None,
            Some(Value::String(chain)) => Some(chain.clone()).filter(|chain| !chain.is_empty()),
            Some(_) => return None,
        };
        Some(Self {
            address: entry.get("address")?.as_str()?.to_owned(),
            chain,
            channels: list("channels")?,
            types: list("types")?,
        })
    }

    /// Whether it lets `sender` send a STORE on a chain and a channel.
    pub fn covers_store(&self, sender: &str, chain: &str, channel: Option<&str>) -> bool {
        self.covers(sender, chain, channel, STORE)
    }

    /// Whether it lets `sender` send a message of a type on a chain and a channel.
    pub fn covers(&self, sender: &str, chain: &str, channel: Option<&str>, kind: &str) -> bool {
        let channel_fits = self.channels.is_empty()
            || channel.is_some_and(|channel| self.channels.iter().any(|one| one == channel));
        self.address.eq_ignore_ascii_case(sender)
            && self.chain.as_ref().is_none_or(|one| one == chain)
            && channel_fits
            && (self.types.is_empty() || self.types.iter().any(|one| one == kind))
    }
}

/// The entries of a `security` aggregate, as far as they can be read.
pub fn authorizations(security: &Value) -> Vec<Authorization> {
    let entries = security.get("authorizations").and_then(Value::as_array);
    entries.into_iter().flatten().take(MOST).filter_map(Authorization::read).collect()
}

/// Whether nodes agree that somebody is authorised: most of those that answered say so. Each only
/// claims it.
pub fn agreed(yes: usize, answered: usize) -> bool {
    yes.saturating_mul(2) > answered
}
