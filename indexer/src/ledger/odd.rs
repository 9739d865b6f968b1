//! Logs of contracts that are not ours which could not be used.

use std::collections::BTreeMap;

use super::{Result, RowId, Tx, execute, fetch, follow::ByAddress, int, uint};
use crate::chain::{Oddity, TokenEvent, TokenEventKind};

/// Logs of a collection that were passed over for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OddLogs {
    /// The collection.
    pub collection: RowId,
    /// What was odd about them.
    pub oddity: Oddity,
    /// How many there were. A block that a reorg took back, and the one that came instead, both count.
    pub count: u64,
    /// The block of the first.
    pub first_block: u64,
    /// The block of the last.
    pub last_block: u64,
}

impl Tx {
    /// Counts the logs among these that are passed over.
    pub(super) async fn count_odd_logs(
        &mut self,
        collections: &ByAddress<'_>,
        events: &[&TokenEvent],
    ) -> Result<()> {
        let mut odd: BTreeMap<(RowId, Oddity), (u64, u64, u64)> = BTreeMap::new();
        for event in events {
            let (TokenEventKind::Odd(oddity), Some(collection)) =
                (&event.kind, collections.get(&event.collection))
            else {
                continue;
            };
            let block = event.block_number;
            let (count, first, last) =
                odd.entry((collection.id, *oddity)).or_insert((0, block, block));
            (*count, *first, *last) = (*count + 1, (*first).min(block), (*last).max(block));
        }
        for ((collection, oddity), (count, first, last)) in odd {
            execute!(
                self,
                "INSERT INTO odd_logs (collection_id, kind, count, first_block, last_block)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (collection_id, kind) DO UPDATE SET
                    count = odd_logs.count + excluded.count, last_block = excluded.last_block",
                collection,
                oddity.as_str(),
                int(count),
                int(first),
                int(last),
            )?;
        }
        Ok(())
    }

    /// The logs that were passed over, by collection.
    pub async fn odd_logs(&mut self) -> Result<Vec<OddLogs>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64, String, i64, i64, i64),
            "SELECT collection_id, kind, count, first_block, last_block FROM odd_logs
             ORDER BY collection_id, kind",
        )?;
        let odd = |(collection, kind, count, first, last): (i64, String, i64, i64, i64)| {
            let oddity = Oddity::ALL.into_iter().find(|oddity| oddity.as_str() == kind)?;
            let (count, first_block, last_block) = (uint(count), uint(first), uint(last));
            Some(OddLogs { collection, oddity, count, first_block, last_block })
        };
        Ok(rows.into_iter().filter_map(odd).collect())
    }
}
