//! How far reading a long stretch has come: pure arithmetic over times that are given to it.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use crate::span_text;

/// Between two lines.
const EVERY: Duration = Duration::from_secs(5);
/// Speed is that of this last while: a chain's early blocks are emptier than its late ones.
const WINDOW: Duration = Duration::from_secs(60);
/// Moments kept within that while, at most.
const MOST: usize = 64;

/// What had been done at a moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    blocks: u64,
    events: u64,
}

/// The progress of reading blocks from one to another.
#[derive(Debug)]
pub(super) struct Progress {
    from: u64,
    last: u64,
    events: u64,
    said: Instant,
    /// Whether anything was said: then so is the end.
    speaks: bool,
    samples: VecDeque<Sample>,
}

/// A line of it, for people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    from: u64,
    last: u64,
    done: u64,
    /// Blocks a second.
    blocks: f64,
    /// Events a second.
    events: f64,
    /// Time left, in seconds; `None` while nothing can be said.
    left: Option<u64>,
}

impl Progress {
    /// Begins to read the blocks `from` to `last`, both included.
    pub(super) fn new(from: u64, last: u64, now: Instant) -> Self {
        let begin = Sample { at: now, blocks: 0, events: 0 };
        let samples = VecDeque::from([begin]);
        Self { from, last, events: 0, said: now, speaks: false, samples }
    }

    fn total(&self) -> u64 {
        (self.last.saturating_add(1)).saturating_sub(self.from)
    }

    /// Blocks up to `to` were read, and so many more events in them. Gives a line every few
    /// seconds, and one at the end where there were any before.
    pub(super) fn read(&mut self, to: u64, events: u64, now: Instant) -> Option<Line> {
        self.events = self.events.saturating_add(events);
        let blocks = to.saturating_add(1).saturating_sub(self.from).min(self.total());
        self.remember(Sample { at: now, blocks, events: self.events });
        let ended = blocks == self.total() && self.speaks;
        if now.saturating_duration_since(self.said) < EVERY && !ended {
            return None;
        }
        (self.said, self.speaks) = (now, true);
        Some(self.line())
    }

    /// Keeps the moments of the last while, no closer to each other than is of use.
    fn remember(&mut self, sample: Sample) {
        let close = WINDOW / u32::try_from(MOST).unwrap_or(u32::MAX);
        let before = self.samples.len().checked_sub(2).and_then(|i| self.samples.get(i));
        if before.is_some_and(|b| sample.at.saturating_duration_since(b.at) < close) {
            self.samples.pop_back();
        }
        self.samples.push_back(sample);
        let old = |s: &Sample| sample.at.saturating_duration_since(s.at) > WINDOW;
        while self.samples.len() > 2 && self.samples.get(1).is_some_and(old) {
            self.samples.pop_front();
        }
    }

    fn line(&self) -> Line {
        let (first, newest) = (self.samples.front(), self.samples.back());
        let (done, blocks, events) = match first.zip(newest) {
            Some((first, newest)) => {
                let took = newest.at.saturating_duration_since(first.at).as_secs_f64();
                let rate = |now: u64, then: u64| match took > 0.0 {
                    true => now.saturating_sub(then) as f64 / took,
                    false => 0.0,
                };
                let events = rate(newest.events, first.events);
                (newest.blocks, rate(newest.blocks, first.blocks), events)
            }
            None => (0, 0.0, 0.0),
        };
        let rest = self.total().saturating_sub(done);
        let left = match rest {
            0 => Some(0),
            // A float that is too large for an integer becomes the largest.
            _ => (blocks > 0.0).then(|| (rest as f64 / blocks).ceil() as u64),
        };
        Line { from: self.from, last: self.last, done, blocks, events, left }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, last, done, blocks, events, left } = self;
        let total = last.saturating_add(1).saturating_sub(*from);
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        write!(
            f,
            "blocks {from} to {last}: {done} of {total} read ({percent} %), \
             {blocks:.0} blocks/s, {events:.0} events/s, "
        )?;
        match left {
            Some(0) => f.write_str("done"),
            Some(seconds) => write!(f, "about {} left", span_text(*seconds)),
            None => f.write_str("time left unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn what_is_quick_says_nothing() {
        let begun = Instant::now();
        let mut progress = Progress::new(0, 99, begun);
        assert_eq!(progress.read(49, 10, begun + seconds(1)), None);
        assert_eq!(progress.read(99, 10, begun + seconds(4)), None);
    }

    #[test]
    fn what_takes_long_says_so_every_few_seconds_and_at_its_end() {
        let begun = Instant::now();
        let mut progress = Progress::new(1000, 1999, begun);
        let mut said = Vec::new();
        for second in 1..=10 {
            let line = progress.read(999 + 100 * second, 5, begun + seconds(second));
            said.extend(line.map(|line| line.to_string()));
        }
        assert_eq!(
            said,
            [
                "blocks 1000 to 1999: 500 of 1000 read (50 %), 100 blocks/s, 5 events/s, about 5 s left",
                "blocks 1000 to 1999: 1000 of 1000 read (100 %), 100 blocks/s, 5 events/s, done",
            ]
        );
    }

    #[test]
    fn an_end_between_two_lines_is_said_too() {
        let begun = Instant::now();
        let mut progress = Progress::new(0, 9, begun);
        assert!(progress.read(4, 0, begun + seconds(5)).is_some());
        let line = progress.read(9, 0, begun + seconds(6)).unwrap();
        assert_eq!((line.done, line.left), (10, Some(0)));
    }

    #[test]
    fn the_time_left_follows_the_last_minute() {
        let begun = Instant::now();
        let mut progress = Progress::new(0, 1_000_000 - 1, begun);
        // Quick at first, slow then.
        progress.read(499_999, 0, begun + seconds(10));
        let mut line = None;
        for second in 11..=200 {
            line = progress.read(499_999 + 10 * (second - 10), 0, begun + seconds(second)).or(line);
        }
        let line = line.unwrap();
        assert!((9.9..10.1).contains(&line.blocks), "{line:?}");
        assert_eq!(line.done, 501_900);
        assert_eq!(line.left, Some(49_810));
        assert!(progress.samples.len() <= MOST + 2, "{}", progress.samples.len());
    }

    #[test]
    fn nothing_divides_by_zero() {
        let begun = Instant::now();
        // No time has passed, nothing is to be read, nothing was read for long.
        let mut progress = Progress::new(5, 4, begun);
        assert_eq!(progress.read(4, 0, begun), None);
        let line = progress.read(4, 0, begun + EVERY).unwrap();
        assert!(line.to_string().contains("0 of 0 read (100 %)"), "{line}");
        let mut progress = Progress::new(5, 9, begun);
        let line = progress.read(4, 0, begun + EVERY).unwrap();
        assert_eq!(line.left, None);
        assert!(line.to_string().ends_with("0 blocks/s, 0 events/s, time left unknown"), "{line}");
        let at_once = Progress::new(0, u64::MAX, begun).line();
        assert_eq!((at_once.done, at_once.left), (0, None));
    }

    #[test]
    fn a_clock_that_goes_back_and_more_blocks_than_asked_for_break_nothing() {
        let begun = Instant::now() + seconds(100);
        let mut progress = Progress::new(0, 9, begun);
        assert_eq!(progress.read(4, 1, begun - seconds(50)), None);
        let line = progress.read(u64::MAX, u64::MAX, begun + EVERY).unwrap();
        assert_eq!((line.done, line.left), (10, Some(0)));
    }
}
