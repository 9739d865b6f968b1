//! Own Kubo nodes: given back what they lost, and made to hold what too few have. By a real daemon, npm's
//! `ipfs`, whose peers are nobody.

use std::fs;

use everhold_e2e::{
    Ipfs, Result, Setup, World,
    ended::Ended,
    report::{content, items, replica, text},
};
use serde_json::{Value, json};

/// What a daemon does not have, it looks for as long as it is let.
const PATIENCE: &str = "[limits]\nfirst_byte_timeout = \"1s\"\n";

/// What was done at a node for a content, in order.
fn done(token: &Value, role: &str, node: &str) -> Vec<(String, String)> {
    let content = content(token, role).unwrap();
    let at_node = items(&content["repairs"]).iter().filter(|one| text(&one["node"]) == node);
    at_node.map(|one| (text(&one["action"]).to_owned(), text(&one["state"]).to_owned())).collect()
}

/// Unpins and collects everything.
async fn empty(ipfs: &Ipfs) -> Result<()> {
    let pins = ipfs.call("pin/ls?type=recursive").await?;
    for line in String::from_utf8_lossy(&pins).lines() {
        let pins: Value = serde_json::from_str(line).unwrap();
        for (cid, _) in pins["Keys"].as_object().into_iter().flatten() {
            let _ = ipfs.call(&format!("pin/rm?arg={cid}")).await;
        }
        if let Some(cid) = pins["Cid"].as_str() {
            let _ = ipfs.call(&format!("pin/rm?arg={cid}")).await;
        }
    }
    ipfs.call("repo/gc").await.map(drop)
}

/// A picture of the ipfs engine, of several blocks.
#[tokio::test]
async fn an_own_node_is_made_to_hold_what_too_few_have_and_gets_it_back() -> Result<()> {
    held_and_given_back("dag-pb").await
}

/// A file of the storage engine is one block.
#[tokio::test]
async fn an_own_node_is_made_to_hold_files_of_the_storage_engine_too() -> Result<()> {
    held_and_given_back("raw").await
}

async fn held_and_given_back(codec: &'static str) -> Result<()> {
    let ipfs = Ipfs::start().await?;
    let connected = codec == "dag-pb";
    let large = connected.then_some(1);
    let setup = Setup { nodes: 1, tokens: 1, connected, codec, large, ..Setup::default() };
    let mut world = World::healthy(setup).await?;
    world.settings.min = 2;
    world.settings.more = format!("[ipfs]\nkubo = [{:?}]\n{PATIENCE}", ipfs.rpc());
    world.configure()?;
    world.once(&[]).await?.gives(0)?;
    let token = world.token(1).await?;
    for role in ["metadata", "image"] {
        let imported = ("kubo-import".to_owned(), "done".to_owned());
        assert_eq!(done(&token, role, ipfs.rpc()), [imported], "{codec} {role}");
        // It spells a name in its own way, and fails where it is not pinned.
        let cid = text(&content(&token, role)?["cid"]);
        let pinned = ipfs.call(&format!("pin/ls?arg={cid}")).await?;
        let pinned = String::from_utf8_lossy(&pinned).into_owned();
        assert!(pinned.contains("recursive"), "{codec} {role}: {pinned}");
    }
    // It is needed no more, and was told to keep it all the same.
    world.settings.min = 1;
    world.configure()?;
    empty(&ipfs).await?;
    world.once(&[]).await?.gives(0)?;
    let token = world.token(1).await?;
    for role in ["metadata", "image"] {
        let last = done(&token, role, ipfs.rpc()).pop().unwrap();
        assert_eq!(last, ("kubo-return".to_owned(), "done".to_owned()), "{codec} {role}");
        assert_eq!(text(&replica(&token, role, ipfs.rpc())?["state"]), "verified");
    }
    Ok(())
}

/// Its bytes make no blocks of its name here: those come from another node that gives them.
#[tokio::test]
async fn blocks_that_nobody_can_make_come_from_one_who_has_them() -> Result<()> {
    let (first, second) = (Ipfs::start().await?, Ipfs::start().await?);
    let bytes: Vec<u8> =
        (0..50_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let cid = first.add(&[("file", &bytes)], "chunker=size-1000&raw-leaves=false").await?;
    let mut world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    world.settings.more =
        format!("[ipfs]\nkubo = [{:?}, {:?}]\n{PATIENCE}", first.rpc(), second.rpc());
    world.settings.min = 2;
    world.configure()?;
    let dir = world.everhold.dir().join("documents");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("1.json"), json!({"image": format!("ipfs://{cid}")}).to_string()).unwrap();
    world.deploy(&[]).await?;
    world.everhold.json(world.publishing(&dir, &[])).await?;
    world.once(&[]).await?.gives(0)?;
    let token = world.token(1).await?;
    let imported = ("kubo-import".to_owned(), "done".to_owned());
    assert_eq!(done(&token, "image", second.rpc()), [imported]);
    // The document, of the storage engine, on both.
    assert_eq!(text(&replica(&token, "metadata", second.rpc())?["state"]), "verified");
    Ok(())
}
