//! Delivers alerts from the outbox: retried, each incident's in the order they came.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use everhold_net::MAX_RETRY_AFTER;
use futures::future::join_all;
use tracing::{debug, info, warn};

use super::{Watch, WatchError};
use crate::{
    alert::{Notice, Outgoing, REPEAT, Refused, Retry, Sink, Span},
    crash,
    ledger::{self, Millis, PendingAlert, silent_until},
};

/// Nobody else takes an alert that was taken for this long, in milliseconds.
pub(super) const LEASE: Millis = 3 * 60 * 1000;
/// With less of that left, nothing is begun: no sink takes longer to answer.
const MARGIN: Millis = 75 * 1000;
/// After a failed delivery the next comes after this; doubled each time, up to the longest.
const RETRY: Millis = 1_000;
const LONGEST_RETRY: Millis = 10 * 60 * 1000;
/// After one that can't get better by itself.
const SELDOM: Millis = 60 * 60 * 1000;

/// The longest that an alert is put off.
pub(super) fn longest_wait() -> Millis {
    let asked = Millis::try_from(MAX_RETRY_AFTER.as_millis()).unwrap_or(SELDOM);
    LONGEST_RETRY.max(LEASE).max(SELDOM).max(asked)
}

impl Watch {
    /// Tries everything that is due; gives the number delivered. A sink that is slow or down holds up no
    /// other.
    pub(super) async fn deliver_alerts(&self) -> Result<u64, WatchError> {
        let mut delivered = 0;
        loop {
            let now = ledger::now();
            let mut tx = self.ledger.write().await?;
            let due = tx.take_due_alerts(now, now + LEASE).await?;
            tx.commit().await?;
            if due.is_empty() {
                return Ok(delivered);
            }
            let mut by_sink: BTreeMap<&str, Vec<&PendingAlert>> = BTreeMap::new();
            for alert in &due {
                by_sink.entry(&alert.sink).or_default().push(alert);
            }
            let done =
                by_sink.iter().map(|(key, alerts)| self.deliver_to(key, alerts, now + LEASE));
            for some in join_all(done).await {
                delivered += some?;
            }
        }
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
                warn!(
                    "{waiting} alerts could not be delivered; they stay in the outbox \
                     (`everhold alert list` shows it)"
                );
                return Ok(delivered);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a sink what was taken for it until `end`; gives how many it took. Once it has taken none,
    /// it is left alone until the next are due.
    async fn deliver_to(
        &self,
        key: &str,
        alerts: &[&PendingAlert],
        end: Millis,
    ) -> Result<u64, WatchError> {
        let sink = self.sinks.iter().find(|sink| sink.key() == key);
        let (mut delivered, mut put_off) = (0, None);
        for alert in alerts {
            let Some(sink) = sink else {
                self.drop_alert(alert).await?;
                continue;
            };
            let now = ledger::now();
            if let Some(until) = put_off.or((now + MARGIN > end).then_some(now)) {
                let mut tx = self.ledger.write().await?;
                tx.alert_put_off(&alert.id, until).await?;
                tx.commit().await?;
                continue;
            }
            let PendingAlert { id, event, payload, opened_at, .. } = *alert;
            let span = Span { since: *opened_at, now };
            let sent = sink.send(&self.fetcher, Outgoing { id, event, payload }, span).await;
            crash::point("alert.sent");
            delivered += u64::from(sent.is_ok());
            let alone = sent.as_ref().is_err_and(|refused| refused.this_alone);
            let retry = self.settle(sink, alert, sent).await?;
            crash::point("alert.settled");
            put_off = if alone { None } else { retry };
        }
        Ok(delivered)
    }

    async fn drop_alert(&self, alert: &PendingAlert) -> Result<(), WatchError> {
        let reason = "its sink is no longer configured";
        warn!("alert {} ({}): {reason}; it is not sent", alert.id, alert.event);
        let mut tx = self.ledger.write().await?;
        tx.alert_dropped(&alert.id, reason).await?;
        Ok(tx.commit().await?)
    }

    /// Writes down what came of an alert; gives when it is sent again, if it is.
    async fn settle(
        &self,
        sink: &Sink,
        alert: &PendingAlert,
        sent: Result<(), Refused>,
    ) -> Result<Option<Millis>, WatchError> {
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        let retry = match sent {
            Ok(()) => {
                debug!("alert {} ({}) delivered to {}", alert.id, alert.event, sink.name());
                if self.says(sink, None) {
                    info!("{} takes alerts again", sink.name());
                }
                tx.alert_delivered(&alert.id, now).await?;
                None
            }
            Err(refused) => {
                let text = refused.to_string();
                if self.says(sink, Some(&text)) {
                    warn!("alert to {}: {text}; it is tried again", sink.name());
                }
                let retry = now.saturating_add(wait(refused.retry, alert.attempts));
                tx.alert_failed(&alert.id, &text, retry).await?;
                Some(retry)
            }
        };
        tx.commit().await?;
        Ok(retry)
    }

    /// Whether this is other news of a sink than what was said last: that it takes alerts, or why not.
    fn says(&self, sink: &Sink, refusal: Option<&str>) -> bool {
        let mut said = self.told_sinks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = match refusal {
            None => said.remove(sink.key()),
            Some(text) => said.insert(sink.key().to_owned(), text.to_owned()),
        };
        before.as_deref() != refusal
    }

    /// Tells sinks that forget of what goes on, every so often.
    pub(super) async fn repeat_alerts(&self) -> Result<(), WatchError> {
        for sink in self.sinks.iter().filter(|sink| sink.forgets()) {
            let now = ledger::now();
            let mut tx = self.ledger.read().await?;
            let going_on = tx.going_on(sink.key()).await?;
            let silences = tx.silences(now).await?;
            let open = tx.incidents(Millis::MAX).await?;
            drop(tx);
            let silent = open.iter().filter(|one| silent_until(&silences, one).is_some());
            let silent: HashSet<_> = silent.map(|one| one.id.as_str()).collect();
            let told = going_on.iter().filter(|one| !silent.contains(one.incident.as_str()));
            let read = told.filter_map(|one| {
                let span = Span { since: one.opened_at, now };
                Some((Notice::read(&one.payload).ok()?, span))
            });
            let sent = sink.repeat(&self.fetcher, &read.collect::<Vec<_>>()).await;
            if let Err(refused) = sent {
                let text = refused.to_string();
                if self.says(sink, Some(&text)) {
                    warn!("alerts to {}: {text}; they are sent again", sink.name());
                }
            }
        }
        Ok(())
    }

    /// Does so for ever.
    pub(super) async fn repeat_forever(&self) {
        let repeat = async || self.repeat_alerts().await;
        let nothing = async |_: &mut ledger::Tx| Ok(());
        self.again_and_again("telling what goes on", REPEAT, nothing, repeat).await;
    }
}

/// How long after an attempt that failed the next comes, in milliseconds.
fn wait(retry: Retry, attempts: u32) -> Millis {
    let backoff = RETRY.saturating_mul(1 << attempts.min(20)).min(LONGEST_RETRY);
    match retry {
        Retry::Soon => backoff,
        Retry::After(asked) => backoff.max(Millis::try_from(asked.as_millis()).unwrap_or(SELDOM)),
        Retry::Seldom => SELDOM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_and_as_long_as_is_asked() {
        let waits = [0, 1, 2, 9, 10, 60].map(|attempts| wait(Retry::Soon, attempts));
        assert_eq!(waits, [1_000, 2_000, 4_000, 512_000, LONGEST_RETRY, LONGEST_RETRY]);
        let minute = Retry::After(Duration::from_secs(60));
        assert_eq!((wait(minute, 0), wait(minute, 10)), (60_000, LONGEST_RETRY));
        assert_eq!(wait(Retry::Seldom, 0), SELDOM);
        let waits = [wait(Retry::After(MAX_RETRY_AFTER), 99), wait(Retry::Seldom, 99), LEASE];
        assert!(waits.iter().all(|wait| *wait <= longest_wait()));
    }
}
