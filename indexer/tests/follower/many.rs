//! Thousands of collections of one factory, on a chain in memory that counts what it is asked.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use alloy::{
    consensus::Header as Inner,
    primitives::{Address, B256, Bloom, LogData, U256, keccak256},
    rpc::types::Header,
};
use alloy_sol_types::SolEvent;
use everhold::{
    chain::{IEverhold, IEverholdFactory, factory_address},
    config::FactoryConfig,
    content::Codec,
    watch::Watch,
};
use serde_json::{Value, json};

use crate::{
    http::{Answer, Reply, Server},
    setting::{Seen, Setting, seen},
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(
    are_read_together,
    are_all_told_of_where_one_answer_lags,
    are_written_in_parts,
    keep_what_was_written_where_the_endpoint_fails,
);

/// A block: its header and its logs, as JSON-RPC gives them.
#[derive(Clone)]
struct Block {
    hash: B256,
    header: Value,
    logs: Vec<(Address, Value)>,
}

/// What is asked of the chain, and how much.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    requests: u64,
    searches: u64,
    /// Addresses in all searches, and in the one with most.
    addresses: u64,
    most: usize,
}

#[derive(Default)]
struct State {
    blocks: Vec<Block>,
    /// Tells blocks of one fork from those of another.
    fork: u64,
    asked: Asked,
    /// The search of a range that is answered by a machine that has nothing yet, counted from now.
    mute: Option<u32>,
    /// From this block on there are no logs of the first collection to be had.
    broken_from: Option<u64>,
    /// Blocks that it takes in one request for logs, at most.
    longest: Option<u64>,
}

/// A chain on which a factory makes collections, each of which mints a token.
struct Chain {
    state: Arc<Mutex<State>>,
    server: Server,
}

fn collection(index: u64) -> Address {
    Address::from_slice(&keccak256(index.to_be_bytes())[12..])
}

impl Chain {
    async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        state.lock().unwrap().grow(&[]);
        let served = state.clone();
        let server = Server::start(move |body| {
            let answer = served.lock().unwrap().answer(&body);
            async move { answer }
        });
        Self { server: server.await, state }
    }

    fn grow(&self, logs: &[(Address, LogData)]) {
        self.state.lock().unwrap().grow(logs);
    }

    /// So many collections, so many to a block, each with a token in the block after it.
    fn make(&self, first: u64, count: u64, a_block: u64) {
        let mut made: Vec<u64> = Vec::new();
        let mut next = first;
        while next < first + count || !made.is_empty() {
            let now: Vec<_> = (next..(next + a_block).min(first + count)).collect();
            let minted = made.iter().flat_map(|index| mint(*index, 1));
            let logs: Vec<_> = now.iter().map(|index| create(*index)).chain(minted).collect();
            self.grow(&logs);
            (next, made) = (next + a_block, now);
        }
    }

    fn head(&self) -> u64 {
        self.state.lock().unwrap().blocks.len() as u64 - 1
    }

    fn asked(&self) -> Asked {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// Other blocks in place of the last ones, as many and empty.
    fn reorg(&self, depth: usize) {
        let mut state = self.state.lock().unwrap();
        let keep = state.blocks.len() - depth;
        state.blocks.truncate(keep);
        state.fork += 1;
        (0..depth).for_each(|_| state.grow(&[]));
    }
}

fn create(index: u64) -> (Address, LogData) {
    let event = IEverholdFactory::CollectionCreated {
        collection: collection(index),
        creator: Address::repeat_byte(1),
        sender: Address::repeat_byte(1),
        codec: Codec::Raw.multicodec(),
        editable: true,
        name: format!("Collection {index}"),
        firstTokenId: 1,
        symbol: "C".to_owned(),
    };
    (factory_address().unwrap(), event.encode_log_data())
}

