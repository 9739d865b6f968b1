//! Delegated routing, version 1: who announces content
//! (<https://specs.ipfs.tech/routing/http-routing-v1/>).
//!
//! What is announced is a claim: anybody can announce anything. A provider that has a web server can
//! be asked for the blocks themselves ([`confirm`]); the others can't from here.

use std::time::Duration;

use async_trait::async_trait;
use everhold_net::{Body, Request};
use url::Url;

use super::{
    Answer, BlockNode, ContentNode, FetchError, Fetcher, Gateway, Known, NodeKind, Seen, join,
    probe,
};
use crate::content::{Cid, ContentId, Provider, ProviderReader, Providers, Shape};

/// Bytes of an answer that are read: some thousand providers. The rest is left.
const LONGEST: u64 = 1 << 20;
/// Until all of an answer has come; a router may look for providers as it answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rather line by line, which is not cut off after the first hundred.
const ACCEPT: &str = "application/x-ndjson, application/json;q=0.9";

/// A delegated router.
#[derive(Clone, Debug)]
pub struct Routing {
    url: Url,
    fetcher: Fetcher,
}

impl Routing {
    /// The router at `url` (without `/routing/v1`).
    pub fn new(url: Url, fetcher: Fetcher) -> Self {
        Self { url, fetcher }
    }

    /// Who announces a content, as far as an answer of one megabyte, and of half a minute, says so.
    ///
    /// # Errors
    /// [`FetchError`], where nothing was said.
    pub async fn providers(&self, id: &ContentId) -> Result<Providers, FetchError> {
        let url = join(&self.url, &format!("routing/v1/providers/{}", Cid::from(*id)));
        let request = self.fetcher.get(url).header("Accept", ACCEPT);
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
        Ok(Answer::Says { claimed: all > 0, detail })
    }
}

/// Fetches a content from somebody who announced it, as from a trustless gateway: block by block or
/// as an archive, each block hashed, from that very server. Redirects are not followed, and nothing
/// on a private address is asked, whatever is configured.
///
/// Right bytes are `verified` and `held`: who has announced the content gave it. Anything else is as
/// with gateways; a provider without a web server is not asked, and stays a claim of the router.
pub async fn confirm(provider: &Provider, id: &ContentId, known: Known, fetcher: &Fetcher) -> Seen {
    probe(&Announced::new(provider, fetcher), id, known, None).await
}

/// A provider with a web server, as a node of kind `provider`. It is one only for the contents that
/// it announced.
#[derive(Clone, Debug)]
pub struct Announced {
    gateway: Gateway,
}

impl Announced {
    /// The node that a provider is.
    pub fn new(provider: &Provider, fetcher: &Fetcher) -> Self {
        Self { gateway: Gateway::new(provider.url.clone(), fetcher.clone()).of_a_stranger() }
    }
}

#[async_trait]
impl ContentNode for Announced {
    fn url(&self) -> &Url {
        self.gateway.base()
    }

    fn kind(&self) -> NodeKind {
        NodeKind::Provider
    }

    async fn open(&self, _: &ContentId) -> Result<Answer, FetchError> {
        Ok(Answer::BlocksOnly { held: Some(true) })
    }

    fn blocks(&self) -> Option<&dyn BlockNode> {
        Some(self)
    }
}

/// As the gateway that it has, but that it is asked for no block of its own: it is to have them.
impl BlockNode for Announced {
    fn base(&self) -> &Url {
        self.gateway.base()
    }

    fn fetcher(&self) -> &Fetcher {
        self.gateway.fetcher()
    }

    fn block(&self, cid: &Cid) -> Request {
        self.gateway.block(cid)
    }

    fn archive(&self, cid: &Cid, path: &[&str]) -> Option<Request> {
        self.gateway.archive(cid, path)
    }
}
