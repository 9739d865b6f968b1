//! Posts as `/posts.json` shows them: the newest amend in the original's place.

use serde_json::{Value, json};

use super::{Filter, Ledger, Record};
use crate::envelope::Kind;
use crate::stamp;

impl Ledger {
    /// Original posts that a filter admits, each with its newest content.
    pub fn posts(&self, filter: &Filter) -> Vec<Value> {
        self.matching(filter)
            .into_iter()
            .filter(|record| record.message.envelope.kind == Kind::Post)
            .filter(|record| record.message.text("type") != Some("amend"))
            .map(|original| self.post(original))
            .collect()
    }

    fn post(&self, original: &Record) -> Value {
        let newest = self
            .amends
            .get(original.hash())
            .into_iter()
            .flatten()
            .filter_map(|hash| self.get(hash))
            .max_by(|a, b| a.message.time().total_cmp(&b.message.time()))
            .unwrap_or(original);
        let (first, last) = (&original.message, &newest.message);
        json!({
            "chain": last.envelope.chain, "item_hash": newest.hash(),
            "sender": last.address(), "type": last.text("type"),
            "channel": last.envelope.channel, "confirmed": false,
            "content": last.content["content"], "item_content": last.envelope.item_content,
            "item_type": last.envelope.item_type, "signature": last.envelope.signature,
            "size": last.envelope.item_content.len(),
            "time": stamp::rounded(last.envelope.time), "confirmations": [],
            "original_item_hash": original.hash(),
            "original_signature": first.envelope.signature,
            "original_type": first.text("type"), "hash": original.hash(),
            "address": first.address(), "ref": first.text("ref"),
        })
    }
}
