//! Delivers alerts from the outbox: retried, each incident's in the order they came. Each sink is for
//! itself: one that is slow or down holds up no other.

mod repeat;
mod rest;

use std::time::Duration;

use everhold_net::MAX_RETRY_AFTER;
use futures::future::join_all;
use tokio::time::Instant;
use tracing::{debug, info, warn};

pub(super) use self::{repeat::Repeats, rest::Rests};
use super::{Watch, WatchError};
use crate::{
    alert::{LASTS, Outgoing, Refused, Retry, Sink, Span},
    crash,
    ledger::{self, LedgerError, Millis, PendingAlert, Tx, silent_until},
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
/// What waits for a sink that is not configured here is given up after this: another process, or the next
/// configuration, may know it.
const ABANDONED: Millis = 7 * 24 * 60 * 60 * 1000;
/// Between looks for such.
const LOOK: Duration = Duration::from_secs(10 * 60);

/// The longest that an alert is put off.
pub(super) fn longest_wait() -> Millis {
    let asked = Millis::try_from(MAX_RETRY_AFTER.as_millis()).unwrap_or(SELDOM);
    LONGEST_RETRY.max(LEASE).max(SELDOM).max(asked)
}

impl Watch {
    /// Delivers to each sink what is due, for ever.
    pub(super) async fn deliver_forever(&self) {
        let poll = self.settings.poll;
        let sinks = self.sinks.iter().map(async |sink| {
            let what = format!("delivering alerts to {}", sink.name());
            let give_back = async |tx: &mut Tx| tx.release_alerts_of(sink.key()).await;
            let deliver = async || self.deliver_due(sink, None).await.map(|_| ());
            self.again_and_again(&what, poll, give_back, deliver).await;
        });
        let nothing = async |_: &mut Tx| Ok(());
        let give_up = async || self.give_up_alerts().await;
        tokio::join!(
            join_all(sinks),
            self.again_and_again("giving up alerts", LOOK, nothing, give_up)
        );
    }

    /// Tries until nothing waits, for so long at most, and what a sink takes to answer; gives the number
    /// delivered.
    pub(super) async fn deliver_alerts_for(&self, most: Duration) -> Result<u64, WatchError> {
        let (begun, end) = (ledger::now(), Instant::now() + most);
        self.give_up_alerts().await?;
        let mut delivered = 0;
        for some in join_all(self.sinks.iter().map(|sink| self.deliver_until(sink, end))).await {
            delivered += some?;
        }
        self.repeat_alerts(begun, self.lasts_after_a_round()).await?;
        let mut left = 0;
        for sink in &self.sinks {
            left += self.ledger.read().await?.waiting_alerts(sink.key()).await?.0;
        }
        if left > 0 {
            warn!(
                "{left} alerts could not be delivered; they stay in the outbox (`everhold alert list` \
                 shows it)"
            );
        }
        Ok(delivered)
    }

    /// For how long a sink that forgets is to believe what a single round tells it, in milliseconds: as long as
    /// what the round saw counts, since nobody knows when the next is.
    fn lasts_after_a_round(&self) -> Millis {
        self.settings.policy.max_age().max(LASTS)
    }

    /// Tries until nothing waits for a sink, or it is not to be tried again before `end`.
    async fn deliver_until(&self, sink: &Sink, end: Instant) -> Result<u64, WatchError> {
        let mut delivered = 0;
        loop {
            delivered += self.deliver_due(sink, Some(end)).await?;
            let next = self.ledger.read().await?.next_alert(sink.key()).await?;
            let Some(next) = next else { return Ok(delivered) };
            let due = u64::try_from(next.saturating_sub(ledger::now())).unwrap_or(0);
            let rest = self.rests.left(sink.key(), Instant::now()).unwrap_or_default();
            let again = Instant::now() + rest.max(Duration::from_millis(due));
            if again >= end {
                return Ok(delivered);
            }
            tokio::time::sleep_until(again).await;
        }
    }

    /// Tries everything that is due of a sink, unless it is left alone now; gives how many it took. After
    /// `end` nothing is begun.
    async fn deliver_due(&self, sink: &Sink, end: Option<Instant>) -> Result<u64, WatchError> {
        let mut delivered = 0;
        while self.rests.left(sink.key(), Instant::now()).is_none() && !is_over(end) {
            let now = ledger::now();
            // Most often there is nothing, and nobody need wait for a writer.
            if !self.ledger.read().await?.is_alert_due(sink.key(), now).await? {
                break;
            }
            let mut tx = self.ledger.write().await?;
            let due = tx.take_due_alerts(sink.key(), now, now + LEASE).await?;
            tx.commit().await?;
            if due.is_empty() {
                break;
            }
            delivered += self.deliver(sink, &due, (now + LEASE, end)).await?;
        }
        Ok(delivered)
    }

    /// Sends a sink what was taken for it, while the lease lasts and it is not yet the end; gives how many
    /// it took. Once it has taken none, it is left alone.
    async fn deliver(
        &self,
        sink: &Sink,
        alerts: &[PendingAlert],
        (lease, end): (Millis, Option<Instant>),
    ) -> Result<u64, WatchError> {
        let (mut delivered, mut put_off) = (0, None);
        let lasts = if end.is_some() { self.lasts_after_a_round() } else { LASTS };
        for alert in alerts {
            // What is told again was read before this one: it must not come after it.
            let mut turn = self.without_repeats(sink).await;
            let now = ledger::now();
            let is_late = now + MARGIN > lease || is_over(end);
            if let Some(until) = put_off.or(is_late.then_some(now)) {
                let mut tx = self.ledger.write().await?;
                tx.alert_put_off(&alert.id, until).await?;
                heed_silence(&mut tx, &alert.incident, now).await?;
                tx.commit().await?;
                continue;
            }
            let PendingAlert { id, event, payload, opened_at, .. } = alert;
            let span = Span { since: *opened_at, now, lasts };
            let sent = sink.send(&self.fetcher, Outgoing { id, event, payload }, span).await;
            crash::point("alert.sent");
            match &sent {
                Ok(_) => {
                    delivered += 1;
                    self.rests.took(sink.key());
                    if let Some(turn) = &mut turn {
                        turn.took(&alert.incident);
                    }
                }
                Err(refused) if refused.this_alone => {}
                Err(refused) => {
                    let rest = self.rests.refused(sink.key(), refused.retry, Instant::now());
                    put_off = Some(ledger::now().saturating_add(rest));
                }
            }
            self.settle(sink, alert, sent).await?;
            crash::point("alert.settled");
        }
        Ok(delivered)
    }

    /// Gives up what has long waited for sinks that are not configured here.
    async fn give_up_alerts(&self) -> Result<(), WatchError> {
        let before = ledger::now().saturating_sub(ABANDONED);
        let waiting = self.ledger.read().await?.waited_for_since(before).await?;
        let is_known = |key: &String| self.sinks.iter().any(|sink| sink.key() == key);
        for key in waiting.iter().filter(|key| !is_known(key)) {
            let reason = "its sink is no longer configured";
            let mut tx = self.ledger.write().await?;
            let dropped = tx.drop_alerts(key, before, reason).await?;
            tx.commit().await?;
            if dropped == 0 {
                continue;
            }
            // Of what older ledgers hold, a URL, nothing is shown.
            let kind = key.split(':').next().filter(|_| !key.contains("://"));
            let kind = kind.unwrap_or("webhook");
            warn!("{dropped} alerts to a {kind} are given up after a week: {reason}");
        }
        Ok(())
    }

    /// Writes down what came of an alert.
    async fn settle(
        &self,
        sink: &Sink,
        alert: &PendingAlert,
        sent: Result<Option<Refused>, Refused>,
    ) -> Result<(), WatchError> {
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        match sent {
            Ok(but) => {
                debug!("alert {} ({}) delivered to {}", alert.id, alert.event, sink.name());
                let gist = but.as_ref().map(|refused| refused.gist.as_str());
                match (self.says(sink, gist), &but) {
                    (true, None) => info!("{} takes alerts again", sink.name()),
                    (true, Some(refused)) => {
                        warn!("alert to {}: {refused}; the others have it", sink.name());
                    }
                    (false, _) => {}
                }
                tx.alert_delivered(&alert.id, now).await?;
            }
            Err(refused) => {
                let text = refused.to_string();
                if self.says(sink, Some(&refused.gist)) {
                    warn!("alert to {}: {text}; it is tried again", sink.name());
                }
                let retry = now.saturating_add(wait(refused.retry, alert.attempts));
                tx.alert_failed(&alert.id, &text, retry).await?;
                heed_silence(&mut tx, &alert.incident, now).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

/// Has what was on its way and did not go wait for the end of a silence that began meanwhile.
async fn heed_silence(tx: &mut Tx, incident: &str, now: Millis) -> Result<(), LedgerError> {
    let silences = tx.silences(now).await?;
    if silences.is_empty() {
        return Ok(());
    }
    let known = tx.incident(incident).await?;
    match known.and_then(|known| silent_until(&silences, &known)) {
        Some(until) => tx.withhold(incident, Some(until), now).await,
        None => Ok(()),
    }
}

fn is_over(end: Option<Instant>) -> bool {
    end.is_some_and(|end| Instant::now() >= end)
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
