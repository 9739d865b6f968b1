//! The vault: what is kept comes back when no node has it any more, and nothing wrong ever does.

use std::{
    fs,
    path::{Path, PathBuf},
};

use everhold_e2e::{
    Result, Setup, World,
    ended::Ended,
    node,
    report::{self, content, text},
    sha256,
};
use serde_json::{Value, json};

const KEEP: &str = "[vault]\nkeep = true\nrecheck = \"0s\"\n";

pub(crate) fn keeping() -> Setup {
    Setup { nodes: 2, tokens: 2, more: KEEP, ..Setup::default() }
}

/// The files of the vault but for what was set aside, by name.
pub(crate) fn files(world: &World) -> Vec<PathBuf> {
    let folder = world.everhold.dir().join("everhold-vault");
    let mut all: Vec<PathBuf> = Vec::new();
    for below in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if below.ends_with("aside") || below.ends_with("everhold-vault") {
            continue;
        }
        all.extend(fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()));
    }
    all.sort();
    all
}

/// The file of a content in the vault.
pub(crate) async fn file(world: &World, token: u64, role: &str) -> Result<PathBuf> {
    let cid = content(&world.token(token).await?, role)?["cid"].clone();
    let cid = text(&cid).to_owned();
    Ok(world.everhold.dir().join("everhold-vault").join(&cid[cid.len() - 2..]).join(cid))
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}

#[tokio::test]
async fn what_every_node_lost_comes_back_from_it() -> Result<()> {
    for codec in ["raw", "dag-pb"] {
        let setup = Setup { codec, connected: codec == "dag-pb", large: Some(1), ..keeping() };
        let world = World::healthy(setup).await?;
        let status = world.everhold.status().await?;
        assert_eq!(status["vault"]["objects"], 4, "{codec}: {}", status["vault"]);
        assert_eq!(status["vault"]["problems"], 0);
        let token = world.token(1).await?;
        let image = content(&token, "image")?;
        assert_eq!(image["vault"]["form"], "file");
        assert_eq!(image["vault"]["bytes"], image["size"]);
        assert_eq!(image["replicas"].as_array().unwrap().len(), 2, "the vault is no replica");

        for node in &world.nodes {
            assert_eq!(node.lose_all().await?, 4);
        }
        let status = world.once(&["--no-repair"]).await?.gives(3)?;
        assert_eq!(report::health(&status, "lost"), 2, "{codec}: the vault counts for nothing");
        let run = world.once(&[]).await?;
        assert!(run.stderr.contains("taken from the vault"), "{}", run.stderr);
        let status = run.gives(0)?;
        assert_eq!(report::health(&status, "healthy"), 2);
        for node in &world.nodes {
            let id = world.id(1, "image").await?;
            let bytes = node::bytes(node, &id).await?.unwrap();
            assert_eq!(sha256(&bytes), world.art.tokens()[0].image_sha256);
        }
    }
    Ok(())
}

#[tokio::test]
async fn rot_in_it_is_found_and_mended_from_a_node() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let path = file(&world, 1, "image").await?;
    let right = fs::read(&path).unwrap();
    let mut rotten = right.clone();
    rotten[10] ^= 1;
    fs::write(&path, &rotten).unwrap();
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("set aside"), "{}", run.stderr);
    run.gives(0)?;
    assert!(fs::read(&path).unwrap() == right, "mended");
    assert!(is_empty(&world.everhold.dir().join("everhold-vault/aside")));

    // Where no node has it, what is wrong is set aside, said, and never taken for right.
    for node in &world.nodes {
        node.lose_all().await?;
    }
    fs::write(&path, &rotten).unwrap();
    let status = world.once(&[]).await?.gives(3)?;
    assert_eq!(status["vault"]["problems"], 1);
    assert!(!path.exists());
    let aside = world.everhold.dir().join("everhold-vault/aside").join(path.file_name().unwrap());
    assert!(fs::read(&aside).unwrap() == rotten);
    let token = world.token(1).await?;
    assert_eq!(content(&token, "image")?["health"], "lost");
    assert_eq!(content(&token, "image")?["vault"], json!(null));
    assert_eq!(content(&token, "metadata")?["health"], "healthy");
    // Put there by hand, it is found, and everything is well again.
    fs::write(&path, &right).unwrap();
    world.once(&[]).await?.gives(0)?;
    assert_eq!(world.everhold.status().await?["vault"]["problems"], 0);
    Ok(())
}

