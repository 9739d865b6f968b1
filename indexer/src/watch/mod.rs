//! The running indexer: index → read URIs → verify → trace STOREs → assess → repair → alert, each stage
//! one file.

mod alert;
mod assess;
mod backfill;
mod budget;
mod care;
mod chain;
mod collections;
mod context;
mod deny;
mod desks;
mod discover;
mod fork;
mod halt;
mod heads;
mod index;
mod judge;
mod listing;
mod lost;
mod meaning;
mod outbox;
mod paths;
mod patience;
mod progress;
mod provenance;
mod providers;
mod refusals;
mod reindex;
mod removal;
mod repair;
mod shortage;
mod spot;
mod test_alert;
mod tidy;
mod uris;
mod vault;
mod verify;
mod whereabouts;
mod words;

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use care::{CareError, acknowledge, silence, unsilence};
pub use context::{Settings, Watch, WatchError, policy};
pub use deny::{Denied, DenyingError, allow, deny};
pub use discover::with_found_nodes;
pub(crate) use halt::remedy;
pub use reindex::{ReindexError, Reindexed, find as find_collection, reindex};
pub use repair::Planned;
pub use shortage::{short_of, shortage};
pub use test_alert::send_test;

use self::{chain::Followed, index::Indexed};
use crate::{
    health::Policy,
    ledger::{LedgerError, Tx},
};

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Round {
    /// Events read from the chain.
    pub events: u64,
    /// Reorgs followed.
    pub reorgs: u64,
    /// Collections halted.
    pub halted: u64,
    /// URIs, of tokens and of collections themselves, that were found to be new or other ones.
    pub uris: u64,
    /// Probes made.
    pub probes: u64,
    /// Spot checks made.
    pub spot_checks: u64,
    /// Contents whose STORE messages were asked for.
    pub traced: u64,
    /// Contents copied into the vault.
    pub kept: u64,
    /// Contents in the vault that were hashed again.
    pub rechecked: u64,
    /// Repairs tried.
    pub repairs: u64,
    /// Repairs that a probe proved.
    pub repaired: u64,
    /// Alerts that a sink took.
    pub alerts: u64,
    /// Chains that could not be followed, though others could.
    pub failed_chains: u64,
}

/// How long a single round waits for sinks before it leaves alerts in the outbox.
const ALERT_PATIENCE: Duration = Duration::from_secs(15);

/// Contents over which an incident is open are judged again at least so often: what names them may
/// have changed.
const AGAIN: Duration = Duration::from_secs(5);

impl Watch {
    /// One round: index to the head, probe what is due, repair through every step, probe again,
    /// deliver alerts.
    pub async fn once(&self, repair: bool) -> Result<Round, WatchError> {
        let mut round = Round::default();
        self.release_leases().await?;
        self.set_right().await?;
        self.index_all(&mut round).await?;
        let (uris, failed) = self
            .with_chains("reading URIs of", async |chain| {
                chain.patiently(async || self.read_uris(chain).await).await
            })
            .await?;
        round.uris = uris.iter().sum();
        round.failed_chains = round.failed_chains.max(failed);
        round.probes = self.verify_settled().await?;
        // Documents that were read just now may refer to more, by paths, too.
        while self.follow_paths_settled().await? > 0 {
            round.probes += self.verify_settled().await?;
        }
        let traced = self.trace_due().await?;
        round.traced = traced.contents;
        if traced.urgent > 0 {
            round.probes += self.verify_settled().await?;
        }
        let spots = self.spot_due().await?;
        round.spot_checks = spots.made;
        if spots.doubts > 0 {
            round.probes += self.verify_settled().await?;
        }
        self.assess_again().await?;
        let tended = self.tend_vault_once().await?;
        round.kept = tended.copied;
        round.rechecked = tended.checked;
        if repair {
            let (tried, proved, probes) = self.repair_wholly().await?;
            (round.repairs, round.repaired) = (tried, proved);
            round.probes += probes;
        }
        self.tidy().await?;
        round.alerts = self.deliver_alerts_for(ALERT_PATIENCE).await?;
        Ok(round)
    }

    /// Follows every chain to its head, and does nothing else.
    pub async fn index_once(&self) -> Result<Round, WatchError> {
        let mut round = Round::default();
        self.index_all(&mut round).await?;
        Ok(round)
    }

