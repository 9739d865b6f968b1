//! `publish` of more tokens than one transaction takes, and of one.

use std::fs;

use everhold_e2e::{
    Result, Setup, World, chain,
    ended::Ended,
    report::{items, text},
    sha256,
};
use serde_json::{Value, json};

/// Tokens share so many documents.
const DOCUMENTS: u64 = 7;

fn document(token: u64) -> String {
    format!("{{\"name\":\"{} of many\"}}", token % DOCUMENTS)
}

/// A collection, and a folder of so many documents beside it.
async fn many(tokens: u64) -> Result<(World, Vec<String>)> {
    let mut world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    let dir = world.everhold.dir().join("many");
    fs::create_dir_all(&dir).unwrap();
    for token in 1..=tokens {
        fs::write(dir.join(format!("{token}.json")), document(token)).unwrap();
    }
    let line = world.publishing(&dir, &[]);
    Ok((world, line))
}

/// How many tokens each transaction minted, and what it cost.
async fn minted(world: &World, published: &Value) -> Result<Vec<(u64, u64)>> {
    let mut all = Vec::new();
    for one in items(&published["transactions"]) {
        let receipt = world.anvil.receipt(text(&one["transaction"])).await?;
        let gas = one["gas"].as_u64().unwrap();
        assert_eq!(receipt["gasUsed"], format!("{gas:#x}"));
        all.push((one["count"].as_u64().unwrap(), gas));
    }
    Ok(all)
}

async fn complete(world: &World, tokens: u64) -> Result<()> {
    let ids: Vec<u64> = (1..=tokens).collect();
    assert_eq!(chain::mints(&world.anvil, &world.collection).await?, ids);
    for token in ids {
        let digest = chain::digest(&world.anvil, &world.collection, token).await?;
        assert_eq!(digest, sha256(document(token).as_bytes()), "token {token}");
    }
    let watched = world.once(&[]).await?.gives(0)?;
    assert_eq!(watched["collections"][0]["health"]["healthy"], tokens);
    Ok(())
}

#[tokio::test]
async fn five_hundred_go_into_one_transaction_and_the_last_alone() -> Result<()> {
    let (world, line) = many(501).await?;
    let published = world.everhold.json(&line).await?;
    let minted = minted(&world, &published).await?;
    let counts: Vec<_> = minted.iter().map(|(count, _)| *count).collect();
    assert_eq!(counts, [500, 1]);
    assert!(minted[0].1 < 5_000_000 && minted[1].1 < 110_000, "{minted:?}");
    assert_eq!(items(&published["transactions"])[1]["first"], 501);
    complete(&world, 501).await?;
    // There is nothing left to do.
    let again = world.everhold.json(&line).await?;
    assert_eq!((&again["transactions"], &again["already_minted"]), (&json!([]), &json!(501)));
    Ok(())
}

#[tokio::test]
async fn smaller_blocks_get_smaller_batches() -> Result<()> {
    let (world, line) = many(501).await?;
    world.anvil.rpc("evm_setBlockGasLimit", json!(["0x1e8480"])).await?;
    world.anvil.mine(1).await?;
    let published = world.everhold.json(&line).await?;
    let counts: Vec<_> = minted(&world, &published).await?.iter().map(|(n, _)| *n).collect();
    assert_eq!(counts, [125, 125, 125, 125, 1], "two million gas a block");
    complete(&world, 501).await
}

#[tokio::test]
async fn a_chain_that_can_not_take_one_token_is_named() -> Result<()> {
    let (world, line) = many(3).await?;
    world.anvil.rpc("evm_setBlockGasLimit", json!(["0xc350"])).await?;
    world.anvil.mine(1).await?;
    let run = world.everhold.run(line.iter().map(String::as_str).chain(["-q"])).await?;
    assert_eq!(run.status, 1);
    run.refuses(&["gas"])?;
    assert_eq!(chain::next_token_id(&world.anvil, &world.collection).await?, 1);
    Ok(())
}
