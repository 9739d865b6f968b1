//! Collections that were read from blocks the chain gave up though they counted as final: halted,
//! and read again from their start when a person says so.

use std::collections::BTreeSet;

use super::{
    Collection, Millis, Result, RowId, Tx, execute, fetch, follow::contents_of_sql, int, uint,
};
use crate::chain::BlockRef;

/// Why a collection is not read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Since when.
    pub since: Millis,
    /// Why, in words.
    pub reason: String,
    /// The last block that is known to be on the chain still; `None` where none is.
    pub shared: Option<u64>,
}

/// Where the chain left what the ledger holds of it.
#[derive(Clone, Copy, Debug)]
pub struct Fork<'a> {
    /// Chain it is on.
    pub chain_id: u64,
    /// The window that the chain was compared with, newest first.
    pub window: &'a [BlockRef],
    /// The last of its blocks that is still on the chain; `None` where none is.
    pub shared: Option<u64>,
    /// The last final block of the chain as it is now.
    pub finalized: Option<u64>,
}

/// What is to be done about a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkVerdict {
    /// The window is another by now: the chain has to be compared with that.
    Moved,
    /// Every block that was given up is above the last final one: they can be taken back.
    Revert,
    /// A final block was given up, or nothing remembered is on the chain any more.
    BeyondFinality,
}

impl Fork<'_> {
    /// Why a collection that was read up to `indexed` is halted.
    fn reason(&self, finalized: i64, indexed: u64) -> String {
        let oldest = self.window.last().map_or(0, |block| block.number);
        let read = format!("it was read up to block {indexed}");
        match self.shared {
            Some(shared) if int(shared) < finalized => format!(
                "the chain was rewritten from block {} on, though block {finalized} counted as \
                 final; {read}",
                shared.saturating_add(1)
            ),
            _ => format!(
                "the chain was rewritten below block {oldest}, the oldest one remembered; {read}"
            ),
        }
    }
}

impl Tx {
    /// What a fork asks for, as the ledger is now. Keeps others from writing until this
    /// transaction ends.
    pub async fn judge_fork(&mut self, fork: &Fork<'_>) -> Result<ForkVerdict> {
        self.alone().await?;
        if self.window(fork.chain_id).await? != fork.window {
            return Ok(ForkVerdict::Moved);
        }
        self.fork_verdict(fork).await
    }

    /// As [`Tx::judge_fork`], for a first look: it takes no lock and does not compare the window.
    pub async fn fork_verdict(&mut self, fork: &Fork<'_>) -> Result<ForkVerdict> {
        let finalized = self.finalized(fork.chain_id).await?;
        Ok(match fork.shared {
            Some(shared) if int(shared) >= finalized => ForkVerdict::Revert,
            _ => ForkVerdict::BeyondFinality,
        })
    }

    /// Halts every collection of the configuration that was read beyond the last block that the
    /// ledger and the chain share, and forgets the blocks above it; gives those that it halted.
    /// One that the configuration leaves out is begun anew instead: nobody looks at it.
    pub async fn halt_beyond(&mut self, fork: &Fork<'_>, now: Millis) -> Result<Vec<Collection>> {
        self.alone().await?;
        let (chain, above) = (int(fork.chain_id), fork.shared.map_or(-1, int));
        let finalized = self.finalized(fork.chain_id).await?;
        let read = fetch!(
            fetch_all,
            self,
            (i64, i64, i64),
            "SELECT id, active, indexed_block FROM collections
             WHERE chain_id = $1 AND halted_at IS NULL
               AND indexed_block >= start_block AND indexed_block > $2",
            chain,
            above,
        )?;
        let mut halted = Vec::new();
        for (id, active, indexed) in read {
            if active == 0 {
                self.begin_anew(id).await?;
                continue;
            }
            execute!(
                self,
                "UPDATE collections SET halted_at = $2, halted_reason = $3, halted_block = $4,
                    halted_final = $5 WHERE id = $1",
                id,
                now,
                fork.reason(finalized, uint(indexed)),
                fork.shared.map(int),
                finalized,
            )?;
            // Never to be brought back: it is of blocks that are gone.
            execute!(self, "DELETE FROM token_undo WHERE collection_id = $1", id)?;
            halted.push(id);
        }
        execute!(self, "DELETE FROM blocks WHERE chain_id = $1 AND number > $2", chain, above)?;
        // Blocks that come instead are not final because those they replace were.
        let back = fork.shared.or(fork.finalized).map_or(-1, int);
        execute!(
            self,
            "UPDATE chains SET finalized_block = $2 WHERE chain_id = $1 AND finalized_block > $2",
            chain,
            back,
        )?;
        let all = self.followed(Some(fork.chain_id)).await?;
        Ok(all.into_iter().filter(|collection| halted.contains(&collection.id)).collect())
    }

    /// Forgets what was read of a collection, so that it is read again from its start, and lifts
    /// its halt. What it names stays wanted until then: contents, replicas and their evidence are
    /// left alone.
    pub async fn begin_anew(&mut self, collection: RowId) -> Result<()> {
        self.alone().await?;
        execute!(
            self,
            concat!(
                "INSERT INTO kept_contents (collection_id, content_id)
                 SELECT $1, id FROM contents WHERE wanted = 1 AND id IN (",
                contents_of_sql!(),
                ") ON CONFLICT DO NOTHING"
            ),
            collection,
        )?;
        self.forget_collection(collection).await?;
        self.doubt_creations(collection).await?;
        execute!(
            self,
            "UPDATE collections SET indexed_block = start_block - 1, rereading = 1,
                halted_at = NULL, halted_reason = NULL, halted_block = NULL, halted_final = NULL
             WHERE id = $1",
            collection,
        )?;
        Ok(())
    }

    /// A collection has been read again: what it does not name any more is no longer wanted for
    /// its sake. Gives `false` where it is not as it was seen.
    pub async fn has_been_reread(
        &mut self,
        seen: &Collection,
        keep_history: bool,
        now: Millis,
    ) -> Result<bool> {
        self.alone().await?;
        let indexed = seen.indexed_block.map_or(int(seen.start_block) - 1, int);
        let done = execute!(
            self,
            "UPDATE collections SET rereading = 0
             WHERE id = $1 AND rereading = 1 AND halted_at IS NULL AND indexed_block = $2
               AND NOT EXISTS
                (SELECT 1 FROM token_uris
                 WHERE collection_id = $1 AND state = 'new' AND LENGTH(token_id) > 0)",
            seen.id,
            indexed,
        )?;
        if done == 0 {
            return Ok(false);
        }
        let kept = "DELETE FROM kept_contents WHERE collection_id = $1 RETURNING content_id";
        let kept = fetch!(fetch_all, self, (i64,), kept, seen.id)?;
        let mut contents: BTreeSet<_> = kept.into_iter().map(|(id,)| id).collect();
        contents.append(&mut self.settle_creations(seen.id).await?);
        self.refresh_wanted(&contents, keep_history, now).await?;
        Ok(true)
    }

    async fn finalized(&mut self, chain_id: u64) -> Result<i64> {
        let select = "SELECT finalized_block FROM chains WHERE chain_id = $1";
        Ok(fetch!(fetch_one, self, (i64,), select, int(chain_id))?.0)
    }
}
