//! A made-up chain told to a ledger, in short words.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, U256, keccak256};
use everhold::{
    chain::{BlockRef, TokenEvent, TokenEventKind},
    config::Standard,
    content::{Codec, ContentId, Digest},
    health::{ReplicaState, Schedule, Verdict},
    ledger::{
        Collection, Commit, DueProbe, Ledger, Millis, NewCollection, NewMessage, Node, NodeKind,
        ProbeRecord, Result, RowId,
    },
    repair::Credits,
};

pub(crate) const CHAIN: u64 = 31337;
pub(crate) const NOW: Millis = 2_000_000_000_000;
pub(crate) const HOUR: Millis = 3_600_000;
pub(crate) const SCHEDULE: Schedule = Schedule { recheck: HOUR, retry: 1000, jitter: 0, spot: 0 };
const FIRST_TIME: u64 = 1_700_000_000;

/// One thing that a log says of a token.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) collection: usize,
    pub(crate) token: U256,
    pub(crate) kind: TokenEventKind,
    /// Whether the same log says it as says the one before.
    pub(crate) same_log: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) reference: BlockRef,
    pub(crate) events: Vec<TokenEvent>,
}

/// A ledger and the chain it is told.
pub(crate) struct Story {
    pub(crate) ledger: Ledger,
    pub(crate) collections: Vec<Collection>,
    pub(crate) keep_history: bool,
    pub(crate) finalized: Option<u64>,
    /// The chain as it stands; what was reverted is gone. Block 0 is the genesis.
    pub(crate) blocks: Vec<Block>,
    /// Blocks already in the ledger.
    pub(crate) told: usize,
    /// Tells forks apart.
    pub(crate) fork: u64,
}

pub(crate) fn digest(content: u8) -> Digest {
    Digest::of(&[content])
}

pub(crate) fn raw(content: u8) -> ContentId {
    ContentId::new(Codec::Raw, digest(content))
}

pub(crate) fn person(number: u8) -> Address {
    Address::repeat_byte(number)
}

pub(crate) fn contract(index: usize) -> Address {
    Address::with_last_byte(0xc0 + u8::try_from(index).unwrap())
}

pub(crate) fn hash(text: &str) -> B256 {
    keccak256(text)
}

fn said(collection: usize, token: U256, kind: TokenEventKind) -> Said {
    Said { collection, token, kind, same_log: false }
}

fn content(content: u8, revision: u64) -> TokenEventKind {
    TokenEventKind::Content { digest: digest(content), revision }
}

pub(crate) fn mint(collection: usize, token: u64, to: u8, what: u8) -> Vec<Said> {
    let token = U256::from(token);
    vec![
        said(collection, token, TokenEventKind::Transfer { to: person(to) }),
        said(collection, token, content(what, 1)),
    ]
}

/// As `mintBatch` logs it: a transfer each, and one log with every digest.
pub(crate) fn mint_batch(collection: usize, first: u64, to: u8, contents: &[u8]) -> Vec<Said> {
    let tokens = || (first..).map(U256::from).zip(contents);
    let transfer = TokenEventKind::Transfer { to: person(to) };
    let mut all: Vec<_> =
        tokens().map(|(token, _)| said(collection, token, transfer.clone())).collect();
    all.extend(tokens().enumerate().map(|(i, (token, what))| Said {
        same_log: i > 0,
        ..said(collection, token, content(*what, 1))
    }));
    all
}

pub(crate) fn give(collection: usize, token: u64, to: u8) -> Vec<Said> {
    let kind = TokenEventKind::Transfer { to: person(to) };
    vec![said(collection, U256::from(token), kind)]
}

pub(crate) fn update(collection: usize, token: u64, what: u8, revision: u64) -> Vec<Said> {
    vec![said(collection, U256::from(token), content(what, revision))]
}

pub(crate) fn freeze(collection: usize, token: u64) -> Vec<Said> {
    vec![said(collection, U256::from(token), TokenEventKind::Frozen)]
}

pub(crate) fn burn(collection: usize, token: u64) -> Vec<Said> {
    let kind = TokenEventKind::Transfer { to: Address::ZERO };
    vec![said(collection, U256::from(token), kind)]
}

pub(crate) fn new_collection(index: usize, codec: Codec) -> NewCollection {
    NewCollection {
        chain_id: CHAIN,
        address: contract(index),
        standard: Standard::Everhold,
        name: format!("collection {index}"),
        codec: Some(codec),
        editable: true,
        start_block: 0,
    }
}

