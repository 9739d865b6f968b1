//! Pinning services: <https://ipfs.github.io/pinning-services-api-spec/>, version 1.

use std::fmt;

use async_trait::async_trait;
use everhold_net::shown;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{Answer, ContentNode, FetchError, Fetcher, NodeKind, join};
use crate::content::{Cid, ContentId};

/// Pins that are asked for: of one content there are as many as it was pinned.
const PINS: &str = "10";
/// The word for a pin that could not be made.
const FAILED: &str = "failed";
/// The longest name of a request that is kept, in characters.
const LONGEST_NAME: usize = 128;
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
    #[serde(default)]
    requestid: String,
    status: String,
    pin: Pinned,
}

#[derive(Deserialize)]
struct Pinned {
    cid: String,
}

impl PinRequest {
    fn of(pin: &Pin) -> Self {
        let short = |text: &str| shown(text.as_bytes()).chars().take(LONGEST_NAME).collect();
        Self { id: short(&pin.requestid), status: short(&pin.status) }
    }
}

/// Whether a text may be a request's name: it becomes part of a URL.
fn is_request_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(is_plain)
}

impl Pinning {
    /// The service at `url` (without `/pins`), with an account's token.
    pub fn new(url: Url, token: String, fetcher: Fetcher) -> Self {
        Self { url, token, fetcher }
    }

    /// Asks the service to pin a content; where it was asked before, that request stands. One that failed
    /// is made anew in its place. What it answers is a claim.
    ///
    /// # Errors
    /// [`FetchError`], where it could not be asked, or refused.
    pub async fn request(&self, id: &ContentId) -> Result<PinRequest, FetchError> {
        let pins = self.pins_of(id).await?;
        let stands = pins.iter().find(|pin| pin.status != FAILED);
        if let Some(pin) = stands {
            return Ok(PinRequest::of(pin));
        }
        let path = match pins.iter().find(|pin| is_request_id(&pin.requestid)) {
            Some(failed) => format!("pins/{}", failed.requestid),
            None => "pins".to_owned(),
        };
        let cid = Cid::from(*id).to_string();
        let request = self
            .fetcher
            .post(join(&self.url, &path))
            .header("Authorization", &format!("Bearer {}", self.token))
            .json(&json!({ "cid": cid, "name": format!("everhold {cid}") }))
            .limit(LONGEST);
        let host = self.url.host_str().unwrap_or_default().to_owned();
        let (status, body) = request.ask().await.map_err(without_text)?;
        // 202: it is to be done.
        if !matches!(status, 200..=202) {
            let (body, retry_after) = (String::new(), None);
            return Err(FetchError::Status { host, status, body, retry_after });
        }
        let reason = "it is no request to pin".to_owned();
        let pin: Pin =
            serde_json::from_slice(&body).map_err(|_| FetchError::Nonsense { host, reason })?;
        Ok(PinRequest::of(&pin))
    }

    /// The pins of a content. Services were seen to ignore filters that they do not know.
    async fn pins_of(&self, id: &ContentId) -> Result<Vec<Pin>, FetchError> {
        let of_it = |pin: &Pin| pin.pin.cid.parse::<Cid>().is_ok_and(|cid| cid == Cid::from(*id));
        let mut pins = self.pins(id).await?.results;
        pins.retain(of_it);
        Ok(pins)
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

/// A request to pin, as the service took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinRequest {
    /// The service's name of it.
    pub id: String,
    /// `queued`, `pinning` or `pinned`, as the service says.
    pub status: String,
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
        let pins = self.pins_of(id).await?;
        let states: Vec<_> = pins.iter().map(|pin| pin.status.as_str()).collect();
        let claimed = states.contains(&"pinned");
        let detail = match claimed {
            true => "the service says that it is pinned",
            false if states.contains(&"pinning") => "the service says that it is being pinned",
            false if states.contains(&"queued") => "the service says that it is yet to be pinned",
            false if states.contains(&FAILED) => "the service says that pinning it failed",
            false => "the service has no pin of it",
        };
        Ok(Answer::Says { claimed, detail: detail.to_owned(), named: Vec::new() })
    }
}
