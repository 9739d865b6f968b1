//! A few blocks of a file, chosen at random: whether a node that had all of it still gives those.
//!
//! How likely a loss is seen: docs/verdicts.md.

use std::time::Duration;

use rand::{Rng, RngExt as _};

use super::{
    BlockNode, ContentNode, FetchError, Heeds, Known,
    blocks::{is_unsupported, whole},
    seen::{Seen, failed},
};
use crate::{
    content::{Cid, ContentId, DagError, DagLimits, Digest, RecentBlocks, Seek},
    health::ReplicaState,
};

/// Offsets that are looked at in one check.
pub const OFFSETS: usize = 3;

/// Blocks on the way to an offset, at most. Files of a tebibyte have four in the usual layout, and
/// trickle ones ten; each of them is a request.
const LEVELS: usize = 16;

/// What a spot check found. None of it is a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpotFound {
    /// The right blocks.
    Right,
    /// Something that a full probe must look at: a block is not there or is another one, or a copy
    /// that was the node's own no longer is.
    Doubt(String),
    /// The node gives no blocks, or the DAG has none that can be checked so: a fact that lasts.
    Unfit(String),
    /// Nothing: no answer, or none that says anything.
    Nothing(String),
}

/// What a spot check found and cost.
#[derive(Clone, Debug)]
pub struct Spotted {
    /// What it found.
    pub found: SpotFound,
    /// Requests for blocks.
    pub requests: u32,
    /// Bytes of blocks that came.
    pub bytes: u64,
    /// Whether the node could not be reached.
    pub is_silence: bool,
    /// For how long the node wants to be left alone.
    pub left_alone: Option<Duration>,
}

impl Spotted {
    /// Nothing: the node was not asked.
    pub fn none(why: &str) -> Self {
        let found = SpotFound::Nothing(why.to_owned());
        Self { found, requests: 0, bytes: 0, is_silence: false, left_alone: None }
    }
}

/// Offsets into a file of `size` bytes, each as likely as any other. Drawn from what a node can't
/// foresee: who knew them would keep those blocks alone.
pub fn draw_offsets(size: u64, dice: &mut impl Rng) -> [u64; OFFSETS] {
    std::array::from_fn(|_| dice.random_range(0..size.max(1)))
}

/// Fetches the root of a file from a node, and the blocks on the way to these offsets, each once, and
/// hashes them. The file was proved before: `known` has its size and hash.
///
/// A copy that was `held` is asked for as by a full probe: the node is not to look elsewhere.
pub async fn spot_check(
    node: &dyn ContentNode,
    id: &ContentId,
    known: Known,
    held: bool,
    offsets: &[u64],
) -> Spotted {
    let Some(blocks) = node.blocks() else {
        return Spot::default().end(Err(End::Unfit("it gives no blocks".to_owned())));
    };
    let heeds = if held { node.keeps_to_its_own().await } else { Heeds::No };
    // Whether it heeds it or not, what it does not have itself it may refuse.
    let keeps_to_its_own = heeds != Heeds::No;
    let limits = DagLimits { levels: LEVELS, ..DagLimits::default() };
    let check = Check { node, blocks, id: *id, known, limits, keeps_to_its_own };
    let mut spot = Spot::default();
    let after = blocks.fetcher().limits().total;
    let ended = match tokio::time::timeout(after, check.go(offsets, &mut spot)).await {
        Ok(ended) => ended,
        Err(_) => {
            let host = blocks.base().host_str().unwrap_or_default().to_owned();
            Err(check.failed(&FetchError::TooSlow { host, after }))
        }
    };
    if matches!(&ended, Err(End::Failed(seen)) if seen.state == ReplicaState::Unreachable) {
        node.has_failed().await;
    }
    spot.end(match (ended, heeds) {
        (Ok(()), Heeds::No) if held => {
            Err(End::Doubt("it does not keep to its own copies any more".to_owned()))
        }
        (Ok(()), Heeds::Unknown) => Err(End::Failed(Box::new(Seen::unasked(
            "it could not be told whether it keeps to its own copies",
        )))),
        (ended, _) => ended,
    })
}

/// What a check has cost so far.
#[derive(Debug, Default)]
struct Spot {
    requests: u32,
    bytes: u64,
}

impl Spot {
    fn end(self, ended: Result<(), End>) -> Spotted {
        let Self { requests, bytes } = self;
        let spotted = |found| Spotted { found, requests, bytes, ..Spotted::none("") };
        match ended {
            Ok(()) => spotted(SpotFound::Right),
            Err(End::Doubt(why)) => spotted(SpotFound::Doubt(why)),
            Err(End::Unfit(why)) => spotted(SpotFound::Unfit(why)),
            Err(End::Failed(seen)) => {
                let (is_silence, left_alone) = (seen.is_silence, seen.left_alone);
                let why = seen.detail.unwrap_or_default();
                let found = match seen.state {
                    ReplicaState::Missing => SpotFound::Doubt(why),
                    _ => SpotFound::Nothing(why),
                };
                Spotted { is_silence, left_alone, ..spotted(found) }
            }
        }
    }
}

