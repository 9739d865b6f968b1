//! Being told of new blocks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

/// A connection that can tell of new blocks (`eth_subscribe`, `newHeads`), once that is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    wanted: AtomicBool,
    changed: Notify,
}

impl Heads {
    /// From now on, and again after each break of the connection.
    pub(super) fn subscribe(&self) {
        if !self.0.wanted.swap(true, Ordering::Relaxed) {
            self.0.changed.notify_one();
        }
    }

    /// Whether somebody wants to be told.
    pub(super) fn are_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed)
    }

    /// Comes when somebody begins to want it.
    pub(super) async fn become_wanted(&self) {
        self.0.changed.notified().await;
    }
}
