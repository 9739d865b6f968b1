//! How fast replicas are probed, chosen and written down, beside how many there are. `make bench`
//! builds the product first.
//!
//! Prints figures and asserts none. `EVERHOLD_BENCH_CONTENTS` (10,000) contents are probed at three
//! development nodes by the whole process; the next probes are chosen among those of
//! `EVERHOLD_BENCH_DUE` (1,000,000) contents at five nodes, and spot checks among those of a fifth of
//! them; 0 leaves a part out.

use std::{
    env,
    fmt::Write as _,
    time::{Duration, Instant},
};

#[path = "../tests/support/postgres.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::panic)]
mod postgres;

use everhold::{
    health::{Health, Holder, Past, Policy, ReplicaState, ReplicaView, Schedule, Verdict, assess},
    ledger::{
        DueProbe, DueSpot, Ledger, LedgerError, Node, NodeKind, ProbeRecord, SpotRecord, SpotResult,
    },
};
use everhold_harness::{
    Anvil, Context, DevNode, Error, Everhold, NodeOptions, Result, Settings, accounts, sha256,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

/// Nodes in the ledger, of whole contents.
const NODES: u32 = 5;
/// Nodes that the whole process probes at.
const DEVNODES: usize = 3;
/// Times each thing is done; medians are printed.
const TIMES: usize = 21;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

#[tokio::main]
async fn main() -> Result<()> {
    let size = |name: &str, usual: u64| {
        env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    rounds();
    let contents = size("EVERHOLD_BENCH_CONTENTS", 10_000);
    if contents > 0 {
        for engine in [Engine::Sqlite, Engine::Postgres] {
            probes(engine, contents).await?;
        }
    }
    let due = size("EVERHOLD_BENCH_DUE", 1_000_000);
    if due > 0 {
        for engine in [Engine::Sqlite, Engine::Postgres] {
            for part in [4, 2, 1] {
                recording(engine, due / 10 / part).await?;
            }
            choosing(engine, due).await?;
            spot_checks(engine, due / 5).await?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Sqlite,
    /// As it comes, but for where it listens.
    Postgres,
}

/// A ledger of its own.
struct Base {
    engine: Engine,
    url: String,
    dir: tempfile::TempDir,
    ledger: Ledger,
}

impl Base {
    async fn new(engine: Engine) -> Result<Self> {
        let dir = tempfile::tempdir().context("directory")?;
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}", dir.path().join("bench.db").display()),
            Engine::Postgres => postgres::new_database_with(&[]).await,
        };
        let ledger = Ledger::open(&url).await.map_err(failed)?;
        let nodes: Vec<_> = (0..NODES)
            .map(|index| Node {
                id: 0,
                url: format!("http://node-{index}"),
                kind: NodeKind::Aleph,
                operator: None,
                address: index.to_string(),
            })
            .collect();
        let mut tx = ledger.write().await.map_err(failed)?;
        tx.set_nodes(&nodes).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(Self { engine, url, dir, ledger })
    }

    /// Runs SQL by the engine's own means.
    async fn sql(&self, sqlite: &str, postgres: &str) -> Result<()> {
        match self.engine {
            Engine::Sqlite => {
                let mut to = SqliteConnection::connect(&self.url).await.context("connect")?;
                sqlx::raw_sql(AssertSqlSafe(sqlite)).execute(&mut to).await.context("sql")?;
                to.close().await.context("close")
            }
            Engine::Postgres => {
                let mut to = PgConnection::connect(&self.url).await.context("connect")?;
                sqlx::raw_sql(AssertSqlSafe(postgres)).execute(&mut to).await.context("sql")?;
                to.close().await.context("close")
            }
        }
    }

    /// Makes wanted contents.
    async fn contents(&self, count: u64) -> Result<()> {
        let insert = "INSERT INTO contents (codec, digest, wanted, wanted_since, size, parsed)";
        self.sql(
            &format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
                 {insert} SELECT 85, randomblob(32), 1, 0, 1000, 1 FROM n"
            ),
            &format!(
                "{insert} SELECT 85, sha256(i::TEXT::BYTEA), 1, 0, 1000, 1
                 FROM generate_series(1, {count}) AS n (i)"
            ),
        )
        .await
    }

    /// Bytes on the disk.
    async fn size(&self) -> Result<u64> {
        match self.engine {
            Engine::Sqlite => {
                let file = self.dir.path().join("bench.db");
                self.sql("PRAGMA wal_checkpoint(TRUNCATE)", "").await?;
                Ok(std::fs::metadata(file).context("size")?.len())
            }
            Engine::Postgres => {
                let mut to = PgConnection::connect(&self.url).await.context("connect")?;
                let select = "SELECT pg_database_size(current_database())";
                let (size,): (i64,) =
                    sqlx::query_as(select).fetch_one(&mut to).await.context("size")?;
                Ok(u64::try_from(size).unwrap_or(0))
            }
        }
    }

    async fn take(&self, now: i64, limit: u32) -> Result<Vec<DueProbe>> {
        let mut tx = self.ledger.write().await.map_err(failed)?;
        let due = tx.take_due_probes(now, now + HOUR, limit, false).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(due)
    }

    async fn end(self) {
        self.ledger.close().await;
        if self.engine == Engine::Postgres {
            postgres::drop_database(&self.url).await;
        }
    }
}

const SCHEDULE: Schedule =
    Schedule { recheck: 24 * HOUR, retry: 1000, jitter: 2 * HOUR, spot: 6 * HOUR };

/// What a probe that went well saw.
fn verified(due: &DueProbe, at: i64) -> ProbeRecord {
    ProbeRecord {
        content: due.content,
        node: due.node,
        seen: ReplicaState::Verified,
        held: Some(true),
        is_untold: false,
        bytes: Some(1000),
        http_status: Some(200),
        computed: Some(due.id.to_string()),
        sha256: Some(due.id.digest),
        detail: None,
        addresses: [format!("10.0.0.{}", due.node)].into(),
        gives_blocks: false,
        began: at,
        at,
    }
}

/// The first probes of all replicas, taken and written down by the thousand.
async fn recording(engine: Engine, contents: u64) -> Result<()> {
    let base = Base::new(engine).await?;
    base.contents(contents).await?;
    let empty = base.size().await?;
    let (mut written, begun) = (0, Instant::now());
    loop {
        let mut tx = base.ledger.write().await.map_err(failed)?;
        tx.schedule_new(1000).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        let due = base.take(1, 1000).await?;
        if due.is_empty() {
            break;
        }
        let records: Vec<_> = due.iter().map(|one| verified(one, 2)).collect();
        let mut tx = base.ledger.write().await.map_err(failed)?;
        tx.record_probes(&records, &SCHEDULE).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        written += records.len() as u64;
    }
    let took = begun.elapsed().as_secs_f64();
    let size = base.size().await?;
    println!(
        "{engine:?}: {written} first probes of {contents} contents taken and written down in \
         {took:.1} s, {:.0} a second; {:.0} bytes a content before, {:.0} bytes a probe more",
        written as f64 / took,
        empty as f64 / contents as f64,
        (size - empty) as f64 / written as f64,
    );
    base.end().await;
    Ok(())
}

/// The next thousand of all that there are, a sixth of which is due.
async fn choosing(engine: Engine, contents: u64) -> Result<()> {
    let base = Base::new(engine).await?;
    base.contents(contents).await?;
    let columns = "(content_id, node_id, state, failures, held, bytes, http_status, checked_at,
        verified_at, due_at, priority)";
    // As a day leaves it: those that were probed together are due about the same time.
    let rows = format!(
        "SELECT c.id, n.id, 'verified', 0, 1, 1000, 200, 1, 1,
            1 + c.id * {DAY} / {contents} + (c.id * 7919 + n.id * 104729) % ({DAY} / 10),
            CASE WHEN c.id % 100 = 0 THEN 0 ELSE 2 END
         FROM contents c CROSS JOIN nodes n"
    );
    let insert = format!("INSERT INTO replicas {columns} {rows}");
    let begun = Instant::now();
    base.sql(&insert, &insert).await?;
    // As autovacuum leaves it.
    base.sql("", "VACUUM ANALYZE").await?;
    let made = begun.elapsed();
    let now = DAY / 5;
    let (mut times, mut taken) = (Vec::new(), 0);
    for _ in 0..TIMES {
        let begun = Instant::now();
        let due = base.take(now, 1000).await?;
        times.push(begun.elapsed());
        taken += due.len();
        let records: Vec<_> = due.iter().map(|one| verified(one, now)).collect();
        let mut tx = base.ledger.write().await.map_err(failed)?;
        tx.record_probes(&records, &SCHEDULE).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
    }
    println!(
        "{engine:?}: 1000 due probes of {} ({} contents at {NODES} nodes; made in {:.0} s) taken in {} \
         ({taken} in {TIMES} times)",
        contents * u64::from(NODES),
        contents,
        made.as_secs_f64(),
        spread(&mut times),
    );
    base.end().await;
    Ok(())
}

