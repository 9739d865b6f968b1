//! Brings replicas back. What a node answers proves nothing: only a later probe says that a repair has
//! worked, and until then the next step is not taken.
//!
//! In rungs: of everything that is not well, each gets the cheapest action that was not tried yet; all
//! are written down, then done, then what nodes answered is written down, and their replicas are due
//! for a probe. Then comes the next rung.

mod act;
mod admit;
mod bill;
mod blocks;
mod cases;
mod forget;
mod source;
mod stores;
mod stuck;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{info, warn};

pub use self::admit::Planned;
use self::cases::Chosen;
pub(super) use self::source::{Source, Wanted};
use super::{Watch, WatchError, verify::LONGEST_DOUBT};
use crate::{
    crash,
    health::{Health, ReplicaState, is_believed},
    ledger::{self, Millis, Replica, RowId, Turn, Undone, Unwell},
    picture::ContentPicture,
    repair::{Budget, Patience},
};

/// Contents looked at together.
const BATCH: u32 = 500;
/// What was tried before this (milliseconds ago) is of no account.
const MEMORY: Millis = 7 * 24 * 60 * 60 * 1000;
/// What there is no room for is looked at again after this (milliseconds).
const HOLD_BACK: Millis = 60_000;
/// A turn of another process that lasts longer is said.
const LONG_TURN: Duration = Duration::from_secs(600);
/// Rungs of one round: there are fewer actions than this.
const MOST_RUNGS: usize = 12;

impl Watch {
    /// Repairs everything that needs it, rung by rung, each proved by probes; gives how many actions
    /// were taken, how many of them were proved, and the probes that were made for it. Nobody else repairs
    /// meanwhile.
    pub(super) async fn repair_wholly(&self) -> Result<(u64, u64, u64), WatchError> {
        let mut turn = self.ledger.wait_to_repair().await?;
        let (begun, mut probes) = (ledger::now(), 0);
        for _ in 0..MOST_RUNGS {
            if self.rung(Patience::Since(begun), &mut turn).await? == 0 {
                break;
            }
            // A node gets its time, and a few probes that fail are made again.
            let patience = self.settings.wait + LONGEST_DOUBT;
            probes += self.settle_doubts_within(patience).await?;
            self.assess().await?;
        }
        self.care_for_bills().await?;
        let (tried, proved) = self.ledger.read().await?.repair_tally(begun).await?;
        Ok((tried, proved, probes))
    }

    /// One rung, unless another process repairs; gives how many actions were taken.
    pub(super) async fn repair_once(&self) -> Result<u64, WatchError> {
        // Most often there is nothing, and nobody need wait for a turn or a writer.
        let is_time = self.is_time_for_bills();
        if !is_time && !self.ledger.read().await?.needs_repairs(ledger::now()).await? {
            return Ok(0);
        }
        let Some(mut turn) = self.ledger.try_to_repair().await? else {
            self.say_no_turn();
            return Ok(0);
        };
        *self.repairing.no_turn_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let taken = self.rung(Patience::Patient, &mut turn).await?;
        if is_time {
            self.care_for_bills().await?;
            self.note_bills();
        }
        Ok(taken)
    }

    /// Says it if another process has had the turn for long: its machine may be gone.
    fn say_no_turn(&self) {
        let mut since = self.repairing.no_turn_since.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = since.get_or_insert_with(Instant::now).elapsed();
        if waited >= LONG_TURN {
            warn!(
                "another process has repaired for {} min, or its machine is gone; on PostgreSQL, \
                 `tcp_keepalives_idle` says how soon that is noticed",
                waited.as_secs() / 60
            );
            *since = Some(Instant::now());
        }
    }

    /// What would be done now, had it a turn, and what it would cost.
    pub async fn plan(&self) -> Result<Vec<Planned>, WatchError> {
        let mut budget = self.budget().await?;
        let mut planned = Vec::new();
        for which in [Unwell::Lost, Unwell::NotLost] {
            let mut after = RowId::MIN;
            loop {
                let unwell = self.unwell(which, after).await?;
                let Some(last) = unwell.iter().map(|content| content.content.row).max() else {
                    break;
                };
                after = last;
                let chosen = self.choose(unwell, Patience::Since(ledger::now())).await?;
                planned.extend(self.admit(chosen.targets, &mut budget).await?.planned());
            }
        }
        Ok(planned)
    }

    /// Of each content that is not well, the cheapest actions that were not tried yet.
    async fn rung(&self, patience: Patience, turn: &mut Turn) -> Result<u64, WatchError> {
        let mut tx = self.ledger.write().await?;
        tx.settle_pin_requests(ledger::now()).await?;
        tx.drop_waiting().await?;
        tx.commit().await?;
        self.repairing.silent.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let mut budget = self.budget().await?;
        let (mut taken, mut has_room) = (0, true);
        // Whatever is left of a budget goes to what is lost first.
        for which in [Unwell::Lost, Unwell::NotLost] {
            let (done, had_room) = self.sweep(which, patience, turn, &mut budget).await?;
            (taken, has_room) = (taken + done, has_room && had_room);
        }
        self.note_room(has_room);
        Ok(taken)
    }