    async fn index_all(&self, round: &mut Round) -> Result<(), WatchError> {
        let (indexed, failed) =
            self.with_chains("following", async |chain| self.index_patiently(chain).await).await?;
        round.failed_chains = failed;
        for Indexed { events, reorgs, halted, .. } in indexed {
            round.events += events;
            round.reorgs += reorgs;
            round.halted += halted;
        }
        Ok(())
    }

    /// Rounds until `stop`: each chain, the replicas and the outbox at their own pace.
    pub async fn forever(&self, repair: bool, stop: &CancellationToken) -> Result<(), WatchError> {
        let work = async {
            let chains = self.chains.iter();
            let chains = join_all(chains.map(async |chain| {
                tokio::join!(Box::pin(self.follow(chain)), Box::pin(self.read(chain)));
            }));
            // Each for itself on the heap: together they are more than a thread's stack likes.
            tokio::join!(
                chains,
                Box::pin(self.walk()),
                Box::pin(self.check()),
                Box::pin(self.spot_check()),
                Box::pin(self.judge_forever()),
                Box::pin(self.mend_forever(repair)),
                Box::pin(self.trace_forever()),
                Box::pin(self.tend_vault_forever()),
                Box::pin(self.deliver_forever()),
                Box::pin(self.repeat_forever()),
                Box::pin(self.discover()),
                Box::pin(self.tidy_forever())
            )
        };
        tokio::select! {
            _ = work => {}
            () = stop.cancelled() => info!("stopping; what was done is in the ledger"),
        }
        Ok(())
    }

