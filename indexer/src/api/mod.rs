//! The HTTP interface of `everhold watch`: what `status` and `token` tell, for programs.
//!
//! | path | answer |
//! |---|---|
//! | `GET /healthz` | `{"ok":true}` while the ledger can be read, else 503 |
//! | `GET /api/v1/status` | as `everhold status --json` |
//! | `GET /api/v1/collections/{address}/tokens/{id}` | as `everhold token --json`; 404 where unknown or burned |

use std::{net::SocketAddr, sync::Arc};

use alloy::primitives::{Address, U256};
use axum::{
    Json, Router,
    extract::{Path, State},
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
    report::{Absent, Status, TokenReport},
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

async fn token(
    State(shared): State<Arc<Shared>>,
    Path((address, id)): Path<(String, String)>,
) -> Answer<TokenReport> {
    let address: Address = address
        .parse()
        .map_err(|_| Refusal::Wrong("the collection must be an address: 0x and 40 hex".into()))?;
    let id = U256::from_str_radix(&id, 10)
        .map_err(|_| Refusal::Wrong("the token id must be a decimal number".into()))?;
    let mut tx = shared.ledger.read().await?;
    let report = TokenReport::read(&mut tx, &shared.policy, address, id, ledger::now()).await?;
    match report {
        Some(report) => Ok(Json(report)),
        None => {
            let absent = Absent::read(&mut tx, address, id).await?;
            Err(Refusal::Absent(absent.text(address, id)))
        }
    }
}
