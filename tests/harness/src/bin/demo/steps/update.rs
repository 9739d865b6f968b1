//! An owner gives a token other content.

use std::time::Instant;

use everhold_harness::{Context, Result, eventually, sha256_file};
use serde_json::Value;

use crate::{
    Checklist, Promise, Stage, Story,
    ledger::{self, LOOK, PATIENCE, items, text},
    stage::{NODES, TOKENS},
    story::seconds,
};

const TOKEN: u64 = 2;

pub(super) async fn tell(stage: &Stage, story: &Story, checklist: &mut Checklist) -> Result<()> {
    story.step("An owner updates a token");
    let seen = update(stage, story).await;
    checklist.judge(story, Promise::Updated, seen);
    Ok(())
}

async fn update(stage: &Stage, story: &Story) -> Result<String> {
    let before = stage.everhold.token(&stage.collection, TOKEN).await?;
    let revised = stage.sample.revise(TOKEN, 2)?;
    let (begun, token) = (Instant::now(), TOKEN.to_string());
    let file = revised.metadata.display().to_string();
    let arguments = [
        "update",
        "--collection",
        &stage.collection,
        "--token",
        &token,
        &file,
        "--private-key-file",
        &stage.owner_key,
        "--payer",
        &stage.creator_key,
    ];
    let updated = stage.everhold.json(arguments).await.context("update")?;
    let (content, digest) = (text(&updated["content"]), text(&updated["digest"]));
    story.fact(
        "everhold update",
        &format!(
            "The owner points token {TOKEN} at new metadata, {content}, with a new picture, \"{}\". \
             The owner signs the transaction; the creator pays for the storage ({}).",
            revised.name,
            seconds(begun.elapsed())
        ),
    );
    on_chain(stage, digest).await?;
    let (begun, old) = (Instant::now(), text(&before["digest"]));
    let now = verified(stage, content, digest).await?;
    let picture = text(&ledger::content(&now, "image")?["id"]).to_owned();
    for node in &stage.nodes {
        let found = sha256_file(&node.path(&picture))?;
        (found == revised.image_sha256)
            .then_some(())
            .context(format!("the new picture on {}", node.url()))?;
    }
    ledger::wait_until_healthy(&stage.everhold, TOKENS).await?;
    story.fact(
        "Everhold",
        &format!(
            "Saw revision 2 on the chain, hash {digest} instead of {old}, and verified the new \
             files on all {NODES} nodes ({} later).",
            seconds(begun.elapsed())
        ),
    );
    story.good(&format!("All {TOKENS} tokens are healthy, token {TOKEN} with its new content."));
    Ok(format!("ledger: revision 2, {content} verified on {NODES} nodes"))
}

/// The chain names the digest that the command printed, and the disks hold what it is of.
async fn on_chain(stage: &Stage, printed: &str) -> Result<()> {
    let digest = stage.anvil.content_digest(&stage.collection, TOKEN).await?;
    (printed.trim_start_matches("0x") == digest)
        .then_some(())
        .context(format!("update says {printed}, the chain {digest}"))?;
    stage.check_disks(&digest).await
}

/// Waits until the ledger has the new content, verified on all nodes.
async fn verified(stage: &Stage, content: &str, digest: &str) -> Result<Value> {
    let whole = |content: &Value| {
        let replicas = items(&content["replicas"]);
        replicas.len() == NODES && replicas.iter().all(|r| r["state"] == "verified")
    };
    eventually("the new content, verified on all nodes", PATIENCE, LOOK, async || {
        let token = stage.everhold.token(&stage.collection, TOKEN).await?;
        let new = token["revision"] == 2 && token["digest"] == digest;
        let named = ledger::content(&token, "metadata").is_ok_and(|c| c["id"] == content);
        let good = new
            && named
            && token["health"] == "healthy"
            && items(&token["contents"]).len() == 2
            && items(&token["contents"]).iter().all(whole);
        Ok(good.then_some(token))
    })
    .await
}
