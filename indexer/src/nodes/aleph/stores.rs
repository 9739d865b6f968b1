//! The STORE messages that a node lists, as they are: what they prove, and what they only say.
//!
//! `GET /api/v0/messages.json` lists messages of one status at a time by the files they name
//! (`contentHashes`), but neither those at their end nor those that were refused (pyaleph,
//! `view_messages_list`): of these a node is asked one by one.

use alloy::primitives::Address;
use everhold_net::shown;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{Client, Message};
use crate::{
    content::{Codec, ContentId},
    nodes::FetchError,
    provenance::StoreStatus,
};

/// Messages on a page.
const PAGE: usize = 200;
/// The longest name of an account, a channel or a chain that is kept, in characters.
const LONGEST_NAME: usize = 128;

/// A STORE message of a node's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreMessage {
    /// The file it names.
    pub id: ContentId,
    /// The message's own name.
    pub item_hash: String,
    /// Who sent it: EIP-55 where it is an Ethereum address.
    pub sender: String,
    /// The chain of the sender's account.
    pub chain: String,
    /// Whose it is, where its own content says so.
    pub address: Option<String>,
    /// Not signed.
    pub channel: Option<String>,
    /// How it is paid; a message that does not say is paid by holding.
    pub payment: Option<String>,
    /// When it was made, as it says, in milliseconds since 1970.
    pub time: Option<i64>,
    /// Whether its hash is that of its content and its signature its sender's. Otherwise all of this
    /// is only what the node says.
    pub verified: bool,
}

/// A page of a list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The STOREs that can be read.
    pub messages: Vec<StoreMessage>,
    /// Whether there may be more.
    pub is_full: bool,
}