#[tokio::test]
async fn where_it_is_full_nothing_goes_that_no_node_has() -> Result<()> {
    let mut world = World::start(keeping()).await?;
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    let sizes: Vec<u64> = world.art.tokens().iter().map(|token| token.image_bytes).collect();
    // Room for one picture and all documents, but not for two.
    let room = sizes.iter().max().unwrap() + 2000;
    world.settings.more = format!("{KEEP}max_bytes = {room}\nmax_object = {room}\n");
    world.configure()?;
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("max_bytes"), "{}", run.stderr);
    run.gives(0)?;
    let before = files(&world);
    let kept: u64 = before.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(kept <= room && before.len() == 3, "{kept} of {room} bytes in {before:?}");

    // The picture that is in it is lost everywhere: the other one may not take its place.
    let mut images = [file(&world, 1, "image").await?, file(&world, 2, "image").await?];
    images.sort_by_key(|path| !before.contains(path));
    let token = if file(&world, 1, "image").await? == images[0] { 1 } else { 2 };
    let id = world.id(token, "image").await?;
    for node in &world.nodes {
        node.lose(&id).await?;
    }
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert!(images[0].exists() && !images[1].exists());
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn what_is_denied_leaves_it_and_never_comes_back() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let path = file(&world, 1, "image").await?;
    let id = world.id(1, "image").await?;
    assert!(path.exists());
    let bytes = fs::read(&path).unwrap();
    let aside = world.everhold.dir().join("everhold-vault/aside").join(path.file_name().unwrap());
    fs::create_dir_all(aside.parent().unwrap()).unwrap();
    fs::write(&aside, b"rotten").unwrap();
    world.everhold.json(["deny", "add", &id, "--reason", "a test"]).await?;
    assert!(!path.exists() && !aside.exists(), "the command itself takes it out");
    world.once(&[]).await?;
    assert!(!path.exists());
    // The ledger has no row of what lies there now.
    fs::write(&path, bytes).unwrap();
    fs::write(&aside, b"rotten").unwrap();
    world.once(&[]).await?;
    assert!(!path.exists() && !aside.exists());
    world.once(&[]).await?;
    assert!(!path.exists());
    assert_eq!(world.everhold.status().await?["vault"]["objects"], 3);
    Ok(())
}

/// As where a sector of the disk is bad, or somebody changed the rights of a file.
#[cfg(unix)]
#[tokio::test]
async fn what_can_not_be_read_is_copied_again() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let path = file(&world, 1, "image").await?;
    let right = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    // Whoever follows a link to itself fails.
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("it is copied again where a node has it"), "{}", run.stderr);
    run.gives(0)?;
    assert!(fs::symlink_metadata(&path).unwrap().is_file() && fs::read(&path).unwrap() == right);
    let vault = &world.everhold.status().await?["vault"];
    assert_eq!((&vault["objects"], &vault["problems"]), (&json!(4), &json!(0)));
    Ok(())
}

/// As where the disk or the network is away for a while: nothing of what is there is lost.
#[cfg(unix)]
#[tokio::test]
async fn where_nothing_can_be_read_nothing_is_lost() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let all = files(&world);
    let kept: Vec<_> = all.iter().map(|path| fs::read(path).unwrap()).collect();
    for path in &all {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink(path, path).unwrap();
    }
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("can't be used"), "{}", run.stderr);
    let status = run.gives(0)?;
    let there =
        |status: &Value| (status["vault"]["objects"].clone(), status["vault"]["problems"].clone());
    assert_eq!(there(&status), (json!(4), json!(0)), "it is away, and nothing is lost");
    for (path, bytes) in all.iter().zip(&kept) {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let run = world.once(&[]).await?;
    assert!(!run.stderr.contains("copied again"), "{}", run.stderr);
    assert_eq!(there(&run.gives(0)?), (json!(4), json!(0)));
    Ok(())
}

