//! Balances, credits, costs, aggregates and permissions of accounts.

use serde_json::{Map, Value, json};

use super::{Ledger, Record, Refusal};
use crate::envelope::{Kind, Message, strings};
use crate::money::{self, Payment};
use crate::stamp;

/// A STORE that is held for, and not larger, needs no balance.
const FREE_WHEN_HELD: u64 = 25 << 20;

impl Ledger {
    /// Gives an account credits, besides those it gets by messages.
    pub fn give_credits(&mut self, address: &str, amount: u64) {
        *self.credits.entry(address.to_owned()).or_default() += i128::from(amount);
    }

    /// What `/addresses/{a}/balance` answers.
    pub fn balance(&self, address: &str) -> Value {
        let details: Map<String, Value> = self
            .balances
            .get(address)
            .into_iter()
            .flatten()
            .map(|(chain, amount)| (chain.clone(), json!(amount)))
            .collect();
        let locked = money::float(self.cost(address, Payment::Hold));
        let credits = self.credit_of(address);
        let credits = u64::try_from(credits).unwrap_or(u64::MAX);
        json!({
            "address": address, "balance": self.held(address), "details": details,
            "locked_amount": locked, "credit_balance": credits, "credit_balance_details": null,
        })
    }

    /// What `/addresses/{a}/files` answers; `None` where there are none.
    pub fn account_files(&self, address: &str, page: usize, per_page: usize) -> Option<Value> {
        let mut stores: Vec<&Record> = self
            .in_force(Kind::Store)
            .filter(|record| record.message.address() == address)
            .collect();
        if stores.is_empty() {
            return None;
        }
        stores.sort_by(|a, b| b.message.time().total_cmp(&a.message.time()));
        let listed: Vec<(u64, Value)> =
            stores.into_iter().filter_map(|record| self.account_file(record)).collect();
        let total_size: u64 = listed.iter().map(|(size, _)| size).sum();
        let count = listed.len();
        let files: Vec<Value> =
            super::query::page_of(listed, page, per_page).map(|(_, file)| file).collect();
        Some(json!({
            "address": address, "total_size": total_size, "files": files,
            "pagination_page": page, "pagination_total": count, "pagination_per_page": per_page,
        }))
    }

    fn account_file(&self, record: &Record) -> Option<(u64, Value)> {
        let file = record.message.file()?;
        let size = self.file_size(&file.on_disk).unwrap_or(0);
        let created = stamp::rfc3339(record.message.time());
        let entry = json!({"file_hash": file.given, "size": size, "type": "file",
            "created": created, "item_hash": record.hash()});
        Some((size, entry))
    }

    /// An account's aggregate: its keys, or only those asked for.
    pub fn aggregate(&self, address: &str, keys: Option<&[&str]>) -> Map<String, Value> {
        self.aggregates
            .iter()
            .filter(|((owner, key), elements)| {
                owner == address
                    && !elements.is_empty()
                    && keys.is_none_or(|keys| keys.contains(&key.as_str()))
            })
            .map(|((_, key), elements)| (key.clone(), self.merged(elements)))
            .collect()
    }

    /// Later elements overwrite the keys of earlier ones.
    fn merged(&self, elements: &[String]) -> Value {
        let mut messages: Vec<&Message> =
            elements.iter().filter_map(|hash| Some(&self.messages.get(hash)?.message)).collect();
        messages.sort_by(|a, b| a.time().total_cmp(&b.time()));
        let mut merged = Map::new();
        for message in messages {
            if let Some(Value::Object(content)) = message.content.get("content") {
                merged.extend(content.clone());
            }
        }
        Value::Object(merged)
    }

    /// Whether `sender` may send `message` for the account `owner`.
    pub fn is_authorized(&self, sender: &str, owner: &str, message: &Message) -> bool {
        if sender.eq_ignore_ascii_case(owner) {
            return true;
        }
        let aggregate = self.aggregate(owner, Some(&["security"]));
        let authorizations = aggregate
            .get("security")
            .and_then(|security| security.get("authorizations"))
            .and_then(Value::as_array);
        authorizations
            .into_iter()
            .flatten()
            .any(|authorization| covers(authorization, sender, message))
    }

