//! Chains that are not there, or are others, and contracts that are none of ours.

use everhold_e2e::{
    Anvil, DevNode, Everhold, NodeOptions, Result, World, accounts, chain, ended::Ended,
};

use crate::support::{chain_commands, refused, small, words};

#[tokio::test]
async fn an_rpc_that_is_not_there_is_named() -> Result<()> {
    let world = World::healthy(small()).await?;
    let key = ["--private-key-file", &world.key];
    let deploy = [&["deploy", "--name", "N", "--symbol", "S"][..], &key].concat();
    let deploy: Vec<_> = deploy.into_iter().map(str::to_owned).collect();
    for line in chain_commands(&world).into_iter().chain([deploy]) {
        let line = [&words(&line)[..], &["--rpc", "http://127.0.0.1:1"]].concat();
        refused(&world, &line, &["127.0.0.1:1"]).await?;
    }
    // Something answers there, but it is no RPC.
    let node = DevNode::start(NodeOptions::default()).await?;
    let url = node.url();
    for line in chain_commands(&world) {
        let line = [&words(&line)[..], &["--rpc", &url]].concat();
        refused(&world, &line, &[&url]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_rpcs_secret_is_never_shown() -> Result<()> {
    let world = World::healthy(small()).await?;
    let url = "http://user:hush-1@127.0.0.1:1/hush-2?key=hush-3";
    for line in chain_commands(&world) {
        let line = [&words(&line)[..], &["--rpc", url]].concat();
        let run = world.everhold.run(line).await?;
        assert_eq!(run.status, 1, "{}", run.stderr);
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    }
    Ok(())
}

/// The same ledger, with an RPC of another chain.
async fn another_chain(arguments: &[&str], with_contract: bool, names: &[&str]) -> Result<()> {
    let world = World::healthy(small()).await?;
    let other = Anvil::start_with(arguments, None).await?;
    if with_contract {
        // The same account's collection with the same settings has the same address everywhere.
        let elsewhere = Everhold::new()?;
        let key = elsewhere.key_file("creator", &accounts::CREATOR)?;
        let url = other.url();
        let words = ["deploy", "--name", "Harbour", "--symbol", "HBR", "--codec", "raw"];
        let more = ["--private-key-file", &key, "--rpc", &url];
        let deployed = elsewhere.json(words.into_iter().chain(more)).await?;
        assert_eq!(deployed["address"], *world.collection);
    }
    let url = other.url();
    refused(&world, &["watch", "--once", "--rpc", &url], names).await?;
    // And the ledger still goes with its own chain.
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn a_chain_of_another_id_is_refused() -> Result<()> {
    another_chain(&["--chain-id", "31338"], true, &["31337", "31338"]).await
}

#[tokio::test]
async fn a_chain_of_another_id_without_the_contract_is_refused() -> Result<()> {
    another_chain(&["--chain-id", "31338"], false, &["31337", "31338"]).await
}

#[tokio::test]
async fn a_chain_of_the_same_id_that_began_anew_is_refused() -> Result<()> {
    another_chain(&["--timestamp", "1600000000"], true, &["genesis"]).await
}

#[tokio::test]
async fn a_chain_of_the_same_id_that_began_anew_without_the_contract_is_refused() -> Result<()> {
    another_chain(&["--timestamp", "1600000000"], false, &["genesis"]).await
}

#[tokio::test]
async fn two_rpcs_of_two_chains_are_refused() -> Result<()> {
    let world = World::healthy(small()).await?;
    let other = Anvil::start_with(&["--chain-id", "31338"], None).await?;
    let (one, two) = (world.anvil.url(), other.url());
    for line in chain_commands(&world) {
        let line = [&words(&line)[..], &["--rpc", &one, "--rpc", &two]].concat();
        refused(&world, &line, &["31337", "31338"]).await?;
    }
    Ok(())
}

/// Every command with another address in the place of the collection's.
async fn not_a_collection(world: &mut World, address: &str, why: &str) -> Result<()> {
    let (right, start) = world.settings.collections[0].clone();
    world.collection = address.to_owned();
    world.settings.collections[0] = (address.to_owned(), start);
    world.configure()?;
    for line in chain_commands(world) {
        refused(world, &words(&line), &[address, why]).await?;
    }
    world.collection.clone_from(&right);
    world.settings.collections[0] = (right, start);
    world.configure()
}

#[tokio::test]
async fn an_address_that_is_no_collection_is_named() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    not_a_collection(&mut world, accounts::STRANGER.address, "no code").await?;
    // Runtime codes: answers nothing; reverts; 42; 1, which also says yes to every interface.
    for (code, why) in [
        ("0x00", "ERC-721"),
        ("0x5f5ffd", "ERC-721"),
        ("0x602a5f5260205ff3", "ERC-721"),
        ("0x60015f5260205ff3", "Everhold"),
    ] {
        let address = chain::contract(&world.anvil, code).await?;
        not_a_collection(&mut world, &address, why).await?;
    }
    world.once(&[]).await?.gives(0)?;
    Ok(())
}