/// Why a check did not come to its end.
enum End {
    Doubt(String),
    Unfit(String),
    /// A request failed: what a probe would see in that.
    Failed(Box<Seen>),
}

struct Check<'a> {
    node: &'a dyn ContentNode,
    blocks: &'a dyn BlockNode,
    id: ContentId,
    known: Known,
    limits: DagLimits,
    /// Whether the blocks must be the node's own.
    keeps_to_its_own: bool,
}

impl Check<'_> {
    async fn go(&self, offsets: &[u64], spot: &mut Spot) -> Result<(), End> {
        let Some(size) = self.known.size else {
            return Err(End::Unfit("its size is not known".to_owned()));
        };
        let mut recent = RecentBlocks::default();
        for offset in offsets {
            let mut seek = Seek::new(self.id.into(), size, *offset, self.limits);
            while let Some(cid) = seek.wanted() {
                if let Some(block) = recent.get(&cid) {
                    seek.give_again(block).map_err(|error| self.misled(&error))?;
                } else if let Some(block) = cid.inlined() {
                    seek.give(block).map_err(|error| self.misled(&error))?;
                } else {
                    let block = self.fetch(&cid, spot).await?;
                    seek.give(&block).map_err(|error| self.judge(&block, &error))?;
                    recent.keep(cid, block);
                }
            }
        }
        Ok(())
    }

    async fn fetch(&self, cid: &Cid, spot: &mut Spot) -> Result<Vec<u8>, End> {
        let own = self.keeps_to_its_own.then(|| self.blocks.own_block(cid)).flatten();
        let is_own = own.is_some();
        spot.requests += 1;
        match whole(own.unwrap_or_else(|| self.blocks.block(cid)), &self.limits).await {
            Ok(block) => {
                spot.bytes += block.len() as u64;
                Ok(block)
            }
            // Whether it has the block from others, the full probe tells.
            Err(error) if is_own && is_refusal(&error) => {
                Err(End::Doubt(format!("it does not have block {cid} itself any more")))
            }
            Err(error) => Err(self.not_given(cid, &error)),
        }
    }

    /// Of a request that failed, of no wish that was refused.
    fn not_given(&self, cid: &Cid, error: &FetchError) -> End {
        let is_root = *cid == Cid::from(self.id);
        match error {
            _ if is_root && is_unsupported(error) => End::Unfit(error.to_string()),
            FetchError::TooLarge { .. } if is_root && self.is_larger_than_a_block() => {
                End::Unfit("it gives files in the place of blocks".to_owned())
            }
            FetchError::TooLarge { .. } => End::Doubt(format!("block {cid}: {error}")),
            _ => self.failed(error),
        }
    }

    fn failed(&self, error: &FetchError) -> End {
        End::Failed(Box::new(failed(self.node.kind(), error, 0)))
    }

    fn is_larger_than_a_block(&self) -> bool {
        self.known.size.is_some_and(|size| size > self.limits.block_bytes as u64)
    }

    /// Of a block that came and leads nowhere.
    fn judge(&self, block: &[u8], error: &DagError) -> End {
        match error {
            DagError::WrongBlock { .. } if self.known.sha256 == Some(Digest::of(block)) => {
                End::Unfit("it gives files in the place of blocks".to_owned())
            }
            DagError::WrongBlock { .. } | DagError::BlockTooLarge { .. } => {
                End::Doubt(error.to_string())
            }
            _ => self.misled(error),
        }
    }

    /// Of a block whose hash is right: what is wrong with it is so everywhere.
    fn misled(&self, error: &DagError) -> End {
        End::Unfit(error.to_string())
    }
}

/// Whether a node refused a block since it was to look nowhere else; 504 is what caches say (RFC 9111,
/// section 5.2.1.7).
fn is_refusal(error: &FetchError) -> bool {
    matches!(error.status(), Some(404 | 410 | 412 | 504))
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn offsets_are_anywhere_in_the_file() {
        let mut dice = StdRng::seed_from_u64(1);
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            for offset in draw_offsets(1000, &mut dice) {
                tenths[usize::try_from(offset / 100).unwrap()] += 1;
            }
        }
        // 3,000 each on average, with a standard deviation of 52.
        assert!(tenths.iter().all(|count| (2700..3300).contains(count)), "{tenths:?}");
        assert_eq!(draw_offsets(0, &mut dice), [0; OFFSETS]);
    }
}
