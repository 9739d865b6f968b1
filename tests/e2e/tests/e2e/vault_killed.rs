//! A process that is killed at each place between the vault and the ledger: the next one brings both together
//! again, and nothing is lost, counted twice or left behind.

use std::fs;

use everhold_e2e::{Result, World, ended::Ended};
use serde_json::json;

use crate::vault::{file, files, keeping};

/// Runs a command so that it dies at a place. That it ends in another way is an error: the place was not
/// met, and nothing tested.
async fn die_at(world: &World, place: &str, arguments: &[&str]) -> Result<()> {
    let at = [("EVERHOLD_CRASH_AT", place)];
    let run = world.everhold.run_with(arguments.iter().copied(), &at).await?;
    assert_eq!(run.status, 128 + 9, "{place} was not met: {}", run.stderr);
    Ok(())
}

/// The ledger and the vault say the same, of so many contents.
async fn agree(world: &World, objects: usize, place: &str) -> Result<()> {
    let there = files(world);
    let bytes: u64 = there.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let vault = &world.everhold.status().await?["vault"];
    assert_eq!(vault, &json!({"objects": objects, "bytes": bytes, "problems": 0}), "{place}");
    assert_eq!(there.len(), objects, "{place}: {there:?}");
    Ok(())
}

/// Each place on the way of a content into the vault.
const KEEPING: [&str; 4] = ["vault.before-put", "vault.put", "vault.recorded", "vault.kept"];

#[tokio::test]
async fn what_is_copied_comes_whole_wherever_it_is_killed() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let image = file(&world, 1, "image").await?;
    let right = fs::read(&image).unwrap();
    for place in KEEPING {
        fs::remove_file(&image).unwrap();
        die_at(&world, place, &["watch", "--once"]).await?;
        world.once(&[]).await?.gives(0)?;
        assert!(fs::read(&image).unwrap() == right, "{place}");
        agree(&world, 4, place).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_restored_comes_whole_wherever_it_is_killed() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let car = world.everhold.dir().join("all.car").display().to_string();
    world.everhold.run(["export", &world.collection, &car]).await?.gives(0)?;
    for node in &world.nodes {
        node.lose_all().await?;
    }
    for place in KEEPING {
        for path in files(&world) {
            fs::remove_file(path).unwrap();
        }
        die_at(&world, place, &["restore", &car]).await?;
        world.everhold.run(["restore", &car]).await?.gives(0)?;
        agree(&world, 4, place).await?;
    }
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_set_aside_once_wherever_that_is_killed() -> Result<()> {
    let world = World::healthy(keeping()).await?;
    let image = file(&world, 1, "image").await?;
    let right = fs::read(&image).unwrap();
    for place in ["vault.set-aside", "vault.lost"] {
        fs::write(&image, b"rotten").unwrap();
        die_at(&world, place, &["watch", "--once"]).await?;
        assert!(!image.exists(), "{place}");
        world.once(&[]).await?.gives(0)?;
        assert!(fs::read(&image).unwrap() == right, "{place}");
        agree(&world, 4, place).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_taken_out_stays_out_wherever_that_is_killed() -> Result<()> {
    for place in ["vault.removed", "vault.forgotten"] {
        let world = World::healthy(keeping()).await?;
        let (image, id) = (file(&world, 1, "image").await?, world.id(1, "image").await?);
        let bytes = fs::read(&image).unwrap();
        world.everhold.json(["deny", "add", &id, "--reason", "a test"]).await?;
        fs::write(&image, bytes).unwrap();
        die_at(&world, place, &["watch", "--once"]).await?;
        assert!(!image.exists(), "{place}");
        world.once(&[]).await?;
        assert!(!image.exists(), "{place}");
        agree(&world, 3, place).await?;
    }
    Ok(())
}
