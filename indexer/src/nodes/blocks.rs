//! Content block by block, out of an archive or one at a time: for a DAG that was cut in a way
//! that nobody knows, and for those who serve nothing else.
//!
//! Trustless gateways: <https://specs.ipfs.tech/http-gateways/trustless-gateway/>.

use everhold_net::{FetchError, Request};

use crate::content::{CarCheck, CarError, Cid, DagError, DagLimits, Next, Walk};

/// Blocks that are fetched beside an archive, because it had them before: an archive that leaves
/// out more is no help.
const MAX_BESIDE: usize = 1000;

/// The media type of archives.
const CAR: &str = "application/vnd.ipld.car";

/// Somebody who gives blocks.
pub trait BlockNode: Send + Sync {
    /// The request for one block.
    fn block(&self, cid: &Cid) -> Request;

    /// The request for an archive (CAR) of what lies at a path, in the order of a walk; `None` from
    /// those who have none.
    fn archive(&self, cid: &Cid, path: &[&str]) -> Option<Request>;

    /// Whether an error says that it does not have what it was asked for, if its status does not.
    fn says_missing(&self, _: &FetchError) -> bool {
        false
    }
}

/// Takes the bytes of a file in their order, each after its block was proved.
pub type Sink<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

/// What keeps blocks from proving anything.
#[derive(Debug, thiserror::Error)]
pub enum BlocksError {
    /// A request failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What came is not what it should be.
    #[error(transparent)]
    Car(#[from] CarError),
    /// The node has no archives, or no blocks.
    #[error("it gives no {0}")]
    None(&'static str),
    /// The archive goes on.
    #[error("the archive has more than it should")]
    More,
}

impl BlocksError {
    /// Whether the file is only larger than it may be.
    pub fn is_about_size(&self) -> bool {
        matches!(self, Self::Car(CarError::Dag(DagError::FileTooLarge { .. })))
    }
}

impl From<DagError> for BlocksError {
    fn from(error: DagError) -> Self {
        Self::Car(error.into())
    }
}

/// Walks over blocks in the way that the node has: an archive, else one by one.
///
/// # Errors
/// [`BlocksError::None`], before anything went to `sink`, where it gives neither.
pub async fn prove(
    node: &dyn BlockNode,
    walk: Walk,
    archive: Option<Request>,
    limits: &DagLimits,
    sink: Sink<'_>,
) -> Result<Walk, BlocksError> {
    if let Some(request) = archive {
        match by_archive(node, request, walk.clone(), limits, &mut *sink).await {
            Err(BlocksError::None(_)) => {}
            other => return other,
        }
    }
    one_by_one(node, walk, limits, sink).await
}

/// Sends a request whose answer should be an archive of what `walk` wants.
///
/// # Errors
/// [`BlocksError::None`], before anything went to `sink`, where the answer is no archive.
pub async fn by_archive(
    node: &dyn BlockNode,
    request: Request,
    walk: Walk,
    limits: &DagLimits,
    sink: Sink<'_>,
) -> Result<Walk, BlocksError> {
    let mut body = match request.open().await {
        Ok(body) => body,
        Err(error) if is_unsupported(&error) => return Err(BlocksError::None("archives")),
        Err(error) => return Err(error.into()),
    };
    // A gateway that knows of none answers with the file.
    if body.content_type().is_some_and(|kind| kind != CAR) {
        return Err(BlocksError::None("archives"));
    }
    let mut check = CarCheck::new(walk, limits.block_bytes);
    let (mut beside, mut next, mut ended) = (0, Next::Bytes, false);
    loop {
        next = match next {
            Next::Bytes => match body.chunk().await? {
                Some(chunk) => check.feed(&chunk, &mut *sink)?,
                None => {
                    ended = true;
                    check.end(&mut *sink)?
                }
            },
            Next::Block(cid) if beside < MAX_BESIDE => {
                beside += 1;
                let bytes = whole(node.block(&cid), limits).await?;
                check.give(&bytes, &mut *sink)?
            }
            Next::Block(cid) => return Err(CarError::Missing { cid }.into()),
            Next::Nothing if ended => return Ok(check.finish()?),
            Next::Nothing => return Err(BlocksError::More),
        };
    }
}

/// Walks block by block, each in a request of its own.
///
/// # Errors
/// [`BlocksError::None`], before anything went to `sink`, where the first answer is no block.
pub async fn one_by_one(
    node: &dyn BlockNode,
    mut walk: Walk,
    limits: &DagLimits,
    sink: Sink<'_>,
) -> Result<Walk, BlocksError> {
    let mut asked = false;
    while let Some(cid) = walk.wanted() {
        let block = match cid.inlined() {
            Some(block) => block.to_vec(),
            None => match whole(node.block(&cid), limits).await {
                Err(error) if !asked && is_no_block(&error) => {
                    return Err(BlocksError::None("blocks"));
                }
                other => other?,
            },
        };
        match walk.give(&block) {
            // Who does not know of blocks gives the file instead.
            Err(DagError::WrongBlock { .. }) if !asked => return Err(BlocksError::None("blocks")),
            Err(error) => return Err(error.into()),
            Ok(data) => sink(data),
        }
        asked = true;
    }
    Ok(walk)
}

async fn whole(request: Request, limits: &DagLimits) -> Result<Vec<u8>, FetchError> {
    let mut body = request.limit(limits.block_bytes as u64).open().await?;
    Ok(body.collect().await?.to_vec())
}

/// Whether somebody says that they do not do what they were asked for.
pub fn is_unsupported(error: &FetchError) -> bool {
    matches!(error.status(), Some(400 | 405 | 406 | 415 | 501))
}

/// Whether they say so, or gave a file in place of a block, which is larger than any.
fn is_no_block(error: &FetchError) -> bool {
    is_unsupported(error) || matches!(error, FetchError::TooLarge { .. })
}
