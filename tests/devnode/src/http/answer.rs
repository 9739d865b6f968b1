//! Answers in the node's own forms.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::log;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A JSON answer.
pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], value.to_string()).into_response()
}

/// A JSON answer with status 200.
pub(super) fn ok(value: &Value) -> Response {
    json(StatusCode::OK, value)
}

/// An answer in plain text, mostly a refusal.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    text: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status, text }
    }

    /// The status and its usual reason: `404: Not Found`.
    pub(super) fn bare(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or_default();
        // The HTTP library knows 422 and 413 by newer names than the node does.
        let reason = match status {
            StatusCode::UNPROCESSABLE_ENTITY => "Unprocessable Entity",
            StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
            _ => reason,
        };
        Self::reason(status, reason)
    }

    /// The status and a reason of its own: `422: File hash does not match (…)`.
    pub(super) fn reason(status: StatusCode, reason: &str) -> Self {
        Self::new(status, format!("{}: {reason}", status.as_u16()))
    }

    pub(super) fn not_found() -> Self {
        Self::bare(StatusCode::NOT_FOUND)
    }

    pub(super) fn unprocessable(reason: &str) -> Self {
        Self::reason(StatusCode::UNPROCESSABLE_ENTITY, reason)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, TEXT)], self.text).into_response()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        log::say(&error);
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "500 Internal Server Error\n\nServer got itself in trouble",
        )
    }
}
