//! Proofs of a block's logs: its header by its hash, its receipts by the header's receipts root.

use alloy::{
    consensus::constants::EMPTY_ROOT_HASH,
    rpc::types::{Header, Log},
};

use super::{
    events::{BadLog, TokenEvent, decode},
    header::Seen,
    receipt::{Receipt, root},
    rpc_error::{Result, RpcError},
    source::Source,
    standards::{Watched, topics_of},
};

/// A header whose fields give its hash (keccak-256 of its RLP; Yellow Paper, section 4.4.3).
pub(super) fn whole(seen: &Seen) -> Option<Header> {
    let header = seen.whole()?;
    let is_it = header.hash == seen.block.hash && header.number == seen.block.number;
    (is_it && header.inner.hash_slow() == header.hash).then_some(header)
}

/// What is said where no endpoint gives such a header.
pub(super) fn not_whole(number: u64) -> RpcError {
    let reason = "the fields of its header do not give its hash, or some are left out; on a chain \
                  that hashes its blocks in another way nothing can be proved: set `[chain] \
                  prove_logs = false`, and use endpoints that agree";
    RpcError::Unproved { number, reason: reason.to_owned() }
}

/// What the logs of a block say, proved by its header, which is [`whole`]: whoever tells the receipts
/// can't leave out or invent any.
///
/// # Errors
/// [`RpcError::Unproved`] where no endpoint has its receipts.
pub(super) async fn events(source: &Source, header: &Header) -> Result<Vec<TokenEvent>> {
    let number = header.number;
    let unproved = |reason: String| RpcError::Unproved { number, reason };
    if header.receipts_root == EMPTY_ROOT_HASH {
        return Ok(Vec::new());
    }
    let mut reasons = Vec::new();
    for endpoint in source.endpoints.iter().filter(|endpoint| endpoint.standing().is_fine()) {
        let why = match endpoint.receipts(header).await {
            Ok(mut receipts) => {
                receipts.sort_by_key(|receipt| receipt.transaction_index);
                if root(&receipts) == header.receipts_root {
                    return Ok(logged(header, &receipts, &source.watched)?);
                }
                mismatch(&receipts)
            }
            Err(error) => error.reason(),
        };
        reasons.push(format!("{}: {why}", endpoint.shown()));
    }
    Err(unproved(format!(
        "no endpoint gives receipts that its header commits to ({}); add an endpoint that serves \
         eth_getBlockReceipts",
        reasons.join("; ")
    )))
}

fn mismatch(receipts: &[Receipt]) -> String {
    match receipts.iter().find_map(Receipt::foreign_type) {
        Some(kind) => format!(
            "its {} receipts, of which some are of the unknown type {kind:#x}, are not those of \
             the block",
            receipts.len()
        ),
        None => format!("its {} receipts are not those of the block", receipts.len()),
    }
}

/// What the contracts logged, with the places that follow from the receipts' order.
fn logged(
    header: &Header,
    receipts: &[Receipt],
    watched: &[Watched],
) -> Result<Vec<TokenEvent>, BadLog> {
    let mut events = Vec::new();
    let all = receipts.iter().flat_map(|receipt| receipt.logs().map(move |log| (receipt, log)));
    for (index, (receipt, inner)) in all.enumerate() {
        let is_asked_for = |one: &&Watched| {
            one.address == inner.address
                && inner.topics().first().is_some_and(|it| topics_of(one.standard).contains(it))
        };
        let Some(one) = watched.iter().find(is_asked_for) else { continue };
        let log = Log {
            inner,
            block_hash: Some(header.hash),
            block_number: Some(header.number),
            block_timestamp: Some(header.timestamp),
            transaction_hash: Some(receipt.transaction_hash),
            transaction_index: Some(receipt.transaction_index.to()),
            log_index: Some(index as u64),
            removed: false,
        };
        events.extend(decode(&log, one.standard)?);
    }
    Ok(events)
}
