//! How far the chain is, and what of it is not final yet.

use super::{Millis, Result, RowId, Tx, execute, fetch, int, states::time, uint};
use crate::chain::BlockRef;

/// A chain as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Its last final block.
    pub finalized_block: Option<u64>,
    /// Its head; `None` before the first look.
    pub head: Option<Head>,
}

/// The head of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub block: u64,
    /// Its time, seconds since 1970, as the chain says.
    pub time: Option<u64>,
    /// When it was seen.
    pub seen_at: Millis,
}

type HeadRow = (i64, i64, Option<i64>, Option<i64>, Option<i64>);

impl Tx {
    /// Remembers the head of a chain.
    pub async fn see_head(&mut self, chain_id: u64, head: &BlockRef, now: Millis) -> Result<()> {
        execute!(
            self,
            "UPDATE chains SET head_block = $2, head_time = $3, head_seen = $4
             WHERE chain_id = $1",
            int(chain_id),
            int(head.number),
            head.time.map(time),
            now,
        )?;
        Ok(())
    }

    /// Every chain of the ledger, with its head.
    pub async fn chain_heads(&mut self) -> Result<Vec<ChainHead>> {
        let rows = fetch!(
            fetch_all,
            self,
            HeadRow,
            "SELECT chain_id, finalized_block, head_block, head_time, head_seen FROM chains
             ORDER BY chain_id",
        )?;
        let chain = |(id, finalized, block, time, seen): HeadRow| ChainHead {
            chain_id: uint(id),
            finalized_block: u64::try_from(finalized).ok(),
            head: block.zip(seen).map(|(block, seen_at)| Head {
                block: uint(block),
                time: time.map(uint),
                seen_at,
            }),
        };
        Ok(rows.into_iter().map(chain).collect())
    }

    /// How many tokens of a collection have content that was set above `finalized`, or were
    /// minted there.
    pub async fn tokens_above(
        &mut self,
        collection: RowId,
        finalized: Option<u64>,
    ) -> Result<usize> {
        let (count,) = fetch!(
            fetch_one,
            self,
            (i64,),
            "SELECT COUNT(*) FROM tokens
             WHERE collection_id = $1 AND COALESCE(content_block, minted_block) > $2",
            collection,
            finalized.map_or(-1, int),
        )?;
        Ok(usize::try_from(count).unwrap_or(0))
    }
}