    /// Whether the account can pay a STORE of `size` bytes besides what it pays already.
    pub fn can_pay(&self, message: &Message, size: Option<u64>) -> Result<(), Refusal> {
        let payment = message.payment();
        let small = size.is_none_or(|size| size <= FREE_WHEN_HELD);
        if self.unlimited_credit || (payment == Payment::Hold && small) {
            return Ok(());
        }
        self.check_payment(message.address(), payment, size.unwrap_or(0))
    }

    /// The same, without the exception for small files: what uploads are asked for.
    pub fn check_payment(&self, address: &str, payment: Payment, size: u64) -> Result<(), Refusal> {
        if self.unlimited_credit {
            return Ok(());
        }
        let cost = self.cost(address, payment) + payment.cost(size);
        match payment {
            Payment::Credit => {
                let (credits, needed) = (self.credit_of(address), money::credits_for_a_day(cost));
                if money::units(credits) >= needed {
                    return Ok(());
                }
                let error = json!({"account_credits": credits.to_string(), "min_runtime_days": 1,
                    "required_credits": money::decimal(needed)});
                Err(refusal(6, error))
            }
            Payment::Hold => {
                let held = self.held(address);
                if money::units_of(held) >= cost {
                    return Ok(());
                }
                let error = json!({"account_balance": held.to_string(),
                    "required_balance": money::decimal(cost)});
                Err(refusal(5, error))
            }
        }
    }

    fn cost(&self, address: &str, payment: Payment) -> u128 {
        let key = (address.to_owned(), payment.as_str());
        self.costs.get(&key).copied().unwrap_or(0)
    }

    fn held(&self, address: &str) -> f64 {
        let held = self.balances.get(address).into_iter().flatten();
        held.map(|(_, amount)| amount).fold(0.0, |sum, amount| sum + amount)
    }

    fn credit_of(&self, address: &str) -> u128 {
        let credits = self.credits.get(address).copied().unwrap_or(0);
        u128::try_from(credits).unwrap_or(0)
    }

    /// Posts of the authority set balances and give credits.
    pub(super) fn take_money_post(&mut self, message: &Message) {
        if message.address() != self.authority {
            return;
        }
        match message.text("type") {
            Some("balances-update") => self.take_balances(&message.content["content"]),
            Some("aleph_credit_distribution") => {
                self.take_credits(&message.content["content"]["distribution"]);
            }
            _ => {}
        }
    }

    fn take_balances(&mut self, content: &Value) {
        let chain = content["chain"].as_str().unwrap_or("ETH");
        for (address, amount) in content["balances"].as_object().into_iter().flatten() {
            let chains = self.balances.entry(address.clone()).or_default();
            chains.retain(|(other, _)| other != chain);
            chains.push((chain.to_owned(), amount.as_f64().unwrap_or(0.0)));
        }
    }

    fn take_credits(&mut self, distribution: &Value) {
        for entry in distribution["credits"].as_array().into_iter().flatten() {
            if let (Some(address), Some(amount)) =
                (entry["address"].as_str(), entry["amount"].as_u64())
            {
                self.give_credits(address, amount);
            }
        }
    }
}

/// A refusal with one error.
fn refusal(error_code: i64, error: Value) -> Refusal {
    Refusal { error_code, details: json!({"errors": [error]}) }
}

/// Whether one entry of a `security` aggregate covers a message. Empty lists cover everything.
fn covers(authorization: &Value, sender: &str, message: &Message) -> bool {
    let envelope = &message.envelope;
    let allows = |list: &str, value: Option<&str>| {
        let list = strings(authorization.get(list));
        list.is_empty() || value.is_some_and(|value| list.iter().any(|item| item == value))
    };
    authorization["address"].as_str().is_some_and(|address| address.eq_ignore_ascii_case(sender))
        && authorization["chain"]
            .as_str()
            .is_none_or(|chain| chain.is_empty() || chain == envelope.chain)
        && allows("channels", envelope.channel.as_deref())
        && allows("types", Some(envelope.kind.as_str()))
        && (envelope.kind != Kind::Post || allows("post_types", message.text("type")))
        && (envelope.kind != Kind::Aggregate || allows("aggregate_keys", message.text("key")))
}
