//! `everhold repairs`: every action with its cost.

use std::collections::HashMap;

use serde::Serialize;

use super::RepairStatus;
use crate::{
    ledger::{LedgerError, Millis, Tx},
    repair::{Budget, Spent},
};

/// What was done, and what is left to do it with.
#[derive(Clone, Debug, Serialize)]
pub struct RepairLog {
    /// Oldest first.
    pub repairs: Vec<LoggedRepair>,
    /// How many wait for a budget.
    pub waiting: u64,
    /// What was spent.
    pub spent: SpentReport,
    /// The budget of everything; null where it is not capped.
    pub budget: CapsReport,
}

/// A repair, and of what.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedRepair {
    /// The content's name.
    pub content: String,
    /// It.
    #[serde(flatten)]
    pub repair: RepairStatus,
}

/// What was spent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SpentReport {
    /// Actions in the last hour.
    pub actions: u64,
    /// Bytes that were sent in the last hour.
    pub bytes: u64,
    /// Credits an hour of the STOREs signed in the last hour.
    pub credits: f64,
    /// Credits an hour of all STOREs signed here that live.
    pub recurring: f64,
}

/// The most that may be spent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CapsReport {
    /// Actions in any hour.
    pub actions: Option<u64>,
    /// Bytes in any hour.
    pub bytes: Option<u64>,
    /// Credits an hour of the STOREs signed in any hour.
    pub credits: Option<f64>,
    /// Credits an hour of all STOREs signed here.
    pub recurring: Option<f64>,
}

impl RepairLog {
    /// Reads what was begun at `since` or later, up to `most`, the last ones.
    pub async fn read(
        tx: &mut Tx,
        mut budget: Budget,
        since: Millis,
        most: u32,
        now: Millis,
    ) -> Result<Self, LedgerError> {
        let repairs = tx.all_repairs(since, most).await?;
        let mut rows: Vec<_> = repairs.iter().map(|repair| repair.content).collect();
        rows.sort_unstable();
        rows.dedup();
        let names: HashMap<_, _> = tx.contents_of_rows(&rows).await?;
        let logged = repairs.into_iter().map(|repair| {
            let known = names.get(&repair.content);
            let content = known.map(|known| known.content.id.to_string()).unwrap_or_default();
            LoggedRepair { content, repair: RepairStatus::from(repair) }
        });
        let repairs = logged.collect();
        tx.add_spent(&mut budget, now).await?;
        let caps = budget.all;
        Ok(Self {
            repairs,
            waiting: tx.waiting_repairs().await?,
            spent: SpentReport::from(budget.spent()),
            budget: CapsReport {
                actions: caps.actions,
                bytes: caps.bytes,
                credits: caps.credits.map(|cap| cap.as_number()),
                recurring: caps.recurring.map(|cap| cap.as_number()),
            },
        })
    }
}

impl From<Spent> for SpentReport {
    fn from(spent: Spent) -> Self {
        Self {
            actions: spent.actions,
            bytes: spent.bytes,
            credits: spent.credits.as_number(),
            recurring: spent.recurring.as_number(),
        }
    }
}
