//! How an endpoint stands: asked, or set aside after a failure until it is tried again.

use std::time::{Duration, SystemTime};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;

/// The first pause after a failure, where nothing says otherwise.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The first pause after a lie that was proved; doubled with each.
const LIE_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause that an endpoint can ask for, or earn by lying.
const MOST_PAUSE: Duration = Duration::from_secs(60 * 60);
/// An endpoint that gave no answer for so long is taken for gone, not for briefly silent.
const GONE: Duration = Duration::from_secs(60);

/// How an endpoint stands. All pauses follow from what it did, none from chance.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    first_pause: Duration,
    failures: u32,
    lies: u32,
    aside: Option<Aside>,
    /// Since when no answer has come.
    silent_since: Option<Instant>,
    /// The head it told last, and since when it tells no higher one.
    head: Option<(u64, Instant)>,
    /// Whether it is being tried again.
    on_trial: bool,
}

#[derive(Clone, Debug)]
struct Aside {
    why: String,
    until: Instant,
    /// The same moment, for people.
    shown: String,
    /// It comes back only with a head above this.
    above: Option<u64>,
    /// Whether it was only asked too often.
    busy: bool,
}

impl Standing {
    pub(super) fn new(first_pause: Duration) -> Self {
        let first_pause = first_pause.min(FIRST_PAUSE);
        Self {
            first_pause,
            failures: 0,
            lies: 0,
            aside: None,
            silent_since: None,
            head: None,
            on_trial: false,
        }
    }

    /// Whether it is to be tried again by the caller, which nobody else does now.
    pub(super) fn begin_trial(&mut self) -> bool {
        !std::mem::replace(&mut self.on_trial, true)
    }

    /// The trial is over.
    pub(super) fn end_trial(&mut self) {
        self.on_trial = false;
    }

    /// Whether it is asked.
    pub(super) fn is_fine(&self) -> bool {
        self.aside.is_none()
    }

    /// Whether it is set aside, and to be tried again now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.until <= now)
    }

    /// Whether it was silent for so long that its voice is not waited for.
    pub(super) fn is_gone(&self, now: Instant) -> bool {
        self.silent_since.is_some_and(|since| now.duration_since(since) >= GONE)
    }

    /// Why it is not asked, and until when.
    pub(super) fn excuse(&self) -> Option<String> {
        self.aside.as_ref().map(|aside| format!("{} (until {})", aside.why, aside.shown))
    }

    /// How long it is still to be left alone, where it was only asked too often.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        let aside = self.aside.as_ref().filter(|aside| aside.busy)?;
        Some(aside.until.saturating_duration_since(now))
    }

    /// It failed, or it was asked too often: then it may have said when it wants to be asked again.
    /// Whether it was fine until now.
    pub(super) fn failed(&mut self, now: Instant, why: &str, wait: Option<Duration>) -> bool {
        let was_fine = self.is_fine();
        self.silent_since.get_or_insert(now);
        // Requests that were under way together fail together: that is one failure.
        let counts = was_fine || self.is_due(now);
        if counts {
            self.failures = self.failures.saturating_add(1);
        }
        let doubled = self.first_pause.saturating_mul(1 << (self.failures.max(1) - 1).min(16));
        let pause = doubled.min(LONGEST_PAUSE).max(wait.unwrap_or_default().min(MOST_PAUSE));
        if counts || wait.is_some() {
            self.set_aside(now, why, pause, wait.is_some());
        }
        was_fine
    }

    /// It was caught telling what is not so. Whether it was fine until now.
    pub(super) fn lied(&mut self, now: Instant, why: &str) -> bool {
        let was_fine = self.is_fine();
        let pause = LIE_PAUSE.saturating_mul(1 << self.lies.min(6)).min(MOST_PAUSE);
        self.lies = self.lies.saturating_add(1);
        self.set_aside(now, why, pause, false);
        was_fine
    }

    /// Its head stays at a block while others go on. Whether it was fine until now.
    pub(super) fn stalled(&mut self, now: Instant, head: u64, why: &str) -> bool {
        let was_fine = self.failed(now, why, None);
        let since = self.head.map_or(now, |(_, since)| since);
        self.silent_since = Some(since);
        if let Some(aside) = &mut self.aside {
            aside.above = Some(head);
        }
        was_fine
    }

    fn set_aside(&mut self, now: Instant, why: &str, pause: Duration, busy: bool) {
        let until = now + pause;
        if self.aside.as_ref().is_some_and(|aside| aside.until > until) {
            return;
        }
        let shown = OffsetDateTime::from(SystemTime::now() + pause);
        let shown = shown.replace_nanosecond(0).unwrap_or(shown);
        let shown = shown.format(&Rfc3339).unwrap_or_default();
        let above = self.aside.take().and_then(|aside| aside.above);
        self.aside = Some(Aside { why: why.to_owned(), until, shown, above, busy });
    }

    /// It told its head, well. Whether it is asked again from now on, having been set aside.
    pub(super) fn answered(&mut self, now: Instant, head: u64) -> bool {
        if self.head.is_none_or(|(known, _)| known != head) {
            self.head = Some((head, now));
        }
        if self.aside.as_ref().is_some_and(|aside| aside.above.is_some_and(|above| head <= above)) {
            self.failed(now, "it still has no newer block", None);
            return false;
        }
        if self.aside.as_ref().is_some_and(|aside| aside.until > now) {
            // An answer to what was asked before it was set aside.
            return false;
        }
        self.silent_since = None;
        let is_back = self.aside.take().is_some();
        if !is_back {
            // One that comes and goes waits longer and longer, and is forgiven bit by bit.
            self.failures = self.failures.saturating_sub(1);
        }
        is_back
    }

    /// For how long it has told the same head.
    pub(super) fn stands_still(&self, now: Instant) -> Duration {
        self.head.map_or(Duration::ZERO, |(_, since)| now.duration_since(since))
    }
}

