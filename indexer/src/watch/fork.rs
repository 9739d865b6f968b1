//! What of the ledger is no longer on the chain, and what is done about it: taken back where that
//! was not final, else halted.

use tracing::{debug, info, warn};

use super::{Watch, WatchError, chain::Chain, halt, index::Indexed};
use crate::{
    chain::{BlockRef, RpcError, View},
    ledger::{self, Fork, ForkVerdict},
};

impl Watch {
    /// Compares the window with the chain, and takes back or halts what is no longer on it. Gives
    /// `false` where the endpoints are behind the ledger: then there is nothing to do but wait.
    pub(super) async fn follow_fork(
        &self,
        chain: &Chain,
        view: &View<'_>,
        done: &mut Indexed,
    ) -> Result<bool, WatchError> {
        let window = self.ledger.read().await?.window(chain.id()).await?;
        let Some(top) = window.first() else { return Ok(true) };
        let head = view.head.number;
        if head < unbroken(&window) {
            warn!("the RPC is at block {head}, below all that is remembered; waiting for it");
            return Ok(false);
        }
        let known: Vec<_> = window.iter().filter(|block| block.number <= head).copied().collect();
        let place = newest_on_chain(view, &known, unbroken(&window)).await?;
        let shared = known.get(place).map(|block| block.number);
        if shared == Some(top.number) {
            return Ok(true);
        }
        if shared == Some(head) {
            debug!("the RPC is at block {head}, the ledger at {}", top.number);
            return Ok(false);
        }
        view.may_take_back()?;
        let replaced = match place.checked_sub(1).and_then(|above| known.get(above)) {
            Some(above) => Some(view.settled_block(above.number).await?),
            None => None,
        };
        // Blocks that do not follow each other are no fork: they are of several machines.
        if let (Some(above), Some(below)) = (&replaced, known.get(place))
            && !may_follow(below, above)
        {
            return Err(RpcError::Changed.into());
        }
        let fork =
            Fork { chain_id: chain.id(), window: &window, shared, finalized: view.finalized };
        self.settle_fork(chain, &fork, replaced, done).await?;
        Ok(true)
    }

    /// Does about a fork what the ledger, as it is by then, asks for.
    async fn settle_fork(
        &self,
        chain: &Chain,
        fork: &Fork<'_>,
        replaced: Option<BlockRef>,
        done: &mut Indexed,
    ) -> Result<(), WatchError> {
        let seems = self.ledger.read().await?.fork_verdict(fork).await?;
        let confirmed = seems == ForkVerdict::BeyondFinality;
        if confirmed {
            confirm(chain, replaced).await?;
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
                    halt::open(&mut tx, self.telling(), collection, now).await?;
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
}

/// Nothing is halted on the word of less than half of the endpoints, be they silent or not.
async fn confirm(chain: &Chain, replaced: Option<BlockRef>) -> Result<(), WatchError> {
    let Some(block) = replaced else { return Err(RpcError::Changed.into()) };
    match chain.rpc.most_have(&block).await {
        true => Ok(()),
        false => Err(WatchError::Unconfirmed { block: block.number }),
    }
}

/// The place of the newest of these blocks, newest first, that enough endpoints have; behind the
/// last, where none is on the chain. Those from `unbroken` up are linked: all below one that is on
/// the chain are, too.
async fn newest_on_chain(
    view: &View<'_>,
    known: &[BlockRef],
    unbroken: u64,
) -> Result<usize, RpcError> {
    let is_on_chain = async |block: &BlockRef| {
        Ok::<_, RpcError>(view.settled_block(block.number).await?.hash == block.hash)
    };
    let linked = known.iter().take_while(|block| block.number >= unbroken).count();
    let (mut above, mut below) = (0, linked);
    // Most often it is the newest.
    let mut middle = 0;
    while above < below {
        if is_on_chain(&known[middle]).await? {
            below = middle;
        } else {
            above = middle + 1;
        }
        middle = above + (below - above) / 2;
    }
    while above >= linked && above < known.len() && !is_on_chain(&known[above]).await? {
        above += 1;
    }
    Ok(above)
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
