//! Two endpoints tell different logs: who is right?

use std::{collections::BTreeMap, sync::Arc};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::B256,
    rpc::types::{Filter, Header},
};
use futures::{StreamExt, TryStreamExt, stream};
use tracing::debug;

use super::{
    endpoint::Endpoint,
    events::TokenEvent,
    proof,
    quorum::{agreed, ask},
    rpc_error::{Result, RpcError},
    source::{Depth, Source},
};

/// Blocks looked into at once.
const AT_ONCE: usize = 4;

/// Events in the chain's order.
pub(super) fn in_order(mut events: Vec<TokenEvent>) -> Vec<TokenEvent> {
    events.sort_by_key(|event| (event.block_number, event.log_index, event.sub_index));
    events
}

/// Whether two answers say the same. Times may be left out, and the transaction is not what a
/// token's state follows from, nor what a receipt proves.
pub(super) fn same(one: &[TokenEvent], other: &[TokenEvent]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
}

fn is_same(one: &TokenEvent, other: &TokenEvent) -> bool {
    let time = match (one.block_time, other.block_time) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    let place = |event: &TokenEvent| {
        (event.block_number, event.block_hash, event.log_index, event.sub_index)
    };
    time && place(one) == place(other)
        && (one.collection, one.token_id) == (other.collection, other.token_id)
        && one.kind == other.kind
}

/// Two endpoints' answers that differ, in order.
pub(super) struct Dispute<'a> {
    pub(super) source: &'a Source,
    pub(super) depth: Depth,
    pub(super) answers: [(Arc<Endpoint>, Vec<TokenEvent>); 2],
}

/// What is so in a block, and whether each endpoint says it, too, when asked for it by its hash.
struct Truth {
    number: u64,
    events: Vec<TokenEvent>,
    comes_round: [bool; 2],
}

impl Dispute<'_> {
    /// What is so. Whoever said otherwise is set aside.
    pub(super) async fn settle(&self) -> Result<Vec<TokenEvent>> {
        let [one, other] = [0, 1].map(|side| by_block(&self.answers[side].1));
        let mut numbers: Vec<u64> = one.keys().chain(other.keys()).copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let said = |side: &BTreeMap<u64, Vec<TokenEvent>>, number| {
            side.get(&number).cloned().unwrap_or_default()
        };
        let (agreed, disputed): (Vec<_>, Vec<_>) = numbers
            .into_iter()
            .partition(|number| same(&said(&one, *number), &said(&other, *number)));
        let truths: Vec<Truth> = stream::iter(disputed)
            .map(|number| self.truth(number))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut events: Vec<_> = agreed.iter().flat_map(|number| said(&one, *number)).collect();
        for (side, answer) in [&one, &other].into_iter().enumerate() {
            let wrong = truths.iter().find(|truth| {
                let its = said(answer, truth.number);
                // Close to the head a machine that is behind tells nothing yet.
                let is_behind =
                    self.depth == Depth::Recent && its.is_empty() && truth.comes_round[side];
                !same(&its, &truth.events) && !is_behind
            });
            if let Some(truth) = wrong {
                self.convict(side, truth, &said(answer, truth.number));
            }
        }
        events.extend(truths.into_iter().flat_map(|truth| truth.events));
        Ok(in_order(events))
    }

    fn convict(&self, side: usize, truth: &Truth, said: &[TokenEvent]) {
        let (number, is) = (truth.number, truth.events.len());
        self.answers[side].0.lied(format!(
            "it told {} of the {is} events of block {number}, or others: its logs are not those of \
             the chain",
            said.len()
        ));
    }

    /// What is so in one block.
    async fn truth(&self, number: u64) -> Result<Truth> {
        let (hash, header) = self.header(number).await?;
        let is_of_fork =
            |event: &TokenEvent| event.block_number == number && event.block_hash != hash;
        let forked = self.answers.iter().any(|(_, events)| events.iter().any(is_of_fork));
        if forked && self.depth == Depth::Recent {
            return Err(RpcError::Changed);
        }
        let [(one, _), (other, _)] = &self.answers;
        let (first, second) = tokio::join!(self.by_hash(one, hash), self.by_hash(other, hash));
        if let (Some(first), Some(second)) = (&first, &second)
            && same(first, second)
        {
            debug!("block {number}: asked by its hash, two endpoints agree");
            return Ok(Truth { number, events: first.clone(), comes_round: [true; 2] });
        }
        let header = header.ok_or_else(|| proof::not_whole(number))?;
        let events = proof::events(self.source, &header).await?;
        let comes_round = [first, second].map(|said| said.is_some_and(|said| same(&said, &events)));
        Ok(Truth { number, events, comes_round })
    }

    /// What an endpoint says of a block by its hash (EIP-234); nothing where it does not answer.
    async fn by_hash(&self, endpoint: &Endpoint, block: B256) -> Option<Vec<TokenEvent>> {
        let filter = Filter::new().at_block_hash(block);
        let mut events = endpoint.events(filter, &self.source.watched).await.ok()?;
        events.retain(|event| event.block_hash == block);
        Some(in_order(events))
    }

    /// The hash of a block that enough endpoints agree on, and its header, where one of them gives the
    /// fields that give the hash.
    async fn header(&self, number: u64) -> Result<(B256, Option<Header>)> {
        let tag = BlockNumberOrTag::Number(number);
        let headers = ask(&self.source.endpoints, self.source.votes, |endpoint| async move {
            endpoint.header(tag).await
        });
        let seen: Vec<_> = headers.await.good.into_iter().filter_map(|(_, seen)| seen).collect();
        let hash = agreed(seen.iter().map(|seen| seen.block.hash), self.source.votes);
        let hash = hash.ok_or(RpcError::Disagree { number })?;
        let of_it = seen.iter().filter(|seen| seen.block.hash == hash);
        Ok((hash, of_it.filter_map(proof::whole).next()))
    }
}

fn by_block(events: &[TokenEvent]) -> BTreeMap<u64, Vec<TokenEvent>> {
    let mut blocks: BTreeMap<u64, Vec<TokenEvent>> = BTreeMap::new();
    for event in events {
        blocks.entry(event.block_number).or_default().push(event.clone());
    }
    blocks
}
