//! Block by block, out of an archive or one at a time.

use everhold_net::Request;

use super::{Answer, Verdict, taken::Taken};
use crate::{
    content::{CarError, DagError, DagLimits, Walk},
    nodes::{
        BlockNode,
        blocks::{self, BlocksError},
    },
};

/// Sends a request whose answer should be an archive of what `walk` wants.
///
/// `Err` where the source has no archives.
pub(super) async fn archive(
    node: &dyn BlockNode,
    request: Request,
    answer: Answer,
    walk: Walk,
    limits: &DagLimits,
    keep: usize,
) -> Result<Answer, Answer> {
    let mut taken = Taken::new(keep);
    let mut sink = |bytes: &[u8]| taken.take(bytes);
    let walked = blocks::by_archive(node, request, walk, limits, &mut sink).await;
    judge(node, walked, answer, taken)
}

/// Walks block by block, each in a request of its own.
///
/// `Err` where the source gives no blocks.
pub(super) async fn one_by_one(
    node: &dyn BlockNode,
    answer: Answer,
    walk: Walk,
    limits: &DagLimits,
    keep: usize,
) -> Result<Answer, Answer> {
    let mut taken = Taken::new(keep);
    let mut sink = |bytes: &[u8]| taken.take(bytes);
    let walked = blocks::one_by_one(node, walk, limits, &mut sink).await;
    judge(node, walked, answer, taken)
}

fn judge(
    node: &dyn BlockNode,
    walked: Result<Walk, BlocksError>,
    answer: Answer,
    taken: Taken,
) -> Result<Answer, Answer> {
    let bytes = taken.bytes();
    Ok(match walked {
        Ok(walk) if walk.is_finished() => taken.proved(answer).found(walk.found()),
        Ok(_) => answer.because("the walk was broken off"),
        Err(BlocksError::None(what)) => return Err(answer.because(format!("it gives no {what}"))),
        Err(BlocksError::Fetch(error)) => {
            let missing = node.says_missing(&error);
            let answer = Answer { bytes, ..answer.failed(&error) };
            let verdict = if missing { Verdict::Missing } else { answer.verdict };
            Answer { verdict, ..answer }
        }
        Err(BlocksError::Car(error)) => {
            let verdict = verdict_of(&error);
            Answer { verdict, bytes, ..answer.because(error) }
        }
    })
}

/// What is wrong with blocks that came.
pub(super) fn verdict_of(error: &CarError) -> Verdict {
    match error {
        CarError::Dag(DagError::NotFound { .. } | DagError::NotADirectory { .. }) => {
            Verdict::Missing
        }
        error if error.is_limit() => Verdict::TooLarge,
        CarError::Dag(
            DagError::Hash { .. } | DagError::Codec { .. } | DagError::Symlink { .. },
        ) => Verdict::Unproved,
        CarError::Missing { .. } => Verdict::Missing,
        _ => Verdict::Corrupt,
    }
}
