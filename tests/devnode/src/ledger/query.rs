//! Which messages a list is to hold.

use std::collections::HashMap;

use super::{Ledger, Record, Status};
use crate::money::Payment;

/// The filters of `messages.json`, as given in a query.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    kinds: Option<Vec<String>>,
    statuses: Option<Vec<String>>,
    senders: Option<Vec<String>>,
    owners: Option<Vec<String>>,
    refs: Option<Vec<String>>,
    content_hashes: Option<Vec<String>>,
    content_types: Option<Vec<String>>,
    content_keys: Option<Vec<String>>,
    payments: Option<Vec<String>>,
    chains: Option<Vec<String>>,
    channels: Option<Vec<String>>,
    hashes: Option<Vec<String>>,
    start: f64,
    end: f64,
    oldest_first: bool,
}

impl Filter {
    /// Reads the filters of a query.
    pub fn from_query(query: &HashMap<String, String>) -> Self {
        let list = |key: &str| {
            let text = query.get(key)?;
            Some(text.split(',').map(str::to_owned).collect())
        };
        let number = |key: &str| query.get(key).and_then(|text| text.parse().ok());
        Self {
            kinds: list("msgTypes").or_else(|| list("msgType")),
            statuses: list("msgStatuses"),
            senders: list("addresses"),
            owners: list("owners"),
            refs: list("refs"),
            content_hashes: list("contentHashes"),
            content_types: list("contentTypes"),
            content_keys: list("contentKeys"),
            payments: list("paymentTypes"),
            chains: list("chains"),
            channels: list("channels"),
            hashes: list("hashes"),
            start: number("startDate").unwrap_or(0.0),
            end: number("endDate").unwrap_or(0.0),
            oldest_first: query.get("sortOrder").is_some_and(|order| order == "1"),
        }
    }

    /// Whether a record passes.
    pub fn admits(&self, record: &Record) -> bool {
        let message = &record.message;
        let envelope = &message.envelope;
        // What waits or was refused is in tables of its own, which no list by content looks at.
        let listed = self.content_hashes.is_none() || record.status.is_in_force();
        listed
            && self.admits_status(record.status)
            && passes(&self.kinds, Some(envelope.kind.as_str()))
            && passes(&self.senders, Some(&envelope.sender))
            && passes(&self.owners, Some(message.address()))
            && passes(&self.refs, message.text("ref"))
            && passes(&self.content_hashes, message.text("item_hash"))
            && passes(&self.content_types, message.text("type"))
            && passes(&self.content_keys, message.text("key"))
            && passes(&self.payments, payment_of(record).map(Payment::as_str))
            && passes(&self.chains, Some(&envelope.chain))
            && passes(&self.channels, envelope.channel.as_deref())
            && passes(&self.hashes, Some(&envelope.item_hash))
            && (self.start == 0.0 || envelope.time >= self.start)
            && (self.end == 0.0 || envelope.time < self.end)
    }

    fn admits_status(&self, status: Status) -> bool {
        match &self.statuses {
            None => status.is_in_force(),
            Some(statuses) => statuses.iter().any(|wanted| wanted == status.as_str()),
        }
    }
}

fn payment_of(record: &Record) -> Option<Payment> {
    record.message.file().map(|_| record.message.payment())
}

fn passes(allowed: &Option<Vec<String>>, value: Option<&str>) -> bool {
    let Some(allowed) = allowed else { return true };
    value.is_some_and(|value| allowed.iter().any(|item| item == value))
}

impl Ledger {
    /// The records a filter admits, newest first unless it says otherwise.
    pub fn matching(&self, filter: &Filter) -> Vec<&Record> {
        let mut found: Vec<&Record> = match (&filter.content_hashes, &filter.statuses) {
            // The query that probes ask again and again needs no walk through everything.
            (Some(hashes), None) => hashes
                .iter()
                .flat_map(|hash| self.stores_of(hash))
                .filter(|record| filter.admits(record))
                .collect(),
            _ => self.records().filter(|record| filter.admits(record)).collect(),
        };
        found.sort_by(|a, b| {
            let (a, b) = (&a.message.envelope, &b.message.envelope);
            b.time.total_cmp(&a.time).then(a.item_hash.cmp(&b.item_hash))
        });
        if filter.oldest_first {
            found.reverse();
        }
        found
    }
}

/// One page of a list; `per_page` 0 is all of it.
pub(crate) fn page_of<T>(items: Vec<T>, page: usize, per_page: usize) -> impl Iterator<Item = T> {
    let (skip, take) = match per_page {
        0 => (0, usize::MAX),
        per_page => (page.saturating_sub(1).saturating_mul(per_page), per_page),
    };
    items.into_iter().skip(skip).take(take)
}
