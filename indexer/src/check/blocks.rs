//! Block by block, out of an archive or one at a time.
//!
//! Trustless gateways: <https://specs.ipfs.tech/http-gateways/trustless-gateway/>.

use everhold_net::{Body, FetchError, Request};

use super::{Answer, Verdict, bytes::is_unsupported, taken::Taken};
use crate::content::{CarCheck, CarError, Cid, DagError, DagLimits, Next, Walk};

/// Blocks that are fetched beside an archive, because it had them before: an archive that leaves
/// out more is no help.
const MAX_BESIDE: usize = 1000;

/// Makes the request for one block.
pub(super) type BlockRequest<'a> = &'a (dyn Fn(&Cid) -> Request + Send + Sync);

/// What keeps blocks from being checked.
enum Trouble {
    Fetch(FetchError),
    Car(CarError),
    /// The source has no archives.
    NoCar,
    Other(&'static str),
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl From<CarError> for Trouble {
    fn from(error: CarError) -> Self {
        Self::Car(error)
    }
}

impl From<DagError> for Trouble {
    fn from(error: DagError) -> Self {
        Self::Car(error.into())
    }
}

/// Sends a request whose answer should be an archive of what `walk` wants.
///
/// `Err` where the source has no archives.
pub(super) async fn archive(
    request: Request,
    answer: Answer,
    walk: Walk,
    limits: &DagLimits,
    block: BlockRequest<'_>,
    keep: usize,
) -> Result<Answer, Answer> {
    let mut taken = Taken::new(keep);
    match archive_into(request, walk, limits, block, &mut taken).await {
        Ok(walk) => Ok(taken.proved(answer).found(walk.found())),
        Err(Trouble::NoCar) => Err(answer.because("it gives no archives")),
        Err(trouble) => Ok(trouble.answer(answer, &taken)),
    }
}

async fn archive_into(
    request: Request,
    walk: Walk,
    limits: &DagLimits,
    block: BlockRequest<'_>,
    taken: &mut Taken,
) -> Result<Walk, Trouble> {
    let mut body = match request.open().await {
        Ok(body) => body,
        Err(error) if is_unsupported(&error) => return Err(Trouble::NoCar),
        Err(error) => return Err(error.into()),
    };
    let kind = body.content_type();
    // Kubo's RPC says nothing, or that it is bytes.
    if !matches!(
        kind.as_deref(),
        None | Some("application/vnd.ipld.car" | "application/octet-stream")
    ) {
        return Err(Trouble::NoCar);
    }
    let mut check = CarCheck::new(walk, limits.block_bytes);
    let mut sink = |bytes: &[u8]| taken.take(bytes);
    let (mut beside, mut next, mut ended) = (0, Next::Bytes, false);
    loop {
        next = match next {
            Next::Bytes => match body.chunk().await? {
                Some(chunk) => check.feed(&chunk, &mut sink)?,
                None => {
                    ended = true;
                    check.end(&mut sink)?
                }
            },
            Next::Block(cid) if beside < MAX_BESIDE => {
                beside += 1;
                let bytes = whole_block(block(&cid), limits).await?;
                check.give(&bytes, &mut sink)?
            }
            Next::Block(cid) => return Err(CarError::Missing { cid }.into()),
            Next::Nothing if ended => return Ok(check.finish()?),
            Next::Nothing => return Err(Trouble::Other("the archive has more than it should")),
        };
    }
}

/// Walks block by block, each in a request of its own.
///
/// `Err` where the source gives no blocks.
pub(super) async fn one_by_one(
    answer: Answer,
    mut walk: Walk,
    limits: &DagLimits,
    block: BlockRequest<'_>,
    keep: usize,
) -> Result<Answer, Answer> {
    let mut taken = Taken::new(keep);
    let mut asked = false;
    while let Some(cid) = walk.wanted() {
        let given = match cid.inlined() {
            Some(block) => Ok(block.to_vec()),
            None => whole_block(block(&cid), limits).await,
        };
        let step = match given {
            // A gateway that does not know of blocks says so, or gives the file instead, which
            // may be larger than any block.
            Err(error)
                if !asked
                    && (is_unsupported(&error) || matches!(error, FetchError::TooLarge { .. })) =>
            {
                return Err(answer.because("it gives no blocks"));
            }
            Err(error) => Err(Trouble::Fetch(error)),
            Ok(block) => match walk.give(&block) {
                Err(DagError::WrongBlock { .. }) if !asked => {
                    return Err(answer.because("it gives no blocks"));
                }
                Err(error) => Err(error.into()),
                Ok(data) => {
                    taken.take(data);
                    Ok(())
                }
            },
        };
        if let Err(trouble) = step {
            return Ok(trouble.answer(answer, &taken));
        }
        asked = true;
    }
    match walk.is_finished() {
        true => Ok(taken.proved(answer).found(walk.found())),
        false => Ok(answer.because("the walk was broken off")),
    }
}

async fn whole_block(request: Request, limits: &DagLimits) -> Result<Vec<u8>, FetchError> {
    let mut body: Body = request.limit(limits.block_bytes as u64).open().await?;
    Ok(body.collect().await?.to_vec())
}

impl Trouble {
    fn answer(self, answer: Answer, taken: &Taken) -> Answer {
        let bytes = taken.bytes();
        match self {
            Self::Fetch(error) => Answer { bytes, ..answer.failed(&error) },
            Self::Car(error) => {
                let verdict = verdict_of(&error);
                Answer { verdict, bytes, ..answer.because(error) }
            }
            Self::NoCar => answer.because("it gives no archives"),
            Self::Other(why) => Answer { verdict: Verdict::Corrupt, bytes, ..answer.because(why) },
        }
    }
}

/// What is wrong with blocks that came.
pub(super) fn verdict_of(error: &CarError) -> Verdict {
    match error {
        CarError::Dag(DagError::NotFound { .. } | DagError::NotADirectory { .. }) => {
            Verdict::Missing
        }
        CarError::Dag(DagError::FileTooLarge { .. }) => Verdict::TooLarge,
        CarError::Dag(
            DagError::Hash { .. } | DagError::Codec { .. } | DagError::Symlink { .. },
        ) => Verdict::Unproved,
        CarError::Missing { .. } => Verdict::Missing,
        _ => Verdict::Corrupt,
    }
}
