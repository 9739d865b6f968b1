//! Drops what was seen of content that has long been probed no longer, and incidents that have long been
//! over; makes due what a wrong clock
//! put off.

use std::time::Duration;

use everhold_net::MAX_RETRY_AFTER;
use tracing::warn;

use super::{Settings, Watch, WatchError, alert, paths, provenance, uris, verify};
use crate::{
    health,
    ledger::{self, LongestWaits, Millis},
};

/// Rows that are dropped, or brought back, in one transaction.
const AT_ONCE: u32 = 500;
/// Between looks.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// What is due so much later than anything can be, in milliseconds, was put off by a wrong clock.
const SLACK: Millis = 10 * 60 * 1000;

impl Watch {
    /// Drops what has been kept long enough.
    pub(super) async fn tidy(&self) -> Result<(), WatchError> {
        let now = ledger::now();
        let seen = now.saturating_sub(self.settings.evidence);
        // Whether one comes and goes is seen from those before it.
        let told = now.saturating_sub(self.settings.evidence.max(self.settings.window));
        loop {
            let mut tx = self.ledger.write().await?;
            let mut dropped = tx.drop_evidence(seen, AT_ONCE).await?;
            dropped += tx.drop_failed_repairs(seen, AT_ONCE).await?;
            dropped += tx.drop_told(told, AT_ONCE).await?;
            tx.commit().await?;
            if dropped == 0 {
                return Ok(());
            }
        }
    }

    /// Makes what is due later than anything can be due now: our clock was ahead, and is no longer.
    pub(super) async fn set_right(&self) -> Result<(), WatchError> {
        let vault = self.tended.longest_wait();
        let (longest, mut all) = (longest_waits(&self.settings, vault), 0);
        loop {
            let mut tx = self.ledger.write().await?;
            let brought = tx.bring_back_from_the_future(ledger::now(), &longest, AT_ONCE).await?;
            tx.commit().await?;
            all += brought;
            if brought == 0 {
                break;
            }
        }
        if all > 0 {
            warn!(
                "{all} times were later than any can be, as those of a clock that was ahead: they are now"
            );
        }
        Ok(())
    }

    /// Does both from time to time.
    pub(super) async fn tidy_forever(&self) {
        let nothing = async |_: &mut ledger::Tx| Ok(());
        let tidy = async || {
            self.set_right().await?;
            self.tidy().await
        };
        self.again_and_again("tidying up", PAUSE, nothing, tidy).await;
    }
}

/// A little above the longest that these settings put anything off.
fn longest_waits(settings: &Settings, vault: Millis) -> LongestWaits {
    let rest = Millis::try_from(MAX_RETRY_AFTER.as_millis()).unwrap_or(Millis::MAX);
    let (policy, schedule) = (&settings.policy, &settings.schedule);
    let stores = settings.provenance.max(provenance::SOON).max(provenance::LEASE);
    let and_more = |wait: Millis| wait.saturating_add(SLACK);
    LongestWaits {
        probe: and_more(schedule.recheck.max(rest)),
        spot: and_more(schedule.spot),
        stores: and_more(stores),
        assessment: and_more(policy.grace.max(policy.max_age())),
        uri: and_more(schedule.recheck.max(uris::LEASE)),
        path: and_more(paths::LONGEST.max(paths::LEASE)),
        alert: and_more(alert::longest_wait()),
        vault: and_more(vault),
        lease: and_more(verify::LEASE),
        skew: health::AHEAD,
    }
}
