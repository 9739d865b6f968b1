//! Messages: made, signed, and read back.
//!
//! A message's `item_hash` is the hex sha-256 of its `item_content`, byte for byte; the signature
//! is EIP-191 `personal_sign` over `"{chain}\n{sender}\n{type}\n{item_hash}"`.

use alloy::{
    primitives::{Address, Signature},
    signers::{Signer, local::PrivateKeySigner},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Engine;
use crate::{
    config::Payment,
    content::{ContentId, Digest},
};

/// A signed message as nodes take and give it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who signed it, EIP-55.
    pub sender: String,
    /// `ETH`.
    pub chain: String,
    /// 65 bytes, hex with `0x`. Nodes may leave it out in lists.
    pub signature: Option<String>,
    /// `STORE`, or another word in capitals.
    #[serde(rename = "type")]
    pub kind: String,
    /// `inline`.
    pub item_type: String,
    /// The content, as the JSON text that was hashed.
    pub item_content: Option<String>,
    /// Hex sha-256 of `item_content`.
    pub item_hash: String,
    /// Seconds since 1970. Not signed.
    pub time: serde_json::Number,
    /// Not signed.
    #[serde(default)]
    pub channel: Option<String>,
}

/// The part of a STORE's content that matters here.
#[derive(Deserialize)]
struct StoreContent {
    address: String,
    item_hash: String,
}

/// Who pays for a STORE, and how.
#[derive(Deserialize)]
struct StoreTerms {
    address: String,
    payment: Option<PaymentTerms>,
}

#[derive(Deserialize)]
struct PaymentTerms {
    #[serde(rename = "type")]
    kind: Payment,
}

/// Chains whose accounts sign as Ethereum's do (EIP-191), by the network's words for them (pyaleph,
/// `SignatureVerifier`).
const EVM_CHAINS: [&str; 24] = [
    "ETH",
    "ARB",
    "AVAX",
    "BASE",
    "BLAST",
    "BOB",
    "BSC",
    "CYBER",
    "ETHERLINK",
    "FRAX",
    "HYPE",
    "INK",
    "LENS",
    "LINEA",
    "LISK",
    "METIS",
    "MODE",
    "NEO",
    "OP",
    "POL",
    "SONIC",
    "UNICHAIN",
    "WORLDCHAIN",
    "ZORA",
];

impl Message {
    /// Whether this is a whole STORE of `id` by `sender` (or by anyone), in its own name, whose
    /// hash agrees with its content and whose signature is its sender's. A node may list
    /// anything; messages of chains whose accounts do not sign as Ethereum's do, which is not
    /// checked here, do not count.
    pub fn stores(&self, id: &ContentId, sender: Option<&str>) -> bool {
        let Some(content) = &self.item_content else { return false };
        let Ok(store) = serde_json::from_str::<StoreContent>(content) else { return false };
        let same_file = store.item_hash.parse::<ContentId>().is_ok_and(|named| named == *id);
        let ours = sender.is_none_or(|address| {
            self.sender.eq_ignore_ascii_case(address) && store.address.eq_ignore_ascii_case(address)
        });
        self.kind == "STORE" && same_file && ours && self.is_proved()
    }

    /// Of a STORE: the account that pays, and how.
    pub fn terms(&self) -> Option<(Address, Payment)> {
        let content: StoreTerms = serde_json::from_str(self.item_content.as_deref()?).ok()?;
        let payment = content.payment.map_or(Payment::Hold, |payment| payment.kind);
        Some((content.address.parse().ok()?, payment))
    }

    /// Whether its hash is that of its content, and its signature its sender's.
    pub(super) fn is_proved(&self) -> bool {
        let hashes = |content: &String| Digest::of(content.as_bytes()).to_hex() == self.item_hash;
        self.item_content.as_ref().is_some_and(hashes) && self.is_signed()
    }

    fn is_signed(&self) -> bool {
        let signature = self.signature.as_ref().and_then(|text| text.parse::<Signature>().ok());
        let sender = self.sender.parse::<Address>().ok();
        let (Some(signature), Some(sender)) = (signature, sender) else { return false };
        let signed = self.signed_text();
        EVM_CHAINS.contains(&self.chain.as_str())
            && signature.recover_address_from_msg(signed).ok() == Some(sender)
    }

    fn signed_text(&self) -> String {
        format!("{}\n{}\n{}\n{}", self.chain, self.sender, self.kind, self.item_hash)
    }
}

/// Signs a STORE that asks the network to keep `id`, in the signer's own name. `time` is seconds since
/// 1970.
pub async fn sign_store(
    signer: &PrivateKeySigner,
    id: &ContentId,
    channel: &str,
    payment: Payment,
    time: f64,
) -> Result<Message, alloy::signers::Error> {
    sign_store_for(signer, signer.address(), id, channel, payment, time).await
}

/// As [`sign_store`], on behalf of an account that pays, and must have authorised the signer by its
/// aggregate `security`.
pub async fn sign_store_for(
    signer: &PrivateKeySigner,
    account: Address,
    id: &ContentId,
    channel: &str,
    payment: Payment,
    time: f64,
) -> Result<Message, alloy::signers::Error> {
    let content = json!({
        "address": account.to_checksum(None),
        "time": time,
        "item_type": Engine::of(id).as_str(),
        "item_hash": id.aleph_hash(),
        "payment": { "chain": "ETH", "type": payment.in_force(time) },
    });
    sign(signer, "STORE", &content, channel, time).await
}

