//! How fast a chain is followed, whole process, beside the fastest bare client that only fetches
//! and decodes the same logs. `make bench` builds the product first.
//!
//! Then, how long it takes from a block until it is in the ledger, over WebSocket and HTTP.
//!
//! Prints figures and asserts none. `EVERHOLD_BENCH_TOKENS` (100,000) sets the size, of which a
//! quarter and a half are measured, too; 0 measures only how long a block takes. With
//! `EVERHOLD_BENCH_KEEP` the chain is made and served until Ctrl-C, and `EVERHOLD_BENCH_CHAIN` measures
//! the one that the words it printed are of.

use std::{
    env,
    path::Path,
    time::{Duration, Instant},
};

#[path = "../tests/support/postgres.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::panic)]
mod postgres;

use alloy::rpc::types::Log;
use everhold::{
    chain::decode,
    config::Standard,
    ledger::{Ledger, LedgerError},
};
use everhold_harness::{Anvil, Context, Error, Everhold, Result, Settings, accounts, eventually};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Tokens minted in a block, and updated in one.
const PER_BLOCK: u64 = 50;
/// Of the tokens, one in so many is updated.
const UPDATED: u64 = 5;
/// How often each is timed; the best counts.
const RUNS: usize = 5;

#[tokio::main]
async fn main() -> Result<()> {
    if let Ok(words) = env::var("EVERHOLD_BENCH_CHAIN") {
        return follow(&Everhold::new()?, &Storm::parse(&words)?).await;
    }
    let tokens = env::var("EVERHOLD_BENCH_TOKENS").ok().and_then(|text| text.parse().ok());
    let tokens: u64 = tokens.unwrap_or(100_000);
    latency().await?;
    if tokens == 0 {
        return Ok(());
    }
    // Old states are not asked for, and would be most of the time and memory.
    let options = ["--disable-block-gas-limit", "--no-mining", "--prune-history"];
    let anvil = Anvil::start_with(&options, None).await?;
    let everhold = Everhold::new()?;
    let (collection, block) = begin(&anvil, &everhold).await?;
    let keep = env::var_os("EVERHOLD_BENCH_KEEP").is_some();
    let mut before = 0;
    let all = tokens;
    for tokens in [all / 4, all / 2, all] {
        let begun = Instant::now();
        storm(&anvil, &collection, before + 1, tokens).await?;
        before = tokens;
        let (head, took) = (anvil.head().await?, begun.elapsed().as_secs_f64());
        println!("{tokens} tokens, {head} blocks (made in {took:.0} s more)");
        let storm = Storm { url: anvil.url(), collection: collection.clone(), block, head, tokens };
        if !keep {
            follow(&everhold, &storm).await?;
        } else if tokens == all {
            println!("EVERHOLD_BENCH_CHAIN=\"{}\"", storm.words());
            std::future::pending::<()>().await;
        }
    }
    Ok(())
}

/// A chain to be followed.
struct Storm {
    url: String,
    collection: String,
    /// The collection's.
    block: u64,
    head: u64,
    tokens: u64,
}

impl Storm {
    fn words(&self) -> String {
        let Self { url, collection, block, head, tokens } = self;
        format!("{url} {collection} {block} {head} {tokens}")
    }

    fn parse(words: &str) -> Result<Self> {
        let mut words = words.split_whitespace();
        let mut next = || words.next().context("EVERHOLD_BENCH_CHAIN has five words");
        let (url, collection) = (next()?.to_owned(), next()?.to_owned());
        let mut number = || next()?.parse().context("a number in EVERHOLD_BENCH_CHAIN");
        Ok(Self { url, collection, block: number()?, head: number()?, tokens: number()? })
    }
}

/// Times the chain as it is now.
async fn follow(everhold: &Everhold, storm: &Storm) -> Result<()> {
    let Storm { url, collection, block, head, tokens } = storm;
    let bare = bare(url, collection, *block, *head).await?;
    let mut settings = Settings {
        rpc: vec![url.clone()],
        nodes: vec!["http://127.0.0.1:9".to_owned()],
        min: 1,
        collections: vec![(collection.clone(), *block)],
        ..Settings::default()
    };
    for engine in [Engine::Sqlite, Engine::Postgres] {
        backfill(everhold, &mut settings, engine, *tokens, bare).await?;
    }
    Ok(())
}

/// Where it is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Sqlite,
    /// As it comes, but for where it listens.
    Postgres,
}

/// Blocks of which it is measured how long they take to the ledger.
const BLOCKS: usize = 60;
/// Between them.
const BLOCK_TIME: Duration = Duration::from_millis(300);

