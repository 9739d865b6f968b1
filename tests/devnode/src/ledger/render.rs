//! Records as the node's answers show them.

use serde_json::{Map, Value, json};

use super::{Record, Status};
use crate::envelope::{Kind, Message};
use crate::money::Payment;
use crate::stamp;

/// What `/messages/{h}` answers.
pub fn with_status(record: &Record) -> Value {
    let mut answer = json!({
        "status": record.status.as_str(),
        "item_hash": record.hash(),
        "reception_time": stamp::rfc3339(record.received),
    });
    match record.status {
        Status::Pending => answer["messages"] = json!([pending(record)]),
        Status::Processed => answer["message"] = live(record),
        Status::Removing => {
            answer["message"] = live(record);
            answer["reason"] = reason(record);
        }
        Status::Rejected => {
            answer["message"] = rejected(record);
            if let Some(refusal) = &record.refusal {
                answer["error_code"] = json!(refusal.error_code);
                answer["details"] = refusal.details.clone();
            }
        }
        Status::Forgotten => {
            answer["message"] = skeleton(record);
            answer["forgotten_by"] = json!(record.forgotten_by);
        }
        Status::Removed => {
            answer["message"] = skeleton(record);
            answer["reason"] = reason(record);
            answer["removed_at"] = json!(record.ended);
            answer["size"] = json!(record.size);
        }
    }
    answer
}

/// A message in force, with every field its kind has.
pub fn live(record: &Record) -> Value {
    let mut message = envelope(&record.message);
    message["content"] = filled(&record.message);
    message["confirmed"] = json!(false);
    message["confirmations"] = json!([]);
    message
}

/// A message as it stands in a list; `format` is `full`, `headers` or `none`.
pub fn listed(record: &Record, format: &str) -> Value {
    if matches!(record.status, Status::Forgotten | Status::Removed) {
        let mut message = skeleton(record);
        message["status"] = json!(record.status.as_str());
        if record.status == Status::Forgotten {
            message["forgotten_by"] = json!(record.forgotten_by);
        }
        return message;
    }
    let mut message = envelope(&record.message);
    message["size"] = json!(record.message.envelope.item_content.len());
    message["confirmed"] = json!(false);
    message["confirmations"] = json!([]);
    match format {
        "headers" => message["content"] = headers(&record.message),
        "none" => {}
        _ => message["content"] = record.message.content.clone(),
    }
    message
}

fn envelope(message: &Message) -> Value {
    let envelope = &message.envelope;
    json!({
        "sender": envelope.sender, "chain": envelope.chain, "signature": envelope.signature,
        "type": envelope.kind.as_str(), "item_content": envelope.item_content,
        "item_type": envelope.item_type, "item_hash": envelope.item_hash,
        "time": stamp::rounded(envelope.time), "channel": envelope.channel,
    })
}

fn pending(record: &Record) -> Value {
    let mut message = envelope(&record.message);
    message["time"] = json!(stamp::rfc3339(record.message.envelope.time));
    message["content"] = record.message.content.clone();
    message["reception_time"] = json!(stamp::rfc3339(record.received));
    message
}

fn rejected(record: &Record) -> Value {
    let mut message = envelope(&record.message);
    message["origin"] = json!("p2p");
    message["content"] = record.message.content.clone();
    message
}

/// What is left of a message that is no more in force.
fn skeleton(record: &Record) -> Value {
    let mut message = envelope(&record.message);
    if let Some(fields) = message.as_object_mut() {
        fields.remove("item_content");
    }
    message["owner"] = json!(record.message.address());
    message["payment_type"] = match record.message.envelope.kind {
        Kind::Store => json!(record.message.payment().as_str()),
        _ => Value::Null,
    };
    message["size"] = json!(record.size);
    let ended = match record.status {
        Status::Removed => "removed_at",
        _ => "forgotten_at",
    };
    message[ended] = json!(record.ended.map(stamp::rounded));
    message
}

fn reason(record: &Record) -> Value {
    match record.message.payment() {
        Payment::Credit => json!("credit_insufficient"),
        Payment::Hold => json!("balance_insufficient"),
    }
}

/// The content with a null for every field that was left out.
fn filled(message: &Message) -> Value {
    let fields: &[&str] = match message.envelope.kind {
        Kind::Store => &[
            "address",
            "time",
            "item_type",
            "item_hash",
            "size",
            "content_type",
            "ref",
            "tags",
            "metadata",
            "payment",
        ],
        Kind::Post => &["address", "time", "content", "ref", "type"],
        Kind::Aggregate => &["address", "time", "key", "content"],
        Kind::Forget => &["address", "time", "hashes", "aggregates", "reason"],
    };
    let given = message.content.as_object().cloned().unwrap_or_default();
    let mut content: Map<String, Value> =
        fields.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    content.extend(given);
    if message.envelope.kind == Kind::Forget {
        for list in ["hashes", "aggregates"] {
            if content[list].is_null() {
                content[list] = json!([]);
            }
        }
    }
    if let Some(payment) = content.get_mut("payment").and_then(Value::as_object_mut) {
        payment.entry("receiver").or_insert(Value::Null);
    }
    Value::Object(content)
}

/// The few fields of the content that `contentFormat=headers` keeps.
fn headers(message: &Message) -> Value {
    let fields: &[&str] = match message.envelope.kind {
        Kind::Store => &["item_hash", "ref"],
        Kind::Post => &["type", "ref"],
        Kind::Aggregate => &["key"],
        Kind::Forget => &[],
    };
    let mut content = json!({"address": message.address()});
    for field in fields {
        if let Some(text) = message.text(field) {
            content[*field] = json!(text);
        }
    }
    content
}
