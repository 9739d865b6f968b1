//! Logs of long ranges: read ahead, several requests at a time, and given in order.

use std::collections::VecDeque;

use alloy::rpc::types::Filter;
use tokio::task::JoinHandle;

use super::{
    events::TokenEvent,
    rpc::{Endpoint, RpcError},
    standards::Watched,
};

/// Requests under way at once.
const AHEAD: usize = 4;
/// Blocks in the first request.
const FIRST: u64 = 64;
/// Blocks in a request at most: more than most providers take.
const MOST: u64 = 20_000;
/// Events that an answer should hold, about: a megabyte or two of JSON.
const AIM: u64 = 4_000;
/// Answers in a row without trouble after which a range may grow beyond the one that failed.
const PATIENCE: u32 = 32;

/// A range that was read.
#[derive(Debug)]
pub struct Read {
    /// Its last block.
    pub to: u64,
    /// What its logs say, in order.
    pub events: Vec<TokenEvent>,
}

/// How many blocks are asked for at once: as many as are answered well. It depends on the answers
/// alone, and a length that failed is not asked for again before long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    blocks: u64,
    /// The most that may be asked for, since more failed.
    ceiling: u64,
    calm: u32,
}

impl Default for Span {
    fn default() -> Self {
        Self { blocks: FIRST, ceiling: MOST, calm: 0 }
    }
}

impl Span {
    /// How many blocks to ask for next.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// An answer came to so many blocks, with so many events.
    fn answered(&mut self, blocks: u64, events: u64) {
        self.calm += 1;
        if self.calm == PATIENCE {
            self.calm = 0;
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

    /// So many blocks were too many.
    fn refused(&mut self, blocks: u64) {
        self.calm = 0;
        self.ceiling = self.ceiling.min(blocks / 2).max(1);
        self.blocks = self.blocks.min(self.ceiling);
    }
}

/// Reads a range of the chain in pieces.
#[derive(Debug)]
pub struct Reader {
    endpoint: Endpoint,
    watched: Vec<Watched>,
    next: u64,
    to: u64,
    ahead: VecDeque<JoinHandle<Result<Read, RpcError>>>,
}

impl Reader {
    pub(super) fn new(endpoint: Endpoint, watched: Vec<Watched>, from: u64, to: u64) -> Self {
        Self { endpoint, watched, next: from, to, ahead: VecDeque::new() }
    }

    /// The next piece; `None` behind the last.
    ///
    /// # Errors
    /// Those of the endpoint, of a single block.
    pub async fn next(&mut self) -> Result<Option<Read>, RpcError> {
        while self.ahead.len() < AHEAD && self.next <= self.to {
            let last = self.to.min(self.next.saturating_add(self.endpoint.span().blocks - 1));
            let (endpoint, watched, from) =
                (self.endpoint.clone(), self.watched.clone(), self.next);
            let task = tokio::spawn(async move { read(&endpoint, &watched, from, last).await });
            self.ahead.push_back(task);
            self.next = last + 1;
        }
        let Some(task) = self.ahead.pop_front() else { return Ok(None) };
        match task.await {
            Ok(read) => read.map(Some),
            Err(_) => Err(self.endpoint.unusable("reading from it was broken off")),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ahead.iter().for_each(JoinHandle::abort);
    }
}

/// Reads a range, in shorter ones where it is refused whole.
async fn read(
    endpoint: &Endpoint,
    watched: &[Watched],
    from: u64,
    to: u64,
) -> Result<Read, RpcError> {
    let (mut first, mut events) = (from, Vec::new());
    while first <= to {
        let last = to.min(first.saturating_add(endpoint.span().ceiling - 1));
        match read_once(endpoint, watched, first, last).await {
            Ok(mut found) => {
                events.append(&mut found);
                first = last + 1;
            }
            Err(error) if first < last && error.may_be_too_much() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Read { to, events })
}

/// Reads a range in one request, and remembers how that went.
pub(super) async fn read_once(
    endpoint: &Endpoint,
    watched: &[Watched],
    from: u64,
    to: u64,
) -> Result<Vec<TokenEvent>, RpcError> {
    let blocks = to - from + 1;
    let filter = Filter::new().from_block(from).to_block(to);
    match endpoint.events(filter, watched).await {
        Ok(mut events) => {
            events.retain(|event| (from..=to).contains(&event.block_number));
            endpoint.span().answered(blocks, events.len() as u64);
            Ok(events)
        }
        Err(error) => {
            if error.may_be_too_much() {
                endpoint.span().refused(blocks);
            }
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_chains_are_read_in_long_ranges_and_busy_ones_in_short() {
        let mut span = Span::default();
        for _ in 0..10 {
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
        span.refused(2000);
        for _ in 1..PATIENCE {
            assert!(span.blocks <= 1000);
            span.answered(span.blocks, 0);
        }
        span.answered(span.blocks, 0);
        assert_eq!((span.blocks, span.ceiling), (2000, 2000));
        span.refused(1);
        assert_eq!(span.blocks, 1);
    }
}
