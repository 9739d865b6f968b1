//! A competing, longer chain replaces the newest blocks.

use std::time::Instant;

use everhold_harness::{Context, Result, eventually};
use serde_json::Value;

use crate::{
    Checklist, Promise, Stage, Story,
    ledger::{self, LOOK, PATIENCE, items, text},
    stage::TOKENS,
    story::seconds,
};

/// Its mint is on both chains.
const SURVIVOR: u64 = TOKENS + 1;
/// Its mint is on the old chain only.
const GONE: u64 = TOKENS + 2;
/// By so many blocks is the new chain longer.
const LONGER: u64 = 2;

/// A token as it was minted.
struct Mint {
    transaction: String,
    block: u64,
    block_hash: String,
}

pub(super) async fn tell(
    stage: &mut Stage,
    story: &Story,
    checklist: &mut Checklist,
) -> Result<()> {
    story.step("A longer chain takes back a mint");
    let survivor = mint(stage, SURVIVOR, story).await?;
    mint(stage, GONE, story).await?;
    ledger::wait_until_healthy(&stage.everhold, GONE).await?;
    story.fact("Everhold", &format!("{GONE} tokens, all healthy, the two new ones as well."));
    let begun = Instant::now();
    replace(stage, &survivor, story).await?;
    let gone = gone(stage, begun, story).await;
    checklist.judge(story, Promise::TakenBack, gone);
    let survived = survived(stage, &survivor, story).await;
    checklist.judge(story, Promise::Survived, survived);
    Ok(())
}

/// Adds a token to the folder and publishes it again: a transaction, and a block, of its own.
async fn mint(stage: &mut Stage, token: u64, story: &Story) -> Result<Mint> {
    stage.sample.add()?;
    let published = stage.publish().await?;
    let transaction = text(&published["transactions"][0]["transaction"]).to_owned();
    let what = format!("token {token} in the ledger");
    let report = eventually(&what, PATIENCE, LOOK, async || {
        let found = stage.everhold.run(["token", &stage.collection, &token.to_string()]).await?;
        Ok(found.json.filter(|_| found.status == 0))
    })
    .await?;
    let mint = Mint {
        transaction,
        block: report["minted_block"].as_u64().context("no minted_block")?,
        block_hash: text(&report["minted_block_hash"]).to_owned(),
    };
    story.fact(
        "everhold publish",
        &format!(
            "The creator adds a file and publishes again: only token {token} is new. It is minted \
             in block {}, {}.",
            mint.block, mint.block_hash
        ),
    );
    Ok(mint)
}

/// Replaces the blocks of both mints. The survivor's transaction comes one block later than it was.
async fn replace(stage: &Stage, survivor: &Mint, story: &Story) -> Result<()> {
    let head = stage.anvil.head().await?;
    let depth = head + 1 - survivor.block;
    let raw = stage.anvil.raw_transaction(&survivor.transaction).await?;
    stage.anvil.reorg(depth, &[(raw, 1)]).await?;
    stage.anvil.mine(LONGER).await?;
    story.fact(
        "Chain",
        &format!(
            "Another chain wins: it has {} other blocks in the place of the newest {depth}. The \
             mint of token {SURVIVOR} is in one of them, that of token {GONE} in none.",
            depth + LONGER
        ),
    );
    Ok(())
}

async fn gone(stage: &Stage, begun: Instant, story: &Story) -> Result<String> {
    let what = format!("token {GONE} gone from the ledger");
    let said = eventually(&what, PATIENCE, LOOK, async || {
        let (address, id) = (&stage.collection, GONE.to_string());
        let found = stage.everhold.run(["token", address, &id]).await?;
        Ok((found.status == 1).then(|| found.last_line().to_owned()))
    })
    .await?;
    let after = seconds(begun.elapsed());
    said.contains("has no token").then_some(()).context(format!("everhold token says: {said}"))?;
    let status = ledger::wait_until_healthy(&stage.everhold, SURVIVOR).await?;
    let tokens = &status["collections"][0]["tokens"];
    story.fact("Everhold", &format!("After {after}: \"{said}\" {tokens} tokens are left."));
    Ok(format!("ledger: token {GONE} is gone, {tokens} tokens are left"))
}

async fn survived(stage: &Stage, before: &Mint, story: &Story) -> Result<String> {
    let what = format!("token {SURVIVOR} in its new block");
    let token = eventually(&what, PATIENCE, LOOK, async || {
        let token = stage.everhold.token(&stage.collection, SURVIVOR).await?;
        let moved = token["minted_block_hash"] != *before.block_hash;
        Ok((moved && token["health"] == "healthy").then_some(token))
    })
    .await?;
    on_chain(stage, before, &token).await?;
    let (block, hash) = (&token["minted_block"], text(&token["minted_block_hash"]));
    story.fact(
        "Everhold",
        &format!(
            "Token {SURVIVOR} is still there, but minted in block {block}, {hash}. The chain \
             says the same."
        ),
    );
    story.good(&format!("All {SURVIVOR} tokens are healthy."));
    let short = |hash: &str| hash.chars().take(10).collect::<String>();
    let (old, new) = (short(&before.block_hash), short(hash));
    Ok(format!("ledger: token {SURVIVOR} healthy, block {} {old}… → {block} {new}…", before.block))
}

/// The chain itself has the survivor's mint in the block that the ledger names.
async fn on_chain(stage: &Stage, before: &Mint, token: &Value) -> Result<()> {
    let receipt = stage.anvil.receipt(&before.transaction).await?;
    let number = token["minted_block"].as_u64().context("no minted_block")?;
    let block = stage.anvil.block(number).await?;
    let ledger = &token["minted_block_hash"];
    let same = receipt["blockHash"] == *ledger && block["hash"] == *ledger;
    let logs = items(&receipt["logs"]).len();
    (same && logs > 0).then_some(()).context(format!(
        "the chain has the mint in {}, the ledger in {ledger}",
        receipt["blockHash"]
    ))
}
