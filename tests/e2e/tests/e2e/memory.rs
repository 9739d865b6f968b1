//! A file of 500 MiB costs neither `publish` nor `watch`, repairs included, 64 MiB of memory.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use everhold_e2e::{
    DevNode, Finished, NodeOptions, Result, Setup, World,
    ended::Ended,
    report::{content, text},
    sha256_file,
};

const MIB: usize = 1 << 20;
const SIZE: usize = 500;
const MOST: u64 = 64 * MIB as u64;

/// Pieces that differ, so that no two blocks are the same.
fn write_large(path: &Path) -> std::io::Result<()> {
    let mut piece: Vec<u8> = (0..MIB).map(|at| (at % 251) as u8).collect();
    let mut file = File::create(path)?;
    for number in 0..SIZE as u64 {
        for at in (0..MIB).step_by(64 * 1024) {
            piece[at..at + 8].copy_from_slice(&(number << 20 | at as u64).to_le_bytes());
        }
        file.write_all(&piece)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_large_file_costs_little_memory() -> Result<()> {
    // The storage engine takes no more than 100 MiB: whatever the collection's codec is, the film
    // goes to the ipfs engine.
    let setup = Setup { nodes: 1, tokens: 0, connected: true, ..Setup::default() };
    let mut world = World::start(setup).await?;
    let dir = world.everhold.dir().join("large");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("1.json"), r#"{"name":"film","animation_url":"film.mp4"}"#).unwrap();
    let film = dir.join("film.mp4");
    write_large(&film).unwrap();
    world.deploy(&[]).await?;
    let published = world.everhold.run(world.publishing(&dir, &[])).await?;
    frugal("publish", published)?;
    let watched = world.once(&[]).await?;
    frugal("watch", watched)?;
    let token = world.token(1).await?;
    let seen = content(&token, "animation_url")?;
    assert_eq!((&seen["size"], &seen["verified"]), (&(SIZE * MIB).into(), &1.into()));
    assert!(text(&seen["id"]).starts_with("Qm"), "{seen}");

    // A second node that has nothing gets everything by repair.
    let second = DevNode::start(NodeOptions::default()).await?;
    world.settings.nodes.push(second.url());
    world.settings.min = 2;
    world.configure()?;
    let repaired = world.once(&[]).await?;
    frugal("repair", repaired)?;
    assert_eq!(sha256_file(&second.path(text(&seen["id"])))?, sha256_file(&film)?);
    Ok(())
}

fn frugal(what: &str, run: Finished) -> Result<()> {
    let peak = run.peak_memory;
    run.gives(0)?;
    assert!(peak > 0 && peak < MOST, "{what} had {} MiB", peak / MIB as u64);
    Ok(())
}
