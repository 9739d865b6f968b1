//! A `publish` that is killed, at many moments, and started again: every token exists once, with
//! the right digest, and no content is paid for twice.

use std::fs;

use everhold_e2e::{
    Result, Setup, World, chain, content,
    ended::Ended,
    node,
    report::items,
    run::{kill_when, plain},
    sha256,
};

/// What the chain and every node must hold in the end.
async fn complete(world: &World) -> Result<()> {
    let tokens = world.art.tokens();
    let ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
    assert_eq!(chain::mints(&world.anvil, &world.collection).await?, ids, "minted once each");
    for token in tokens {
        let document = content::rewritten(&token.metadata, &token.image)?;
        let digest = chain::digest(&world.anvil, &world.collection, token.id).await?;
        assert_eq!(digest, sha256(&document), "token {}", token.id);
    }
    for (at, held) in world.stores().await?.iter().enumerate() {
        assert_eq!(held.len(), tokens.len() * 2, "STOREs on node {at}: one a content");
    }
    let stores = world.stores().await?;
    assert!(stores.iter().all(|held| *held == stores[0]), "the same STOREs everywhere");
    world.once(&["--no-repair"]).await?.gives(0)?;
    Ok(())
}

/// Kills the first run when this many uploads or messages came to the nodes.
async fn killed_after(posts: u64) -> Result<()> {
    let mut world = World::start(Setup { tokens: 3, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    let line = world.publishing(world.art.dir(), &[]);
    kill_when(&world.everhold, &line, async || Ok(world.count("POST").await? >= posts)).await?;
    assert_eq!(chain::next_token_id(&world.anvil, &world.collection).await?, 1, "too late");
    world.publish(&[]).await?.gives(0)?;
    complete(&world).await
}

#[tokio::test]
async fn before_anything_was_sent() -> Result<()> {
    killed_after(0).await
}

#[tokio::test]
async fn after_the_first_upload() -> Result<()> {
    killed_after(1).await
}

#[tokio::test]
async fn in_the_middle_of_the_first_nodes_uploads() -> Result<()> {
    killed_after(4).await
}

#[tokio::test]
async fn in_the_middle_of_the_other_nodes_uploads() -> Result<()> {
    killed_after(9).await
}

#[tokio::test]
async fn while_its_mint_waits_for_a_block() -> Result<()> {
    let mut world = World::start(Setup { nodes: 1, tokens: 2, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    world.anvil.automine(false).await?;
    let waiting = async || {
        let pool = world.anvil.rpc("txpool_status", serde_json::json!([])).await?;
        Ok(pool["pending"] != "0x0")
    };
    let line = world.publishing(world.art.dir(), &[]);
    kill_when(&world.everhold, &line, waiting).await?;
    // The mint is mined after all; the next run must see it.
    world.anvil.automine(true).await?;
    world.anvil.mine(1).await?;
    let again = world.publish(&[]).await?.gives(0)?;
    assert_eq!(items(&again["transactions"]).len(), 0);
    complete(&world).await
}

#[tokio::test]
async fn and_again_while_the_first_ones_mint_still_waits() -> Result<()> {
    let mut world = World::start(Setup { nodes: 1, tokens: 2, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    world.anvil.automine(false).await?;
    let pending = async |least: &str| -> Result<bool> {
        let pool = world.anvil.rpc("txpool_status", serde_json::json!([])).await?;
        Ok(pool["pending"] == *least)
    };
    let line = world.publishing(world.art.dir(), &[]);
    kill_when(&world.everhold, &line, async || pending("0x1").await).await?;
    // The second run does not know that a mint is on its way. It may succeed or say what is
    // wrong, but no token may come twice.
    let run = plain(&world.everhold, &line);
    let mine = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            world.anvil.mine(1).await.unwrap();
        }
    };
    let (status, _, said) = tokio::select! { run = run => run?, () = mine => unreachable!() };
    assert!(matches!(status, 0 | 1), "{said}");
    world.anvil.automine(true).await?;
    world.publish(&[]).await?.gives(0)?;
    complete(&world).await
}

/// So many tokens share so many documents.
const MANY: u64 = 530;
const DOCUMENTS: u64 = 7;

#[tokio::test]
async fn between_two_batches_of_500_tokens() -> Result<()> {
    let mut world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    let dir = world.everhold.dir().join("many");
    fs::create_dir_all(&dir).unwrap();
    let document = |token: u64| format!("{{\"name\":\"{} of many\"}}", token % DOCUMENTS);
    for token in 1..=MANY {
        fs::write(dir.join(format!("{token}.json")), document(token)).unwrap();
    }
    world.anvil.automine(false).await?;
    let line = world.publishing(&dir, &[]);
    let mined = async || {
        // A block as soon as something waits; the second batch is not given one.
        if chain::waiting(&world.anvil).await? == 0 {
            return Ok(false);
        }
        world.anvil.mine(1).await?;
        Ok(true)
    };
    kill_when(&world.everhold, &line, mined).await?;
    world.anvil.automine(true).await?;
    assert_eq!(chain::next_token_id(&world.anvil, &world.collection).await?, 501);
    let published = world.everhold.json(&line).await?;
    assert_eq!(published["already_minted"], 500);
    assert_eq!(items(&published["minted"]).len(), 30);
    assert_eq!(items(&published["transactions"]).len(), 1);
    let ids: Vec<u64> = (1..=MANY).collect();
    assert_eq!(chain::mints(&world.anvil, &world.collection).await?, ids);
    for token in ids {
        let digest = chain::digest(&world.anvil, &world.collection, token).await?;
        assert_eq!(digest, sha256(document(token).as_bytes()), "token {token}");
    }
    assert_eq!(node::store_hashes(&world.nodes[0]).await?.len() as u64, DOCUMENTS);
    let watched = world.once(&[]).await?.gives(0)?;
    assert_eq!(watched["collections"][0]["health"]["healthy"], MANY);
    Ok(())
}
