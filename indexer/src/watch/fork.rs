//! What of the ledger is no longer on the chain, and what is done about it: taken back where that
//! was not final, else halted.

use tracing::{debug, info, warn};

use super::{Watch, WatchError, halt, index::Indexed};
use crate::{
    chain::{BlockRef, RpcError, View},
    ledger::{self, Fork, ForkVerdict},
};

impl Watch {
    /// Compares the window with the chain, and takes back or halts what is no longer on it. Gives
    /// `false` where the endpoints are behind the ledger: then there is nothing to do but wait.
    pub(super) async fn follow_fork(
        &self,
        view: &View<'_>,
        done: &mut Indexed,
    ) -> Result<bool, WatchError> {
        let window = self.ledger.read().await?.window(self.rpc.chain_id()).await?;
        let Some(top) = window.first() else { return Ok(true) };
        let head = view.head.number;
        if head < unbroken(&window) {
            warn!("the RPC is at block {head}, below all that is remembered; waiting for it");
            return Ok(false);
        }
        let mut replaced: Option<BlockRef> = None;
        let mut shared = None;
        for known in window.iter().filter(|block| block.number <= head) {
            // No answer below the head is no fork: the endpoint contradicts itself.
            let now = view.block(known.number).await?.ok_or(RpcError::Changed)?;
            // Nor are blocks that do not follow each other: they are of several machines.
            if replaced.is_some_and(|above| !may_follow(&now, &above)) {
                return Err(RpcError::Changed.into());
            }
            if now.hash == known.hash {
                if known.number == top.number {
                    return Ok(true);
                }
                if known.number == head {
                    debug!("the RPC is at block {}, the ledger at {}", known.number, top.number);
                    return Ok(false);
                }
                shared = Some(known.number);
                break;
            }
            replaced = Some(now);
        }
        let fork = Fork {
            chain_id: self.rpc.chain_id(),
            window: &window,
            shared,
            finalized: view.finalized,
        };
        self.settle_fork(&fork, replaced, done).await?;
        Ok(true)
    }

    /// Does about a fork what the ledger, as it is by then, asks for.
    async fn settle_fork(
        &self,
        fork: &Fork<'_>,
        replaced: Option<BlockRef>,
        done: &mut Indexed,
    ) -> Result<(), WatchError> {
        let seems = self.ledger.read().await?.fork_verdict(fork).await?;
        let confirmed = seems == ForkVerdict::BeyondFinality;
        if confirmed {
            self.confirm(replaced).await?;
        }
        let mut tx = self.ledger.write().await?;
        let (top, now) = (fork.window.first().map_or(0, |top| top.number), ledger::now());
        match (tx.judge_fork(fork).await?, fork.shared) {
            (ForkVerdict::Revert, Some(ancestor)) => {
                info!("reorg: blocks {} to {top} are taken back", ancestor.saturating_add(1));
                let keep = self.settings.keep_history;
                tx.revert_blocks(fork.chain_id, ancestor, keep, now).await?;
                tx.commit().await?;
                done.reorgs += 1;
            }
            (ForkVerdict::BeyondFinality, _) if confirmed => {
                let halted = tx.halt_beyond(fork, now).await?;
                for collection in &halted {
                    halt::open(&mut tx, self.sink_urls(), collection, now).await?;
                }
                tx.commit().await?;
                done.halted += halted.len() as u64;
                halted.iter().for_each(halt::say);
            }
            // Another process was here first.
            _ => return Err(RpcError::Changed.into()),
        }
        Ok(())
    }

    /// Nothing is halted on the word of less than half of the endpoints, be they silent or not.
    async fn confirm(&self, replaced: Option<BlockRef>) -> Result<(), WatchError> {
        let Some(block) = replaced else { return Err(RpcError::Changed.into()) };
        match self.rpc.most_have(&block).await {
            true => Ok(()),
            false => Err(WatchError::Unconfirmed { block: block.number }),
        }
    }
}

/// The lowest of the blocks that follow each other from the newest one down. A head below it can't
/// be compared with anything: further down, there are only single blocks.
fn unbroken(window: &[BlockRef]) -> u64 {
    let breaks = |pair: &&[BlockRef]| pair[1].number.checked_add(1) != Some(pair[0].number);
    let lowest = window.windows(2).find(breaks).map(|pair| pair[0]).or(window.last().copied());
    lowest.map_or(0, |block| block.number)
}

/// Whether `above` may stand above `below` on one chain.
fn may_follow(below: &BlockRef, above: &BlockRef) -> bool {
    below.number.checked_add(1) != Some(above.number) || above.parent_hash == below.hash
}
