//! Messages as they are sent: the signed envelope and the content inside.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::item_hash::FileHash;
use crate::money::Payment;

/// Content inside a message may have this many characters.
const LONGEST_INLINE: usize = 200_000;

/// The kinds of message this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// Keep a file.
    Store,
    /// Publish something, or amend it.
    Post,
    /// Set keys of an account's aggregate.
    Aggregate,
    /// Forget earlier messages.
    Forget,
}

impl Kind {
    /// The word used for it in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "STORE",
            Self::Post => "POST",
            Self::Aggregate => "AGGREGATE",
            Self::Forget => "FORGET",
        }
    }
}

/// The signed envelope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// Who signed.
    pub sender: String,
    /// The chain of the signer's account.
    pub chain: String,
    /// The signature, if there is one.
    #[serde(default)]
    pub signature: Option<String>,
    /// The kind of message.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The content, as the very text that was hashed.
    pub item_content: String,
    /// Where the content is; this node takes `inline` only.
    #[serde(default = "inline")]
    pub item_type: String,
    /// The sha-256 of `item_content`.
    pub item_hash: String,
    /// When it was sent; not signed.
    pub time: f64,
    /// The channel; not signed.
    #[serde(default)]
    pub channel: Option<String>,
}

fn inline() -> String {
    "inline".to_owned()
}

/// The message is not one: its form is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidFormat;

/// A message whose form is right: the envelope and its content.
#[derive(Clone, Debug)]
pub struct Message {
    /// The envelope.
    pub envelope: Envelope,
    /// What `item_content` says.
    pub content: Value,
}

impl Message {
    /// Reads a message, checking everything that needs neither keys nor records.
    pub fn parse(value: &Value) -> Result<Self, InvalidFormat> {
        let envelope = Envelope::deserialize(value).map_err(|_| InvalidFormat)?;
        let text = &envelope.item_content;
        if envelope.item_type != "inline" || text.chars().count() > LONGEST_INLINE {
            return Err(InvalidFormat);
        }
        if hex::encode(Sha256::digest(text)) != envelope.item_hash {
            return Err(InvalidFormat);
        }
        let content: Value = serde_json::from_str(text).map_err(|_| InvalidFormat)?;
        if !is_content_right(envelope.kind, &content) {
            return Err(InvalidFormat);
        }
        Ok(Self { envelope, content })
    }

    /// The account the message is for.
    pub fn address(&self) -> &str {
        self.text("address").unwrap_or_default()
    }

    /// A text in the content.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.content.get(key)?.as_str()
    }

    /// The content's own, signed time.
    pub fn time(&self) -> f64 {
        self.content.get("time").and_then(Value::as_f64).unwrap_or_default()
    }

    /// The file of a STORE.
    pub fn file(&self) -> Option<FileHash> {
        match self.envelope.kind {
            Kind::Store => FileHash::parse(self.text("item_hash")?),
            _ => None,
        }
    }

    /// How a STORE is paid: by holding, where it does not say.
    pub fn payment(&self) -> Payment {
        match self.content.pointer("/payment/type").and_then(Value::as_str) {
            Some("credit") => Payment::Credit,
            _ => Payment::Hold,
        }
    }

    /// The tag under which a STORE's file is found: its `ref`, or its own hash.
    pub fn file_tag(&self) -> String {
        match self.text("ref") {
            None => self.envelope.item_hash.clone(),
            Some(reference) if FileHash::parse(reference).is_some() => reference.to_owned(),
            Some(reference) => format!("{}/{reference}", self.address()),
        }
    }

    /// The messages that a FORGET names.
    pub fn targets(&self) -> Vec<String> {
        strings(self.content.get("hashes"))
    }
}

/// The texts in a JSON array.
pub fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn is_content_right(kind: Kind, content: &Value) -> bool {
    let has_text = |key: &str| content.get(key).is_some_and(Value::is_string);
    if !has_text("address") || !content.get("time").is_some_and(Value::is_number) {
        return false;
    }
    match kind {
        Kind::Store => is_store_right(content),
        Kind::Post => has_text("type"),
        Kind::Aggregate => has_text("key") && content.get("content").is_some_and(Value::is_object),
        Kind::Forget => ["hashes", "aggregates"]
            .iter()
            .all(|key| is_absent(content.get(key)) || content[*key].is_array()),
    }
}

fn is_store_right(content: &Value) -> bool {
    let item_type = content.get("item_type").and_then(Value::as_str);
    let item_hash = content.get("item_hash").and_then(Value::as_str);
    let payment = content.get("payment");
    matches!(item_type, Some("storage" | "ipfs"))
        && item_hash.and_then(FileHash::parse).is_some()
        && (is_absent(content.get("ref")) || content["ref"].is_string())
        && (is_absent(payment)
            || matches!(
                content.pointer("/payment/type").and_then(Value::as_str),
                Some("hold" | "credit" | "superfluid")
            ))
}

fn is_absent(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn store(item_hash: &str) -> Value {
        let item_content = json!({"address": "0x1", "time": 1.5, "item_type": "ipfs",
            "item_hash": item_hash})
        .to_string();
        json!({"sender": "0x1", "chain": "ETH", "type": "STORE", "item_type": "inline",
            "item_hash": hex::encode(Sha256::digest(&item_content)), "time": 1.5,
            "item_content": item_content})
    }

    #[test]
    fn forms() {
        let right = store("QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4");
        assert!(Message::parse(&right).is_ok());
        let raw = store("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy");
        assert!(Message::parse(&raw).is_err());
        let mut other = right;
        other["item_hash"] = json!("ab".repeat(32));
        assert!(Message::parse(&other).is_err());
    }
}
