//! Nodes, asked without the product.

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use everhold_harness::{Context, DevNode, Result};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

const STATUSES: &str = "pending,processed,rejected,forgotten,removing,removed";

/// Status and body of a request without a body.
pub async fn ask(method: &str, url: &str) -> Result<(u16, String)> {
    let (status, bytes) = send(method, url, Vec::new()).await?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

async fn send(method: &str, url: &str, body: Vec<u8>) -> Result<(u16, Vec<u8>)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let request = Request::builder().method(method).uri(url).body(Body::from(body));
    let answer = client.request(request.context(url)?).await.context(url)?;
    let status = answer.status().as_u16();
    let bytes = to_bytes(Body::new(answer.into_body()), usize::MAX).await.context(url)?;
    Ok((status, bytes.to_vec()))
}

/// The bytes that a GET of a content gives, if it gives any.
pub async fn bytes(node: &DevNode, id: &str) -> Result<Option<Vec<u8>>> {
    let url = format!("{}/api/v0/storage/raw/{id}", node.url());
    let (status, bytes) = send("GET", &url, Vec::new()).await?;
    Ok((status == 200).then_some(bytes))
}

/// The status of a HEAD of a content.
pub async fn head(node: &DevNode, id: &str) -> Result<u16> {
    Ok(ask("HEAD", &format!("{}/api/v0/storage/raw/{id}", node.url())).await?.0)
}

/// Every STORE the node ever heard of, whatever became of it.
pub async fn stores(node: &DevNode) -> Result<Vec<Value>> {
    let query = format!("msgTypes=STORE&pagination=0&msgStatuses={STATUSES}");
    let url = format!("{}/api/v0/messages.json?{query}", node.url());
    let (status, body) = ask("GET", &url).await?;
    let mut answer: Value = serde_json::from_str(&body).context(format!("{status} {body}"))?;
    let messages = answer["messages"].take();
    messages.as_array().cloned().context(format!("unknown shape: {answer}"))
}

/// The hashes of all STOREs, sorted.
pub async fn store_hashes(node: &DevNode) -> Result<Vec<String>> {
    let stores = stores(node).await?;
    let mut hashes: Vec<_> = stores.iter().map(|store| text(&store["item_hash"])).collect();
    hashes.sort();
    Ok(hashes)
}

/// Uploads bytes without any message; the node keeps them for a while.
pub async fn leave_there(node: &DevNode, bytes: Vec<u8>) -> Result<()> {
    let url = format!("{}/api/v0/storage/add_file", node.url());
    let (status, answer) = send("POST", &url, bytes).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (status == 200).then_some(()).context(format!("{url}: {status} {answer}"))
}

/// How many requests of this method the node got.
pub async fn count(node: &DevNode, method: &str) -> Result<u64> {
    let requests = node.requests().await?;
    let counts = requests["counts"].as_object().context("counts")?;
    let begins = format!("{method} ");
    let of_method = counts.iter().filter(|(request, _)| request.starts_with(&begins));
    Ok(of_method.filter_map(|(_, count)| count.as_u64()).sum())
}

/// How many GETs of a content the node got.
pub async fn gets(node: &DevNode, id: &str) -> Result<u64> {
    let requests = node.requests().await?;
    let count = &requests["counts"][format!("GET /api/v0/storage/raw/{id}")];
    Ok(count.as_u64().unwrap_or(0))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