    /// Gives how many actions were taken, and whether there was room for all.
    async fn sweep(
        &self,
        which: Unwell,
        patience: Patience,
        turn: &mut Turn,
        budget: &mut Budget,
    ) -> Result<(u64, bool), WatchError> {
        let (mut taken, mut after, mut has_room) = (0, RowId::MIN, true);
        loop {
            let unwell = self.unwell(which, after).await?;
            let Some(last) = unwell.iter().map(|content| content.content.row).max() else {
                return Ok((taken, has_room));
            };
            after = last;
            let Chosen { targets, undone, stuck } = self.choose(unwell, patience).await?;
            self.note_undone(undone, &stuck).await?;
            crash::point("repair.chosen");
            let admitted = self.admit(targets, budget).await?;
            has_room &= admitted.has_room();
            self.hold_back(admitted.held_back(self.settings.dry_run));
            if self.settings.dry_run {
                self.say_planned(&admitted.planned());
                continue;
            }
            turn.must_be_held().await?;
            taken += self.carry_out(admitted).await?;
        }
    }

    /// The next contents, after `after`, some replica of which is not well; worst first.
    async fn unwell(&self, which: Unwell, after: RowId) -> Result<Vec<ContentPicture>, WatchError> {
        let mut tx = self.ledger.read().await?;
        let rows = tx.unwell_contents(which, after, BATCH, ledger::now()).await?;
        let (policy, now) = (&self.settings.policy, ledger::now());
        let mut unwell = ContentPicture::of_rows(&mut tx, &rows, policy, now).await?;
        unwell.sort_by_key(|content| {
            (std::cmp::Reverse(content.assessment.health), content.content.row)
        });
        Ok(unwell)
    }

    /// Whether content is so young that its nodes may still fetch it by themselves.
    fn is_on_its_way(&self, content: &ContentPicture) -> bool {
        let wait = i64::try_from(self.settings.wait.as_millis()).unwrap_or(i64::MAX);
        let now = ledger::now();
        let is_young = |since| is_believed(since, now) && now < since.saturating_add(wait);
        content.assessment.health == Health::Pending
            && content.content.past.wanted_since.is_none_or(is_young)
    }

    /// Writes down what is not done, and tells once where nothing is any more.
    async fn note_undone(
        &self,
        undone: Vec<Undone>,
        stuck: &[(RowId, Vec<String>)],
    ) -> Result<(), WatchError> {
        if (undone.is_empty() && stuck.is_empty()) || self.settings.dry_run {
            return Ok(());
        }
        let mut tx = self.ledger.write().await?;
        let now = ledger::now();
        tx.note_undone(&undone, now).await?;
        self.tell_stuck(&mut tx, stuck, now).await?;
        tx.commit().await?;
        crash::point("repair.undone-noted");
        Ok(())
    }

    /// Where there was room for all, the next time that there is none is said again.
    fn note_room(&self, has_room: bool) {
        let now = ledger::now();
        let mut held_back = self.repairing.held_back.lock().unwrap_or_else(PoisonError::into_inner);
        held_back.retain(|_, until| now < *until);
        if has_room && held_back.is_empty() {
            self.repairing.used_up.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Leaves replicas alone for a while: there is no room for them, or it was only said what would be
    /// done.
    fn hold_back(&self, replicas: impl Iterator<Item = (RowId, RowId)>) {
        let now = ledger::now();
        // Whoever panicked left whole entries.
        let mut held_back = self.repairing.held_back.lock().unwrap_or_else(PoisonError::into_inner);
        held_back.retain(|_, until| now < *until);
        held_back.extend(replicas.map(|replica| (replica, now.saturating_add(HOLD_BACK))));
    }

    /// Says what would be done, each once.
    fn say_planned(&self, planned: &[Planned]) {
        // Whoever panicked left whole entries.
        let mut said = self.repairing.planned.lock().unwrap_or_else(PoisonError::into_inner);
        for one in planned {
            if said.insert((one.content.clone(), one.node.clone(), one.action)) {
                info!("dry run: {one}");
            }
        }
    }
}

/// Whether there is something to repair at a replica: the node is up, and serves no right bytes.
fn can_be_repaired(replica: &Replica) -> bool {
    match replica.view.state {
        Some(ReplicaState::Missing | ReplicaState::Corrupt) => true,
        // A node that answers, but with errors or cut bodies, may have a broken file.
        Some(ReplicaState::Unreachable) => replica.http_status.is_some(),
        _ => false,
    }
}

/// What is known of repairs beside the ledger, for as long as the process lasts.
#[derive(Debug)]
pub(super) struct Repairing {
    /// Since when this process repairs: another may have had other settings.
    began: Millis,
    /// Replicas, by content and node, that wait for a budget or were only said to be repaired, and until when
    /// they are left alone.
    held_back: Mutex<HashMap<(RowId, RowId), Millis>>,
    /// What was said already of a dry run: content, node and action.
    planned: Mutex<BTreeSet<(String, String, &'static str)>>,
    /// Budgets that were said to be used up.
    used_up: Mutex<HashSet<String>>,
    /// Nodes that can't list STOREs, and since when.
    unlisted: Mutex<HashMap<RowId, Instant>>,
    /// Nodes that answered by silence in this rung, and how often in a row.
    silent: Mutex<HashMap<RowId, u32>>,
    /// Since when another process has the turn.
    no_turn_since: Mutex<Option<Instant>>,
    /// When bills were last looked at.
    billed: Mutex<Option<Instant>>,
}

impl Default for Repairing {
    fn default() -> Self {
        Self {
            began: ledger::now(),
            held_back: Mutex::default(),
            planned: Mutex::default(),
            used_up: Mutex::default(),
            unlisted: Mutex::default(),
            silent: Mutex::default(),
            no_turn_since: Mutex::default(),
            billed: Mutex::default(),
        }
    }
}