/// Others' heads move on for so long before one that does not is set aside.
pub(super) const STALLED: Duration = GONE;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pause_of(standing: &Standing, now: Instant) -> Duration {
        standing.aside.as_ref().unwrap().until.duration_since(now)
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_shrink_with_good_answers() {
        let mut standing = Standing::new(SECOND);
        let mut now = Instant::now();
        assert!(standing.failed(now, "down", None), "it was fine");
        assert_eq!(standing.pause(now), None, "it does not ask for one");
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(pause_of(&standing, now), SECOND * seconds);
            assert!(!standing.is_due(now));
            // Those that were under way at the same time do not count.
            assert!(!standing.failed(now, "down", None));
            now += SECOND * seconds;
            assert!(standing.is_due(now));
            standing.failed(now, "down", None);
        }
        now += SECOND * 60;
        assert!(standing.is_gone(now));
        assert!(standing.answered(now, 7), "it is back");
        assert!(!standing.is_gone(now) && standing.is_fine());
        // It has not earned trust yet.
        assert!(standing.failed(now, "down", None));
        assert_eq!(pause_of(&standing, now), SECOND * 60);
        now += SECOND * 60;
        (0..20).for_each(|head| _ = standing.answered(now, head));
        standing.failed(now, "down", None);
        assert_eq!(pause_of(&standing, now), SECOND);
    }

    #[test]
    fn an_endpoint_may_ask_for_a_pause_within_bounds() {
        let now = Instant::now();
        for (asked, pause) in [(0, 1), (7, 7), (300, 300), (u64::MAX, 3600)] {
            let mut standing = Standing::new(SECOND);
            standing.failed(now, "busy", Some(Duration::from_secs(asked)));
            assert_eq!(pause_of(&standing, now), SECOND * pause);
            // A later, shorter one does not shorten it.
            standing.failed(now, "busy", Some(SECOND));
            assert_eq!(pause_of(&standing, now), SECOND * pause);
            assert!(!standing.answered(now, 1), "an answer that was late");
            assert!(standing.excuse().unwrap().starts_with("busy (until 2"));
            assert_eq!(standing.pause(now + SECOND), Some(SECOND * (pause - 1)));
        }
    }

    #[test]
    fn lies_are_not_forgotten() {
        let (mut standing, mut now) = (Standing::new(SECOND), Instant::now());
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(standing.lied(now, "it lied"));
            assert_eq!(pause_of(&standing, now), SECOND * 60 * minutes);
            now += SECOND * 60 * minutes;
            assert!(standing.answered(now, 1));
        }
    }

    #[test]
    fn one_that_stands_still_comes_back_with_a_newer_block_only() {
        let (mut standing, mut now) = (Standing::new(SECOND), Instant::now());
        standing.answered(now, 5);
        now += STALLED;
        assert_eq!(standing.stands_still(now), STALLED);
        standing.stalled(now, 5, "it stands still");
        assert!(standing.is_gone(now));
        now += SECOND;
        assert!(!standing.answered(now, 5));
        now += SECOND * 2;
        assert!(standing.answered(now, 6));
        assert!(standing.is_fine());
    }
}