/// The folder in which its disk would be, and its disk is not.
#[tokio::test]
async fn one_that_is_not_mounted_is_said_and_left_alone() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let folder = world.everhold.dir().join("everhold-vault");
    let away = world.everhold.dir().join("away");
    fs::rename(&folder, &away).unwrap();
    fs::create_dir(&folder).unwrap();
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("is it mounted?"), "{}", run.stderr);
    assert_eq!(run.gives(0)?["vault"]["objects"], 4, "nothing is lost");
    assert!(is_empty(&folder), "nothing is put in its place");
    fs::remove_dir(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    let run = world.once(&[]).await?;
    assert!(!run.stderr.contains("vault"), "{}", run.stderr);
    run.gives(0)?;

    // It was emptied: who says so, as is said, gets it back from the nodes.
    let before = files(&world);
    fs::remove_dir_all(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("everhold-vault"), b"").unwrap();
    let status = world.once(&[]).await?.gives(0)?;
    assert_eq!((&status["vault"]["objects"], files(&world)), (&json!(4), before));
    Ok(())
}

/// A vault at the root of a disk is not alone there.
#[cfg(unix)]
#[tokio::test]
async fn what_is_foreign_keeps_nobody_from_what_was_put_there() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let folder = world.everhold.dir().join("everhold-vault");
    let image = file(&world, 1, "image").await?;
    let bytes = fs::read(&image).unwrap();
    fs::create_dir(folder.join("lost+found")).unwrap();
    fs::write(folder.join("lost+found/README"), b"").unwrap();
    let link = folder.join("loop");
    std::os::unix::fs::symlink(&link, &link).unwrap();
    // Of a process that ended in the middle of putting the other form in its place.
    let mut other = image.clone().into_os_string();
    other.push(".car");
    fs::write(&other, b"not an archive").unwrap();
    for node in &world.nodes {
        node.lose_all().await?;
    }
    fs::remove_file(&image).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    fs::write(&image, &bytes).unwrap();
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("loop is left alone"), "{}", run.stderr);
    let status = run.gives(0)?;
    assert_eq!((&status["vault"]["objects"], &status["vault"]["problems"]), (&json!(4), &json!(0)));
    assert!(image.exists() && folder.join("lost+found/README").exists());
    world.once(&[]).await?.gives(0)?;
    assert!(!Path::new(&other).exists(), "it counts for nothing, and goes");
    Ok(())
}

#[tokio::test]
async fn nothing_is_copied_unless_it_is_to_be() -> Result<()> {
    let world = World::healthy(Setup { more: "", ..keeping() }).await?;
    assert!(!world.everhold.dir().join("everhold-vault").exists());
    assert_eq!(
        world.everhold.status().await?["vault"],
        json!({"objects": 0, "bytes": 0, "problems": 0})
    );
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_said_once_and_stops_nothing_else() -> Result<()> {
    let mut world = World::start(keeping()).await?;
    let large: Vec<u8> =
        (0..12_u32 << 18).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    fs::write(&world.art.tokens()[0].image, &large).unwrap();
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    let run = world.everhold.run_limited(&["watch", "--once"], 8 << 10).await?;
    let said = run.stderr.lines().filter(|line| line.contains("temporary file")).count();
    assert_eq!(said, 1, "{}", run.stderr);
    let status = run.gives(0)?;
    assert_eq!(report::health(&status, "healthy"), 2);
    assert_eq!(status["vault"]["objects"], 3);
    assert_eq!(files(&world).len(), 3, "nothing by halves");
    // Once there is room, it works by itself, as soon as it is tried again.
    let mut runs = 0;
    while world.once(&[]).await?.gives(0)?["vault"]["objects"] != 4 {
        runs += 1;
        assert!(runs < 60, "it is not tried again");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert!(fs::read(file(&world, 1, "image").await?).unwrap() == large);
    Ok(())
}

/// The ledger and the vault disagree where a process ended between the two.
#[tokio::test]
async fn it_is_set_right_with_the_ledger() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let [image, metadata] = [file(&world, 1, "image").await?, file(&world, 2, "metadata").await?];
    // A row without an object.
    fs::remove_file(&image).unwrap();
    world.once(&[]).await?.gives(0)?;
    assert!(image.exists());
    // Objects without rows: the ledger was lost, and so was what the nodes had.
    fs::remove_file(world.everhold.dir().join("everhold.db")).unwrap();
    for node in &world.nodes {
        node.lose_all().await?;
    }
    // Documents first, then what they name.
    let mut runs = 0;
    while world.once(&[]).await?.json.unwrap()["vault"]["objects"] != 4 {
        runs += 1;
        assert!(runs < 4, "it is not found");
    }
    world.once(&[]).await?.gives(0)?;
    for node in &world.nodes {
        assert_eq!(node.files().await?.iter().filter(|file| file.size.is_some()).count(), 4);
    }
    assert!(image.exists() && metadata.exists());
    Ok(())
}