/// Signs a FORGET: messages of `account` are taken back.
pub async fn sign_forget(
    signer: &PrivateKeySigner,
    account: Address,
    hashes: &[&str],
    reason: &str,
    channel: &str,
    time: f64,
) -> Result<Message, alloy::signers::Error> {
    let content = json!({
        "address": account.to_checksum(None),
        "time": time,
        "hashes": hashes,
        "aggregates": [],
        "reason": reason,
    });
    sign(signer, "FORGET", &content, channel, time).await
}

/// Signs an AGGREGATE: `value` is laid over what the signer's account has under `key`.
pub async fn sign_aggregate(
    signer: &PrivateKeySigner,
    key: &str,
    value: &serde_json::Value,
    channel: &str,
    time: f64,
) -> Result<Message, alloy::signers::Error> {
    let content = json!({
        "address": signer.address().to_checksum(None),
        "time": time,
        "key": key,
        "content": value,
    });
    sign(signer, "AGGREGATE", &content, channel, time).await
}

/// Signs a message of a kind with this content, which stands in it as text.
async fn sign(
    signer: &PrivateKeySigner,
    kind: &str,
    content: &serde_json::Value,
    channel: &str,
    time: f64,
) -> Result<Message, alloy::signers::Error> {
    let content = content.to_string();
    let item_hash = Digest::of(content.as_bytes()).to_hex();
    let mut message = Message {
        sender: signer.address().to_checksum(None),
        chain: "ETH".to_owned(),
        signature: None,
        kind: kind.to_owned(),
        item_type: "inline".to_owned(),
        item_content: Some(content),
        item_hash,
        time: serde_json::Number::from_f64(time).unwrap_or_else(|| 0.into()),
        channel: Some(channel.to_owned()),
    };
    let signature = signer.sign_message(message.signed_text().as_bytes()).await?;
    message.signature = Some(alloy::hex::encode_prefixed(signature.as_bytes()));
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Codec;

    /// The recorded network took this message; its hash and signature must come out the same.
    #[tokio::test]
    async fn hashes_and_signs_as_the_network_does() {
        let key = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
        let signer: PrivateKeySigner = key.parse().unwrap();
        let id: ContentId = "QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4".parse().unwrap();
        let message =
            sign_store(&signer, &id, "TEST", Payment::Credit, 1795328679.8851423).await.unwrap();
        assert_eq!(message.sender, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
        assert!(message.stores(&id, Some(&message.sender)));
        assert!(message.item_content.as_deref().unwrap().contains("\"item_type\":\"ipfs\""));
        let signature: alloy::primitives::Signature =
            message.signature.as_deref().unwrap().parse().unwrap();
        let signed = format!("ETH\n{}\nSTORE\n{}", message.sender, message.item_hash);
        let signer_found = signature.recover_address_from_msg(signed).unwrap();
        assert_eq!(signer_found, signer.address());
    }

    #[tokio::test]
    async fn is_signed_on_behalf_of_the_account_that_pays() {
        let signer = PrivateKeySigner::random();
        let (account, id) = (Address::repeat_byte(7), ContentId::new(Codec::Raw, Digest::of(b"a")));
        let hold = Payment::Hold;
        let signed =
            sign_store_for(&signer, account, &id, "T", hold, 1_798_761_599.0).await.unwrap();
        let content = signed.item_content.as_deref().unwrap();
        assert!(content.contains(&account.to_checksum(None)), "{content}");
        assert!(content.contains("\"type\":\"hold\""), "{content}");
        assert_eq!(signed.sender, signer.address().to_checksum(None));
        assert_eq!(signed.terms(), Some((account, Payment::Hold)));
        // A repairer's, not the account's own.
        assert!(signed.stores(&id, None) && !signed.stores(&id, Some(&signed.sender)));
        let late = sign_store_for(&signer, account, &id, "T", hold, 1_798_761_600.0).await.unwrap();
        assert!(late.item_content.unwrap().contains("\"type\":\"credit\""), "2027 has begun");
    }

    #[tokio::test]
    async fn is_not_fooled_by_a_message_about_something_else() {
        let signer = PrivateKeySigner::random();
        let id = ContentId::new(Codec::Raw, Digest::of(b"a"));
        let other = ContentId::new(Codec::Raw, Digest::of(b"b"));
        let message = sign_store(&signer, &id, "T", Payment::Credit, 1.5).await.unwrap();
        assert!(message.stores(&id, None) && !message.stores(&other, None));
        assert!(!message.stores(&id, Some("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")));
        let mut altered = message.clone();
        altered.item_content = altered.item_content.map(|text| text.replace("1.5", "1.6"));
        assert!(!altered.stores(&id, None));
        let unsigned = Message { signature: None, ..message.clone() };
        assert!(!unsigned.stores(&id, None));
        // In our name, but signed by another: what a hostile node may list.
        let forger = PrivateKeySigner::random();
        let forged = sign_store(&forger, &id, "T", Payment::Credit, 1.5).await.unwrap();
        let forged = Message { signature: forged.signature, ..message };
        assert!(!forged.stores(&id, None));
    }
}
