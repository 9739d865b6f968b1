//! Drops what was seen of content that has long been probed no longer.

use std::time::Duration;

use super::{Watch, WatchError};
use crate::ledger;

/// Replicas of which it is dropped in one transaction.
const AT_ONCE: u32 = 500;
/// Between looks.
const PAUSE: Duration = Duration::from_secs(10 * 60);

impl Watch {
    /// Drops what has been kept long enough.
    pub(super) async fn tidy(&self) -> Result<(), WatchError> {
        let before = ledger::now().saturating_sub(self.settings.evidence);
        loop {
            let mut tx = self.ledger.write().await?;
            let dropped = tx.drop_evidence(before, AT_ONCE).await?;
            tx.commit().await?;
            if dropped == 0 {
                return Ok(());
            }
        }
    }

    /// Does so from time to time.
    pub(super) async fn tidy_forever(&self) {
        let nothing = async |_: &mut ledger::Tx| Ok(());
        self.again_and_again("dropping old evidence", PAUSE, nothing, async || self.tidy().await)
            .await;
    }
}