fn mint(index: u64, token: u64) -> [(Address, LogData); 2] {
    let (token, to) = (U256::from(token), Address::repeat_byte(2));
    let transfer = IEverhold::Transfer { from: Address::ZERO, to, tokenId: token };
    let digest = keccak256((index / 3).to_be_bytes());
    let content = IEverhold::ContentSet { tokenId: token, digest, revision: 1 };
    [
        (collection(index), transfer.encode_log_data()),
        (collection(index), content.encode_log_data()),
    ]
}

impl State {
    fn grow(&mut self, logs: &[(Address, LogData)]) {
        let number = self.blocks.len() as u64;
        let mut bloom = Bloom::ZERO;
        for (address, data) in logs {
            bloom.accrue_raw_log(*address, data.topics());
        }
        let inner = Inner {
            number,
            parent_hash: self.blocks.last().map_or(B256::ZERO, |block| block.hash),
            logs_bloom: bloom,
            timestamp: 1_700_000_000 + number,
            mix_hash: B256::from(U256::from(self.fork)),
            ..Inner::default()
        };
        let hash = inner.hash_slow();
        let log = |(index, (address, data)): (usize, &(Address, LogData))| {
            let log = json!({
                "address": address, "topics": data.topics(), "data": data.data,
                "blockHash": hash, "blockNumber": format!("{number:#x}"),
                "transactionHash": hash, "transactionIndex": "0x0",
                "logIndex": format!("{index:#x}"), "removed": false,
            });
            (*address, log)
        };
        let header = Header { hash, inner, total_difficulty: None, size: None };
        let header = serde_json::to_value(header).unwrap();
        let logs = logs.iter().enumerate().map(log).collect();
        self.blocks.push(Block { hash, header, logs });
    }

    fn answer(&mut self, body: &[u8]) -> Answer {
        let request: Value = serde_json::from_slice(body).ok()?;
        self.asked.requests += 1;
        let (head, params) = (self.blocks.len() as u64 - 1, &request["params"]);
        let last = number(&params[0]["toBlock"]);
        let of_first =
            || params[0]["address"].to_string().contains(&format!("{:#x}", collection(0)));
        if self.broken_from.is_some_and(|from| last >= Some(from)) && of_first() {
            return Some(Reply::new(500, "out of order"));
        }
        let from = number(&params[0]["fromBlock"]);
        if let (Some(longest), Some(from), Some(last)) = (self.longest, from, last)
            && last - from >= longest
        {
            let message = format!("eth_getLogs is limited to a {longest} block range");
            let error = json!({ "code": -32602, "message": message });
            let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "error": error });
            return Some(Reply::new(200, answer.to_string()));
        }
        let result = match request["method"].as_str()? {
            "eth_chainId" => json!("0x7a69"),
            "eth_getCode" => json!("0x60"),
            "eth_getBlockByNumber" => {
                let block = self.blocks.get(number(&params[0]).unwrap_or(head) as usize);
                block.map_or(Value::Null, |block| block.header.clone())
            }
            "eth_getLogs" => self.logs(&params[0]),
            other => panic!("{other}"),
        };
        let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
        Some(Reply::new(200, answer.to_string()))
    }

    fn logs(&mut self, filter: &Value) -> Value {
        let asked: HashSet<Address> = match &filter["address"] {
            Value::Array(all) => all.iter().filter_map(|one| one.as_str()?.parse().ok()).collect(),
            one => one.as_str().and_then(|one| one.parse().ok()).into_iter().collect(),
        };
        self.asked.searches += 1;
        self.asked.addresses += asked.len() as u64;
        self.asked.most = self.asked.most.max(asked.len());
        let hash = filter["blockHash"].as_str().and_then(|hash| hash.parse::<B256>().ok());
        let range = match hash {
            Some(hash) => {
                let at = self.blocks.iter().position(|block| block.hash == hash).unwrap();
                at..=at
            }
            None => {
                if let Some(left) = &mut self.mute {
                    *left -= 1;
                    if *left == 0 {
                        self.mute = None;
                        return json!([]);
                    }
                }
                let at = |key: &str| number(&filter[key]).unwrap() as usize;
                at("fromBlock")..=at("toBlock").min(self.blocks.len() - 1)
            }
        };
        let logs = self.blocks[range].iter().flat_map(|block| &block.logs);
        logs.filter(|(address, _)| asked.contains(address)).map(|(_, log)| log.clone()).collect()
    }
}

fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

async fn factory() -> Setting {
    let mut setting = Setting::of(&[]).await;
    setting.factories = vec![FactoryConfig::default()];
    setting
}

async fn start(setting: &Setting, chain: &Chain, db: &Database) -> Watch {
    setting.start(db, &[&chain.server.url]).await.unwrap()
}

/// Each collection as the ledger has it, with its tokens.
async fn held(watch: &Watch) -> Vec<(Address, u64, Option<u64>, usize)> {
    let Seen { snapshot, indexed, .. } = seen(watch.ledger()).await;
    let all = watch.ledger().read().await.unwrap().collections().await.unwrap();
    assert!(all.iter().map(|one| one.indexed_block).eq(indexed));
    let mut tokens: HashMap<Address, usize> = HashMap::new();
    snapshot.tokens.keys().for_each(|(address, _)| *tokens.entry(*address).or_default() += 1);
    let mut all: Vec<_> = all
        .iter()
        .map(|one| {
            let tokens = tokens.get(&one.address).copied().unwrap_or_default();
            (one.address, one.start_block, one.indexed_block, tokens)
        })
        .collect();
    all.sort_unstable();
    all
}

/// What [`held`] gives where so many to a block were made from block 1 on, with a token each.
fn expected(count: u64, a_block: u64, head: u64) -> Vec<(Address, u64, Option<u64>, usize)> {
    let one = |index| (collection(index), 1 + index / a_block, Some(head), 1);
    let mut all: Vec<_> = (0..count).map(one).collect();
    all.sort_unstable();
    all
}

/// More than one request asks for, most of them below the window.
async fn are_read_together(db: Database) {
    let chain = Chain::start().await;
    chain.make(0, 1_200, 5);
    let (setting, below) = (factory().await, chain.head());
    let watch = start(&setting, &chain, &db).await;
    watch.index_once().await.unwrap();
    assert!(held(&watch).await == expected(1_200, 5, below));
    let asked = chain.asked();
    // 240 blocks with creations: once for the factory, once for what it made.
    assert!(asked.searches < 30 && asked.most <= 1000, "{asked:?}");

    // A block at the head costs a request for each thousand; a reorg takes back what was made.
    chain.make(1_200, 5, 5);
    watch.index_once().await.unwrap();
    let all = held(&watch).await;
    assert!(all.len() == 1_205 && all.iter().all(|one| (one.2, one.3) == (Some(below + 2), 1)));
    let asked = chain.asked();
    assert!(asked.searches < 12, "{asked:?}");
    chain.reorg(2);
    assert_eq!(watch.index_once().await.unwrap().reorgs, 1);
    assert!(held(&watch).await == expected(1_200, 5, below + 2));
    chain.reorg(2);
    chain.make(1_200, 10, 5);
    assert_eq!(watch.index_once().await.unwrap().reorgs, 1);
    let back = held(&watch).await;
    assert_eq!((back.len(), back.iter().filter(|one| one.3 == 1).count()), (1_210, 1_210));

    // A process that starts now reads nothing twice.
    drop(watch);
    chain.asked();
    let watch = start(&setting, &chain, &db).await;
    assert_eq!(watch.index_once().await.unwrap().events, 0);
    assert_eq!(chain.asked().searches, 0);
}

/// Of the requests for one range, one meets a machine that does not have the newest block.
async fn are_all_told_of_where_one_answer_lags(db: Database) {
    let chain = Chain::start().await;
    chain.make(0, 1_100, 50);
    let watch = start(&factory().await, &chain, &db).await;
    watch.index_once().await.unwrap();
    for mute in [1, 2] {
        let mints = (0..1_100).flat_map(|index| mint(index, 1 + u64::from(mute)));
        chain.grow(&mints.collect::<Vec<_>>());
        chain.state.lock().unwrap().mute = Some(mute);
        watch.index_once().await.unwrap();
        let all = held(&watch).await;
        let tokens = 1 + mute as usize;
        assert_eq!(all.iter().filter(|one| one.3 == tokens).count(), 1_100, "answer {mute}");
    }
}

