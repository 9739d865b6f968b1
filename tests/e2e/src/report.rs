//! What `status --json` and `token --json` say, picked apart.

use everhold_harness::{Context, Result};
use serde_json::Value;

/// The items of an array; none where it is no array.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text; empty where it is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A token's content of this role.
pub fn content<'a>(token: &'a Value, role: &str) -> Result<&'a Value> {
    let found = items(&token["contents"]).iter().find(|content| content["role"] == role);
    found.context(format!("no {role} in {token}"))
}

/// The id of a token's content of this role.
pub fn id(token: &Value, role: &str) -> Result<String> {
    Ok(text(&content(token, role)?["id"]).to_owned())
}

/// The replica of a token's content on a node.
pub fn replica<'a>(token: &'a Value, role: &str, node: &str) -> Result<&'a Value> {
    let content = content(token, role)?;
    let found = items(&content["replicas"]).iter().find(|replica| replica["node"] == node);
    found.context(format!("no replica on {node} in {content}"))
}

/// The states a replica has had, oldest first.
pub fn history(replica: &Value) -> Vec<&str> {
    items(&replica["history"]).iter().map(|change| text(&change["state"])).collect()
}

/// A node's entry in `status --json`.
pub fn node<'a>(status: &'a Value, url: &str) -> Result<&'a Value> {
    let found = items(&status["nodes"]).iter().find(|node| node["url"] == url);
    found.context(format!("no node {url} in {status}"))
}

/// How many tokens of the first collection have this health.
pub fn health(status: &Value, health: &str) -> u64 {
    status["collections"][0]["health"][health].as_u64().unwrap_or(u64::MAX)
}

/// The incidents over a content.
pub fn incidents<'a>(status: &'a Value, content: &str) -> Vec<&'a Value> {
    items(&status["incidents"]).iter().filter(|i| i["content"] == content).collect()
}

/// What a token's report says of chain and content, without times and without the past: what two
/// runs that saw the same must have in common.
pub fn lasting(token: &Value) -> Value {
    let mut token = token.clone();
    for content in token["contents"].as_array_mut().into_iter().flatten() {
        remove(content, &["repairs"]);
        for store in content["stores"].as_array_mut().into_iter().flatten() {
            for status in store["statuses"].as_array_mut().into_iter().flatten() {
                remove(status, &["at"]);
            }
        }
        for replica in content["replicas"].as_array_mut().into_iter().flatten() {
            remove(replica, &["checked_at", "verified_at", "spot_checked_at", "history"]);
        }
    }
    token
}

fn remove(value: &mut Value, keys: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !keys.contains(&key.as_str()));
    }
}
