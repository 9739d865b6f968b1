//! A chain in memory, and what a collection on it logs.

use std::collections::BTreeMap;

use alloy::{
    consensus::{
        Header as Inner, Receipt, ReceiptEnvelope, ReceiptWithBloom, constants::EMPTY_ROOT_HASH,
        proofs::calculate_receipt_root,
    },
    primitives::{Address, B256, Log as RawLog, LogData, U256},
    rpc::types::{Block as RpcBlock, BlockTransactions, Header, Log},
};
use alloy_sol_types::SolEvent;
use everhold::{
    chain::IEverhold,
    content::{Codec, ContentId, Digest},
};
use serde_json::{Value, json};

use super::{DEPTH, Dice, foreign::Foreign};
use crate::support::snapshot::TokenShape;

pub(super) const COLLECTION: Address = Address::repeat_byte(0xc0);
/// Logs the same as the other.
pub(super) const TWIN: Address = Address::repeat_byte(0xc1);

/// A block, and the tokens after it.
#[derive(Clone)]
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) hash: B256,
    parent: B256,
    /// Tells it from others at its place.
    salt: u64,
    /// Of our collection, and of its twin.
    logs: Vec<LogData>,
    /// Of contracts of others.
    others: Vec<RawLog>,
    pub(super) tokens: BTreeMap<u64, TokenShape>,
    pub(super) foreign: Foreign,
    next: u64,
}

/// The chain as it stands, from its genesis block on.
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) blocks: Vec<Block>,
    /// So many blocks are final: however reorgs follow each other, these stay.
    fixed: usize,
    /// Whether contracts of others change URIs and tell nobody.
    pub(super) silent: bool,
}

impl Chain {
    pub(super) fn new() -> Self {
        let mut genesis = Block {
            number: 0,
            hash: B256::ZERO,
            parent: B256::ZERO,
            salt: 0,
            logs: Vec::new(),
            others: Vec::new(),
            tokens: BTreeMap::new(),
            foreign: Foreign::default(),
            next: 1,
        };
        genesis.hash = genesis.header().hash_slow();
        Self { blocks: vec![genesis], fixed: 1, silent: false }
    }

    pub(super) fn head(&self) -> &Block {
        &self.blocks[self.blocks.len() - 1]
    }

    /// A block in which a few things happen.
    pub(super) fn grow(&mut self, dice: &mut Dice) {
        let mut block = self.next(dice);
        for _ in 0..dice.below(4) {
            block.act(dice);
        }
        for _ in 0..dice.below(3) {
            let here = (block.number, block.hash);
            block.others.extend(block.foreign.act(here, self.silent, dice));
        }
        self.push(block);
    }

    /// So many blocks in which nothing does.
    pub(super) fn rest(&mut self, blocks: u64, dice: &mut Dice) {
        for _ in 0..blocks {
            let block = self.next(dice);
            self.push(block);
        }
    }

    fn next(&self, dice: &mut Dice) -> Block {
        let last = self.head().clone();
        Block {
            number: last.number + 1,
            parent: last.hash,
            salt: dice.next(),
            logs: Vec::new(),
            others: Vec::new(),
            hash: B256::ZERO,
            ..last
        }
    }

    fn push(&mut self, mut block: Block) {
        let hash = block.header().hash_slow();
        block.is_called(hash);
        self.blocks.push(block);
        self.fixed = self.fixed.max(self.blocks.len().saturating_sub(DEPTH as usize));
    }

    /// Other blocks in place of the last ones; fewer or more of them.
    pub(super) fn reorg(&mut self, depth: u64, new: u64, dice: &mut Dice) {
        let keep = self.blocks.len().saturating_sub(depth as usize).max(self.fixed);
        self.blocks.truncate(keep);
        (0..new).for_each(|_| self.grow(dice));
    }

    /// More blocks, or others.
    pub(super) fn go_on(&mut self, dice: &mut Dice) {
        match dice.below(3) {
            0 => {
                let depth = 1 + dice.below(DEPTH);
                let new = 1 + dice.below(depth + 10);
                self.reorg(depth, new, dice);
            }
            _ => (0..dice.below(20)).for_each(|_| self.grow(dice)),
        }
    }

    pub(super) fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// Other blocks in place of all above one, however many had been built on it.
    pub(super) fn rewrite(&mut self, above: u64, new: u64, dice: &mut Dice) {
        self.blocks.truncate(above as usize + 1);
        self.fixed = self.blocks.len();
        (0..new).for_each(|_| self.grow(dice));
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

    fn all_logs(&self) -> Vec<RawLog> {
        let both = [COLLECTION, TWIN].into_iter();
        let ours = both.flat_map(|address| {
            self.logs.iter().map(move |data| RawLog { address, data: data.clone() })
        });
        ours.chain(self.others.iter().cloned()).collect()
    }

    fn rpc_logs(&self) -> impl Iterator<Item = Log> {
        self.all_logs().into_iter().enumerate().map(|(index, inner)| Log {
            inner,
            block_hash: Some(self.hash),
            block_number: Some(self.number),
            block_timestamp: Some(1_700_000_000 + self.number),
            transaction_hash: Some(self.hash),
            transaction_index: Some(0),
            log_index: Some(index as u64),
            removed: false,
        })
    }

    /// What happened in it is known by its hash, which follows from that.
    fn is_called(&mut self, hash: B256) {
        let place = (self.number, std::mem::replace(&mut self.hash, hash));
        let here = (self.number, hash);
        for shape in self.tokens.values_mut().chain(self.foreign.tokens.values_mut()) {
            if shape.minted == place {
                shape.minted = here;
            }
            if shape.content_set == Some(place) {
                shape.content_set = Some(here);
            }
        }
    }

    /// Its one transaction's receipt.
    fn receipt(&self) -> ReceiptWithBloom<Receipt<RawLog>> {
        let (status, cumulative_gas_used) = (true.into(), 21_000 + self.number);
        Receipt { status, cumulative_gas_used, logs: self.all_logs() }.with_bloom()
    }

    fn header(&self) -> Inner {
        let receipt = self.receipt();
        let logs_bloom = receipt.logs_bloom;
        Inner {
            number: self.number,
            parent_hash: self.parent,
            logs_bloom,
            receipts_root: match receipt.receipt.logs.is_empty() {
                true => EMPTY_ROOT_HASH,
                false => calculate_receipt_root(&[ReceiptEnvelope::Eip1559(receipt)]),
            },
            timestamp: 1_700_000_000 + self.number,
            mix_hash: B256::from(U256::from(self.salt)),
            ..Inner::default()
        }
    }

    /// `eth_getBlockReceipts`.
    pub(super) fn receipts(&self) -> Value {
        let logs: Vec<Log> = self.rpc_logs().collect();
        if logs.is_empty() {
            return json!([]);
        }
        json!([{
            "type": "0x2",
            "status": "0x1",
            "cumulativeGasUsed": format!("{:#x}", 21_000 + self.number),
            "logs": logs,
            "transactionHash": self.hash,
            "transactionIndex": "0x0",
        }])
    }

    pub(super) fn json(&self) -> Value {
        let inner = self.header();
        let header = Header { hash: self.hash, inner, total_difficulty: None, size: None };
        let transactions = BlockTransactions::<B256>::Hashes(Vec::new());
        json!(RpcBlock { header, uncles: Vec::new(), transactions, withdrawals: None })
    }
}