    /// Follows a chain; whatever goes wrong is said and tried again. An endpoint that tells of a
    /// new block is listened to at once, and the chain is looked at every so often all the same.
    async fn follow(&self, followed: &Followed) {
        let mut pause = Pause::new(followed.poll);
        let what = format!("following {}", followed.name);
        let mut bell = Bell::default();
        loop {
            let begun = Instant::now();
            let indexed = self.index(followed).await;
            let head = indexed.as_ref().ok().map(|indexed| indexed.head);
            let wait = pause.next(&what, indexed.map(|_| ()));
            let wait = bell.shortened(head, wait);
            let rung = async {
                match followed.reached() {
                    Some(chain) => chain.rpc.new_head().await,
                    None => std::future::pending().await,
                }
                // However often it is rung.
                tokio::time::sleep_until(begun + Bell::APART).await;
            };
            tokio::select! {
                () = rung, if head.is_some() => bell.ring(),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Reads the URIs of tokens that are not ours, as their chain is followed.
    async fn read(&self, followed: &Followed) {
        let what = format!("reading URIs of {}", followed.name);
        let read = async || self.read_uris(followed).await.map(|_| ());
        self.again_and_again(&what, followed.poll, async |tx| tx.release_uris().await, read).await;
    }

    /// Follows paths, which folders that nobody gives can make slow.
    async fn walk(&self) {
        let walk = async || self.follow_paths().await.map(|_| ());
        let poll = self.settings.poll;
        self.again_and_again("following paths", poll, async |tx| tx.release_paths().await, walk)
            .await;
    }

    /// Probes what is due, by itself: a round may take long.
    async fn check(&self) {
        let check = async || self.verify_ever().await.map(|_| ());
        let poll = self.settings.poll;
        self.again_and_again(
            "checking replicas",
            poll,
            async |tx| tx.release_leases().await,
            check,
        )
        .await;
    }

    /// Looks at a few blocks of what no full probe is due of. There is nothing to give back: what was
    /// taken is due again by itself.
    async fn spot_check(&self) {
        let check = async || self.spot_due().await.map(|_| ());
        let poll = self.settings.poll;
        self.again_and_again("spot checks", poll, async |_| Ok(()), check).await;
    }

    /// Judges what probes saw, whatever repairs may be under way.
    async fn judge_forever(&self) {
        let poll = self.settings.poll;
        let mut again = Instant::now();
        let mut pause = Pause::new(poll);
        loop {
            let is_time = Instant::now() >= again;
            if is_time {
                again = Instant::now() + AGAIN;
            }
            let judged = if is_time { self.assess_again().await } else { self.assess().await };
            pause.after("judging replicas", judged).await;
        }
    }

    /// Repairs what is not well.
    async fn mend_forever(&self, repair: bool) {
        if !repair {
            return;
        }
        // What is not judged yet by what was seen is none of those that are repaired.
        let mend = async || self.repair_once().await.map(|_| ());
        self.again_and_again("repairing", self.settings.poll, async |_| Ok(()), mend).await;
    }

    /// Runs a stage at its pace; whatever goes wrong is said and tried again. What was taken from the
    /// ledger by a process that ended, or by this one before the ledger failed, is given back first:
    /// else it would be left alone for as long as a process that is busy with it may take.
    async fn again_and_again(
        &self,
        what: &str,
        poll: Duration,
        give_back: impl AsyncFn(&mut Tx) -> Result<(), LedgerError>,
        stage: impl AsyncFn() -> Result<(), WatchError>,
    ) {
        let mut pause = Pause::new(poll);
        let mut owes = true;
        loop {
            let done = async {
                if owes {
                    let mut tx = self.ledger.write().await?;
                    give_back(&mut tx).await?;
                    tx.commit().await?;
                    owes = false;
                }
                stage().await
            };
            let done = done.await;
            owes |= matches!(done, Err(WatchError::Ledger(_)));
            pause.after(what, done).await;
        }
    }

    async fn release_leases(&self) -> Result<(), WatchError> {
        let mut tx = self.ledger.write().await?;
        tx.release_leases().await?;
        tx.release_uris().await?;
        tx.release_paths().await?;
        tx.release_stores().await?;
        tx.release_alerts().await?;
        tx.release_vault().await?;
        Ok(tx.commit().await?)
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.settings.policy
    }
}

/// The pause between rounds: longer and longer while a stage fails the same way, and said once.
struct Pause {
    usual: Duration,
    failures: u32,
    said: String,
}

const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Pause {
    fn new(usual: Duration) -> Self {
        Self { usual, failures: 0, said: String::new() }
    }

    async fn after(&mut self, what: &str, done: Result<(), WatchError>) {
        tokio::time::sleep(self.next(what, done)).await;
    }

    /// How long to wait now.
    fn next(&mut self, what: &str, done: Result<(), WatchError>) -> Duration {
        match done {
            Ok(()) => {
                if self.failures > 0 {
                    info!("{what}: works again");
                }
                self.failures = 0;
                self.said.clear();
            }
            Err(error) => {
                let text = error.to_string();
                // The same, but for block numbers and times, is not said again.
                let gist = text.chars().filter(|c| !c.is_ascii_digit()).collect();
                if gist != self.said {
                    warn!("{what}: {text}; it is tried again");
                }
                self.said = gist;
                self.failures += 1;
            }
        }
        let factor = 1 << self.failures.min(6);
        (self.usual * factor).min(LONGEST_PAUSE.max(self.usual))
    }
}

/// What is made of being told of new blocks.
#[derive(Debug, Default)]
struct Bell {
    head: u64,
    /// Looks that are still to come sooner than usual, since the bell was rung for a block that was
    /// not found: the other endpoints hear of it a little later.
    looks: u32,
}

impl Bell {
    /// Looks begin at least so long apart, however often the bell is rung: an endpoint could keep
    /// us, and the others, busy otherwise.
    const APART: Duration = Duration::from_millis(100);
    /// The first of the looks that come sooner; each comes after twice the time.
    const SOON: Duration = Duration::from_millis(50);
    const LOOKS: u32 = 4;

    fn ring(&mut self) {
        self.looks = Self::LOOKS;
    }

    /// How long to wait after a look that saw this head.
    fn shortened(&mut self, head: Option<u64>, wait: Duration) -> Duration {
        let Some(head) = head else { return wait };
        if head > self.head || self.looks == 0 {
            (self.head, self.looks) = (head.max(self.head), 0);
            return wait;
        }
        self.looks -= 1;
        wait.min(Self::SOON * (1 << (Self::LOOKS - 1 - self.looks)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_announced_and_is_not_there_is_soon_looked_for_again() {
        let usual = Duration::from_secs(2);
        let mut bell = Bell::default();
        assert_eq!(bell.shortened(Some(7), usual), usual);
        bell.ring();
        assert_eq!(bell.shortened(Some(8), usual), usual, "it was there");
        bell.ring();
        for millis in [50, 100, 200, 400] {
            assert_eq!(bell.shortened(Some(8), usual).as_millis(), millis);
        }
        assert_eq!(bell.shortened(Some(8), usual), usual, "nobody else has it");
        bell.ring();
        assert_eq!(bell.shortened(None, usual), usual, "a round that failed has its own pause");
    }
}
