//! The HTTP interface of `everhold watch`: what `status` and `token` tell, for programs.
//!
//! | path | answer |
//! |---|---|
//! | `GET /healthz` | `{"ok":true}` while the ledger can be read, else 503 |
//! | `GET /api/v1/status` | as `everhold status --json` |
//! | `GET /api/v1/collections/{address}/tokens/{id}` | as `everhold token --json`; 404 where unknown or burned |
//!
//! `?chain_id=N` says on which chain a token is; without it, an address that collections of several
//! chains have is refused (400).

use std::{net::SocketAddr, sync::Arc};

use alloy::primitives::{Address, U256};
use axum::{
    Json, Router,
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    health::Policy,
    ledger::{self, Ledger, LedgerError},
    report::{Absent, Status, TokenReport, collection_at},
};

/// What the routes read.
struct Shared {
    ledger: Ledger,
    policy: Policy,
}

/// A server that listens and is not yet served.
#[derive(Debug)]
pub struct Api {
    listener: TcpListener,
}

/// Why a request has no answer.
enum Refusal {
    Ledger(LedgerError),
    Absent(String),
    Wrong(String),
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Ledger(inner) => {
                // What is wrong with the database is the operator's business, not the caller's.
                error!("api: {inner}");
                (StatusCode::SERVICE_UNAVAILABLE, "the ledger can't be read now".to_owned())
            }
            Self::Absent(why) => (StatusCode::NOT_FOUND, why),
            Self::Wrong(why) => (StatusCode::BAD_REQUEST, why),
        };
        (status, Json(json!({ "error": text }))).into_response()
    }
}

impl Api {
    /// Listens at an address; port 0 takes a free one.
    pub async fn listen(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        info!("API at http://{}", listener.local_addr()?);
        Ok(Self { listener })
    }

    /// Answers until `stop`.
    pub async fn serve(
        self,
        ledger: Ledger,
        policy: Policy,
        stop: CancellationToken,
    ) -> std::io::Result<()> {
        let routes = Router::new()
            .route("/healthz", get(healthz))
            .route("/api/v1/status", get(status))
            .route("/api/v1/collections/{address}/tokens/{id}", get(token))
            .with_state(Arc::new(Shared { ledger, policy }));
        axum::serve(self.listener, routes)
            .with_graceful_shutdown(async move { stop.cancelled().await })
            .await
    }
}

type Answer<T> = Result<Json<T>, Refusal>;

async fn healthz(State(shared): State<Arc<Shared>>) -> Answer<serde_json::Value> {
    shared.ledger.read().await?.collections().await?;
    Ok(Json(json!({ "ok": true })))
}

async fn status(State(shared): State<Arc<Shared>>) -> Answer<Status> {
    let mut tx = shared.ledger.read().await?;
    Ok(Json(Status::read(&mut tx, &shared.policy, ledger::now()).await?))
}

/// The chain that `chain_id=N` in a query names.
fn chain_of(query: Option<&str>) -> Result<Option<u64>, Refusal> {
    let query = query.unwrap_or_default().as_bytes();
    let named = url::form_urlencoded::parse(query).find(|(name, _)| name == "chain_id");
    let parsed = named.map(|(_, id)| id.parse()).transpose();
    parsed.map_err(|_| Refusal::Wrong("chain_id must be a decimal number".into()))
}

async fn token(
    State(shared): State<Arc<Shared>>,
    Path((address, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer<TokenReport> {
    let address: Address = address
        .parse()
        .map_err(|_| Refusal::Wrong("the collection must be an address: 0x and 40 hex".into()))?;
    let id = U256::from_str_radix(&id, 10)
        .map_err(|_| Refusal::Wrong("the token id must be a decimal number".into()))?;
    let chain_id = chain_of(query.as_deref())?;
    let mut tx = shared.ledger.read().await?;
    let known = tx.collections().await?;
    let found = collection_at(&known, address, chain_id)
        .map_err(|several| Refusal::Wrong(format!("{several}: ?chain_id=N says which")))?;
    let Some(collection) = found else {
        return Err(Refusal::Absent(Absent::NoCollection.text(address, id)));
    };
    let report = TokenReport::read(&mut tx, &shared.policy, collection, id, ledger::now()).await?;
    match report {
        Some(report) => Ok(Json(report)),
        None => {
            let absent = Absent::read(&mut tx, collection, id).await?;
            Err(Refusal::Absent(absent.text(address, id)))
        }
    }
}