/// A collection of somebody else's.
pub(crate) fn new_foreign(index: usize, standard: Standard) -> NewCollection {
    NewCollection { standard, codec: None, editable: false, ..new_collection(index, Codec::Raw) }
}

impl Story {
    /// A ledger bound to the chain, with a collection for each codec.
    pub(crate) async fn begin(ledger: Ledger, codecs: &[Codec]) -> Self {
        let new = codecs.iter().enumerate().map(|(index, codec)| new_collection(index, *codec));
        Self::begin_with(ledger, &new.collect::<Vec<_>>()).await
    }

    /// A ledger bound to the chain, with these collections.
    pub(crate) async fn begin_with(ledger: Ledger, new: &[NewCollection]) -> Self {
        let mut tx = ledger.write().await.unwrap();
        tx.bind_chain(CHAIN, hash("genesis")).await.unwrap();
        let mut collections = Vec::new();
        for new in new {
            collections.push(tx.add_collection(new).await.unwrap());
        }
        tx.commit().await.unwrap();
        let genesis =
            BlockRef { number: 0, hash: hash("genesis"), parent_hash: B256::ZERO, time: None };
        Self {
            ledger,
            collections,
            keep_history: false,
            finalized: None,
            blocks: vec![Block { reference: genesis, events: Vec::new() }],
            told: 0,
            fork: 0,
        }
    }

    /// With one collection of codec `raw`.
    pub(crate) async fn simple(ledger: Ledger) -> Self {
        Self::begin(ledger, &[Codec::Raw]).await
    }

    pub(crate) fn head(&self) -> u64 {
        self.blocks.last().unwrap().reference.number
    }

    pub(crate) fn block_hash(&self, number: u64) -> B256 {
        self.blocks[usize::try_from(number).unwrap()].reference.hash
    }

    /// The header that the next block will have.
    pub(crate) fn next(&self) -> BlockRef {
        let parent = self.blocks.last().unwrap().reference;
        let number = parent.number + 1;
        BlockRef {
            number,
            hash: hash(&format!("block {number} of fork {}", self.fork)),
            parent_hash: parent.hash,
            time: Some(FIRST_TIME + 12 * number),
        }
    }

    /// A new block, not yet told to the ledger.
    pub(crate) fn block(&mut self, all: Vec<Said>) -> u64 {
        let reference = self.next();
        let mut events = Vec::<TokenEvent>::new();
        for one in all {
            let (log_index, sub_index) = match events.last() {
                None => (0, 0),
                Some(last) if one.same_log => (last.log_index, last.sub_index + 1),
                Some(last) => (last.log_index + 1, 0),
            };
            events.push(TokenEvent {
                collection: contract(one.collection),
                token_id: one.token,
                block_number: reference.number,
                block_hash: reference.hash,
                block_time: Some(FIRST_TIME + 12 * reference.number),
                log_index,
                sub_index,
                transaction_hash: hash("transaction"),
                kind: one.kind,
            });
        }
        self.blocks.push(Block { reference, events });
        reference.number
    }

    /// Tells the ledger every block it does not have, in one transaction.
    pub(crate) async fn commit(&mut self) {
        self.commit_from(self.told).await.unwrap();
    }

    /// A block with these events, told at once.
    pub(crate) async fn tell(&mut self, all: Vec<Said>) -> u64 {
        let number = self.block(all);
        self.commit().await;
        number
    }

    /// Tells the ledger every block from this one on.
    pub(crate) async fn commit_from(&mut self, from: usize) -> Result<()> {
        self.look().await;
        let mut tx = self.ledger.write().await?;
        tx.commit_blocks(&self.stretch(&self.parts(from))).await?;
        tx.commit().await?;
        self.told = self.blocks.len();
        Ok(())
    }

    /// Reads the checkpoints, as a follower does before it reads a stretch.
    pub(crate) async fn look(&mut self) {
        let mut tx = self.ledger.read().await.unwrap();
        let known = tx.collections().await.unwrap();
        for own in &mut self.collections {
            if let Some(found) = known.iter().find(|one| one.id == own.id) {
                own.clone_from(found);
            }
        }
    }

