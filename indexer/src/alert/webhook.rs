//! A webhook: the body as the outbox keeps it, signed.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::Url;

use super::{Outgoing, Post, answer::Advice};

pub(super) const ADVICE: Advice = Advice {
    unknown: "look whether the webhook's URL is right and its server takes it",
    disliked: "look into the log of the webhook's server: it does not take the body of docs/alerts.md",
};

/// A webhook and its secret.
pub(super) struct Webhook {
    url: Url,
    secret: Option<Vec<u8>>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl Webhook {
    pub(super) fn new(url: Url, secret: Option<String>) -> Self {
        Self { url, secret: secret.map(String::into_bytes) }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn request(&self, alert: Outgoing<'_>) -> Post {
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("X-Everhold-Event", alert.event.to_owned()),
            ("Idempotency-Key", alert.id.to_owned()),
        ];
        if let Some(signature) = self.signature(alert.payload) {
            headers.push(("X-Everhold-Signature", signature));
        }
        Post { url: self.url.clone(), headers, body: alert.payload.to_owned() }
    }

    /// `sha256=` and the hex HMAC-SHA256 of the body.
    fn signature(&self, body: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_ref()?).ok()?;
        mac.update(body.as_bytes());
        Some(format!("sha256={}", alloy::hex::encode(mac.finalize().into_bytes())))
    }
}
