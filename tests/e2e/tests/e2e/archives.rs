//! Archives of people's own: what is exported comes back, whole, broken or lied in.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use everhold_e2e::{
    Ipfs, Result, Setup, World,
    ended::Ended,
    node,
    report::{self, content, items, text},
    sha256,
};
use serde_json::{Value, json};

use crate::unusual_dags::{bytes, ipfs, token_with};

fn setup() -> Setup {
    Setup { nodes: 2, tokens: 2, ..Setup::default() }
}

impl Car {
    async fn export(world: &World) -> Result<Self> {
        let path = world.everhold.dir().join("all.car");
        let path = path.display().to_string();
        let exported = world.everhold.run(["export", &world.collection, &path, "--yes"]).await?;
        let exported = exported.gives(0)?;
        let bytes = fs::read(&path).unwrap();
        assert_eq!(exported["bytes"], bytes.len());
        Ok(Self { path, bytes, exported })
    }

    async fn restore(&self, world: &World, status: i32) -> Result<Value> {
        world.everhold.run(["restore", &self.path]).await?.gives(status)
    }
}

struct Car {
    path: String,
    bytes: Vec<u8>,
    exported: Value,
}

/// Takes everything out of the vault, which stays one.
fn empty(world: &World) {
    let entries = fs::read_dir(world.everhold.dir().join("everhold-vault")).into_iter().flatten();
    for path in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        fs::remove_dir_all(path).unwrap();
    }
}

/// Takes everything from the nodes and from the vault.
async fn wipe(world: &World) -> Result<()> {
    for node in &world.nodes {
        node.lose_all().await?;
    }
    empty(world);
    world.once(&["--no-repair"]).await?.gives(3).map(drop)
}

/// How many of a restoration's lists have how many entries.
fn counts(restored: &Value) -> [usize; 3] {
    ["restored", "present", "incomplete"].map(|list| items(&restored[list]).len())
}