/// The next spot checks of all that there are, an eighth of which is due, taken and written down. Then
/// full probes of the same replicas, each with its next spot check to write, or without.
async fn spot_checks(engine: Engine, contents: u64) -> Result<()> {
    let base = Base::new(engine).await?;
    base.contents(contents).await?;
    // `dag-pb`, as spot checks are.
    base.sql("UPDATE contents SET codec = 112", "UPDATE contents SET codec = 112").await?;
    let now = DAY / 5;
    let rows = format!(
        "INSERT INTO replicas (content_id, node_id, state, failures, held, bytes, http_status,
            checked_at, verified_at, due_at, spot_at, priority)
         SELECT c.id, n.id, 'verified', 0, 1, 10000000, 200, 1, 1, {now} + 1 + c.id * {DAY} / {contents},
            {now} + c.id * {DAY} / {contents} - {DAY} / 8, 2
         FROM contents c CROSS JOIN nodes n"
    );
    base.sql(&rows, &rows).await?;
    base.sql("", "VACUUM ANALYZE").await?;
    let nodes: Vec<_> = (1..=i64::from(NODES)).map(|node| (node, 64)).collect();
    let (mut taking, mut writing, mut taken) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TIMES {
        let begun = Instant::now();
        let mut tx = base.ledger.write().await.map_err(failed)?;
        let due = tx.take_spots(now, 320, &nodes, &SCHEDULE).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        taking.push(begun.elapsed());
        taken += due.len();
        let records: Vec<_> = due.iter().map(|one| right(one, now)).collect();
        let begun = Instant::now();
        let mut tx = base.ledger.write().await.map_err(failed)?;
        tx.record_spots(&records).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        writing.push(begun.elapsed());
    }
    println!(
        "{engine:?}: 320 due spot checks of {} taken in {}, written down in {} ({taken} in {TIMES} \
         times)",
        contents * u64::from(NODES),
        spread(&mut taking),
        spread(&mut writing),
    );
    for (gives_blocks, what) in [(false, "without"), (true, "with")] {
        let mut times = full_probes(&base, gives_blocks).await?;
        println!(
            "{engine:?}: 1000 full probes written down {what} a next spot check in {}",
            spread(&mut times)
        );
    }
    base.end().await;
    Ok(())
}

