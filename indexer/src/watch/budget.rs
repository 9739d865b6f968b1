//! How much may be asked for, and whether it makes sense to ask: pure functions of what happened and
//! when.

use std::{sync::LazyLock, time::Instant};

/// Milliseconds on a clock that never jumps, as the system's may: one that is set back would refill
/// nothing and leave nodes alone until it is as late again.
pub(super) type Ticks = i64;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Since this process began to look at that clock.
pub(super) fn ticks() -> Ticks {
    Ticks::try_from(BEGUN.elapsed().as_millis()).unwrap_or(Ticks::MAX)
}

/// A budget that refills evenly: so much a second on average, and no more than some seconds' worth
/// at once (a token bucket).
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// A second; 0: as much as one likes.
    rate: f64,
    /// Below 0 where more was used than there was: what is not known before, as a length is not.
    left: f64,
    at: Ticks,
}

/// What may be used at once after a pause, in seconds of the rate.
const SAVED: f64 = 10.0;

impl Budget {
    pub(super) fn new(rate: u64, now: Ticks) -> Self {
        let rate = rate as f64;
        Self { rate, left: rate * SAVED, at: now }
    }

    /// What there is now; `None`: as much as one likes.
    pub(super) fn left(&mut self, now: Ticks) -> Option<f64> {
        if self.rate == 0.0 {
            return None;
        }
        let elapsed = now.saturating_sub(self.at).max(0) as f64 / 1000.0;
        self.left = (self.left + elapsed * self.rate).min(self.rate * SAVED);
        self.at = self.at.max(now);
        Some(self.left)
    }

    pub(super) fn use_up(&mut self, amount: u64) {
        if self.rate > 0.0 {
            self.left -= amount as f64;
        }
    }

    /// How many of 1 there are, at most `most`.
    pub(super) fn whole(&mut self, now: Ticks, most: u32) -> u32 {
        self.left(now).map_or(most, |left| (left.max(0.0) as u32).min(most))
    }
}

/// Probes in a row for which no connection to a node was had, after which it is asked one at a time, and
/// less and less often.
const TRIPS: u32 = 5;
/// Until the first such probe; doubled with each that is not answered either.
const FIRST_WAIT: Ticks = 1000;
/// As long as until the third try of a replica: none is called unreachable without a node having
/// been asked in between.
const LONGEST_WAIT: Ticks = 30_000;

/// Whether a node can be reached (a circuit breaker).
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    silent: u32,
    /// Until when nobody asks, or, while one does, nobody else.
    until: Ticks,
    /// What was wrong last.
    last: String,
}

impl Breaker {
    /// Whether the node may be asked now; else what to say of it. While it is silent, one probe at a
    /// time asks it, and this one is that.
    pub(super) fn ask(&mut self, now: Ticks) -> Result<(), String> {
        if !self.is_open() {
            return Ok(());
        }
        if now >= self.until {
            // Until this one is done, or for as long as one waits.
            self.until = now.saturating_add(LONGEST_WAIT);
            return Ok(());
        }
        Err(format!(
            "the node was silent {} times in a row, and is not asked for each content now; the last time: {}",
            self.silent, self.last
        ))
    }

    /// Whether the node is known to be silent.
    pub(super) fn is_open(&self) -> bool {
        self.silent >= TRIPS
    }

    /// A node was reached, whatever it answered, and if it did not: of a content that nobody has many
    /// say nothing, and may have all others.
    pub(super) fn heard(&mut self) {
        self.silent = 0;
    }

    /// A probe got no connection.
    pub(super) fn was_silent(&mut self, why: &str, now: Ticks) {
        self.silent = self.silent.saturating_add(1);
        why.clone_into(&mut self.last);
        let doublings = self.silent.saturating_sub(TRIPS).min(10);
        let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
        self.until = now.saturating_add(wait);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refills_evenly_and_saves_ten_seconds() {
        let mut budget = Budget::new(5, 0);
        assert_eq!(budget.whole(0, 100), 50);
        budget.use_up(50);
        assert_eq!(budget.whole(0, 100), 0);
        assert_eq!(budget.whole(1000, 100), 5);
        budget.use_up(500);
        assert_eq!(budget.whole(99_000, 100), 0, "what was used too much is missing later");
        assert_eq!(budget.whole(1_000_000, 100), 50);
        assert_eq!(budget.whole(500_000, 100), 50, "a clock that goes back takes nothing");
        assert_eq!(Budget::new(0, 0).whole(0, 7), 7);
    }

    proptest! {
        /// However it is asked, no more goes out than the rate allows, and what was saved.
        #[test]
        fn is_never_exceeded(
            rate in 1u64..100,
            steps in prop::collection::vec((0i64..2000, 0u32..50), 1..60),
        ) {
            let mut budget = Budget::new(rate, 0);
            let (mut now, mut used) = (0, 0u64);
            for (wait, most) in steps {
                now += wait;
                let amount = u64::from(budget.whole(now, most));
                budget.use_up(amount);
                used += amount;
                let allowed = rate as f64 * (SAVED + now as f64 / 1000.0);
                prop_assert!(used as f64 <= allowed + 1e-6, "{used} > {allowed}");
            }
        }
    }

    #[test]
    fn asks_a_silent_node_less_and_less_often() {
        let mut breaker = Breaker::default();
        for _ in 0..TRIPS {
            assert_eq!(breaker.ask(0), Ok(()));
            breaker.was_silent("refused", 0);
        }
        assert!(breaker.ask(999).unwrap_err().contains("refused"));
        let mut asked = Vec::new();
        for now in 0..100_000 {
            if breaker.ask(now).is_ok() {
                asked.push(now);
                breaker.was_silent("refused", now);
            }
        }
        assert_eq!(asked, [1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000]);
        assert_eq!(breaker.ask(200_000), Ok(()));
        assert!(breaker.ask(200_001).is_err(), "one at a time");
        breaker.heard();
        assert_eq!(breaker.ask(200_002), Ok(()));
    }
}
