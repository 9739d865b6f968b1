//! A bucket of S3, or of another that speaks the same. Its requests go the way of all others
//! ([`Fetcher`]): `object_store` only says what they are.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use everhold_net::{FetchError, StatusCode, Url};
use futures::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use object_store::{
    ClientOptions, ObjectStore, RetryConfig,
    aws::AmazonS3Builder,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
    prefix::PrefixStore,
};

use crate::{
    config::{ConfigError, S3Config},
    nodes::Fetcher,
};

/// How much longer than other answers may take is waited for one to what is sent, beside a second for so
/// many bytes: a minute, by default.
const PATIENCE: u32 = 4;
const SLOWEST: u64 = 128 * 1024;

/// Pieces of an answer that wait to be read.
const WAITING: usize = 4;

/// A bucket, or the part of it below a prefix.
pub(super) fn store(
    config: &S3Config,
    fetcher: &Fetcher,
) -> Result<Arc<dyn ObjectStore>, ConfigError> {
    let url = config.url()?;
    let id = key(config.access_key_file.as_deref(), "access_key_file", "AWS_ACCESS_KEY_ID")?;
    let secret =
        key(config.secret_key_file.as_deref(), "secret_key_file", "AWS_SECRET_ACCESS_KEY")?;
    let store = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_allow_http(url.scheme() == "http")
        .with_endpoint(url.as_str().trim_end_matches('/'))
        .with_access_key_id(id)
        .with_secret_access_key(secret)
        // The host is the one that is configured, whatever the bucket is called.
        .with_virtual_hosted_style_request(false)
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig { max_retries: 3, ..RetryConfig::default() })
        .with_http_connector(Wire { fetcher: fetcher.clone() })
        .build()
        .map_err(|_| ConfigError::Invalid("`[vault] s3` can't be used as it is".to_owned()))?;
    match config.prefix.trim_matches('/') {
        "" => Ok(Arc::new(store)),
        prefix => Ok(Arc::new(PrefixStore::new(store, prefix))),
    }
}

/// A key from its file, or else from the environment.
fn key(file: Option<&Path>, setting: &str, variable: &str) -> Result<String, ConfigError> {
    let said = |what: String| ConfigError::Invalid(format!("[vault] s3: {what}"));
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| said(format!("{setting} {}: {error}", path.display())))?,
        None => std::env::var(variable)
            .map_err(|_| said(format!("set {setting}, or {variable} in the environment")))?,
    };
    match text.trim() {
        "" => Err(said(format!("{setting} is empty"))),
        key => Ok(key.to_owned()),
    }
}

/// Sends what it is told to.
#[derive(Clone, Debug)]
struct Wire {
    fetcher: Fetcher,
}

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let url: Url = head
            .uri
            .to_string()
            .parse()
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let body = body.collect().await?.to_bytes();
        let mut request = self.fetcher.request(head.method, url).headers(head.headers);
        if !body.is_empty() {
            // The answer begins when all of it is there.
            let patience = self.fetcher.limits().first_byte.saturating_mul(PATIENCE)
                + Duration::from_secs(body.len() as u64 / SLOWEST);
            request = request.first_byte(patience).total(patience * 2).body(body);
        }
        let limit = self.fetcher.limits().max_content;
        let mut answer = request.limit(limit).send().await.map_err(failed)?;
        let status = StatusCode::from_u16(answer.status())
            .map_err(|error| HttpError::new(HttpErrorKind::Decode, error))?;
        let headers = answer.headers().clone();
        let (sender, mut pieces) = tokio::sync::mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some(piece) = answer.chunk().await.transpose() {
                // Nobody may read on.
                if sender.send(piece.map_err(failed)).await.is_err() {
                    break;
                }
            }
        });
        let pieces = stream::poll_fn(move |context| pieces.poll_recv(context));
        let body = StreamBody::new(pieces.map(|piece: Result<Bytes, _>| piece.map(Frame::data)));
        let mut response = HttpResponse::new(HttpResponseBody::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

fn failed(error: FetchError) -> HttpError {
    let kind = match error {
        FetchError::Connect { .. } => HttpErrorKind::Connect,
        FetchError::Idle { .. } | FetchError::TooSlow { .. } | FetchError::Busy { .. } => {
            HttpErrorKind::Timeout
        }
        FetchError::Cut { .. } => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}
