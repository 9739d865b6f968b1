//! A collection is deployed and published.

use std::time::Instant;

use everhold_harness::{Context, Error, Result, accounts};
use serde_json::Value;

use crate::{
    Checklist, Promise, Stage, Story,
    ledger::{items, text},
    stage::{NODES, TOKENS},
    story::seconds,
};

pub(super) async fn tell(
    stage: &mut Stage,
    story: &Story,
    checklist: &mut Checklist,
) -> Result<()> {
    story.step("A creator publishes a collection");
    deploy(stage, story).await?;
    let published = publish(stage, story).await;
    if checklist.judge(story, Promise::Published, published) {
        return Ok(());
    }
    Err(Error::new("Without a collection the story ends here."))
}

async fn deploy(stage: &mut Stage, story: &Story) -> Result<()> {
    let arguments = [
        "deploy",
        "--name",
        "Night Harbour",
        "--symbol",
        "HARBOUR",
        "--private-key-file",
        &stage.creator_key,
    ];
    let deployed = stage.everhold.json(arguments).await.context("deploy")?;
    let address = text(&deployed["address"]).to_owned();
    let block = deployed["block"].as_u64().context("deploy names no block")?;
    story.fact("everhold deploy", &format!("The contract is at {address}, in block {block}."));
    stage.configure(Some((address.clone(), block)))?;
    stage.collection = address;
    Ok(())
}

async fn publish(stage: &Stage, story: &Story) -> Result<String> {
    let begun = Instant::now();
    let published = stage.publish().await?;
    let took = seconds(begun.elapsed());
    let (contents, minted) = (&published["contents"], items(&published["minted"]).len());
    let transactions = items(&published["transactions"]).len();
    story.fact(
        "everhold publish",
        &format!(
            "Stored {contents} files on each node, asked each node for all of them and hashed \
             what came, then minted {minted} tokens to {} in {transactions} transaction ({took}).",
            accounts::OWNER.address
        ),
    );
    check(&published)?;
    for token in 1..=TOKENS {
        let digest = stage.anvil.content_digest(&stage.collection, token).await?;
        stage.check_disks(&digest).await?;
    }
    story.good(&format!(
        "The chain holds {TOKENS} hashes of 32 bytes. On each of the {NODES} disks lies the \
         metadata they are the hashes of (checked without Everhold)."
    ));
    Ok(format!("publish: {minted} minted, {contents} files verified on each of {NODES} nodes"))
}

fn check(published: &Value) -> Result<()> {
    let (contents, nodes) = (&published["contents"], items(&published["nodes"]));
    let complete = |node: &Value| node["verified"] == *contents && node["lacking"] == 0;
    let tokens = items(&published["minted"]).len() as u64;
    let good = tokens == TOKENS && nodes.len() == NODES && nodes.iter().all(complete);
    good.then_some(()).context(format!("publish says: {published}"))
}
