//! How many blocks an endpoint is asked for at once.

/// Blocks in the first request: of a busy chain the first answer is there soon, and on a quiet one the
/// requests grow.
const FIRST: u64 = 16;
/// Blocks in a request at most: more than most providers take.
const MOST: u64 = 20_000;
/// Events that an answer should hold, about: a megabyte or two of JSON.
const AIM: u64 = 2_000;
/// Answers in a row without trouble after which a range may grow beyond the one that failed.
const PATIENCE: u32 = 32;
/// The same where the endpoint itself named the length that it takes.
const LONG_PATIENCE: u32 = 1024;

/// How many blocks are asked for at once: as many as are answered well. It depends on the answers
/// alone, and a length that failed is not asked for again before long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    blocks: u64,
    /// The most that may be asked for, since more failed.
    ceiling: u64,
    calm: u32,
    patience: u32,
}

impl Default for Span {
    fn default() -> Self {
        Self { blocks: FIRST, ceiling: MOST, calm: 0, patience: PATIENCE }
    }
}

impl Span {
    /// How many blocks to ask for next.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// How many blocks to ask for where one answer should bring all.
    pub(super) fn reach(&self) -> u64 {
        self.blocks.saturating_mul(4).min(self.ceiling)
    }

    /// The most that may be asked for.
    pub(super) fn ceiling(&self) -> u64 {
        self.ceiling
    }

    /// An answer came to so many blocks, with so many events.
    pub(super) fn answered(&mut self, blocks: u64, events: u64) {
        self.calm += 1;
        if self.calm >= self.patience {
            self.calm = 0;
            self.patience = PATIENCE;
            self.ceiling = self.ceiling.saturating_mul(2).min(MOST);
        }
        let fitting = match events {
            0 => u64::MAX,
            _ => blocks.saturating_mul(AIM) / events,
        };
        // Neither jumps on one odd answer.
        let (least, most) = ((self.blocks / 4).max(1), self.blocks.saturating_mul(2));
        self.blocks = fitting.clamp(least, most).min(self.ceiling).max(1);
    }

    /// So many blocks were too many; the endpoint may have said how many are not. It is believed
    /// where that is fewer than it just refused, and for a while.
    pub(super) fn refused(&mut self, blocks: u64, takes: Option<u64>) {
        self.calm = 0;
        let takes = takes.filter(|takes| (1..blocks).contains(takes));
        if takes.is_some() {
            self.patience = LONG_PATIENCE;
        }
        self.ceiling = self.ceiling.min(takes.unwrap_or(blocks / 2)).max(1);
        self.blocks = self.blocks.min(self.ceiling);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_chains_are_read_in_long_ranges_and_busy_ones_in_short() {
        let mut span = Span::default();
        for _ in 0..11 {
            span.answered(span.blocks, 0);
        }
        assert_eq!(span.blocks, MOST);
        for _ in 0..20 {
            span.answered(span.blocks, span.blocks * 100);
        }
        assert_eq!(span.blocks, AIM / 100);
    }

    #[test]
    fn a_length_that_failed_is_not_asked_for_again_before_long() {
        let mut span = Span { blocks: 2000, ..Span::default() };
        span.refused(2000, None);
        for _ in 1..PATIENCE {
            assert!(span.blocks <= 1000);
            span.answered(span.blocks, 0);
        }
        span.answered(span.blocks, 0);
        assert_eq!((span.blocks, span.ceiling), (2000, 2000));
        span.refused(1, None);
        assert_eq!(span.blocks, 1);
    }

    #[test]
    fn a_length_that_the_endpoint_names_is_asked_for_and_kept() {
        let mut span = Span { blocks: 2000, ..Span::default() };
        span.refused(2000, Some(500));
        for _ in 1..LONG_PATIENCE {
            assert_eq!(span.blocks, 500);
            span.answered(span.blocks, 0);
        }
        span.answered(500, 0);
        assert_eq!(span.ceiling, 1000);
        // Nonsense is not believed.
        for takes in [0, 1000, u64::MAX] {
            let mut span = Span { blocks: 1000, ..Span::default() };
            span.refused(1000, Some(takes));
            assert_eq!(span.blocks, 500, "{takes}");
        }
    }
}
