//! Sinks that forget are told again what goes on. What is told again is as old as the look at the ledger: what
//! others told them since has the last word.

use std::{
    collections::{HashMap, HashSet},
    sync::PoisonError,
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};
use tracing::{info, warn};

use crate::{
    alert::{Notice, Outgoing, REPEAT, Refused, Sink, Span},
    ledger::{self, GoingOn, LedgerError, Millis, silent_until},
    watch::{Watch, WatchError},
};

/// How far the clocks of two processes may be apart, in milliseconds, and what one of them is about to write
/// down that its sink took.
const SKEW: Millis = 10 * 60 * 1000;

/// What each sink that forgets was told again. To tell it anything takes a turn: what was read for one
/// request must not be sent after what was read later.
#[derive(Debug)]
pub(in super::super) struct Repeats(HashMap<String, Mutex<Said>>);

/// A turn to tell a sink something.
pub(super) struct Turn<'a>(MutexGuard<'a, Said>);

impl Turn<'_> {
    /// It took an alert of an incident, after what it was told again.
    pub(super) fn took(&mut self, incident: &str) {
        self.0.alerts.remove(incident);
    }
}

/// What a sink was told again last.
#[derive(Debug, Default)]
struct Said {
    /// When that was read.
    at: Millis,
    /// Of which incident which alert, by its number.
    alerts: HashMap<String, i64>,
}

impl Repeats {
    pub(in super::super) fn new(sinks: &[Sink]) -> Self {
        let forgetful = sinks.iter().filter(|sink| sink.forgets());
        Self(forgetful.map(|sink| (sink.key().to_owned(), Mutex::default())).collect())
    }

    /// A turn, if a sink forgets.
    async fn turn(&self, sink: &Sink) -> Option<Turn<'_>> {
        Some(Turn(self.0.get(sink.key())?.lock().await))
    }
}

impl Watch {
    /// Until this is given up, nothing is told again to a sink.
    pub(super) async fn without_repeats(&self, sink: &Sink) -> Option<Turn<'_>> {
        self.repeats.turn(sink).await
    }

    /// Tells sinks that forget of what goes on, but for what they took since a time.
    pub(super) async fn repeat_alerts(
        &self,
        untold_since: Millis,
        lasts: Millis,
    ) -> Result<(), WatchError> {
        for sink in &self.sinks {
            let Some(Turn(mut said)) = self.repeats.turn(sink).await else { continue };
            if self.rests.left(sink.key(), Instant::now()).is_some() {
                continue;
            }
            // One may have been on its way when it was looked for after the last time.
            if !self.correct(sink, &mut said, lasts).await? {
                continue;
            }
            let now = ledger::now();
            let mut going_on = self.going_on(sink, now).await?;
            going_on.retain(|one| one.delivered_at < untold_since);
            let read = going_on.iter().filter_map(|one| {
                let span = Span { since: one.opened_at, now, lasts };
                Some((Notice::read(&one.payload).ok()?, span))
            });
            let sent = sink.repeat(&self.fetcher, &read.collect::<Vec<_>>()).await;
            let alerts = going_on.into_iter().map(|one| (one.incident, one.seq)).collect();
            *said = Said { at: now, alerts };
            match sent {
                Ok(()) if self.says(sink, None) => info!("{} takes alerts again", sink.name()),
                Ok(()) => {}
                Err(refused) => self.warn_of(sink, &refused),
            }
            self.correct(sink, &mut said, lasts).await?;
        }
        Ok(())
    }

    /// What a sink was told last of each incident that is open, and that is no secret now.
    async fn going_on(&self, sink: &Sink, now: Millis) -> Result<Vec<GoingOn>, LedgerError> {
        let mut tx = self.ledger.read().await?;
        let mut going_on = tx.going_on(sink.key()).await?;
        let silences = tx.silences(now).await?;
        if !silences.is_empty() {
            let open = tx.incidents(Millis::MAX).await?;
            let silent = open.iter().filter(|one| silent_until(&silences, one).is_some());
            let silent: HashSet<_> = silent.map(|one| one.id.as_str()).collect();
            going_on.retain(|one| !silent.contains(one.incident.as_str()));
        }
        Ok(going_on)
    }

    /// Sends the newest of what was told again, and is otherwise by now: others may have told it between our
    /// look at the ledger and our request, which then came last. Gives whether that was taken.
    async fn correct(
        &self,
        sink: &Sink,
        said: &mut Said,
        lasts: Millis,
    ) -> Result<bool, WatchError> {
        if said.alerts.is_empty() {
            return Ok(true);
        }
        let since = said.at.saturating_sub(SKEW);
        let taken = self.ledger.read().await?.taken_since(sink.key(), since).await?;
        for (incident, seq) in taken {
            let is_newer = said.alerts.get(&incident).is_some_and(|told| seq > *told);
            if !is_newer {
                continue;
            }
            let Some(alert) = self.ledger.read().await?.taken_alert(seq).await? else { continue };
            let (id, event, payload) = (&*alert.id, &*alert.event, &*alert.payload);
            let span = Span { since: alert.opened_at, now: ledger::now(), lasts };
            match sink.send(&self.fetcher, Outgoing { id, event, payload }, span).await {
                Ok(_) => said.alerts.insert(incident, seq),
                Err(refused) => {
                    self.warn_of(sink, &refused);
                    return Ok(false);
                }
            };
        }
        Ok(true)
    }

    fn warn_of(&self, sink: &Sink, refused: &Refused) {
        if self.says(sink, Some(&refused.gist)) {
            warn!("alerts to {}: {refused}; they are sent again", sink.name());
        }
    }

    /// Tells sinks that forget of what goes on, every so often, for ever.
    pub(in super::super) async fn repeat_forever(&self) {
        let repeat = async || self.repeat_alerts(Millis::MAX, crate::alert::LASTS).await;
        let nothing = async |_: &mut ledger::Tx| Ok(());
        self.again_and_again("telling what goes on", REPEAT, nothing, repeat).await;
    }

    /// Whether this is other news of a sink than what was said last: that it takes alerts, or why not, in
    /// short.
    pub(super) fn says(&self, sink: &Sink, refusal: Option<&str>) -> bool {
        let mut said = self.told_sinks.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match refusal {
            None => said.remove(sink.key()),
            Some(text) => said.insert(sink.key().to_owned(), text.to_owned()),
        };
        before.as_deref() != refusal
    }
}
