//! What recurs each hour, and whether it can be paid.

use std::{sync::PoisonError, time::Duration};

use tokio::time::Instant;

use crate::watch::{Watch, WatchError};

/// Between looks at bills and what could be taken back.
const EVERY: Duration = Duration::from_secs(600);

impl Watch {
    /// Every so often: takes back what is superfluous.
    pub(super) async fn care_for_bills(&self) -> Result<(), WatchError> {
        if self.settings.dry_run || !self.is_time_for_bills() {
            return Ok(());
        }
        self.forget_superseded().await
    }

    fn is_time_for_bills(&self) -> bool {
        // Whoever panicked left a whole time.
        let mut last = self.billed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|last| last.elapsed() >= EVERY);
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }
}
