//! Delivers alerts from the outbox: signed, retried, in the order they came.

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tracing::{debug, info, warn};

use super::{Watch, WatchError, context::Sink};
use crate::{
    crash,
    ledger::{self, Millis, PendingAlert},
};

/// Nobody else takes an alert that was taken for this long, in milliseconds.
pub(super) const LEASE: Millis = 5 * 60 * 1000;
/// After a failed delivery the next comes after this; doubled each time, up to the longest.
const RETRY: Millis = 1_000;
pub(super) const LONGEST_RETRY: Millis = 10 * 60 * 1000;
/// How long a sink may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Watch {
    /// Tries everything that is due; gives the number delivered.
    pub(super) async fn deliver_alerts(&self) -> Result<u64, WatchError> {
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        let due = tx.take_due_alerts(now, now + LEASE).await?;
        tx.commit().await?;
        let mut delivered = 0;
        for alert in &due {
            let Some(sink) = self.sinks.iter().find(|sink| sink.url.as_str() == alert.sink) else {
                self.drop_alert(alert).await?;
                continue;
            };
            let outcome = self.send(sink, alert).await;
            crash::point("alert.sent");
            delivered += u64::from(outcome.is_ok());
            self.settle(alert, outcome).await?;
            crash::point("alert.settled");
        }
        Ok(delivered)
    }

    /// Tries until the outbox is empty, for so long at most; gives the number delivered.
    pub(super) async fn deliver_alerts_for(&self, most: Duration) -> Result<u64, WatchError> {
        let end = Instant::now() + most;
        let mut delivered = 0;
        loop {
            delivered += self.deliver_alerts().await?;
            let (waiting, next) = self.ledger.read().await?.waiting_alerts().await?;
            let Some(next) = next else {
                return Ok(delivered);
            };
            let wait = u64::try_from(next.saturating_sub(ledger::now())).unwrap_or(0);
            let wait = Duration::from_millis(wait);
            if Instant::now() + wait > end {
                warn!("{waiting} alerts could not be delivered; they stay in the outbox");
                return Ok(delivered);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn drop_alert(&self, alert: &PendingAlert) -> Result<(), WatchError> {
        let reason = "its webhook is no longer configured";
        warn!("alert {} ({}): {reason}; it is not sent", alert.id, alert.event);
        let mut tx = self.ledger.write().await?;
        tx.alert_dropped(&alert.id, reason).await?;
        Ok(tx.commit().await?)
    }

    async fn send(&self, sink: &Sink, alert: &PendingAlert) -> Result<(), String> {
        let mut request = self
            .fetcher
            .post(sink.url.clone())
            .header("Content-Type", "application/json")
            .header("X-Everhold-Event", &alert.event)
            .header("Idempotency-Key", &alert.id);
        if let Some(signature) = signature(sink, &alert.payload) {
            request = request.header("X-Everhold-Signature", &signature);
        }
        let request = request.body(alert.payload.clone());
        match request.ask_within(PATIENCE).await {
            Ok((200..=299, _)) => Ok(()),
            Ok((status, _)) => Err(format!("HTTP {status}")),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn settle(
        &self,
        alert: &PendingAlert,
        outcome: Result<(), String>,
    ) -> Result<(), WatchError> {
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        match outcome {
            Ok(()) => {
                debug!("alert {} ({}) delivered", alert.id, alert.event);
                if alert.attempts > 0 {
                    info!("alert {} was delivered at attempt {}", alert.id, alert.attempts + 1);
                }
                tx.alert_delivered(&alert.id, now).await?;
            }
            Err(error) => {
                if alert.attempts == 0 {
                    warn!("alert to {}: {error}; it is tried again", host(&alert.sink));
                }
                let wait = RETRY.saturating_mul(1 << alert.attempts.min(20)).min(LONGEST_RETRY);
                tx.alert_failed(&alert.id, &error, now + wait).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

/// A webhook's URL may hold a secret: only its host is shown.
fn host(sink: &str) -> String {
    let url = url::Url::parse(sink).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// `sha256=` and the hex HMAC-SHA256 of the body.
fn signature(sink: &Sink, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(sink.secret.as_ref()?).ok()?;
    mac.update(body.as_bytes());
    Some(format!("sha256={}", alloy::hex::encode(mac.finalize().into_bytes())))
}
