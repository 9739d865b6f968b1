//! Messages: sent, shown, listed.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{self, Failure};
use crate::envelope::{Kind, Message};
use crate::item_hash::FileHash;
use crate::ledger::{Filter, Record, Status, listed, with_status};
use crate::node::{Node, Origin, PEER_HEADER};
use crate::stamp;

const PER_PAGE: usize = 20;

type Params = Query<HashMap<String, String>>;

/// `POST /api/v0/messages`
pub(super) async fn publish(
    State(node): Shared,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let request: Value = serde_json::from_slice(&body)
        .map_err(|_| Failure::bare(StatusCode::UNPROCESSABLE_ENTITY))?;
    let message = Message::parse(&request["message"]).map_err(|_| invalid_format())?;
    let sync = request["sync"].as_bool().unwrap_or(false);
    let origin = match headers.get(PEER_HEADER).and_then(|url| url.to_str().ok()) {
        Some(url) => Origin::Peer(url.to_owned()),
        None => Origin::Client,
    };
    let status = node.submit(message, sync, origin).await;
    let answer = json!({
        "publication_status": {"status": "success", "failed": []},
        "message_status": status.as_str(),
    });
    Ok(answer::json(code_of(status), &answer))
}

/// The answer to a message whose form is wrong.
pub(super) fn invalid_format() -> Failure {
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "InvalidMessageFormat")
}

/// The HTTP status for where a message stands.
pub(super) fn code_of(status: Status) -> StatusCode {
    match status {
        Status::Processed | Status::Removing => StatusCode::OK,
        Status::Pending => StatusCode::ACCEPTED,
        Status::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        Status::Forgotten | Status::Removed => StatusCode::GONE,
    }
}

/// `GET /api/v0/messages/{h}`
pub(super) async fn one(
    State(node): Shared,
    Path(hash): Path<String>,
) -> Result<Response, Failure> {
    find(&node, &hash).map(|record| answer::ok(&with_status(&record)))
}

/// `GET /api/v0/messages/{h}/status`
pub(super) async fn status(
    State(node): Shared,
    Path(hash): Path<String>,
) -> Result<Response, Failure> {
    let record = find(&node, &hash)?;
    Ok(answer::ok(&json!({
        "status": record.status.as_str(), "item_hash": hash,
        "reception_time": stamp::rfc3339(record.received),
    })))
}

/// `GET /api/v0/messages/{h}/content`
pub(super) async fn content(
    State(node): Shared,
    Path(hash): Path<String>,
) -> Result<Response, Failure> {
    let record = find(&node, &hash)?;
    if record.status != Status::Processed {
        let status = record.status.as_str();
        let text = format!("Message {hash} is not processed (status: {status})");
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, text));
    }
    let content = &record.message.content;
    Ok(answer::ok(match record.message.envelope.kind {
        Kind::Post => &content["content"],
        _ => content,
    }))
}

fn find(node: &Node, hash: &str) -> Result<Record, Failure> {
    if FileHash::parse(hash).is_none() {
        let text = format!("Invalid message hash: {hash}");
        return Err(Failure::new(StatusCode::BAD_REQUEST, text));
    }
    let record = node.ledger().get(hash).cloned();
    record.ok_or_else(Failure::not_found)
}

/// `GET /api/v0/messages.json`
pub(super) async fn list(State(node): Shared, Query(query): Params) -> Result<Response, Failure> {
    let page = number(&query, "page", 1)?;
    list_at(&node, &query, page)
}

/// `GET /api/v0/messages/page/{page}.json`
pub(super) async fn list_page(
    State(node): Shared,
    Path(page): Path<String>,
    Query(query): Params,
) -> Result<Response, Failure> {
    let page = page.trim_end_matches(".json").parse();
    let page = page.map_err(|_| Failure::bare(StatusCode::BAD_REQUEST))?;
    list_at(&node, &query, page)
}

fn list_at(node: &Node, query: &HashMap<String, String>, page: usize) -> Result<Response, Failure> {
    let per_page = number(query, "pagination", PER_PAGE)?;
    refuse_ends_by_content(query)?;
    let format = query.get("contentFormat").map_or("full", String::as_str);
    let ledger = node.ledger();
    let found = ledger.matching(&Filter::from_query(query));
    let total = found.len();
    let messages: Vec<Value> = crate::ledger::page_of(found, page, per_page)
        .map(|record| listed(record, format))
        .collect();
    Ok(answer::ok(&json!({
        "messages": messages, "pagination_per_page": per_page, "pagination_page": page,
        "pagination_total": total, "pagination_item": "messages",
    })))
}

/// Of messages at their end no content is left to filter by (pyaleph,
/// `_validate_terminal_status_query_params`).
fn refuse_ends_by_content(query: &HashMap<String, String>) -> Result<(), Failure> {
    let statuses = query.get("msgStatuses").map_or("", String::as_str).split(',');
    let mut ends = statuses.filter(|status| matches!(*status, "forgotten" | "removed"));
    match (ends.next(), query.contains_key("contentHashes")) {
        (Some(status), true) => {
            let text = format!("Filters not supported for {status} message queries: contentHashes");
            Err(Failure::new(StatusCode::BAD_REQUEST, text))
        }
        _ => Ok(()),
    }
}

/// `GET /api/v0/posts.json`
pub(super) async fn posts(
    State(node): Shared,
    Query(mut query): Params,
) -> Result<Response, Failure> {
    let page = number(&query, "page", 1)?;
    let per_page = number(&query, "pagination", PER_PAGE)?;
    if let Some(types) = query.remove("types") {
        query.insert("contentTypes".to_owned(), types);
    }
    query.insert("msgTypes".to_owned(), "POST".to_owned());
    let found = node.ledger().posts(&Filter::from_query(&query));
    let total = found.len();
    let posts: Vec<Value> = crate::ledger::page_of(found, page, per_page).collect();
    Ok(answer::ok(&json!({
        "posts": posts, "pagination_page": page, "pagination_total": total,
        "pagination_per_page": per_page, "pagination_item": "posts",
    })))
}

/// A number in a query; a page begins at 1.
pub(super) fn number(
    query: &HashMap<String, String>,
    key: &str,
    otherwise: usize,
) -> Result<usize, Failure> {
    let Some(text) = query.get(key) else {
        return Ok(otherwise);
    };
    let number = text.parse().ok();
    number.filter(|number| key != "page" || *number > 0).ok_or_else(|| {
        let text = format!("'{key}' is not a number that can be used: {text}");
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, text)
    })
}
