//! Content block by block, out of an archive or one at a time: for a DAG that was cut in a way
//! that nobody knows, and for those who serve nothing else.
//!
//! Trustless gateways: <https://specs.ipfs.tech/http-gateways/trustless-gateway/>.

use std::time::Duration;

use everhold_net::{Body, FetchError, Fetcher, Request, Url};

use crate::content::{CarCheck, CarError, Cid, DagError, DagLimits, Next, RecentBlocks, Walk};

/// Blocks that are fetched beside an archive, because it had them before: an archive that leaves
/// out more is no help.
const MAX_BESIDE: usize = 1000;

/// The media type of archives.
const CAR: &str = "application/vnd.ipld.car";

/// Blocks that are taken again before others have their turn.
const AT_ONCE: u32 = 256;

/// Somebody who gives blocks.
pub trait BlockNode: Send + Sync {
    /// Where it is.
    fn base(&self) -> &Url;

    /// Who its requests are sent by.
    fn fetcher(&self) -> &Fetcher;

    /// The request for one block.
    fn block(&self, cid: &Cid) -> Request;

    /// The request for an archive (CAR) of what lies at a path, in the order of a walk; `None` from
    /// those who have none.
    fn archive(&self, cid: &Cid, path: &[&str]) -> Option<Request>;

    /// The request for one block that it is to give only if it has it itself; `None` of those who
    /// know no such wish.
    fn own_block(&self, _: &Cid) -> Option<Request> {
        None
    }

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
}

impl BlocksError {
    /// Whether something is only more than a limit allows.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Car(error) if error.is_limit())
    }
}

impl From<DagError> for BlocksError {
    fn from(error: DagError) -> Self {
        Self::Car(error.into())
    }
}

/// Walks over blocks in the way that the node has: an archive, else one by one. Each may take as
/// long as one request may.
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
/// [`BlocksError::None`], before anything went to `sink`, where the answer is no archive, or one
/// whose order is not known to be that of a walk.
pub async fn by_archive(
    node: &dyn BlockNode,
    request: Request,
    walk: Walk,
    limits: &DagLimits,
    sink: Sink<'_>,
) -> Result<Walk, BlocksError> {
    in_time(node, read_archive(node, request, walk, limits, sink)).await
}

async fn read_archive(
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
    if !is_ordered_archive(&body) {
        return Err(BlocksError::None("archives"));
    }
    let mut check = CarCheck::new(walk, limits.block_bytes);
    let (mut beside, mut next) = (0, Next::Bytes);
    loop {
        next = match next {
            Next::Bytes => match body.chunk().await? {
                Some(chunk) => check.feed(&chunk, &mut *sink)?,
                None => check.end(&mut *sink)?,
            },
            Next::Turn => {
                tokio::task::yield_now().await;
                check.go_on(&mut *sink)?
            }
            Next::Block(cid) if beside < MAX_BESIDE => {
                beside += 1;
                let bytes = whole(node.block(&cid), limits).await?;
                check.give(&bytes, &mut *sink)?
            }
            Next::Block(cid) => return Err(CarError::Missing { cid }.into()),
            Next::Nothing => return Ok(check.finish()?),
        };
    }
}

/// A gateway that knows of no archives answers with the file; one that says nothing of their order
/// may send blocks in any.
fn is_ordered_archive(body: &Body) -> bool {
    let kind = body.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    parts.next() == Some(CAR) && parts.any(|part| part == "order=dfs")
}

/// Walks block by block, each in a request of its own.
///
/// # Errors
/// [`BlocksError::None`], before anything went to `sink`, where the first answer is no block.
pub async fn one_by_one(
    node: &dyn BlockNode,
    walk: Walk,
    limits: &DagLimits,
    sink: Sink<'_>,
) -> Result<Walk, BlocksError> {
    in_time(node, read_blocks(node, walk, limits, sink, &mut Whose::Anybodys)).await
}

/// Fetches every block of a walk, each in a request of its own, and gives it once it is proved. Those that
/// the DAG links again soon after are not given again: [`CarCheck`] knows them still. `take` says whether
/// to go on; the walk is at no end where it is not.
///
/// # Errors
/// [`BlocksError`].
pub async fn each_block(
    node: &dyn BlockNode,
    mut walk: Walk,
    limits: &DagLimits,
    take: &mut (dyn FnMut(&Cid, &[u8]) -> bool + Send),
) -> Result<Walk, BlocksError> {
    let fetch = async {
        let (mut recent, mut again) = (RecentBlocks::default(), 0_u32);
        while let Some(cid) = walk.wanted() {
            if let Some(block) = recent.get(&cid) {
                walk.give_again(block)?;
            } else if let Some(block) = cid.inlined() {
                walk.give(block)?;
            } else {
                let block = whole(node.block(&cid), limits).await?;
                walk.give(&block)?;
                if !take(&cid, &block) {
                    break;
                }
                recent.keep(cid, block);
                continue;
            }
            again += 1;
            if again.is_multiple_of(AT_ONCE) {
                tokio::task::yield_now().await;
            }
        }
        Ok(walk)
    };
    in_time(node, fetch).await
}

