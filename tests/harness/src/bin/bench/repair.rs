//! Five nodes with everything on them, one of which is wiped: how long it takes until a probe has
//! proved each content there again, and what it costs.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    time::Instant,
};

use everhold_harness::{
    Anvil, Context, DevNode, Error, Everhold, NodeOptions, Result, Settings, accounts,
};
use serde_json::{Value, json};

const NODES: usize = 5;
/// Contents, unless `EVERHOLD_BENCH_CONTENTS` says otherwise: half of them are metadata.
const CONTENTS: u64 = 10_000;
/// Bytes of a picture.
const PICTURE: usize = 2_000;

/// A collection on five nodes, each with all of it and a STORE for each content.
struct Stage {
    _anvil: Anvil,
    everhold: Everhold,
    nodes: Vec<DevNode>,
    dirs: Vec<PathBuf>,
    contents: u64,
}

/// Wipes a node twice: the others have their STOREs, and have none any more.
pub(super) async fn bench() -> Result<()> {
    let contents = std::env::var("EVERHOLD_BENCH_CONTENTS").ok();
    let contents = contents.and_then(|text| text.parse().ok()).unwrap_or(CONTENTS);
    let mut stage = Stage::set(contents).await?;
    println!("{contents} contents on {NODES} nodes, all to be verified on all of them");
    stage.round("a round of probes, all well").await?;

    stage.stop().await?;
    empty(&stage.dirs[NODES - 1].join("data/files"))?;
    stage.start().await?;
    let before = stage.stores().await?;
    stage.round("one node lost every file").await?;
    println!("    {} STOREs signed", stage.stores().await? - before);

    stage.stop().await?;
    for dir in &stage.dirs {
        remove(&dir.join("data/messages.jsonl"))?;
    }
    empty(&stage.dirs[NODES - 1].join("data/files"))?;
    remove(&stage.dirs[NODES - 1].join("data/files.jsonl"))?;
    stage.start().await?;
    stage.round("one node lost everything, the others their STOREs").await?;
    println!("    {} STOREs signed", stage.distinct_stores().await?);
    stage.stop().await
}

impl Stage {
    /// Publishes to one node, and makes the others copies of it.
    async fn set(contents: u64) -> Result<Self> {
        let (anvil, everhold) = (Anvil::start().await?, Everhold::new()?);
        let dirs: Vec<_> =
            (0..NODES).map(|node| everhold.dir().join(format!("node-{node}"))).collect();
        draw(&everhold.dir().join("art"), contents / 2)?;
        let key = everhold.key_file("creator", &accounts::CREATOR)?;
        let first = DevNode::start(options(&dirs[0])).await?;
        let mut settings = Settings {
            rpc: vec![anvil.url()],
            nodes: vec![first.url()],
            min: 1,
            repair_key: Some(everhold.key_file("repairer", &accounts::REPAIRER)?),
            more: "[probes]\nnode_requests_per_second = 0\n".to_owned(),
            ..Settings::default()
        };
        everhold.configure(&settings)?;
        let deploy = ["deploy", "--name", "Many", "--symbol", "MANY", "--codec", "raw"];
        let signed = ["--private-key-file", &key];
        let deployed = everhold.json(deploy.iter().chain(&signed)).await?;
        let address = deployed["address"].as_str().context("address")?.to_owned();
        settings.collections.push((address.clone(), 0));
        everhold.configure(&settings)?;
        let publish = ["publish", "art", "--collection", &address];
        everhold.json(publish.iter().chain(&signed)).await?;

        let mut nodes = vec![first];
        nodes[0].stop().await?;
        for dir in &dirs[1..] {
            copy(&dirs[0], dir)?;
            nodes.push(DevNode::start(options(dir)).await?);
        }
        nodes[0].restart().await?;
        settings.nodes = nodes.iter().map(DevNode::url).collect();
        settings.min = u32::try_from(NODES).context("nodes")?;
        everhold.configure(&settings)?;
        Ok(Self { _anvil: anvil, everhold, nodes, dirs, contents })
    }

    async fn stop(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.stop().await?;
        }
        Ok(())
    }

    async fn start(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.restart().await?;
        }
        Ok(())
    }

    /// `watch --once`, which must end with everything healthy.
    async fn round(&self, what: &str) -> Result<()> {
        let begun = Instant::now();
        let run = self.everhold.run(["watch", "--once", "-q"]).await?;
        let took = begun.elapsed().as_secs_f64();
        let report = run.json.unwrap_or_default();
        let round = &report["round"];
        let memory = run.peak_memory as f64 / 1e6;
        println!(
            "  {what}: {took:.1} s, {} probes, {} of {} repairs proved, {memory:.0} MB",
            round["probes"], round["repaired"], round["repairs"]
        );
        match run.status {
            0 => Ok(()),
            other => Err(Error::new(format!("exit status {other}: {}", run.stderr))),
        }
    }

    /// STOREs on all nodes.
    async fn stores(&self) -> Result<u64> {
        let mut sum = 0;
        for node in &self.nodes {
            sum += node_stores(node).await?.len() as u64;
        }
        Ok(sum)
    }

    /// STOREs that are not the same, of which there must be no more than contents.
    async fn distinct_stores(&self) -> Result<usize> {
        let mut all = Vec::new();
        for node in &self.nodes {
            all.extend(node_stores(node).await?);
        }
        all.sort();
        all.dedup();
        match all.len() as u64 <= self.contents {
            true => Ok(all.len()),
            false => Err(Error::new(format!("{} STOREs are too many", all.len()))),
        }
    }
}

async fn node_stores(node: &DevNode) -> Result<Vec<String>> {
    let path = "/api/v0/messages.json?msgTypes=STORE&pagination=0";
    let answer: Value = node.get(path).await?;
    let messages = answer["messages"].as_array().context("messages")?;
    Ok(messages.iter().map(|message| message["item_hash"].to_string()).collect())
}

fn options(dir: &Path) -> NodeOptions {
    NodeOptions {
        no_ipfs: true,
        trusting: Some(true),
        dir: Some(dir.to_owned()),
        ..NodeOptions::default()
    }
}

/// Metadata and pictures of so many tokens.
fn draw(dir: &Path, tokens: u64) -> Result<()> {
    let (metadata, images) = (dir.join("metadata"), dir.join("images"));
    for folder in [&metadata, &images] {
        fs::create_dir_all(folder).context(folder.display())?;
    }
    let mut random = File::open("/dev/urandom").context("/dev/urandom")?;
    let mut picture = vec![0; PICTURE];
    for token in 1..=tokens {
        random.read_exact(&mut picture).context("/dev/urandom")?;
        fs::write(images.join(format!("{token}.png")), &picture).context("a picture")?;
        let document = json!({"name": format!("{token}"), "image": format!("{token}.png")});
        let path = metadata.join(format!("{token}.json"));
        fs::write(&path, document.to_string()).context(path.display())?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).context(to.display())?;
    for entry in fs::read_dir(from).context(from.display())? {
        let entry = entry.context(from.display())?;
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target)?,
            false => fs::copy(entry.path(), &target).map(drop).context(target.display())?,
        }
    }
    Ok(())
}

fn empty(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).context(folder.display())?;
    fs::create_dir(folder).context(folder.display())
}

fn remove(file: &Path) -> Result<()> {
    fs::remove_file(file).context(file.display())
}
