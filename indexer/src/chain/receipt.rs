//! Receipts as the receipts trie of a block holds them.

use alloy::{
    consensus::proofs::ordered_trie_root_with_encoder,
    primitives::{Address, B256, Bytes, Log, LogData, U64, logs_bloom},
    rlp::{BufMut, Encodable, Header},
};
use serde::Deserialize;

/// A receipt (Yellow Paper, section 4.4.1; EIP-2718, EIP-658), of a transaction of any type whose
/// receipts have these fields: legacy, EIP-2930, 1559, 4844, 7702, deposits of the OP stack, and
/// what comes later in the same form. Its root tells whether that is so.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    #[serde(default, rename = "type")]
    kind: U64,
    status: Option<U64>,
    /// The state after it, in place of a status: before EIP-658.
    root: Option<B256>,
    cumulative_gas_used: U64,
    logs: Vec<RawLog>,
    pub(super) transaction_hash: B256,
    #[serde(default)]
    pub(super) transaction_index: U64,
    /// Of deposits, since the Regolith upgrade.
    deposit_nonce: Option<U64>,
    /// Of deposits, since the Canyon upgrade.
    deposit_receipt_version: Option<U64>,
}

#[derive(Clone, Debug, Deserialize)]
struct RawLog {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// The types that Ethereum knows; others may have receipts of another form.
const KNOWN: std::ops::RangeInclusive<u64> = 0..=4;
/// A deposit of the OP stack.
const DEPOSIT: u64 = 0x7e;
/// EIP-2718 leaves types so much room.
const LAST_TYPE: u64 = 0x7f;

impl Receipt {
    /// What it logged, in order.
    pub(super) fn logs(&self) -> impl Iterator<Item = Log> {
        self.logs.iter().map(|log| Log {
            address: log.address,
            data: LogData::new_unchecked(log.topics.clone(), log.data.clone()),
        })
    }

    /// Its type, where that is none of Ethereum's.
    pub(super) fn foreign_type(&self) -> Option<u64> {
        let kind = self.kind.to::<u64>();
        (!KNOWN.contains(&kind)).then_some(kind)
    }

    /// As it stands in the trie: for all but legacy transactions with the type before it.
    fn encode(&self, out: &mut Vec<u8>) {
        let kind = self.kind.to::<u64>();
        if let 1..=LAST_TYPE = kind {
            out.put_u8(kind as u8);
        }
        let logs: Vec<Log> = self.logs().collect();
        let mut fields = Vec::new();
        match (self.status, self.root) {
            (None, Some(root)) => root.encode(&mut fields),
            (status, _) => status.unwrap_or_default().encode(&mut fields),
        }
        self.cumulative_gas_used.encode(&mut fields);
        logs_bloom(&logs).encode(&mut fields);
        logs.encode(&mut fields);
        // Between the two upgrades the nonce was left out of the root.
        if let (DEPOSIT, Some(version)) = (kind, self.deposit_receipt_version) {
            self.deposit_nonce.unwrap_or_default().encode(&mut fields);
            version.encode(&mut fields);
        }
        Header { list: true, payload_length: fields.len() }.encode(out);
        out.extend_from_slice(&fields);
    }
}

/// The root of a block's receipts, in the order of its transactions.
pub(super) fn root(receipts: &[Receipt]) -> B256 {
    ordered_trie_root_with_encoder(receipts, |receipt, out| receipt.encode(out))
}

#[cfg(test)]
mod tests {
    use alloy::consensus::{
        Eip658Value, Receipt as Plain, ReceiptEnvelope, proofs::calculate_receipt_root,
    };
    use serde_json::json;

    use super::*;

    /// Receipts of every type of Ethereum's, made and hashed by alloy.
    #[test]
    fn roots_are_those_of_alloy() {
        let logs: Vec<Log> = (1..4_u8)
            .map(|byte| Log {
                address: Address::repeat_byte(byte),
                data: LogData::new_unchecked(
                    vec![B256::repeat_byte(byte); usize::from(byte)],
                    vec![byte; usize::from(byte) * 20].into(),
                ),
            })
            .collect();
        let with_bloom = |status: Eip658Value| {
            Plain { status, cumulative_gas_used: 0x1_2345, logs: logs.clone() }.with_bloom()
        };
        let ok = || with_bloom(true.into());
        let state = Eip658Value::PostState(B256::repeat_byte(9));
        let envelopes = [
            ReceiptEnvelope::Legacy(ok()),
            ReceiptEnvelope::Legacy(with_bloom(state)),
            ReceiptEnvelope::Eip2930(with_bloom(false.into())),
            ReceiptEnvelope::Eip1559(ok()),
            ReceiptEnvelope::Eip4844(ok()),
            ReceiptEnvelope::Eip7702(ok()),
        ];
        let ours: Vec<Receipt> = [0, 0, 1, 2, 3, 4]
            .into_iter()
            .enumerate()
            .map(|(index, kind)| {
                let mut json = json!({
                    "type": format!("{kind:#x}"),
                    "cumulativeGasUsed": "0x12345",
                    "transactionHash": B256::ZERO,
                    "transactionIndex": format!("{index:#x}"),
                    "logs": logs,
                });
                match index {
                    1 => json["root"] = json!(B256::repeat_byte(9)),
                    _ => json["status"] = json!(if index == 2 { "0x0" } else { "0x1" }),
                }
                serde_json::from_value(json).unwrap()
            })
            .collect();
        for (ours, theirs) in ours.iter().zip(&envelopes) {
            let theirs = calculate_receipt_root(std::slice::from_ref(theirs));
            assert_eq!(root(std::slice::from_ref(ours)), theirs, "{ours:?}");
        }
        assert_eq!(root(&ours), calculate_receipt_root(&envelopes));
        assert!(ours.iter().all(|receipt| receipt.foreign_type().is_none()));
    }
}
