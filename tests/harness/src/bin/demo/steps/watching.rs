//! Everhold begins to watch, and finds all well.

use std::time::Instant;

use everhold_harness::{Context, Error, Result};
use serde_json::Value;

use crate::{
    Checklist, Promise, Stage, Story,
    ledger::{self, items},
    stage::{NODES, TOKENS},
    story::seconds,
};

/// A picture and a metadata file for each token.
const CONTENTS: u64 = 2 * TOKENS;

pub(super) async fn tell(
    stage: &mut Stage,
    story: &Story,
    checklist: &mut Checklist,
) -> Result<()> {
    story.step("Everhold watches");
    story.fact(
        "everhold watch",
        &format!(
            "Runs in the background, its ledger is an SQLite file. Its rule here: each file must \
             come, with the right bytes, from {NODES} nodes of {NODES} operators."
        ),
    );
    // The ledger is made now, and is empty: all that is told later was found by the watcher.
    let empty = items(&stage.everhold.status().await?["collections"]).is_empty();
    empty.then_some(()).context("the ledger is not empty at the start")?;
    let begun = Instant::now();
    let mut watcher = stage.everhold.watch(&[])?;
    let seen = tokio::select! {
        seen = healthy(stage, story, begun) => seen,
        ended = watcher.process().wait() => ended.and_then(|status| {
            Err(Error::new(format!("`everhold watch` ended by itself: {status}")))
        }),
    };
    stage.watcher = Some(watcher);
    if !checklist.judge(story, Promise::Healthy, seen) {
        return Err(Error::new("Nothing that follows can be told from here."));
    }
    let counted = counts(stage, story).await;
    checklist.judge(story, Promise::Counted, counted);
    Ok(())
}

/// What is counted of a content. These nodes would fetch a file named by a CID from their peers, so none
/// is proved to have its own copy by giving it.
async fn counts(stage: &Stage, story: &Story) -> Result<String> {
    let token = stage.everhold.token(&stage.collection, 1).await?;
    let metadata = ledger::content(&token, "metadata")?;
    let count = |key: &str| metadata[key].as_u64().context(key);
    let (verified, independent) = (count("verified")?, count("independent")?);
    let (held, nodes) = (count("held")?, NODES as u64);
    let told = format!("{verified} verified, {independent} independent, {held} held");
    let good = (verified, independent, held) == (nodes, nodes, 0);
    good.then_some(()).context(format!("token 1's metadata: {told}"))?;
    story.fact("Everhold", &format!("Of token 1's metadata, replicas are counted apart: {told}."));
    story.good(
        "Verified: the right bytes came. Independent: from other operators at other addresses. Held: \
         proved to be the node's own copy, which these nodes can't prove of files named by CIDs, \
         since they ask their peers.",
    );
    Ok(format!("token 1: {told}"))
}

async fn healthy(stage: &Stage, story: &Story, begun: Instant) -> Result<String> {
    let status = ledger::wait_until_healthy(&stage.everhold, TOKENS).await?;
    let took = seconds(begun.elapsed());
    let nodes = items(&status["nodes"]);
    let complete = |node: &Value| node["verified"] == CONTENTS;
    let good = nodes.len() == NODES && nodes.iter().all(complete);
    good.then_some(()).context(format!("status says: {}", status["nodes"]))?;
    let replicas = CONTENTS * NODES as u64;
    story.fact(
        "Everhold",
        &format!("{CONTENTS} files verified on each of {NODES} nodes, from the first block to here in {took}."),
    );
    story.good(&format!("All {TOKENS} tokens are healthy."));
    Ok(format!("status: {TOKENS} of {TOKENS} healthy, {replicas} replicas verified"))
}
