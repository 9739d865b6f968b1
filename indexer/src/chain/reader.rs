//! Logs of long ranges: read ahead, several requests at a time, and given in order.

use std::{collections::VecDeque, sync::Arc};

use tokio::task::JoinHandle;

use super::{
    events::TokenEvent,
    linked::Linked,
    rpc_error::RpcError,
    source::{Depth, Source},
};

/// Requests under way at once.
const AHEAD: usize = 4;

/// A range that was read.
#[derive(Debug)]
pub struct Read {
    /// Its last block.
    pub to: u64,
    /// What its logs say, in order.
    pub events: Vec<TokenEvent>,
}

/// Reads a range of the chain in pieces.
#[derive(Debug)]
pub struct Reader {
    source: Arc<Source>,
    /// The next block that is not asked for.
    next: u64,
    to: u64,
    /// Which endpoints are asked for the next piece.
    turn: usize,
    ahead: VecDeque<JoinHandle<Result<Read, RpcError>>>,
    /// Whether the chain is linked down to the first block, where every block is proved.
    is_linked: bool,
}

impl Reader {
    pub(super) fn new(source: Source, from: u64, to: u64) -> Self {
        let (source, ahead) = (Arc::new(source), VecDeque::new());
        let is_linked = source.linked.is_none();
        Self { source, next: from, to, turn: 0, ahead, is_linked }
    }

    /// The next piece; `None` behind the last.
    ///
    /// # Errors
    /// Those of the endpoints, of a single block.
    pub async fn next(&mut self) -> Result<Option<Read>, RpcError> {
        if let Some(linked) = self.source.linked.clone().filter(|_| !self.is_linked) {
            linked.descend(&self.source, self.next, self.to).await?;
            self.is_linked = true;
        }
        while self.ahead.len() < AHEAD && self.next <= self.to {
            let (source, from, last, turn) =
                (self.source.clone(), self.next, self.last(), self.turn);
            self.ahead.push_back(tokio::spawn(async move {
                let events = source.read(from, last, turn, Depth::Deep).await?;
                Ok(Read { to: last, events })
            }));
            (self.next, self.turn) = (last + 1, turn.wrapping_add(1));
        }
        let Some(task) = self.ahead.pop_front() else { return Ok(None) };
        // A task that was broken off is that of a runtime that ends.
        task.await.unwrap_or(Err(RpcError::Changed)).map(Some)
    }

    /// The last block of the next piece.
    fn last(&self) -> u64 {
        let last = match &self.source.linked {
            Some(_) => Linked::mark_from(self.next),
            None => self.next.saturating_add(self.source.span() - 1),
        };
        self.to.min(last)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ahead.iter().for_each(JoinHandle::abort);
    }
}