#[tokio::test]
async fn what_is_lost_everywhere_comes_back_from_one() -> Result<()> {
    for codec in ["raw", "dag-pb"] {
        let setup = Setup { codec, connected: codec == "dag-pb", large: Some(1), ..setup() };
        let world = World::healthy(setup).await?;
        let car = Car::export(&world).await?;
        assert_eq!((&car.exported["contents"], &car.exported["missing"]), (&json!(4), &json!([])));
        let again = world.everhold.run(["export", &world.collection, &car.path, "-q"]).await?;
        again.refuses(&["all.car", "--yes"])?;

        wipe(&world).await?;
        world.once(&[]).await?.gives(3)?;
        let restored = car.restore(&world, 0).await?;
        assert_eq!(counts(&restored), [4, 0, 0], "{codec}: {restored}");
        assert_eq!((&restored["unnamed_blocks"], &restored["broken"]), (&json!(0), &Value::Null));
        let restored = car.restore(&world, 0).await?;
        assert_eq!(counts(&restored), [0, 4, 0], "{codec}: {restored}");
        let status = world.once(&[]).await?.gives(0)?;
        assert_eq!(report::health(&status, "healthy"), 2, "{codec}");
        let id = world.id(1, "image").await?;
        for node in &world.nodes {
            let bytes = node::bytes(node, &id).await?.unwrap();
            assert_eq!(sha256(&bytes), world.art.tokens()[0].image_sha256);
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_of_a_token_has_what_that_names() -> Result<()> {
    let world = World::healthy(setup()).await?;
    let path = world.everhold.dir().join("one.car").display().to_string();
    let export = ["export", &world.collection, &path, "--token", "2"];
    let exported = world.everhold.run(export).await?.gives(0)?;
    assert_eq!((&exported["contents"], &exported["blocks"]), (&json!(2), &json!(3)));
    wipe(&world).await?;
    let restored = world.everhold.run(["restore", &path]).await?.gives(0)?;
    let ids = [world.id(2, "metadata").await?, world.id(2, "image").await?];
    let mut given: Vec<_> = items(&restored["restored"]).iter().map(text).collect();
    given.sort_unstable();
    let mut expected: Vec<_> = ids.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(given, expected);
    let status = world.once(&[]).await?.gives(3)?;
    assert_eq!((report::health(&status, "healthy"), report::health(&status, "lost")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn what_nobody_gives_is_named_and_the_rest_is_written() -> Result<()> {
    let world = World::healthy(setup()).await?;
    let id = world.id(1, "image").await?;
    for node in &world.nodes {
        node.lose(&id).await?;
    }
    let path = world.everhold.dir().join("rest.car").display().to_string();
    let exported = world.everhold.run(["export", &world.collection, &path]).await?.gives(3)?;
    assert_eq!(exported["contents"], 3);
    let missing = items(&exported["missing"]);
    assert_eq!((missing.len(), &missing[0]["id"]), (1, &json!(id)));
    // Its manifest names no more than it has.
    wipe(&world).await?;
    let restored = world.everhold.run(["restore", &path]).await?.gives(0)?;
    assert_eq!(counts(&restored), [3, 0, 0], "{restored}");
    // A denied content is as good as not there.
    world
        .everhold
        .json(["deny", "add", &world.id(2, "image").await?, "--reason", "a test"])
        .await?;
    let exported =
        world.everhold.run(["export", &world.collection, &path, "-y"]).await?.gives(3)?;
    assert!(exported["missing"].to_string().contains("denied"), "{exported}");
    Ok(())
}

#[tokio::test]
async fn cut_off_anywhere_gives_what_came_whole_and_names_the_rest() -> Result<()> {
    let world = World::healthy(setup()).await?;
    let car = Car::export(&world).await?;
    let length = car.bytes.len();
    for cut in [0, 1, 30, 300, length / 2, length - 1] {
        empty(&world);
        fs::write(&car.path, &car.bytes[..cut]).unwrap();
        let run = world.everhold.run(["restore", &car.path, "-q"]).await?;
        if cut < 50 {
            // Not even its header.
            run.refuses(&["all.car", "CAR"]).unwrap_or_else(|error| panic!("{cut}: {error}"));
            continue;
        }
        let restored = run.gives(3)?;
        let [whole, present, lacking] = counts(&restored);
        assert_eq!(present, 0);
        assert!(text(&restored["broken"]).contains("cut off"), "{restored}");
        match cut {
            300 => assert_eq!(whole + lacking, 0, "not even its manifest: {restored}"),
            _ => assert_eq!(whole + lacking, 4, "{cut}: {restored}"),
        }
        if cut == length - 1 {
            assert_eq!(lacking, 1);
            let reason = text(&items(&restored["incomplete"])[0]["reason"]);
            assert!(reason.contains("is not in the archive"), "{reason}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn with_a_flipped_byte_names_the_block_and_uses_the_others() -> Result<()> {
    let world = World::healthy(setup()).await?;
    let car = Car::export(&world).await?;
    let image = fs::read(world.art.tokens()[1].image.clone()).unwrap();
    let at = car.bytes.windows(image.len()).position(|window| window == image).unwrap();
    let mut bytes = car.bytes.clone();
    bytes[at + image.len() / 2] ^= 1;
    fs::write(&car.path, &bytes).unwrap();
    wipe(&world).await?;
    let restored = car.restore(&world, 3).await?;
    assert_eq!(counts(&restored), [3, 0, 1], "{restored}");
    let cid = content(&world.token(2).await?, "image")?["cid"].clone();
    assert_eq!(restored["wrong"], json!([{"cid": cid, "offset": at}]));
    assert_eq!(items(&restored["incomplete"])[0]["id"], world.id(2, "image").await?);
    let status = world.once(&[]).await?.gives(3)?;
    assert_eq!((report::health(&status, "healthy"), report::health(&status, "lost")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn files_that_are_none_are_refused() -> Result<()> {
    let world = World::healthy(setup()).await?;
    let path = world.everhold.dir().join("none.car");
    fs::write(&path, b"<html>not an archive</html>".repeat(9)).unwrap();
    let run = world.everhold.run(["restore", &path.display().to_string(), "-q"]).await?;
    run.refuses(&["none.car"])?;
    let run = world.everhold.run(["restore", "absent.car", "-q"]).await?;
    run.refuses(&["absent.car"])?;
    let nobody = "0x000000000000000000000000000000000000dEaD";
    let run = world.everhold.run(["export", nobody, "x.car", "-q"]).await?;
    run.refuses(&[nobody, "everhold watch"])?;
    let run =
        world.everhold.run(["export", &world.collection, "x.car", "--token", "77", "-q"]).await?;
    run.refuses(&["77"])?;
    let run = world.everhold.run(["export", &world.collection, "none/x.car", "-q"]).await?;
    run.refuses(&["none/x.car"])?;
    assert!(!world.everhold.dir().join("x.car").exists());
    Ok(())
}

/// A picture that was cut in a way nobody knows is kept, exported and restored as its blocks.
#[tokio::test]
async fn an_ipfs_daemon_imports_one_and_serves_what_is_in_it() -> Result<()> {
    let (from, to) = (Ipfs::start().await?, Ipfs::start().await?);
    let picture = from.add(&[("", &bytes())], "chunker=size-1000&cid-version=1").await?;
    let more = ipfs(&[from.rpc()], &[]) + "[vault]\nkeep = true\n";
    let world = token_with(&picture, more).await?;
    world.once(&["--no-repair"]).await?;
    let image = content(&world.token(1).await?, "image")?.clone();
    assert_eq!((&image["health"], &image["vault"]["form"]), (&json!("healthy"), &json!("car")));
    let car = Car::export(&world).await?;
    assert_eq!(car.exported["contents"], 2);

    let root = to.import(&car.bytes).await?;
    let pinned = to.call(&format!("pin/ls?arg={root}")).await?;
    let pinned = String::from_utf8_lossy(&pinned);
    assert!(pinned.contains("recursive"), "all that it links is there: {pinned}");
    assert!(to.call(&format!("cat?arg={picture}&offline=true")).await? == bytes());
    let document = content(&world.token(1).await?, "metadata")?["cid"].clone();
    let document = to.call(&format!("cat?arg={}&offline=true", text(&document))).await?;
    assert!(String::from_utf8_lossy(&document).contains(&picture));

    empty(&world);
    let restored = car.restore(&world, 0).await?;
    assert_eq!(counts(&restored), [2, 0, 0], "{restored}");
    let image = content(&world.token(1).await?, "image")?.clone();
    assert_eq!(image["vault"]["form"], "car");
    // What the daemon exports itself, in an order of its own, is as good.
    let theirs = world.everhold.dir().join("theirs.car");
    fs::write(&theirs, from.export(&picture).await?).unwrap();
    empty(&world);
    let theirs = theirs.display().to_string();
    let restored = world.everhold.run(["restore", &theirs]).await?.gives(0)?;
    assert_eq!(counts(&restored), [1, 0, 0], "{restored}");
    Ok(())
}

/// Nothing is put where a vault that is not mounted would be.
#[tokio::test]
async fn nothing_is_restored_into_a_vault_that_is_away() -> Result<()> {
    let world = World::healthy(setup()).await?;
    let car = Car::export(&world).await?;
    car.restore(&world, 0).await?;
    let folder = world.everhold.dir().join("everhold-vault");
    fs::remove_dir_all(&folder).unwrap();
    let run = world.everhold.run(["restore", &car.path, "-q"]).await?;
    run.refuses(&["is it mounted?", "4 contents"])?;
    assert!(!folder.exists());
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("everhold-vault"), b"").unwrap();
    let restored = car.restore(&world, 0).await?;
    assert_eq!(counts(&restored), [4, 0, 0], "{restored}");
    Ok(())
}

/// The folder's files whose name an export makes.
fn halves(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.everhold.dir()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_half = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "car");
    paths.filter(is_half).collect()
}

#[tokio::test]
async fn an_export_that_is_interrupted_leaves_nothing() -> Result<()> {
    let world = World::healthy(setup()).await?;
    // The last content does not end.
    let id = world.id(2, "image").await?;
    for node in &world.nodes {
        node.fault(json!({"hash": id, "kind": "stall"})).await?;
    }
    let mut export = world.everhold.background(&["export", &world.collection, "half.car"])?;
    let begun = Instant::now();
    while halves(&world).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not begin");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ended = Instant::now();
    assert_eq!(export.terminate().await?.code(), Some(130));
    assert!(ended.elapsed() < Duration::from_secs(3));
    assert_eq!(halves(&world), [] as [PathBuf; 0]);
    Ok(())
}
