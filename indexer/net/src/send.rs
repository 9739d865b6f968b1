//! A request on its way, hop by hop, until its answer begins.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use tokio::time::{Instant, sleep_until, timeout_at};
use url::Url;

use crate::{
    body::Body,
    connect::Progress,
    error::FetchError,
    origin::Way,
    redirect::Trail,
    request::{Payload, Request},
    resolve::Misled,
    text::{host_of, root_cause},
    trust::distrust,
    wire::Pace,
    witness,
};

/// Sends a request; the answer's body may have `limit` bytes.
pub(crate) async fn send(mut request: Request, limit: u64) -> Result<Body, FetchError> {
    let inner = request.fetcher.inner.clone();
    let (begun, total) = (Instant::now(), request.total);
    let deadline = begun.checked_add(total).unwrap_or(begun + FOREVER);
    let is_head = request.method == Method::HEAD;
    let redirects = if is_head || request.method == Method::GET { request.redirects } else { 0 };
    let mut trail = Trail::new(&request.url, redirects, request.at_home);
    let mut open = request.open_web;
    loop {
        let url = request.url.clone();
        let (origin, way) = inner.origins.judge(&url, open)?;
        // Who was led to a stranger may not be led back in by it.
        open |= way == Way::Open;
        let turn = timeout_at(deadline, inner.hosts.permit(&origin, way)).await;
        let Ok(Some(permit)) = turn else {
            return Err(FetchError::Busy { host: host_of(&url), waited: begun.elapsed() });
        };
        let mut builder = inner.client(way).request(request.method.clone(), url.clone());
        builder = builder.headers(request.headers.clone());
        builder = match std::mem::replace(&mut request.payload, Payload::None) {
            Payload::None => builder,
            Payload::Body(body) => builder.body(body),
            Payload::Form(form) => builder.multipart(form),
        };
        let patience = Patience { first_byte: request.first_byte, total, deadline };
        let response = patience.head(builder, &url).await?;
        if trail.follows(response.status().as_u16()) {
            // The old answer and its turn are given up before the next is waited for.
            request.url = trail.next(&url, response.headers(), &mut request.headers)?;
            continue;
        }
        if response.status().is_success() {
            witness::saw(response.remote_addr());
        }
        let limits = &inner.limits;
        let pace = Pace {
            idle: request.idle,
            total,
            deadline,
            slowest: limits.slowest,
            slow_start: limits.slow_start,
        };
        return Body::new(response, without_userinfo(url), pace, limit, permit, is_head);
    }
}

/// A deadline for those that want none, which clocks can still reckon with.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

fn without_userinfo(mut url: Url) -> Url {
    // They fail only for URLs that can't have any.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// How long the head of an answer is waited for.
struct Patience {
    first_byte: Duration,
    total: Duration,
    deadline: Instant,
}

impl Patience {
    /// The head of the answer. While a connection is made, its own timeout runs, and the time to
    /// the first byte begins when it stands.
    async fn head(&self, request: RequestBuilder, url: &Url) -> Result<Response, FetchError> {
        let (progress, mut connected) = Progress::begin();
        let sending = progress.clone().watch(request.send());
        tokio::pin!(sending);
        loop {
            let since = *connected.borrow_and_update();
            let end = since.and_then(|since| since.checked_add(self.first_byte));
            let end = end.map_or(self.deadline, |end| end.min(self.deadline));
            tokio::select! {
                biased;
                answer = &mut sending => return answer.map_err(|error| failed(&error, url)),
                _ = connected.changed() => {}
                () = sleep_until(end) => return Err(self.over(end, url)),
            }
        }
    }

    fn over(&self, end: Instant, url: &Url) -> FetchError {
        let host = host_of(url);
        if end >= self.deadline {
            FetchError::TooSlow { host, after: self.total }
        } else {
            FetchError::Idle { host, waited: self.first_byte }
        }
    }
}

/// What the HTTP client's error means.
fn failed(error: &reqwest::Error, url: &Url) -> FetchError {
    let host = host_of(url);
    if let Some(Misled(why)) = find::<Misled>(error) {
        return FetchError::Refused { host, why: why.clone() };
    }
    let reason = distrust(error).unwrap_or_else(|| root_cause(error));
    if error.is_connect() {
        let reason = if error.is_timeout() { "it took too long".to_owned() } else { reason };
        return FetchError::Connect { host, reason };
    }
    if error.is_builder() {
        return FetchError::Request { host, reason };
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return FetchError::Nonsense { host, reason };
    }
    FetchError::Cut { host, bytes: 0, reason }
}

/// An error of a kind within another.
fn find<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
