//! Files that were cut in a way that no profile knows: bytes alone can't prove them.

use std::fs;

use everhold_e2e::{
    Everhold, Ipfs, Result, Setup, World,
    dag::Dag,
    ended::Ended,
    gateway::{Gateway, Habit},
    report,
    report::{content, replica, text},
    sha256,
};
use serde_json::{Value, json};

/// A file of a hundred thousand bytes, the same each time.
pub(crate) fn bytes() -> Vec<u8> {
    (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

async fn unusual() -> Result<Dag> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, bytes()).unwrap();
    Dag::import(&path, json!({"chunker": "size-1000"})).await
}

/// The settings for these.
pub(crate) fn ipfs(kubo: &[&str], gateways: &[&str]) -> String {
    format!("[ipfs]\nkubo = {kubo:?}\ngateways = {gateways:?}\n{PATIENCE}")
}

/// What an IPFS daemon does not have, it looks for as long as it is let.
const PATIENCE: &str = "[limits]\nfirst_byte_timeout = \"1s\"\n";

/// A collection of one token on one aleph node, whose picture is a foreign CID.
pub(crate) async fn token_with(picture: &str, ipfs: String) -> Result<World> {
    let mut world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    world.settings.more = ipfs;
    world.configure()?;
    let dir = world.everhold.dir().join("documents");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("1.json"), format!("{{\"image\":\"ipfs://{picture}\"}}")).unwrap();
    world.deploy(&[]).await?;
    world.everhold.json(world.publishing(&dir, &[])).await?;
    Ok(world)
}

/// The picture's replica at a node, after another round.
async fn seen(world: &World, node: &str) -> Result<Value> {
    world.once(&["--no-repair"]).await?;
    Ok(replica(&world.token(1).await?, "image", node)?.clone())
}

#[tokio::test]
async fn are_verified_where_there_are_blocks() -> Result<()> {
    let (dag, whole) = (unusual().await?, bytes());
    let files: &[(&str, &[u8])] = &[(&dag.blocks[0].0, &whole)];
    for habit in [Habit::Trustless, Habit::BlocksOnly, Habit::NoFiles] {
        let gateway = Gateway::start(habit, &dag, files).await?;
        let world = token_with(&dag.root, ipfs(&[], &[gateway.url()])).await?;
        let seen = seen(&world, gateway.url()).await?;
        assert_eq!(text(&seen["state"]), "verified", "{habit:?} {seen}");
        assert_eq!((seen["bytes"].as_u64(), &seen["held"]), (Some(100_000), &Value::Null));
        assert_eq!(content(&world.token(1).await?, "image")?["size"], 100_000);
    }
    Ok(())
}