/// Whose messages are listed, where not everybody's.
#[derive(Clone, Copy, Debug)]
pub enum Narrowed<'a> {
    /// Everybody's.
    No,
    /// Those that these sent.
    Senders(&'a [Address]),
    /// Those that belong to these.
    Owners(&'a [Address]),
}

#[derive(Deserialize)]
struct Answer {
    messages: Vec<Value>,
}

impl Client {
    /// A page, from 1, of the STOREs that name any of `ids` and have a status, newest first. `None`
    /// where the node has no such lists.
    ///
    /// # Errors
    /// Where the node could not be asked, or answers with something else.
    pub async fn list_stores(
        &self,
        ids: &[ContentId],
        status: StoreStatus,
        narrowed: Narrowed<'_>,
        page: usize,
    ) -> Result<Option<Listed>, FetchError> {
        let mut url = self.list_url(ids.iter().flat_map(spellings), status, (PAGE, page));
        let (key, accounts) = match narrowed {
            Narrowed::No => ("", &[][..]),
            Narrowed::Senders(accounts) => ("addresses", accounts),
            Narrowed::Owners(accounts) => ("owners", accounts),
        };
        if !key.is_empty() {
            let accounts = accounts.iter().map(|account| account.to_checksum(None));
            url.query_pairs_mut().append_pair(key, &joined(accounts));
        }
        let answer: Answer = match self.fetcher.get_json(url).await {
            Err(FetchError::Status { status: 400 | 404 | 501, .. }) => return Ok(None),
            answer => answer?,
        };
        let is_full = answer.messages.len() >= PAGE;
        let read = answer.messages.iter().take(PAGE).filter_map(StoreMessage::read);
        let messages = read.filter(|message| ids.contains(&message.id)).collect();
        Ok(Some(Listed { messages, is_full }))
    }

    /// The address of a page of so many STOREs, from 1, that name a file so and have a status.
    pub(super) fn list_url(
        &self,
        spellings: impl Iterator<Item = String>,
        status: StoreStatus,
        (size, page): (usize, usize),
    ) -> Url {
        let mut url = self.endpoint("messages.json");
        url.query_pairs_mut()
            .append_pair("contentHashes", &joined(spellings))
            .append_pair("msgTypes", "STORE")
            .append_pair("msgStatuses", status.as_str())
            .append_pair("pagination", &size.to_string())
            .append_pair("page", &page.to_string());
        url
    }

    /// Where a message stands on the node; `None` where it does not know it, or says nothing that
    /// makes sense.
    ///
    /// # Errors
    /// Where the node could not be asked, or answers with something else.
    pub async fn store_status(&self, item_hash: &str) -> Result<Option<StoreStatus>, FetchError> {
        let url = self.endpoint(&format!("messages/{item_hash}"));
        match self.fetcher.get_json::<Value>(url).await {
            Ok(answer) => {
                let status = answer.get("status").and_then(Value::as_str);
                Ok(status.and_then(|status| status.parse().ok()))
            }
            // What was removed before nodes kept a record of that.
            Err(FetchError::Status { status: 410, .. }) => Ok(Some(StoreStatus::Removed)),
            Err(FetchError::Status { status: 400 | 404 | 501, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The names under which a message may have stored a content.
pub(super) fn spellings(id: &ContentId) -> Vec<String> {
    match id.codec {
        Codec::DagPb => vec![id.aleph_hash(), id.cid()],
        Codec::Raw => vec![id.aleph_hash()],
    }
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(",")
}

impl StoreMessage {
    /// Reads a message that was kept as JSON.
    pub fn parse(envelope: &str) -> Option<Self> {
        Self::read(&serde_json::from_str(envelope).ok()?)
    }

    /// Reads a message; `None` where it is no STORE of a file that can be named here.
    fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        if text("type") != Some("STORE") {
            return None;
        }
        let message = serde_json::from_value::<Message>(value.clone()).ok();
        let verified = message.as_ref().is_some_and(Message::is_proved);
        let own = text("item_content").and_then(|text| serde_json::from_str::<Value>(text).ok());
        // What is not inline is in another file: of that there is only what the node says.
        let content = own.as_ref().or_else(|| value.get("content"))?;
        let said = |key: &str| content.get(key).and_then(Value::as_str);
        let item_hash = text("item_hash").filter(|hash| is_message_hash(hash))?.to_owned();
        let payment = match content.get("payment") {
            None | Some(Value::Null) => Some("hold"),
            Some(payment) => payment.get("type").and_then(Value::as_str),
        };
        Some(Self {
            id: said("item_hash")?.parse().ok()?,
            item_hash,
            sender: account(text("sender")?),
            chain: short(text("chain").unwrap_or_default()),
            address: own.is_some().then(|| said("address").map(account)).flatten(),
            channel: text("channel").map(short),
            payment: payment.map(short),
            time: content.get("time").and_then(Value::as_f64).and_then(millis),
            verified,
        })
    }
}

/// Whether a text may be a message's name: it becomes part of a URL.
fn is_message_hash(text: &str) -> bool {
    (32..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn account(text: &str) -> String {
    text.parse::<Address>().map_or_else(|_| short(text), |address| address.to_checksum(None))
}

fn short(text: &str) -> String {
    shown(text.as_bytes()).chars().take(LONGEST_NAME).collect()
}

/// Seconds as milliseconds, where they are a time at all.
fn millis(seconds: f64) -> Option<i64> {
    // Up to the year 9999, so that it can be written.
    (0.0..253_402_300_800.0).contains(&seconds).then_some((seconds * 1000.0) as i64)
}

#[cfg(test)]
mod tests {
    use alloy::signers::local::PrivateKeySigner;
    use proptest::prelude::*;
    use serde_json::json;

    use super::{super::sign_store, *};
    use crate::{config::Payment, content::Digest};

    fn id() -> ContentId {
        ContentId::new(Codec::DagPb, Digest::of(b"a"))
    }

    async fn message() -> Value {
        let signer = PrivateKeySigner::random();
        let signed = sign_store(&signer, &id(), "ART", Payment::Credit, 1795328602.9427645).await;
        serde_json::to_value(signed.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn says_what_a_proved_message_says() {
        let value = message().await;
        let read = StoreMessage::read(&value).unwrap();
        assert!(read.verified);
        assert_eq!((read.id, read.time), (id(), Some(1_795_328_602_942)));
        assert_eq!(read.address.as_deref(), Some(read.sender.as_str()));
        assert_eq!(
            (read.channel.as_deref(), read.payment.as_deref()),
            (Some("ART"), Some("credit"))
        );
    }

    #[tokio::test]
    async fn what_was_altered_is_kept_and_proves_nothing() {
        let value = message().await;
        let alter = |change: &dyn Fn(&mut Value)| {
            let mut altered = value.clone();
            change(&mut altered);
            StoreMessage::read(&altered)
        };
        let unproved: [&dyn Fn(&mut Value); 6] = [
            &|v| v["sender"] = json!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
            &|v| v["signature"] = json!(null),
            &|v| v["chain"] = json!("SOL"),
            &|v| v["chain"] = json!("BASE"),
            &|v| v["item_hash"] = json!("ab".repeat(32)),
            &|v| {
                let text = v["item_content"].as_str().unwrap().replace("1795328602", "1795328603");
                v["item_content"] = json!(text);
            },
        ];
        for change in unproved {
            assert!(!alter(change).unwrap().verified);
        }
        let none: [&dyn Fn(&mut Value); 5] = [
            &|v| v["type"] = json!("POST"),
            &|v| v["item_hash"] = json!("../../x/".repeat(8)),
            &|v| v["item_hash"] = json!(7),
            &|v| v["item_content"] = json!("{}"),
            &|v| v["sender"] = json!(null),
        ];
        for change in none {
            assert_eq!(alter(change), None);
        }
    }

    /// Its content lies in another file: what it says of itself can't be checked.
    #[tokio::test]
    async fn a_message_that_is_not_inline_is_only_said() {
        let mut value = message().await;
        let content: Value = serde_json::from_str(value["item_content"].as_str().unwrap()).unwrap();
        value["content"] = content;
        value["item_content"] = json!(null);
        value["item_type"] = json!("storage");
        let read = StoreMessage::read(&value).unwrap();
        assert_eq!((read.verified, read.address, read.id), (false, None, id()));
    }

    #[test]
    fn times_that_are_none_are_left_out() {
        for seconds in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(millis(seconds), None, "{seconds}");
        }
        assert_eq!(millis(1.5), Some(1500));
    }

    /// Any JSON, most of it in the places where a message has something.
    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            "[ -~\\PC]{0,70}".prop_map(Value::from),
            Just(json!("STORE")),
            Just(json!(id().to_string())),
            Just(json!("ab".repeat(32))),
            Just(json!({"item_hash": id().cid(), "time": 1e300, "payment": []}).to_string().into()),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            let key = prop_oneof![
                Just("type".to_owned()),
                Just("item_hash".to_owned()),
                Just("item_content".to_owned()),
                Just("content".to_owned()),
                Just("sender".to_owned()),
                Just("payment".to_owned()),
                Just("time".to_owned()),
                "[a-z]{0,4}",
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever a node lists, it is bounded, and nothing of it is proved.
        #[test]
        fn what_nobody_signed_is_never_verified(value in json()) {
            if let Some(read) = StoreMessage::read(&value) {
                prop_assert!(!read.verified);
                let texts = [Some(read.sender), read.address, read.channel, read.payment];
                for text in texts.into_iter().flatten() {
                    prop_assert!(text.chars().count() <= LONGEST_NAME);
                }
            }
        }
    }
}
