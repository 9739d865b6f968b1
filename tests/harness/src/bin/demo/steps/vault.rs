//! Every node loses the same file.

use std::time::Instant;

use everhold_harness::{Context, Result, eventually, sha256_file};

use crate::{
    Checklist, Promise, Stage, Story,
    ledger::{self, LOOK, PATIENCE, history, incidents, text},
    stage::{NODES, TOKENS},
    story::seconds,
};

const TOKEN: u64 = 6;
const ROLE: &str = "image";

pub(super) async fn tell(stage: &Stage, story: &Story, checklist: &mut Checklist) -> Result<()> {
    story.step("Every node loses the same file");
    let seen = restored(stage, story).await;
    checklist.judge(story, Promise::Restored, seen);
    Ok(())
}

async fn restored(stage: &Stage, story: &Story) -> Result<String> {
    let bytes = eventually("a copy in the vault", PATIENCE, LOOK, async || {
        let token = stage.everhold.token(&stage.collection, TOKEN).await?;
        Ok(ledger::content(&token, ROLE)?["vault"]["bytes"].as_u64())
    })
    .await?;
    story.fact(
        "Everhold",
        &format!(
            "Keeps a copy of what it verified in its vault, a folder of its own; of token {TOKEN}'s \
             {ROLE} {bytes} bytes. It is no replica: nobody else can fetch from it."
        ),
    );
    let token = stage.everhold.token(&stage.collection, TOKEN).await?;
    let id = text(&ledger::content(&token, ROLE)?["id"]).to_owned();
    let sha256 = sha256_file(&stage.nodes[0].path(&id))?;
    let begun = Instant::now();
    for node in &stage.nodes {
        node.lose(&id).await?;
    }
    story.fact("All nodes", &format!("Deleted: token {TOKEN}'s {ROLE} {id}"));
    eventually("its recovery", PATIENCE, LOOK, async || {
        let status = stage.everhold.status().await?;
        let mut mine = incidents(&status).filter(|incident| incident["content"] == *id);
        let over = mine.any(|incident| incident["close_reason"] == "recovered");
        Ok((over && ledger::all_healthy(&status, TOKENS)).then_some(()))
    })
    .await?;
    let took = seconds(begun.elapsed());
    let token = stage.everhold.token(&stage.collection, TOKEN).await?;
    let content = ledger::content(&token, ROLE)?;
    for (name, node) in stage.named_nodes() {
        let replica = ledger::replica(content, &node.url())?;
        let seen = history(replica).join(" → ");
        let is_back = seen.ends_with("verified → missing → verified");
        is_back.then_some(()).context(format!("its history on {name} is {seen}"))?;
        let now = sha256_file(&node.path(&id))?;
        (now == sha256).then_some(()).context(format!("on {name} it has SHA-256 {now}"))?;
    }
    story.fact(
        "Everhold",
        &format!(
            "After {took}: gave the copy of the vault, hashed once more, to all {NODES} nodes, and fetched \
             it from each of them again."
        ),
    );
    story.good("A content that every node had lost is back, with the SHA-256 that it had.");
    Ok(format!("ledger: verified → missing → verified on {NODES} nodes; SHA-256 on their disks"))
}