/// From the answer of the call that mines a block until the block is committed, seen through another
/// connection to the ledger.
async fn latency() -> Result<()> {
    let anvil = Anvil::start().await?;
    let everhold = Everhold::new()?;
    let (collection, block) = begin(&anvil, &everhold).await?;
    let (http, poll) = (anvil.url(), "200ms".to_owned());
    let ws = http.replacen("http:", "ws:", 1);
    for (name, rpc, poll) in
        [("WebSocket", ws, "2s".to_owned()), ("HTTP, poll = \"200ms\"", http, poll)]
    {
        let database = format!("sqlite://{}/latency-{}.db", everhold.dir().display(), &rpc[..2]);
        everhold.configure(&Settings {
            rpc: vec![rpc],
            poll,
            nodes: vec!["http://127.0.0.1:9".to_owned()],
            min: 1,
            collections: vec![(collection.clone(), block)],
            database: database.clone(),
            ..Settings::default()
        })?;
        let mut watcher = everhold.watch(&["--no-repair"])?;
        let mut times = Vec::new();
        let mut head = anvil.head().await?;
        let ledger = ledger(&database).await?;
        until(&ledger, head).await?;
        for _ in 0..BLOCKS {
            tokio::time::sleep(BLOCK_TIME).await;
            anvil.mine(1).await?;
            let mined = Instant::now();
            head += 1;
            until(&ledger, head).await?;
            times.push(mined.elapsed());
        }
        ledger.close().await;
        times.sort_unstable();
        let at = |part: usize| times[BLOCKS * part / 100].as_secs_f64() * 1e3;
        println!(
            "{name}: a block is in the ledger after {:.1} ms (p50), {:.1} ms (p95)",
            at(50),
            at(95)
        );
        watcher.terminate().await?;
    }
    Ok(())
}

/// The ledger that a process has just begun.
async fn ledger(database: &str) -> Result<Ledger> {
    let path = database.trim_start_matches("sqlite://");
    let (patience, pause) = (Duration::from_secs(20), Duration::from_millis(50));
    let is_there = async || Ok(Path::new(path).exists().then_some(()));
    eventually("the ledger is there", patience, pause, is_there).await?;
    Ledger::open(database).await.map_err(|error| Error::new(error.to_string()))
}

