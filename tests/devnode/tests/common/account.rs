//! The well-known development accounts, and messages signed by them.

use k256::ecdsa::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sha3::Keccak256;

/// An account that signs messages.
#[derive(Clone, Copy)]
pub struct Account {
    pub address: &'static str,
    key: &'static str,
}

/// The authority over balances and credits.
pub const AUTHORITY: Account = Account {
    address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    key: "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
};

/// The account that the recording mostly uses.
pub const OWNER: Account = Account {
    address: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    key: "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
};

/// An account that may act for the owner where the owner says so.
pub const DELEGATE: Account = Account {
    address: "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    key: "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
};

/// A time before the cut-off after which holding no longer pays for a STORE.
pub const THEN: f64 = 1_795_330_000.0;

impl Account {
    /// A message around a content, which is taken as the very text given.
    pub fn sign(&self, kind: &str, item_content: &str, time: f64, channel: &str) -> Value {
        let item_hash = hex::encode(Sha256::digest(item_content));
        let text = format!("ETH\n{}\n{kind}\n{item_hash}", self.address);
        json!({"sender": self.address, "chain": "ETH", "type": kind, "item_type": "inline",
            "item_content": item_content, "item_hash": item_hash, "time": time,
            "channel": channel, "signature": self.signature(&text)})
    }

    fn signature(&self, text: &str) -> String {
        let key = hex::decode(self.key).expect("hex");
        let key = SigningKey::from_slice(&key).expect("a key");
        let prefixed = format!("\x19Ethereum Signed Message:\n{}{text}", text.len());
        let digest = Keccak256::digest(prefixed);
        let (signature, recovery) = key.sign_prehash_recoverable(&digest).expect("a signature");
        format!("0x{}{:02x}", hex::encode(signature.to_bytes()), recovery.to_byte() + 27)
    }

    /// A message of this account for itself.
    pub fn message(&self, kind: &str, fields: Value) -> Value {
        self.message_for(self.address, kind, fields, THEN)
    }

    /// A message for another account, at a time.
    pub fn message_for(&self, address: &str, kind: &str, fields: Value, time: f64) -> Value {
        let mut content = json!({"address": address, "time": time});
        let fields = fields.as_object().expect("an object").clone();
        content.as_object_mut().expect("an object").extend(fields);
        self.sign(kind, &content.to_string(), time, "TEST")
    }

    /// A STORE paid with credits.
    pub fn store(&self, hash: &str) -> Value {
        self.store_paid(hash, "credit", THEN)
    }

    /// A STORE paid one way or the other.
    pub fn store_paid(&self, hash: &str, payment: &str, time: f64) -> Value {
        let engine = if hash.len() == 64 { "storage" } else { "ipfs" };
        let fields = json!({"item_type": engine, "item_hash": hash,
            "payment": {"chain": "ETH", "type": payment}});
        self.message_for(self.address, "STORE", fields, time)
    }
}

/// The sha-256 of some bytes.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The hash of a message.
pub fn hash_of(message: &Value) -> &str {
    message["item_hash"].as_str().expect("a message")
}
