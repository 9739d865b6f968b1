//! One state of the chain.

use std::{collections::BTreeMap, sync::Arc};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{B256, Bloom, BloomInput, keccak256},
    rpc::types::Filter,
};

use super::{
    endpoint::Endpoint,
    events::{BlockRef, TokenEvent},
    linked::Linked,
    quorum::{agreed, ask, first},
    reader::Reader,
    rpc::Rpc,
    rpc_error::{Result, RpcError},
    source::{Depth, Source},
    standards::{Watched, topics_of},
};
use crate::config::Standard;

/// One state of the chain, as enough endpoints have it.
#[derive(Clone, Debug)]
pub struct View<'a> {
    pub(super) rpc: &'a Rpc,
    /// Those that have the head, in the order in which they are configured.
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    /// How many of them must agree.
    pub(super) votes: usize,
    /// Whether blocks may be taken back for it.
    pub(super) sure: bool,
    pub(super) linked: Option<Arc<Linked>>,
    /// The head.
    pub head: BlockRef,
    /// The last final block.
    pub finalized: Option<u64>,
}

impl View<'_> {
    /// The block at `number`, at most the head's, that enough endpoints have.
    ///
    /// # Errors
    /// Where they do not agree, or too few answer.
    pub async fn settled_block(&self, number: u64) -> Result<BlockRef> {
        if number == self.head.number {
            return Ok(self.head);
        }
        let tag = BlockNumberOrTag::Number(number);
        let answers =
            ask(&self.endpoints, self.votes, |endpoint| async move { endpoint.block(tag).await });
        let answers = answers.await;
        if answers.good.len() < self.votes {
            return Err(self.rpc.too_few(answers.good.len()));
        }
        let blocks: Vec<_> = answers.good.into_iter().filter_map(|(_, block)| block).collect();
        // No answer below the head is no fork: the endpoint contradicts itself.
        if blocks.len() < self.votes {
            return Err(RpcError::Changed);
        }
        let said = blocks.iter().map(|block| (block.hash, block.parent_hash));
        let agreed = agreed(said, self.votes).ok_or(RpcError::Disagree { number })?;
        let block = blocks.into_iter().find(|block| (block.hash, block.parent_hash) == agreed);
        self.linked(block.ok_or(RpcError::Changed)?)
    }

    /// A block, unless it is proved to be another one.
    fn linked(&self, block: BlockRef) -> Result<BlockRef> {
        match &self.linked {
            Some(linked) if linked.contradicts(&self.head, &block) => Err(RpcError::Changed),
            _ => Ok(block),
        }
    }

    /// Whether blocks may be taken back because they are not in this view.
    ///
    /// # Errors
    /// [`RpcError::Unconfirmed`] where one of two endpoints alone says so, and the other may be
    /// silent only for a moment.
    pub fn may_take_back(&self) -> Result<()> {
        if self.sure {
            return Ok(());
        }
        let url = self.endpoints.first().map(|endpoint| endpoint.shown().to_owned());
        Err(RpcError::Unconfirmed { url: url.unwrap_or_default() })
    }

    /// The block at `number` as an endpoint has it this moment, be it of the view or not, and
    /// the filter of what was logged in it.
    ///
    /// # Errors
    /// Where no endpoint of the view answers.
    pub async fn fresh_header(&self, number: u64) -> Result<Option<(BlockRef, Bloom)>> {
        let tag = BlockNumberOrTag::Number(number);
        let fine = self.fine();
        let known = first(&fine, |endpoint| async move { endpoint.header(tag).await });
        match known.await {
            Ok(Some(seen)) => Ok(Some((self.linked(seen.block)?, seen.bloom))),
            Ok(None) => Ok(None),
            Err(failure) => Err(failure.unwrap_or_else(|| self.rpc.too_few(0))),
        }
    }

    /// Those that are not set aside by now.
    pub(super) fn fine(&self) -> Vec<Arc<Endpoint>> {
        let fine = self.endpoints.iter().filter(|endpoint| endpoint.standing().is_fine());
        fine.cloned().collect()
    }

    /// How many blocks each of the endpoints answers at once: more than is read fastest, since what
    /// is around them takes longer.
    pub fn reach(&self) -> u64 {
        self.endpoints.iter().map(|endpoint| endpoint.span().reach()).min().unwrap_or(1)
    }

    /// What the logs of these contracts say between two blocks, both included, in one request to
    /// each endpoint that is asked. Where that is too much, [`View::reach`] is less afterwards.
    ///
    /// # Errors
    /// Those of the endpoints; [`RpcError::Changed`] where they are of several forks;
    /// [`RpcError::Unproved`] where they differ and none can prove what it says.
    pub async fn events(
        &self,
        collections: &[Watched],
        from: u64,
        to: u64,
    ) -> Result<Vec<TokenEvent>> {
        let turn = usize::try_from(to).unwrap_or_default();
        self.source(collections).read(from, to, turn, Depth::Recent).await
    }

    /// Reads what the logs of these contracts say between two blocks, both included.
    ///
    /// Of several endpoints two are asked for each range, in turn, and compared.
    pub fn reader(&self, collections: &[Watched], from: u64, to: u64) -> Reader {
        Reader::new(self.source(collections), from, to)
    }

    /// What the logs of these contracts say in one block, asked for by its hash (EIP-234): a
    /// machine that does not have it says so.
    ///
    /// # Errors
    /// Where no endpoint of the view has it.
    pub async fn events_of_block(
        &self,
        collections: &[Watched],
        block: B256,
    ) -> Result<Vec<TokenEvent>> {
        let filter = Filter::new().at_block_hash(block);
        let fine = self.fine();
        let known = first(&fine, |endpoint| {
            let filter = filter.clone();
            async move {
                let events = endpoint.events(filter, collections).await;
                Ok(Some(events.map_err(|unanswered| unanswered.error)?))
            }
        });
        let mut events = match known.await {
            Ok(events) => events.unwrap_or_default(),
            Err(failure) => return Err(failure.unwrap_or_else(|| self.rpc.too_few(0))),
        };
        events.retain(|event| event.block_hash == block);
        Ok(events)
    }

    /// The number of the chain's own `safe` or `finalized` block: the highest that enough
    /// endpoints give.
    pub(super) async fn marked(&self, tag: BlockNumberOrTag) -> Result<Option<u64>> {
        let answers =
            ask(&self.endpoints, self.votes, |endpoint| async move { endpoint.marked(tag).await });
        let mut answers = answers.await;
        if answers.good.len() < self.votes {
            let failure = answers.failures.pop();
            return Err(failure.unwrap_or_else(|| self.rpc.too_few(answers.good.len())));
        }
        let mut numbers: Vec<_> = answers.good.into_iter().map(|(_, number)| number).collect();
        numbers.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
        Ok(numbers[self.votes - 1])
    }

    fn source(&self, collections: &[Watched]) -> Source {
        Source {
            endpoints: self.endpoints.clone(),
            configured: self.rpc.configured(),
            votes: self.votes,
            watched: collections.to_vec(),
            head: self.head,
            linked: self.linked.clone(),
        }
    }
}

/// What contracts leave in the filters of blocks in which they log something: hashed once, however
/// many filters are looked at.
#[derive(Clone, Debug)]
pub struct Traces {
    contracts: Vec<(B256, Standard)>,
    topics: BTreeMap<Standard, Vec<B256>>,
}

impl Traces {
    /// Those of these contracts.
    pub fn of(contracts: &[Watched]) -> Self {
        let hashes = |standard| topics_of(standard).iter().map(keccak256).collect();
        let topics = contracts.iter().map(|one| (one.standard, hashes(one.standard)));
        let contracts = contracts.iter().map(|one| (keccak256(one.address), one.standard));
        Self { topics: topics.collect(), contracts: contracts.collect() }
    }

    /// Whether a block's filter leaves it open that one of them logged something in it.
    pub fn may_be_in(&self, bloom: &Bloom) -> bool {
        let holds = |hash: &B256| bloom.contains_input(BloomInput::Hash(*hash));
        let open = self.topics.iter().filter(|(_, topics)| topics.iter().any(holds));
        let open: Vec<Standard> = open.map(|(standard, _)| *standard).collect();
        let mut these = self.contracts.iter().filter(|(_, standard)| open.contains(standard));
        these.any(|(address, _)| holds(address))
    }
}
