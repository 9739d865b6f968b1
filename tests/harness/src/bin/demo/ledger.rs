//! Reading what Everhold's commands print.

use std::{collections::HashSet, time::Duration};

use everhold_harness::{Context, Everhold, Result, eventually};
use serde_json::Value;

/// Between looks at the ledger.
pub(crate) const LOOK: Duration = Duration::from_millis(40);
/// How long anything that is to be seen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A list in a document; an empty one where it is none.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text in a document; an empty one where it is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether a status says that so many tokens are there, all healthy, and no incident is open.
pub(crate) fn all_healthy(status: &Value, tokens: u64) -> bool {
    let collection = &status["collections"][0];
    collection["tokens"] == tokens
        && collection["health"]["healthy"] == tokens
        && incidents(status).all(|incident| !incident["closed_at"].is_null())
}

/// Waits until all is healthy.
pub(crate) async fn wait_until_healthy(everhold: &Everhold, tokens: u64) -> Result<Value> {
    let what = format!("{tokens} tokens, all healthy, no incident open");
    eventually(&what, PATIENCE, LOOK, async || {
        let status = everhold.status().await?;
        Ok(all_healthy(&status, tokens).then_some(status))
    })
    .await
}

/// The incidents of a status.
pub(crate) fn incidents(status: &Value) -> impl Iterator<Item = &Value> {
    items(&status["incidents"]).iter()
}

/// The ids of all incidents there are.
pub(crate) fn incident_ids(status: &Value) -> HashSet<String> {
    incidents(status).map(|incident| text(&incident["id"]).to_owned()).collect()
}

/// A token's content by its role.
pub(crate) fn content<'a>(token: &'a Value, role: &str) -> Result<&'a Value> {
    let mut contents = items(&token["contents"]).iter();
    let found = contents.find(|content| content["role"] == role);
    found.context(format!("token {} has no {role}", token["token_id"]))
}

/// A content's replica on a node. URLs are compared without a final slash.
pub(crate) fn replica<'a>(content: &'a Value, node: &str) -> Result<&'a Value> {
    let mut replicas = items(&content["replicas"]).iter();
    let found = replicas.find(|replica| is_node(&replica["node"], node));
    found.context(format!("{} has no replica on {node}", content["id"]))
}

/// Whether a URL in a document is that of a node.
pub(crate) fn is_node(value: &Value, node: &str) -> bool {
    text(value).trim_end_matches('/') == node.trim_end_matches('/')
}

/// The states a replica went through, oldest first.
pub(crate) fn history(replica: &Value) -> Vec<&str> {
    let changes = items(&replica["history"]).iter();
    changes.map(|change| text(&change["state"])).collect()
}
