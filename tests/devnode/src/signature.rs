//! Signatures of messages: EIP-191 over `chain`, `sender`, `type` and `item_hash`.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha3::{Digest, Keccak256};

/// The chains whose accounts sign the Ethereum way.
const EVM_CHAINS: [&str; 20] = [
    "ETH",
    "AVAX",
    "BSC",
    "BASE",
    "ARB",
    "OP",
    "POL",
    "LINEA",
    "LISK",
    "METIS",
    "MODE",
    "NEO",
    "BLAST",
    "BOB",
    "CYBER",
    "FRAX",
    "INK",
    "SONIC",
    "WORLDCHAIN",
    "ZORA",
];

/// Whether `signature` was made by `sender` over the message named.
pub fn is_valid(chain: &str, sender: &str, kind: &str, item_hash: &str, signature: &str) -> bool {
    let signed = format!("{chain}\n{sender}\n{kind}\n{item_hash}");
    EVM_CHAINS.contains(&chain)
        && signer_of(signed.as_bytes(), signature)
            .is_some_and(|signer| signer.eq_ignore_ascii_case(sender))
}

/// The address that signed `message` with `personal_sign`.
fn signer_of(message: &[u8], signature: &str) -> Option<String> {
    let bytes = hex::decode(signature.strip_prefix("0x").unwrap_or(signature)).ok()?;
    let (rs, v) = bytes.split_at_checked(64)?;
    let recovery = match v {
        [v @ (0 | 1)] => *v,
        [v @ (27 | 28)] => v - 27,
        _ => return None,
    };
    let signature = Signature::from_slice(rs).ok()?;
    let recovery = RecoveryId::from_byte(recovery)?;
    let key =
        VerifyingKey::recover_from_prehash(&personal_hash(message), &signature, recovery).ok()?;
    Some(address_of(&key))
}

/// The hash that `personal_sign` signs.
pub fn personal_hash(message: &[u8]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    hasher.update(format!("\x19Ethereum Signed Message:\n{}", message.len()));
    hasher.update(message);
    hasher.finalize().into()
}

/// The address of a public key, in lowercase.
pub fn address_of(key: &VerifyingKey) -> String {
    let point = key.to_encoded_point(false);
    let digest = Keccak256::digest(&point.as_bytes()[1..]);
    format!("0x{}", hex::encode(&digest[12..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    const HASH: &str = "cb949066713faab389ee7767bd75c7c32d2861e460de2c8118a5d40b05abdc40";
    const SIGNATURE: &str = "0x0d54b2ddfd2ec19225c8f0ba3e171e5342a8d29431e8c568ec9b3d75d714e5a0\
        35a9b6525ad96e8cce35243fcd09d34a0522d1d97f747e3f2d35264e2eda57fc1c";

    #[test]
    fn a_recorded_signature() {
        let signature = SIGNATURE.replace(' ', "");
        assert!(is_valid("ETH", SENDER, "STORE", HASH, &signature));
        assert!(!is_valid("ETH", SENDER, "POST", HASH, &signature));
        assert!(!is_valid("SOL", SENDER, "STORE", HASH, &signature));
        let ones = format!("0x{}", "11".repeat(65));
        assert!(!is_valid("ETH", SENDER, "STORE", HASH, &ones));
    }
}
