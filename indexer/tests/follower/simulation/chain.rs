//! A chain in memory, and what a collection on it logs.

use std::collections::BTreeMap;

use alloy::{
    consensus::Header as Inner,
    primitives::{Address, B256, Bloom, BloomInput, Log as RawLog, LogData, U256, keccak256},
    rpc::types::{Block as RpcBlock, BlockTransactions, Header, Log},
};
use alloy_sol_types::SolEvent;
use everhold::{
    chain::IEverhold,
    content::{Codec, ContentId, Digest},
};
use serde_json::{Value, json};

use super::{DEPTH, Dice};
use crate::support::snapshot::TokenShape;

pub(super) const COLLECTION: Address = Address::repeat_byte(0xc0);

/// A block, and the tokens after it.
#[derive(Clone)]
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) hash: B256,
    parent: B256,
    logs: Vec<LogData>,
    pub(super) tokens: BTreeMap<u64, TokenShape>,
    next: u64,
}

/// The chain as it stands, from its genesis block on.
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) blocks: Vec<Block>,
    /// So many blocks are final: however reorgs follow each other, these stay.
    fixed: usize,
}

impl Chain {
    pub(super) fn new() -> Self {
        let hash = keccak256("genesis");
        let (logs, tokens) = (Vec::new(), BTreeMap::new());
        let genesis = Block { number: 0, hash, parent: B256::ZERO, logs, tokens, next: 1 };
        Self { blocks: vec![genesis], fixed: 1 }
    }

    pub(super) fn head(&self) -> &Block {
        &self.blocks[self.blocks.len() - 1]
    }

    /// A block in which a few things happen.
    pub(super) fn grow(&mut self, dice: &mut Dice) {
        let last = self.head().clone();
        let hash = keccak256([last.hash.as_slice(), &dice.next().to_be_bytes()].concat());
        let (number, parent) = (last.number + 1, last.hash);
        let mut block = Block { number, hash, parent, logs: Vec::new(), ..last };
        for _ in 0..dice.below(4) {
            block.act(dice);
        }
        self.blocks.push(block);
        self.fixed = self.fixed.max(self.blocks.len().saturating_sub(DEPTH as usize));
    }

    /// Other blocks in place of the last ones; fewer or more of them.
    pub(super) fn reorg(&mut self, depth: u64, new: u64, dice: &mut Dice) {
        let keep = self.blocks.len().saturating_sub(depth as usize).max(self.fixed);
        self.blocks.truncate(keep);
        (0..new).for_each(|_| self.grow(dice));
    }

    pub(super) fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// Logs of a range, or of the block with this hash.
    pub(super) fn logs(&self, from: u64, to: u64, hash: Option<B256>) -> Vec<Log> {
        let wanted = |block: &&Block| match hash {
            Some(hash) => block.hash == hash,
            None => (from..=to).contains(&block.number),
        };
        self.blocks.iter().filter(wanted).flat_map(Block::rpc_logs).collect()
    }
}

impl Block {
    /// Something that a contract allows.
    fn act(&mut self, dice: &mut Dice) {
        let here = (self.number, self.hash);
        let person = Address::repeat_byte(dice.below(5) as u8 + 1);
        let digest = Digest([dice.below(40) as u8 + 1; 32]);
        let content = Some(ContentId::new(Codec::Raw, digest));
        let kind = dice.below(10);
        let ids: Vec<u64> = self.tokens.keys().copied().collect();
        let Some(&id) = ids.get(dice.below(ids.len().max(1) as u64) as usize).filter(|_| kind > 3)
        else {
            let id = self.next;
            self.next += 1;
            self.transfer(id, Address::ZERO, person);
            self.log(&IEverhold::ContentSet {
                tokenId: U256::from(id),
                digest: B256::from(digest.0),
                revision: 1,
            });
            let shape = TokenShape {
                owner: person,
                supply: None,
                content,
                revision: 1,
                frozen: false,
                minted: here,
                content_set: Some(here),
            };
            self.tokens.insert(id, shape);
            return;
        };
        let Some(mut shape) = self.tokens.get(&id).cloned() else { return };
        match kind {
            4 | 5 => {
                self.transfer(id, shape.owner, person);
                shape.owner = person;
            }
            6 => {
                self.transfer(id, shape.owner, Address::ZERO);
                self.tokens.remove(&id);
                return;
            }
            7 if !shape.frozen => {
                self.log(&IEverhold::ContentFrozen { tokenId: U256::from(id) });
                shape.frozen = true;
            }
            _ if !shape.frozen => {
                shape.revision += 1;
                shape.content = content;
                shape.content_set = Some(here);
                self.log(&IEverhold::ContentSet {
                    tokenId: U256::from(id),
                    digest: B256::from(digest.0),
                    revision: shape.revision,
                });
            }
            _ => {}
        }
        self.tokens.insert(id, shape);
    }

    fn transfer(&mut self, id: u64, from: Address, to: Address) {
        self.log(&IEverhold::Transfer { from, to, tokenId: U256::from(id) });
    }

    fn log(&mut self, event: &impl SolEvent) {
        self.logs.push(event.encode_log_data());
    }

    fn rpc_logs(&self) -> impl Iterator<Item = Log> {
        self.logs.iter().enumerate().map(|(index, data)| Log {
            inner: RawLog { address: COLLECTION, data: data.clone() },
            block_hash: Some(self.hash),
            block_number: Some(self.number),
            block_timestamp: Some(1_700_000_000 + self.number),
            transaction_hash: Some(self.hash),
            transaction_index: Some(0),
            log_index: Some(index as u64),
            removed: false,
        })
    }

    pub(super) fn json(&self) -> Value {
        let mut bloom = Bloom::default();
        for data in &self.logs {
            bloom.accrue(BloomInput::Raw(COLLECTION.as_slice()));
            data.topics().iter().for_each(|topic| bloom.accrue(BloomInput::Raw(topic.as_slice())));
        }
        let inner = Inner {
            number: self.number,
            parent_hash: self.parent,
            logs_bloom: bloom,
            timestamp: 1_700_000_000 + self.number,
            ..Inner::default()
        };
        let header = Header { hash: self.hash, inner, total_difficulty: None, size: None };
        let transactions = BlockTransactions::<B256>::Hashes(Vec::new());
        json!(RpcBlock { header, uncles: Vec::new(), transactions, withdrawals: None })
    }
}