#[tokio::test]
async fn are_not_verified_by_lies() -> Result<()> {
    let (dag, whole) = (unusual().await?, bytes());
    let mut other = whole.clone();
    other[5] ^= 1;
    for (habit, file) in [
        (Habit::FilesOnly, &whole),
        (Habit::FilesAndSaysSo, &whole),
        (Habit::WrongBlock, &whole),
        (Habit::ExtraBlock, &whole),
        (Habit::MissingBlock, &whole),
        (Habit::CutArchive, &whole),
        (Habit::ErrorPage, &whole),
        // Blocks for us, and other bytes for browsers.
        (Habit::Trustless, &other),
    ] {
        let gateway = Gateway::start(habit, &dag, &[(&dag.blocks[0].0, file)]).await?;
        let world = token_with(&dag.root, ipfs(&[], &[gateway.url()])).await?;
        let seen = seen(&world, gateway.url()).await?;
        assert_eq!(text(&seen["state"]), "corrupt", "{habit:?} {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn are_verified_everywhere_once_anybody_had_their_blocks() -> Result<()> {
    let (dag, whole) = (unusual().await?, bytes());
    let mut other = whole.clone();
    other[5] ^= 1;
    let cid = dag.blocks[0].0.as_str();
    let files = Gateway::start(Habit::FilesOnly, &dag, &[(cid, &whole)]).await?;
    let liar = Gateway::start(Habit::FilesOnly, &dag, &[(cid, &other)]).await?;
    let blocks = Gateway::start(Habit::NoFiles, &dag, &[]).await?;
    let (a, b, c) = (files.url(), liar.url(), blocks.url());
    let mut world = token_with(&dag.root, ipfs(&[], &[a, b])).await?;
    world.settings.recheck = "24h".to_owned();
    world.configure()?;
    for gateway in [a, b] {
        let seen = seen(&world, gateway).await?;
        assert_eq!(text(&seen["state"]), "corrupt", "nobody can know: {seen}");
    }
    // Whoever was wronged is asked again at once, though nothing is due for a day.
    world.settings.more = ipfs(&[], &[a, b, c]);
    world.configure()?;
    for (gateway, state) in [(c, "verified"), (a, "verified"), (b, "corrupt")] {
        let seen = seen(&world, gateway).await?;
        assert_eq!(text(&seen["state"]), state, "{seen}");
    }
    let history = replica(&world.token(1).await?, "image", a)?.clone();
    assert_eq!(report::history(&history), ["corrupt", "verified"]);
    Ok(())
}

/// How `jsipfs add` can cut a file.
const OPTIONS: [&str; 7] = [
    "",
    "chunker=size-1000",
    "chunker=rabin-2048-4096-8192",
    "trickle=true&chunker=size-3000",
    "raw-leaves=true&chunker=size-777",
    "cid-version=1&raw-leaves=true&trickle=true&chunker=rabin-1024-2048-4096",
    "cid-version=1&raw-leaves=false&chunker=size-65536",
];

#[tokio::test]
async fn of_a_real_ipfs_daemon_are_proved_by_its_archives_blocks_and_bytes() -> Result<()> {
    let daemon = Ipfs::start().await?;
    let everhold = Everhold::new()?;
    fs::write(everhold.config(), format!("[ipfs]\nkubo = [\"{}\"]\n", daemon.rpc())).unwrap();
    let whole = bytes();
    for options in OPTIONS {
        let cid = daemon.add(&[("file", &whole)], options).await?;
        let reference = format!("ipfs://{cid}");
        let archive = everhold.dir().join("archive.car");
        fs::write(&archive, daemon.export(&cid).await?).unwrap();
        let archive = archive.display().to_string();
        // Files are all that its gateway gives: they prove those that are cut as usual.
        let usual = options.is_empty();
        for (arguments, way, proved) in [
            (vec!["--car", &archive], "car", true),
            (vec![], "blocks", true),
            (vec!["--gateway", daemon.gateway()], if usual { "bytes" } else { "blocks" }, true),
        ] {
            let run = everhold.run(["check", &reference].iter().chain(&arguments)).await?;
            let checked = run.gives(if proved { 0 } else { 3 })?;
            let last = report::items(&checked["answers"]).last().unwrap().clone();
            assert_eq!((text(&last["verdict"]), text(&last["way"])), ("proved", way), "{checked}");
            assert_eq!(text(&last["sha256"]), sha256(&whole), "{options} {checked}");
        }
        // One other byte in the archive, which is in some block.
        let mut broken = fs::read(&archive).unwrap();
        let last = broken.len() - 1;
        broken[last] ^= 1;
        fs::write(&archive, broken).unwrap();
        let run = everhold.run(["check", &reference, "--car", &archive]).await?;
        assert_eq!(text(&run.gives(3)?["verdict"]), "corrupt", "{options}");
    }
    Ok(())
}

#[tokio::test]
async fn folders_of_a_real_ipfs_daemon_are_proved_by_their_blocks() -> Result<()> {
    let daemon = Ipfs::start().await?;
    let everhold = Everhold::new()?;
    fs::write(everhold.config(), format!("[ipfs]\nkubo = [\"{}\"]\n", daemon.rpc())).unwrap();
    let names: Vec<String> = (0..300).map(|at| format!("art/{at}.json")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), n.as_bytes())).collect();
    for options in ["", "cid-version=1&raw-leaves=true", "shard-split-threshold=0"] {
        let cid = daemon.add(&files, options).await?;
        let reference = format!("ipfs://{cid}/7.json");
        let checked = everhold.run(["check", &reference]).await?.gives(0)?;
        let answer = &checked["answers"][0];
        assert_eq!(text(&answer["sha256"]), sha256(b"art/7.json"), "{options} {checked}");
        let absent = format!("ipfs://{cid}/300.json");
        let checked = everhold.run(["check", &absent]).await?.gives(3)?;
        assert_eq!(text(&checked["verdict"]), "missing", "{options} {checked}");
    }
    Ok(())
}

#[tokio::test]
async fn of_a_real_ipfs_daemon_are_verified_by_probes() -> Result<()> {
    let daemon = Ipfs::start().await?;
    let cid = daemon.add(&[("file", &bytes())], "chunker=size-1000").await?;
    let (rpc, gateway) = (daemon.rpc(), daemon.gateway());
    let world = token_with(&cid, ipfs(&[rpc], &[gateway])).await?;
    for node in [rpc, gateway] {
        let seen = seen(&world, node).await?;
        assert_eq!((text(&seen["state"]), &seen["bytes"]), ("verified", &json!(100_000)), "{seen}");
    }
    // The picture is nowhere else.
    let aleph = replica(&world.token(1).await?, "image", &world.nodes[0].url())?.clone();
    assert_eq!(text(&aleph["state"]), "missing");
    Ok(())
}
