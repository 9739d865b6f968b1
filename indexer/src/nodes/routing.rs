//! Delegated routing, version 1: who announces content
//! (<https://specs.ipfs.tech/routing/http-routing-v1/>).
//!
//! What is announced is a claim: anybody can announce anything. A provider that has a web server can
//! be asked for the blocks themselves ([`Announced`]); the others can't from here.

use std::time::Duration;

use async_trait::async_trait;
use everhold_net::{Body, Request};
use url::Url;

use super::{Answer, ContentNode, FetchError, Fetcher, Kubo, NodeKind, join};
use crate::content::{Cid, ContentId, ProviderReader, Providers, Shape};

/// Bytes of an answer that are read: some thousand providers. The rest is left.
const LONGEST: u64 = 1 << 20;
/// Until all of an answer has come; a router may look for providers as it answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rather line by line, which is not cut off after the first hundred.
const ACCEPT: &str = "application/x-ndjson, application/json;q=0.9";

/// A router.
#[derive(Clone, Debug)]
pub struct Routing {
    url: Url,
    source: Source,
}

/// How it is asked.
#[derive(Clone, Debug)]
enum Source {
    Delegated(Fetcher),
    Kubo(Kubo),
}

impl Routing {
    /// The delegated router at `url` (without `/routing/v1`).
    pub fn new(url: Url, fetcher: Fetcher) -> Self {
        Self { url, source: Source::Delegated(fetcher) }
    }

    /// The routing of the Kubo node whose RPC is at `rpc` (without `/api/v0`). It is another node
    /// than the one that is asked there for content, and has a URL of its own.
    pub fn of_kubo(rpc: &Url, fetcher: Fetcher) -> Self {
        let url = join(rpc, "api/v0/routing/findprovs");
        Self { url, source: Source::Kubo(Kubo::new(rpc.clone(), fetcher)) }
    }

    /// Who announces a content, as far as an answer of one megabyte, and of half a minute, says so.
    ///
    /// # Errors
    /// [`FetchError`], where nothing was said.
    pub async fn providers(&self, id: &ContentId) -> Result<Providers, FetchError> {
        let fetcher = match &self.source {
            Source::Delegated(fetcher) => fetcher,
            Source::Kubo(kubo) => return kubo.providers(id).await,
        };
        let url = join(&self.url, &format!("routing/v1/providers/{}", Cid::from(*id)));
        let request = fetcher.get(url).header("Accept", ACCEPT);
        let body = match within(request).open().await {
            Err(FetchError::Status { status: 404, .. }) => return Ok(Providers::default()),
            opened => opened?,
        };
        let kind = body.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let lines = kind.starts_with("application/x-ndjson");
        read(body, if lines { Shape::Lines } else { Shape::Json }).await
    }
}

/// A request for an answer that may be of any length, since only its start is read.
pub(super) fn within(request: Request) -> Request {
    request.limit(u64::MAX).first_byte(PATIENCE).total(PATIENCE)
}

/// Reads the start of an answer. What was said before it broke off was said.
pub(super) async fn read(mut body: Body, shape: Shape) -> Result<Providers, FetchError> {
    let mut reader = ProviderReader::new(shape);
    while body.received() < LONGEST {
        match body.chunk().await {
            Ok(Some(chunk)) => reader.feed(&chunk),
            Ok(None) => break,
            Err(_) if reader.found().count > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(reader.finish())
}

#[async_trait]
impl ContentNode for Routing {
    fn url(&self) -> &Url {
        &self.url
    }

    fn kind(&self) -> NodeKind {
        NodeKind::Routing
    }

    async fn open(&self, id: &ContentId) -> Result<Answer, FetchError> {
        let found = self.providers(id).await?;
        let (all, http) = (found.count, found.http.len());
        let least = if found.more { "more than " } else { "" };
        let detail = match (all, found.passed_over) {
            (0, 0) => "nobody announces it".to_owned(),
            (0, strange) => {
                format!("nobody announces it in a way that is known ({strange} records)")
            }
            (1, _) => format!("1 provider announces it, {http} over HTTP"),
            (_, _) => format!("{least}{all} providers announce it, {http} over HTTP"),
        };
        Ok(Answer::Says { claimed: all > 0, detail, named: found.http })
    }
}
