//! As much of an HTTP client as talking to this machine takes.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Method, Request, header},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use crate::{Context, Error, Result};

/// Everything here answers at once, or is broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// Answers larger than this are no answers that a test asks for.
const MOST: usize = 64 << 20;

/// Plain HTTP, JSON in and out.
#[derive(Clone, Debug)]
pub(crate) struct Http(Client<HttpConnector, Body>);

impl Http {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// GET, an answer other than 2xx is an error.
    pub(crate) async fn get(&self, url: &str) -> Result<Value> {
        self.json(Method::GET, url, Body::empty()).await
    }

    /// POST of JSON, an answer other than 2xx is an error.
    pub(crate) async fn post(&self, url: &str, body: &Value) -> Result<Value> {
        self.json(Method::POST, url, Body::from(body.to_string())).await
    }

    /// DELETE, an answer other than 2xx is an error.
    pub(crate) async fn delete(&self, url: &str) -> Result<Value> {
        self.json(Method::DELETE, url, Body::empty()).await
    }

    async fn json(&self, method: Method, url: &str, body: Body) -> Result<Value> {
        let what = format!("{method} {url}");
        let bytes = self.answer(method, url, "application/json", body).await?;
        serde_json::from_slice(&bytes).context(&what)
    }

    /// Bytes of any kind in and out, an answer other than 2xx is an error.
    pub(crate) async fn bytes(
        &self,
        method: Method,
        url: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Bytes> {
        self.answer(method, url, kind, Body::from(body)).await
    }

    async fn answer(&self, method: Method, url: &str, kind: &str, body: Body) -> Result<Bytes> {
        let what = format!("{method} {url}");
        let asked = tokio::time::timeout(PATIENCE, self.ask(method, url, kind, body));
        let (status, bytes) = asked.await.context(&what)?.context(&what)?;
        if !(200..300).contains(&status) {
            let text = String::from_utf8_lossy(&bytes);
            return Err(Error::new(format!("{what}: {status} {text}")));
        }
        Ok(bytes)
    }

    async fn ask(&self, method: Method, url: &str, kind: &str, body: Body) -> Result<(u16, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::CONTENT_TYPE, kind)
            .body(body)
            .context("request")?;
        let answer = self.0.request(request).await.context("no answer")?;
        let status = answer.status().as_u16();
        let body = Body::new(answer.into_body());
        Ok((status, to_bytes(body, MOST).await.context("answer")?))
    }
}
