//! Logs as JSON-RPC gives them (`eth_getLogs`, execution-apis `Log`).

use alloy::{
    primitives::{Address, B256, Bytes, LogData, U64},
    rpc::types::Log,
};
use serde::Deserialize;

use super::header::time;

/// A log, read in one pass: alloy's own type first takes a copy of each log apart, which is most of
/// the work of reading a busy chain.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RpcLog {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    block_number: Option<U64>,
    block_hash: Option<B256>,
    #[serde(default, deserialize_with = "time")]
    block_timestamp: Option<u64>,
    transaction_hash: Option<B256>,
    log_index: Option<U64>,
    #[serde(default)]
    removed: bool,
}

impl From<RpcLog> for Log {
    fn from(log: RpcLog) -> Self {
        let number = |value: Option<U64>| value.map(|value| value.to::<u64>());
        Self {
            inner: alloy::primitives::Log {
                address: log.address,
                data: LogData::new_unchecked(log.topics, log.data),
            },
            block_hash: log.block_hash,
            block_number: number(log.block_number),
            block_timestamp: log.block_timestamp,
            transaction_hash: log.transaction_hash,
            transaction_index: None,
            log_index: number(log.log_index),
            removed: log.removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_alloy_reads() {
        let mut json = json!({
            "address": "0x55e4627663924758ddd4fdb4beb20da1cd0c234f",
            "topics": [format!("0x{:064x}", 1), format!("0x{:064x}", 2)],
            "data": "0x0102",
            "blockHash": format!("0x{:064x}", 3),
            "blockNumber": "0x10",
            "blockTimestamp": "0x65a0",
            "transactionHash": format!("0x{:064x}", 4),
            "transactionIndex": "0x0",
            "logIndex": "0x7",
            "removed": false,
        });
        let both = |json: &serde_json::Value| {
            let ours: RpcLog = serde_json::from_value(json.clone()).unwrap();
            let theirs: Log = serde_json::from_value(json.clone()).unwrap();
            (Log::from(ours), Log { transaction_index: None, ..theirs })
        };
        let (ours, theirs) = both(&json);
        assert_eq!(ours, theirs);
        // Pending ones have no place yet, old endpoints give no time, and some no `removed`.
        for absent in ["blockTimestamp", "removed"] {
            json.as_object_mut().unwrap().remove(absent);
        }
        json["blockNumber"] = json!(null);
        json["removed"] = json!(true);
        let (ours, theirs) = both(&json);
        assert_eq!(ours, theirs);
    }
}