    /// Headers and events from this block on: what a [`Commit`] borrows.
    pub(crate) fn parts(&self, from: usize) -> (Vec<BlockRef>, Vec<TokenEvent>) {
        let new = &self.blocks[from..];
        let headers = new.iter().map(|block| block.reference).collect();
        let events = new.iter().flat_map(|block| block.events.clone()).collect();
        (headers, events)
    }

    pub(crate) fn stretch<'a>(
        &'a self,
        (blocks, events): &'a (Vec<BlockRef>, Vec<TokenEvent>),
    ) -> Commit<'a> {
        Commit {
            chain_id: CHAIN,
            collections: &self.collections,
            to: self.head(),
            blocks,
            events,
            finalized: self.finalized,
            window_start: 0,
            keep_history: self.keep_history,
            now: NOW,
        }
    }

    /// Takes back every block above `ancestor`; what follows is another fork.
    pub(crate) async fn revert(&mut self, ancestor: u64) {
        let mut tx = self.ledger.write().await.unwrap();
        tx.revert_blocks(CHAIN, ancestor, self.keep_history, NOW).await.unwrap();
        tx.commit().await.unwrap();
        self.forget(ancestor);
    }

    /// Shortens the chain without telling the ledger.
    pub(crate) fn forget(&mut self, ancestor: u64) {
        self.blocks.truncate(usize::try_from(ancestor).unwrap() + 1);
        self.told = self.told.min(self.blocks.len());
        self.fork += 1;
    }
}

/// Makes the ledger's nodes these; gives their keys in the same order.
pub(crate) async fn set_nodes(ledger: &Ledger, urls: &[&str]) -> Vec<RowId> {
    let node = |url: &&str| Node {
        id: 0,
        url: (*url).to_owned(),
        kind: NodeKind::Aleph,
        operator: None,
        address: (*url).to_owned(),
    };
    let nodes: Vec<_> = urls.iter().map(node).collect();
    let mut tx = ledger.write().await.unwrap();
    tx.set_nodes(&nodes).await.unwrap();
    let known = tx.nodes().await.unwrap();
    tx.commit().await.unwrap();
    let id = |url: &&str| known.iter().find(|node| node.url == *url).unwrap().id;
    urls.iter().map(id).collect()
}

/// The row of a content.
pub(crate) async fn row_of(ledger: &Ledger, id: ContentId) -> RowId {
    let mut tx = ledger.write().await.unwrap();
    let row = tx.content_row(id).await.unwrap();
    tx.commit().await.unwrap();
    row
}

/// Makes what is new due.
pub(crate) async fn schedule(ledger: &Ledger) {
    let mut tx = ledger.write().await.unwrap();
    tx.schedule_new(10_000).await.unwrap();
    tx.commit().await.unwrap();
}

/// Takes everything that is due, until an hour later.
pub(crate) async fn take_all(ledger: &Ledger, now: Millis) -> Vec<DueProbe> {
    schedule(ledger).await;
    let mut tx = ledger.write().await.unwrap();
    let due = tx.take_due_probes(now, now + HOUR, 10_000, false).await;
    tx.commit().await.unwrap();
    due.unwrap()
}

/// Plain sha-256 of right bytes.
pub(crate) const RIGHT: Digest = Digest([1; 32]);

pub(crate) fn seen(content: RowId, node: RowId, seen: ReplicaState, at: Millis) -> ProbeRecord {
    let verified = seen == ReplicaState::Verified;
    ProbeRecord {
        content,
        node,
        seen,
        held: verified.then_some(true),
        is_untold: false,
        bytes: verified.then_some(1),
        http_status: Some(if verified { 200 } else { 404 }),
        computed: None,
        sha256: verified.then_some(RIGHT),
        detail: (!verified).then(|| format!("it is {seen}")),
        addresses: BTreeSet::new(),
        gives_blocks: false,
        began: at,
        at,
    }
}

/// Writes down one probe.
pub(crate) async fn record(ledger: &Ledger, record: &ProbeRecord) -> Verdict {
    let mut tx = ledger.write().await.unwrap();
    let verdict = tx.record_probe(record, &SCHEDULE).await.unwrap();
    tx.commit().await.unwrap();
    verdict
}

/// A STORE that was signed here, and costs nothing.
pub(crate) fn message(content: RowId, hash: &str, sender: &str, envelope: &str) -> NewMessage {
    NewMessage {
        content,
        item_hash: hash.to_owned(),
        sender: sender.to_owned(),
        envelope: envelope.to_owned(),
        credits: Credits::default(),
        payer: None,
        target: None,
    }
}