/// A spot check that found the right blocks.
fn right(due: &DueSpot, at: i64) -> SpotRecord {
    SpotRecord { content: due.content, node: due.node, result: SpotResult::Right, at }
}

/// How long it takes to write down full probes of large files, a thousand at a time.
async fn full_probes(base: &Base, gives_blocks: bool) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    let now = 10 * DAY;
    for _ in 0..TIMES {
        let due = base.take(now, 1000).await?;
        let bytes = Some(10_000_000);
        let probed = |one| ProbeRecord { bytes, gives_blocks, ..verified(one, now) };
        let records: Vec<_> = due.iter().map(probed).collect();
        let begun = Instant::now();
        let mut tx = base.ledger.write().await.map_err(failed)?;
        tx.record_probes(&records, &SCHEDULE).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// Median and worst.
fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let (middle, worst) = (times[times.len() / 2], times[times.len() - 1]);
    format!("{:.1} ms (median), {:.1} ms (worst)", millis(middle), millis(worst))
}

/// The whole process: a collection of raw documents of 1 kB, each probed in full at each node.
async fn probes(engine: Engine, contents: u64) -> Result<()> {
    let anvil =
        Anvil::start_with(&["--disable-block-gas-limit", "--no-mining", "--prune-history"], None)
            .await?;
    let everhold = Everhold::new()?;
    let documents: Vec<Vec<u8>> = (0..contents).map(document).collect();
    let mut nodes = Vec::new();
    for _ in 0..DEVNODES {
        nodes.push(node_with(&documents).await?);
    }
    let (collection, block) = mint(&anvil, &everhold, &documents).await?;
    let database = match engine {
        Engine::Sqlite => "sqlite://probes.db".to_owned(),
        Engine::Postgres => postgres::new_database_with(&[]).await,
    };
    let mut settings = Settings {
        rpc: vec![anvil.url()],
        nodes: nodes.iter().map(DevNode::url).collect(),
        min: u32::try_from(DEVNODES).unwrap_or(u32::MAX),
        collections: vec![(collection, block)],
        recheck: "24h".to_owned(),
        database: database.clone(),
        more: "[probes]\nnode_requests_per_second = 0\n".to_owned(),
        ..Settings::default()
    };
    everhold.configure(&settings)?;
    let index: Value = everhold.run(["watch", "--index-only"]).await?.success()?;
    let events = &index["round"]["events"];
    println!("{engine:?}: {contents} contents of 1 kB ({events} events) at {DEVNODES} nodes");
    round(&everhold, "the first time, with the STOREs of all traced").await?;
    // All are due again, and their STOREs are not.
    "0s".clone_into(&mut settings.recheck);
    everhold.configure(&settings)?;
    round(&everhold, "again").await?;
    if engine == Engine::Postgres {
        postgres::drop_database(&database).await;
    }
    Ok(())
}