/// Waits until a block is in the ledger.
async fn until(ledger: &Ledger, block: u64) -> Result<()> {
    let begun = Instant::now();
    let failed = |error: LedgerError| Error::new(error.to_string());
    while begun.elapsed() < Duration::from_secs(20) {
        let mut tx = ledger.read().await.map_err(failed)?;
        let collections = tx.collections().await.map_err(failed)?;
        if collections.first().is_some_and(|first| first.indexed_block >= Some(block)) {
            return Ok(());
        }
        drop(tx);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Err(Error::new(format!("block {block} does not come")))
}

/// Makes a collection; gives it and its block.
async fn begin(anvil: &Anvil, everhold: &Everhold) -> Result<(String, u64)> {
    anvil.automine(true).await?;
    everhold.configure(&Settings { rpc: vec![anvil.url()], min: 0, ..Settings::default() })?;
    let key = everhold.key_file("creator", &accounts::CREATOR)?;
    let words = ["deploy", "--name", "Storm", "--symbol", "STM", "--codec", "raw"];
    let key = ["--private-key-file", &key];
    let deployed = everhold.json(words.iter().chain(&key)).await?;
    let collection = deployed["address"].as_str().context("address")?.to_owned();
    let block = deployed["block"].as_u64().context("block")?;
    anvil.automine(false).await?;
    Ok((collection, block))
}

/// Mints tokens up to `to`, and updates some of them.
async fn storm(anvil: &Anvil, collection: &str, from_id: u64, to: u64) -> Result<()> {
    let from = accounts::CREATOR.address.to_lowercase();
    let owner = format!("{:0>64}", from.trim_start_matches("0x"));
    let send =
        |data: String| json!({"from": from, "to": collection, "data": data, "gas": "0x40000"});
    for first in (from_id..=to).step_by(PER_BLOCK as usize) {
        let last = to.min(first + PER_BLOCK - 1);
        // mint(address,uint256,bytes32)
        let mint = |id: u64| send(format!("0x{MINT}{owner}{id:064x}{:064x}", id << 32 | 1));
        anvil.send_all((first..=last).map(mint).collect()).await?;
        anvil.mine(1).await?;
    }
    let updated: Vec<u64> = (from_id..=to).step_by(UPDATED as usize).collect();
    for ids in updated.chunks(PER_BLOCK as usize) {
        let update = |id: &u64| {
            send(format!("0x{UPDATE}{id:064x}{:064x}{:064x}", id << 32 | 1, id << 32 | 2))
        };
        anvil.send_all(ids.iter().map(update).collect()).await?;
        anvil.mine(1).await?;
    }
    Ok(())
}

/// `mint(address,uint256,bytes32)`.
const MINT: &str = "1e458bee";
/// `updateContent(uint256,bytes32,bytes32)`.
const UPDATE: &str = "42010b2d";

/// The best time of any chunk size and concurrency.
async fn bare(url: &str, collection: &str, from: u64, to: u64) -> Result<Duration> {
    let mut best: Option<(Duration, u64, usize)> = None;
    let mut logs = 0;
    for connections in [1, 2, 4, 8] {
        for chunk in [20, 100, 500] {
            for _ in 0..RUNS {
                let begun = Instant::now();
                logs = fetch_all(url, collection, from, to, chunk, connections).await?;
                let took = begun.elapsed();
                if best.is_none_or(|(other, ..)| took < other) {
                    best = Some((took, chunk, connections));
                }
            }
        }
    }
    let (took, chunk, connections) = best.context("no run")?;
    println!(
        "bare client: {logs} logs in {:.2} s, {:.0} logs/s ({connections} connections, {chunk} blocks a request)",
        took.as_secs_f64(),
        logs as f64 / took.as_secs_f64()
    );
    Ok(took)
}

async fn fetch_all(
    url: &str,
    collection: &str,
    from: u64,
    to: u64,
    chunk: u64,
    connections: usize,
) -> Result<usize> {
    let ranges: Vec<(u64, u64)> = (from..=to)
        .step_by(chunk as usize)
        .map(|first| (first, to.min(first + chunk - 1)))
        .collect();
    // Each connection takes every so-manieth range.
    let workers = (0..connections).map(|worker| {
        let mine: Vec<_> = ranges.iter().skip(worker).step_by(connections).copied().collect();
        let (host, collection) =
            (url.trim_start_matches("http://").to_owned(), collection.to_owned());
        tokio::spawn(async move { fetch(&host, &collection, &mine).await })
    });
    let all: Vec<usize> = stream::iter(workers)
        .buffer_unordered(connections)
        .map(|joined| joined.context("worker")?)
        .try_collect()
        .await?;
    Ok(all.into_iter().sum())
}

#[derive(Deserialize)]
struct Answer {
    result: Vec<Log>,
}

/// Fetches and decodes the logs of ranges over one connection.
async fn fetch(host: &str, collection: &str, ranges: &[(u64, u64)]) -> Result<usize> {
    let mut stream = BufReader::new(TcpStream::connect(host).await.context("connect")?);
    stream.get_ref().set_nodelay(true).context("connect")?;
    let mut logs = 0;
    for (from, to) in ranges {
        let filter = json!({"address": collection, "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}")});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [filter]})
            .to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes()).await.context("request")?;
        let bytes = body_of(&mut stream).await?;
        let answer: Answer = serde_json::from_slice(&bytes).context("answer")?;
        for log in &answer.result {
            logs += 1;
            decode(log, Standard::Everhold).map_err(|error| Error::new(error.to_string()))?;
        }
    }
    Ok(logs)
}

async fn body_of(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        stream.read_line(&mut line).await.context("head")?;
        let head = line.trim().to_ascii_lowercase();
        if head.is_empty() {
            break;
        }
        if let Some(value) = head.strip_prefix("content-length:") {
            length = value.trim().parse().context("length")?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.context("body")?;
    Ok(body)
}

/// Backfills an empty ledger.
async fn backfill(
    everhold: &Everhold,
    settings: &mut Settings,
    engine: Engine,
    tokens: u64,
    bare: Duration,
) -> Result<()> {
    let (mut best, mut memory, mut events) = (Duration::MAX, 0, 0);
    for run in 0..RUNS {
        settings.database = match engine {
            Engine::Sqlite => format!("sqlite://{tokens}-{run}.db"),
            Engine::Postgres => postgres::new_database_with(&[]).await,
        };
        everhold.configure(settings)?;
        let done = everhold.run(["watch", "--index-only"]).await?;
        if engine == Engine::Postgres {
            postgres::drop_database(&settings.database).await;
        }
        (best, memory) = (best.min(done.took), memory.max(done.peak_memory));
        let printed: Value = done.success()?;
        events = printed["round"]["events"].as_u64().context("events")?;
    }
    let ratio = best.as_secs_f64() / bare.as_secs_f64();
    println!(
        "{engine:?}: {events} events in {:.2} s, {:.0} events/s, {ratio:.2} × the bare client; peak memory {:.0} MB",
        best.as_secs_f64(),
        events as f64 / best.as_secs_f64(),
        memory as f64 / 1e6
    );
    if engine == Engine::Sqlite {
        let file = everhold.dir().join(format!("{tokens}-0.db"));
        let size = std::fs::metadata(file).context("database")?.len();
        println!("  {} bytes of database a token", size / tokens);
    }
    Ok(())
}