/// As [`one_by_one`], over the node's own copies as long as it has them. Gives whose they were as well,
/// also where it fails: [`BlocksError::None`], before anything went to `sink`, where the first is not
/// to be had so.
pub(super) async fn its_own_first(
    node: &dyn BlockNode,
    walk: Walk,
    limits: &DagLimits,
    sink: Sink<'_>,
) -> (Result<Walk, BlocksError>, Whose) {
    let mut whose = Whose::ItsOwn;
    let walked = in_time(node, read_blocks(node, walk, limits, sink, &mut whose)).await;
    (walked, whose)
}

/// Whose copies the blocks of a walk may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The node's own.
    ItsOwn,
    /// Its peers' as well: it does not have one itself.
    Anybodys,
    /// That can't be told: of one block it did not say whether it has it itself.
    Untold,
}

async fn read_blocks(
    node: &dyn BlockNode,
    mut walk: Walk,
    limits: &DagLimits,
    sink: Sink<'_>,
    whose: &mut Whose,
) -> Result<Walk, BlocksError> {
    let (mut recent, mut asked, mut again) = (RecentBlocks::default(), false, 0_u32);
    while let Some(cid) = walk.wanted() {
        if let Some(block) = recent.get(&cid) {
            sink(walk.give_again(block)?);
        } else if let Some(block) = cid.inlined() {
            sink(walk.give(block)?);
        } else {
            let block = match block_of(node, &cid, limits, !asked, whose).await {
                Err(BlocksError::Fetch(error)) if !asked && is_no_block(&error) => {
                    return Err(BlocksError::None("blocks"));
                }
                other => other?,
            };
            match walk.give(&block) {
                // Who does not know of blocks gives the file instead.
                Err(DagError::WrongBlock { .. }) if !asked => {
                    return Err(BlocksError::None("blocks"));
                }
                given => sink(given?),
            }
            asked = true;
            recent.keep(cid, block);
            continue;
        }
        again += 1;
        if again.is_multiple_of(AT_ONCE) {
            tokio::task::yield_now().await;
        }
    }
    Ok(walk)
}

/// One block. Of those that the node does not have itself, all but the first are asked for anew.
async fn block_of(
    node: &dyn BlockNode,
    cid: &Cid,
    limits: &DagLimits,
    first: bool,
    whose: &mut Whose,
) -> Result<Vec<u8>, BlocksError> {
    if *whose == Whose::ItsOwn {
        let own = node.own_block(cid).ok_or(BlocksError::None("blocks of its own"))?;
        match whole(own, limits).await {
            Ok(block) => return Ok(block),
            Err(error) if says_nothing(&error) => *whose = Whose::Untold,
            Err(_) => *whose = Whose::Anybodys,
        }
        if first {
            return Err(BlocksError::None("blocks of its own"));
        }
    }
    Ok(whole(node.block(cid), limits).await?)
}

/// However many requests it takes, a walk may take as long as one.
async fn in_time(
    node: &dyn BlockNode,
    walk: impl Future<Output = Result<Walk, BlocksError>>,
) -> Result<Walk, BlocksError> {
    let after: Duration = node.fetcher().limits().total;
    match tokio::time::timeout(after, walk).await {
        Ok(walked) => walked,
        Err(_) => {
            let host = node.base().host_str().unwrap_or_default().to_owned();
            Err(FetchError::TooSlow { host, after }.into())
        }
    }
}

/// Fetches one block, of whatever bytes.
pub(super) async fn whole(request: Request, limits: &DagLimits) -> Result<Vec<u8>, FetchError> {
    let mut body = request.limit(limits.block_bytes as u64).open().await?;
    Ok(body.collect().await?.to_vec())
}

/// Whether somebody says that they do not do what they were asked for.
pub fn is_unsupported(error: &FetchError) -> bool {
    matches!(error.status(), Some(400 | 405 | 406 | 415 | 501))
}

/// Whether a failure leaves open whether somebody has the block that they were asked for.
pub fn says_nothing(error: &FetchError) -> bool {
    match error.status() {
        Some(status) => status == 429 || (status >= 500 && status != 501),
        None => !matches!(error, FetchError::TooLarge { .. } | FetchError::Redirect { .. }),
    }
}

/// Whether they say so, or gave a file in place of a block, which is larger than any.
fn is_no_block(error: &FetchError) -> bool {
    is_unsupported(error) || matches!(error, FetchError::TooLarge { .. })
}
