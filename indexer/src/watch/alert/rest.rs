//! Sinks that are left alone for a while, since they took nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::wait;
use crate::{alert::Retry, ledger::Millis};

/// How long which sink is left alone, whatever waits for it. Lost when the process ends: then each is tried
/// at once.
#[derive(Debug, Default)]
pub(in super::super) struct Rests(Mutex<HashMap<String, Rest>>);

#[derive(Debug, Default)]
struct Rest {
    /// Until when; none: it took the last that it was sent.
    until: Option<Instant>,
    /// How often in a row it took nothing.
    refusals: u32,
}

impl Rests {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Rest>> {
        // Who panicked left none half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much longer a sink is left alone, if it is.
    pub(super) fn left(&self, sink: &str, now: Instant) -> Option<Duration> {
        let until = self.all().get(sink).and_then(|rest| rest.until)?;
        let left = until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// A sink took an alert.
    pub(super) fn took(&self, sink: &str) {
        self.all().remove(sink);
    }

    /// It takes none: it is left alone, longer each time, and as long as it asked for. Gives how long that
    /// is, in milliseconds.
    pub(super) fn refused(&self, sink: &str, retry: Retry, now: Instant) -> Millis {
        let mut all = self.all();
        let rest = all.entry(sink.to_owned()).or_default();
        let millis = wait(retry, rest.refusals);
        rest.refusals = rest.refusals.saturating_add(1);
        let until = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        rest.until = Some(now + until);
        millis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_rests_longer_each_time_until_it_takes_one() {
        let (rests, mut now) = (Rests::default(), Instant::now());
        assert_eq!(rests.left("a", now), None);
        for millis in [1000, 2000, 4000, 8000] {
            assert_eq!(rests.refused("a", Retry::Soon, now), millis as Millis);
            assert!(rests.left("a", now).is_some() && rests.left("b", now).is_none());
            now += Duration::from_millis(millis - 1);
            assert_eq!(rests.left("a", now), Some(Duration::from_millis(1)));
            now += Duration::from_millis(1);
            assert_eq!(rests.left("a", now), None);
        }
        rests.took("a");
        assert_eq!(rests.refused("a", Retry::Soon, now), 1000);
        let minute = Duration::from_secs(60);
        assert_eq!(rests.refused("b", Retry::After(minute), now), 60_000);
        assert_eq!(rests.left("b", now), Some(minute));
    }
}