/// One round of the whole process.
async fn round(everhold: &Everhold, how: &str) -> Result<()> {
    let done = everhold.run(["watch", "--once", "--no-repair"]).await?;
    let (took, memory) = (done.took.as_secs_f64(), done.peak_memory as f64 / 1e6);
    let printed: Value = done.success()?;
    let probes = printed["round"]["probes"].as_u64().context("probes")?;
    let speed = probes as f64 / took;
    println!(
        "  {probes} full probes {how}: {took:.2} s, {speed:.0} a second; peak memory {memory:.0} MB"
    );
    Ok(())
}

/// Metadata of 1000 bytes that refers to nothing.
fn document(index: u64) -> Vec<u8> {
    let mut text = json!({ "name": format!("Token {index}"), "description": "" }).to_string();
    let missing = 1000 - text.len();
    let end = text.len() - 2;
    text.insert_str(end, &"x".repeat(missing));
    text.into_bytes()
}

/// A node that has these files, as though they had been uploaded.
async fn node_with(documents: &[Vec<u8>]) -> Result<DevNode> {
    let mut node = DevNode::start(NodeOptions::default()).await?;
    node.stop().await?;
    let mut known = String::new();
    for bytes in documents {
        let name = sha256(bytes);
        let path = node.path(&name);
        std::fs::write(&path, bytes).context("file")?;
        let line = json!({ "hash": name, "size": bytes.len(), "grace": 1 });
        writeln!(known, "{line}").context("line")?;
    }
    let files = node.path("x").with_file_name("../files.jsonl");
    std::fs::write(files, known).context("files.jsonl")?;
    node.restart().await?;
    Ok(node)
}

/// Makes a collection of these documents, fifty to a block.
async fn mint(anvil: &Anvil, everhold: &Everhold, documents: &[Vec<u8>]) -> Result<(String, u64)> {
    anvil.automine(true).await?;
    everhold.configure(&Settings { rpc: vec![anvil.url()], min: 0, ..Settings::default() })?;
    let key = everhold.key_file("creator", &accounts::CREATOR)?;
    let words = ["deploy", "--name", "Probed", "--symbol", "PRB", "--codec", "raw"];
    let deployed = everhold.json(words.iter().chain(&["--private-key-file", &key])).await?;
    let collection = deployed["address"].as_str().context("address")?.to_owned();
    let block = deployed["block"].as_u64().context("block")?;
    anvil.automine(false).await?;
    let from = accounts::CREATOR.address.to_lowercase();
    let owner = format!("{:0>64}", from.trim_start_matches("0x"));
    let mut id = 0;
    for some in documents.chunks(50) {
        let mints = some.iter().map(|bytes| {
            id += 1;
            // mint(address,uint256,bytes32)
            let data = format!("0x1e458bee{owner}{id:064x}{}", sha256(bytes));
            json!({ "from": from, "to": collection, "data": data, "gas": "0x40000" })
        });
        anvil.send_all(mints.collect()).await?;
        anvil.mine(1).await?;
    }
    Ok((collection, block))
}

/// A thousand rounds in which one probe in ten is not answered, and all but one node are needed.
fn rounds() {
    let policy = Policy { min: NODES - 1, min_held: 0, grace: 0, recheck: 24 * HOUR };
    for seed in 1..=3 {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut replicas = vec![(Verdict::default(), None); NODES as usize];
        let (mut alerts, mut probes, mut was_well) = (0, 0_u64, true);
        let mut due: Vec<i64> = vec![0; NODES as usize];
        let mut now = 0;
        while now < 1000 * policy.recheck {
            now = due.iter().copied().min().unwrap_or(0).max(now);
            for (index, at) in due.iter_mut().enumerate().filter(|(_, at)| **at <= now) {
                let answered = !dice.random_ratio(1, 10);
                let seen =
                    if answered { ReplicaState::Verified } else { ReplicaState::Unreachable };
                let (verdict, verified_at) = &mut replicas[index];
                *verdict = verdict.after(seen);
                if answered {
                    *verified_at = Some(now);
                }
                *at = SCHEDULE.next_probe(*verdict, now, index as u64);
                probes += 1;
            }
            let view = |(index, (verdict, verified_at)): (usize, &(Verdict, Option<i64>))| {
                let holder = Holder::at(None, index.to_string());
                ReplicaView {
                    state: verdict.state,
                    verified_at: *verified_at,
                    held: true,
                    gives_bytes: true,
                    in_use_since: None,
                    holder,
                }
            };
            let views: Vec<_> = replicas.iter().enumerate().map(view).collect();
            let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
            let health = assess(&views, &policy, past, now).health;
            alerts += u32::from(was_well && health.is_problem());
            was_well = matches!(health, Health::Healthy | Health::Pending);
        }
        println!(
            "1000 rounds at 10 % unreachable, min = {} of {NODES} nodes, seed {seed}: {probes} probes, \
             {alerts} false alerts",
            policy.min
        );
    }
}

fn failed(error: LedgerError) -> Error {
    Error::new(error.to_string())
}
