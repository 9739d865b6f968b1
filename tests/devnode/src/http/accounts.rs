//! Accounts: what they have, what they store, what they say of themselves.

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::Shared;
use super::answer::{self, Failure};
use super::messages::number;

const FILES_PER_PAGE: usize = 100;

/// `GET /api/v0/addresses/{a}/balance`
pub(super) async fn balance(State(node): Shared, Path(address): Path<String>) -> Response {
    answer::ok(&node.ledger().balance(&address))
}

/// `GET /api/v0/addresses/{a}/files`
pub(super) async fn files(
    State(node): Shared,
    Path(address): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Failure> {
    let page = number(&query, "page", 1)?;
    let per_page = number(&query, "pagination", FILES_PER_PAGE)?;
    let files = node.ledger().account_files(&address, page, per_page);
    files.map(|files| answer::ok(&files)).ok_or_else(Failure::not_found)
}

/// `GET /api/v0/aggregates/{a}.json?keys=…`
pub(super) async fn aggregates(
    State(node): Shared,
    Path(address): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Failure> {
    let address = address.strip_suffix(".json").ok_or_else(Failure::not_found)?;
    let keys: Option<Vec<&str>> = query.get("keys").map(|keys| keys.split(',').collect());
    let data = node.ledger().aggregate(address, keys.as_deref());
    if data.is_empty() {
        let text = "No aggregate found for this address";
        return Err(Failure::new(StatusCode::NOT_FOUND, text));
    }
    Ok(answer::ok(&json!({"address": address, "data": data, "info": {}})))
}
