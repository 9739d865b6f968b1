//! Spot checks: cheap looks between full probes. What they find never makes a verdict; what they miss
//! makes a full probe due.

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;
use tracing::info;

use super::{
    Watch, WatchError,
    budget::ticks,
    desks::Desks,
    verify::{LOOK, RECORD_AFTER, beside},
};
use crate::{
    ledger::{self, DueSpot, Millis, RowId, SpotRecord, SpotResult},
    nodes::{SpotFound, Spotted, draw_offsets, name, spot_check},
};

/// Of what may be under way at once, the part that spot checks may be.
const PART: usize = 4;

/// What a round of spot checks did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SpotRound {
    /// Spot checks made.
    pub(super) made: u64,
    /// How many of them made a full probe due.
    pub(super) doubts: u64,
}

/// A spot check and what it found.
struct Checked {
    due: DueSpot,
    spotted: Spotted,
    at: Millis,
}

impl Watch {
    /// Spot checks what is due now, at nodes at which no full probe waits. What finds no place is due
    /// still.
    pub(super) async fn spot_due(&self) -> Result<SpotRound, WatchError> {
        let mut round = SpotRound::default();
        if self.settings.schedule.spot <= 0 {
            return Ok(round);
        }
        self.desks(Desks::begin_spots);
        let (cutoff, mut written) = (ledger::now(), Instant::now());
        let (mut running, mut seen) = (FuturesUnordered::new(), Vec::new());
        let (most, mut is_dry) = ((self.settings.concurrency / PART).max(1), false);
        loop {
            if !is_dry && running.len() <= most / 2 {
                let take = self.take_spots(cutoff, most - running.len());
                let due = beside(&mut running, &mut seen, take).await?;
                is_dry = due.is_empty();
                running.extend(due.into_iter().map(|due| self.spot(due)));
            }
            let is_time = running.is_empty() || written.elapsed() >= RECORD_AFTER;
            if !seen.is_empty() && is_time {
                let batch = std::mem::take(&mut seen);
                beside(&mut running, &mut seen, self.record_spots(&batch, &mut round)).await?;
                written = Instant::now();
            } else if running.is_empty() {
                return Ok(round);
            }
            tokio::select! {
                Some(one) = running.next() => seen.push(one),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Takes spot checks for which there is a place.
    async fn take_spots(&self, cutoff: Millis, most: usize) -> Result<Vec<DueSpot>, WatchError> {
        let nodes = self.nodes();
        let blocks = nodes.iter().filter(|(_, node)| node.node.blocks().is_some());
        let blocks: Vec<RowId> = blocks.map(|(row, _)| *row).collect();
        let (limit, kept) = self.desks(|desks| {
            let free = self.settings.concurrency.saturating_sub(desks.under_way()).min(most);
            let free = u32::try_from(free).unwrap_or(u32::MAX);
            (free, desks.keep_for_spots(blocks, free, ticks()))
        });
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        let taken = async {
            let mut tx = self.ledger.write().await?;
            let due = tx.take_spots(cutoff, limit, &kept, &self.settings.schedule).await?;
            tx.commit().await?;
            Ok(due)
        };
        let taken: Result<Vec<DueSpot>, WatchError> = taken.await;
        let used = |node: RowId| taken.iter().flatten().filter(|due| due.node == node).count();
        self.desks(|desks| {
            for (node, places) in kept {
                for _ in used(node)..places as usize {
                    desks.give_back_spot(node);
                }
            }
        });
        taken
    }

    async fn spot(&self, due: DueSpot) -> Checked {
        let offsets = draw_offsets(due.known.size.unwrap_or(0), &mut rand::rng());
        let spotted = match self.node(due.node).await {
            Some(node) => {
                spot_check(node.node.as_ref(), &due.id, due.known, due.held, &offsets).await
            }
            None => Spotted::none("the node is not configured here"),
        };
        self.desks(|desks| desks.spotted(due.node, &spotted, ticks()));
        Checked { due, spotted, at: ledger::now() }
    }

    async fn record_spots(
        &self,
        checked: &[Checked],
        round: &mut SpotRound,
    ) -> Result<(), WatchError> {
        let records: Vec<_> = checked.iter().filter_map(Checked::record).collect();
        round.made += checked.len() as u64;
        let doubts = records.iter().filter(|record| record.result == SpotResult::Doubt);
        round.doubts += doubts.count() as u64;
        for one in checked {
            self.tell_doubt(one);
        }
        if records.is_empty() {
            return Ok(());
        }
        let mut tx = self.ledger.write().await?;
        tx.record_spots(&records).await?;
        Ok(tx.commit().await?)
    }

    /// Says what made a full probe due: of the block that was not there, nothing else tells.
    fn tell_doubt(&self, Checked { due, spotted, .. }: &Checked) {
        let SpotFound::Doubt(why) = &spotted.found else { return };
        if let Some(node) = self.nodes().get(&due.node) {
            let node = name(node.node.url());
            info!("{node}: a spot check of {}: {why}; it is probed in full", due.id);
        }
    }
}

impl Checked {
    /// What is written down; `None` where nothing was said.
    fn record(&self) -> Option<SpotRecord> {
        let result = match self.spotted.found {
            SpotFound::Right => SpotResult::Right,
            SpotFound::Doubt(_) => SpotResult::Doubt,
            SpotFound::Unfit(_) => SpotResult::Unfit,
            SpotFound::Nothing(_) => return None,
        };
        Some(SpotRecord { content: self.due.content, node: self.due.node, result, at: self.at })
    }
}
