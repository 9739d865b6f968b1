//! The node's HTTP interface.

mod accounts;
mod add_file;
mod answer;
mod dev;
mod live;
mod messages;
mod raw;
mod receive;
mod storage;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, Router, get, post};

use crate::node::{Node, PEER_HEADER};
use answer::Failure;

type Shared = State<Arc<Node>>;

/// Messages larger than this are refused; files have limits of their own.
const LARGEST_MESSAGE: usize = 4 << 20;

/// All routes of a node.
pub fn router(node: Arc<Node>) -> Router {
    let mut routes = Router::new()
        .merge(message_routes())
        .merge(storage_routes())
        .merge(account_routes())
        .merge(dev::routes());
    if node.config.ipfs {
        routes = routes.route("/api/v0/ipfs/add_file", upload(post(add_file::ipfs)));
    } else {
        routes = routes.route("/api/v0/ipfs/{*rest}", axum::routing::any(no_ipfs));
    }
    routes
        .fallback(async || Failure::not_found())
        .layer(DefaultBodyLimit::max(LARGEST_MESSAGE))
        .layer(middleware::from_fn_with_state(node.clone(), around))
        .with_state(node)
}

fn message_routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/api/v0/messages", post(messages::publish))
        .route("/api/v0/messages.json", get(messages::list))
        .route("/api/v0/messages/page/{page}", get(messages::list_page))
        .route("/api/v0/messages/{hash}", get(messages::one))
        .route("/api/v0/messages/{hash}/status", get(messages::status))
        .route("/api/v0/messages/{hash}/content", get(messages::content))
        .route("/api/v0/posts.json", get(messages::posts))
        .route("/api/ws0/messages", get(live::socket))
}

fn storage_routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/api/v0/storage/add_file", upload(post(add_file::storage)))
        .route("/api/v0/storage/add_json", post(add_file::storage_json))
        .route("/api/v0/storage/raw/{hash}", get(raw::get).head(raw::head))
        .route("/api/v0/storage/metadata/{hash}", get(storage::metadata))
        .route("/api/v0/storage/count/{hash}", get(storage::count))
        .route("/api/v0/storage/by-ref/{owner}/{reference}", get(storage::by_ref))
        .route("/api/v0/storage/by-message-hash/{hash}", get(storage::by_message))
        .route("/api/v0/storage/limits.json", get(storage::limits))
        .route("/api/v0/storage/{hash}", get(raw::encoded))
}

fn account_routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/api/v0/version", get(storage::version))
        .route("/api/v0/aggregates/{address}", get(accounts::aggregates))
        .route("/api/v0/addresses/{address}/balance", get(accounts::balance))
        .route("/api/v0/addresses/{address}/files", get(accounts::files))
}

/// Uploads are limited while they are read.
fn upload(route: MethodRouter<Arc<Node>>) -> MethodRouter<Arc<Node>> {
    route.layer(DefaultBodyLimit::disable())
}

async fn no_ipfs() -> Failure {
    Failure::reason(StatusCode::NOT_IMPLEMENTED, "IPFS is disabled on this node")
}

/// What is around every request: the log, faults of whole paths, and the header that lets pages
/// of any origin read the answer.
async fn around(State(node): Shared, request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().map(str::to_owned);
    let from_peer = request.headers().contains_key(PEER_HEADER);
    let mut response = match node.faults.on_path(&path) {
        Some(fault) => raw::fault_status(&fault).into_response(),
        None => next.run(request).await,
    };
    if !from_peer && !path.starts_with("/dev/") {
        let status = response.status().as_u16();
        node.requests.add(&method, &path, query.as_deref(), status);
    }
    let any = HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}
