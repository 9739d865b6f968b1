//! Pinning services: <https://ipfs.github.io/pinning-services-api-spec/>, version 1.

use std::fmt;

use async_trait::async_trait;
use serde::Deserialize;
use url::Url;

use super::{Answer, ContentNode, FetchError, Fetcher, NodeKind, join};
use crate::content::{Cid, ContentId};

/// Pins that are asked for: of one content there are as many as it was pinned.
const PINS: &str = "10";
/// Bytes of an answer.
const LONGEST: u64 = 256 << 10;

/// A pinning service, and the account on it. It gives no bytes: what it says is a claim.
#[derive(Clone)]
pub struct Pinning {
    url: Url,
    token: String,
    fetcher: Fetcher,
}

impl fmt::Debug for Pinning {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinning").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Pins {
    results: Vec<Pin>,
}

#[derive(Deserialize)]
struct Pin {
    status: String,
    pin: Pinned,
}

#[derive(Deserialize)]
struct Pinned {
    cid: String,
}

impl Pinning {
    /// The service at `url` (without `/pins`), with an account's token.
    pub fn new(url: Url, token: String, fetcher: Fetcher) -> Self {
        Self { url, token, fetcher }
    }

    async fn pins(&self, id: &ContentId) -> Result<Pins, FetchError> {
        let mut url = join(&self.url, "pins");
        // A service finds a pin by the name that it was pinned under.
        let (old, new) = (id.cid(), Cid::from(*id).to_string());
        let names = if old == new { new } else { format!("{old},{new}") };
        url.query_pairs_mut()
            .append_pair("cid", &names)
            .append_pair("status", "queued,pinning,pinned,failed")
            .append_pair("limit", PINS);
        let token = format!("Bearer {}", self.token);
        let request = self.fetcher.get(url).header("Authorization", &token).limit(LONGEST);
        request.get_json().await.map_err(without_text)
    }
}

/// An answer may quote the request, and so the token: none of its text is kept.
fn without_text(error: FetchError) -> FetchError {
    match error {
        FetchError::Status { host, status, retry_after, .. } => {
            FetchError::Status { host, status, body: String::new(), retry_after }
        }
        FetchError::Nonsense { host, .. } => {
            FetchError::Nonsense { host, reason: "it is no list of pins".to_owned() }
        }
        other => other,
    }
}

#[async_trait]
impl ContentNode for Pinning {
    fn url(&self) -> &Url {
        &self.url
    }

    fn kind(&self) -> NodeKind {
        NodeKind::Pinning
    }

    async fn open(&self, id: &ContentId) -> Result<Answer, FetchError> {
        let pins = self.pins(id).await?.results;
        // Services were seen to ignore filters that they do not know.
        let of_it = |pin: &&Pin| pin.pin.cid.parse::<Cid>().is_ok_and(|cid| cid == Cid::from(*id));
        let states: Vec<_> = pins.iter().filter(of_it).map(|pin| pin.status.as_str()).collect();
        let claimed = states.contains(&"pinned");
        let detail = match claimed {
            true => "the service says that it is pinned",
            false if states.contains(&"pinning") => "the service says that it is being pinned",
            false if states.contains(&"queued") => "the service says that it is yet to be pinned",
            false if states.contains(&"failed") => "the service says that pinning it failed",
            false => "the service has no pin of it",
        };
        Ok(Answer::Says { claimed, detail: detail.to_owned(), named: Vec::new() })
    }
}