/// One transaction ends between those that have begun and those that have not.
async fn are_written_in_parts(db: Database) {
    let chain = Chain::start().await;
    // More events than one transaction takes, before the last ones begin.
    chain.make(0, 5_000, 25);
    (0..200).for_each(|_| chain.grow(&[]));
    let watch = start(&factory().await, &chain, &db).await;
    assert_eq!(watch.index_once().await.unwrap().events, 15_000);
    assert!(held(&watch).await == expected(5_000, 25, chain.head()));
}

/// Several transactions' worth of events, and then nothing more: what was written stays, with its
/// checkpoint and no event of what is behind it.
async fn keep_what_was_written_where_the_endpoint_fails(db: Database) {
    const A_BLOCK: u64 = 200;
    let chain = Chain::start().await;
    chain.grow(&[create(0)]);
    for block in 0..210 {
        let tokens = block * A_BLOCK..(block + 1) * A_BLOCK;
        chain.grow(&tokens.flat_map(|token| mint(0, token)).collect::<Vec<_>>());
    }
    (0..200).for_each(|_| chain.grow(&[]));
    {
        let mut state = chain.state.lock().unwrap();
        (state.broken_from, state.longest) = (Some(200), Some(20));
    }
    let (setting, first) = (factory().await, 1 + 1);
    let watch = start(&setting, &chain, &db).await;
    watch.index_once().await.unwrap_err();
    let all = held(&watch).await;
    let [(address, 1, Some(indexed), tokens)] = all[..] else { panic!("{all:?}") };
    assert_eq!(indexed, 180, "all that came");
    assert_eq!(tokens as u64, (indexed - first + 1) * A_BLOCK);
    // Another process goes on where this one ended.
    drop(watch);
    chain.state.lock().unwrap().broken_from = None;
    let watch = start(&setting, &chain, &db).await;
    watch.index_once().await.unwrap();
    let tokens = usize::try_from(210 * A_BLOCK).unwrap();
    assert_eq!(held(&watch).await, [(address, 1, Some(chain.head()), tokens)]);
}

/// Prints figures: `COUNTS=5000 cargo test -p everhold --test follower -- --ignored many::figures --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn figures() {
    let counts = std::env::var("COUNTS").unwrap_or("250,500,1000".to_owned());
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for count in counts.split(',').map(|count| count.parse().unwrap()) {
            let chain = Chain::start().await;
            chain.make(0, count, 1);
            (0..200).for_each(|_| chain.grow(&[]));
            let (setting, db) = (factory().await, Database::fresh(engine).await);
            let watch = start(&setting, &chain, &db).await;
            chain.asked();
            let begun = Instant::now();
            let events = watch.index_once().await.unwrap().events;
            let (took, asked) = (begun.elapsed(), chain.asked());
            println!("{engine:?}, {count}: backfill of {events} events {took:.2?}, {asked:?}");
            let mut blocks: Vec<Duration> = Vec::new();
            for index in 0..10 {
                chain.grow(&mint(index, 2));
                let begun = Instant::now();
                watch.index_once().await.unwrap();
                blocks.push(begun.elapsed());
            }
            let asked = chain.asked();
            let begun = Instant::now();
            watch.index_once().await.unwrap();
            let idle = begun.elapsed();
            blocks.sort_unstable();
            println!(
                "  a block at the head: {:.2?} (median); idle {idle:.2?}; {asked:?}",
                blocks[5]
            );
            chain.asked();
            chain.reorg(5);
            let begun = Instant::now();
            assert_eq!(watch.index_once().await.unwrap().reorgs, 1);
            println!("  a reorg: {:.2?}; {:?}", begun.elapsed(), chain.asked());
            watch.ledger().close().await;
        }
    }
}
