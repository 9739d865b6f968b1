//! Checks an archive against a DAG while it comes.

use super::{CarError, CarReader};
use crate::{Cid, Found, RecentBlocks, Walk};

/// Blocks that are taken again, from those that are kept, before the caller has its turn.
const AT_ONCE: u32 = 256;

/// Checks an archive against a [`Walk`], in constant memory: its blocks must come in the walk's
/// order (depth first), and none besides. Of a directory only the first block is looked at, whatever
/// comes behind it.
///
/// Archives may leave out a block that they had before. Those of the last 8 MiB are kept; older
/// ones are asked for ([`Next::Block`]), by themselves.
#[derive(Debug)]
pub struct CarCheck {
    walk: Walk,
    reader: CarReader,
    /// The archive's next block, which was not the wanted one. It is proved when its turn comes.
    ahead: Option<(Cid, Vec<u8>)>,
    recent: RecentBlocks,
    root: Cid,
    roots_right: bool,
    ended: bool,
}

/// What a check needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The archive's next bytes ([`CarCheck::feed`]), or that it has ended ([`CarCheck::end`]).
    Bytes,
    /// Nothing but to go on ([`CarCheck::go_on`]): a few bytes can be much work, which the caller may
    /// want to break off.
    Turn,
    /// This block, from elsewhere ([`CarCheck::give`]): the archive does not have it here.
    Block(Cid),
    /// Nothing: it is done.
    Nothing,
}

impl CarCheck {
    /// A check of an archive of what `walk` wants; blocks of up to `max_block` bytes are taken.
    pub fn new(walk: Walk, max_block: usize) -> CarCheck {
        CarCheck {
            root: walk.target(),
            walk,
            reader: CarReader::new(max_block),
            ahead: None,
            recent: RecentBlocks::default(),
            roots_right: false,
            ended: false,
        }
    }

    /// The walk, and how far it has come.
    pub fn walk(&self) -> &Walk {
        &self.walk
    }

    /// The archive's next bytes; `sink` gets the file's next bytes, proved.
    ///
    /// # Errors
    /// [`CarError`]. What `sink` got before is proved all the same, but it is not the whole.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<Next, CarError> {
        self.reader.feed(bytes);
        self.proceed(sink)
    }

    /// The block that was asked for by [`Next::Block`].
    ///
    /// # Errors
    /// As [`CarCheck::feed`].
    pub fn give(&mut self, block: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<Next, CarError> {
        sink(self.walk.give(block)?);
        self.proceed(sink)
    }

    /// Goes on after [`Next::Turn`].
    ///
    /// # Errors
    /// As [`CarCheck::feed`].
    pub fn go_on(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<Next, CarError> {
        self.proceed(sink)
    }

    /// The archive has ended.
    ///
    /// # Errors
    /// As [`CarCheck::feed`], and [`CarError::Truncated`].
    pub fn end(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<Next, CarError> {
        self.reader.finish()?;
        self.ended = true;
        self.proceed(sink)
    }

    /// The walk, at its end.
    ///
    /// # Errors
    /// [`CarError::Missing`] or [`CarError::Truncated`], where it is not.
    pub fn finish(self) -> Result<Walk, CarError> {
        match self.walk.wanted() {
            Some(cid) => Err(CarError::Missing { cid }),
            None if self.walk.is_finished() && (self.ended || self.is_directory()) => Ok(self.walk),
            None => Err(CarError::Truncated { bytes: self.reader.offset() }),
        }
    }

    fn is_directory(&self) -> bool {
        matches!(self.walk.found(), Some(Found::Directory { .. }))
    }

    fn proceed(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<Next, CarError> {
        let mut again = 0;
        loop {
            let wanted = self.walk.wanted();
            if again == AT_ONCE {
                return Ok(Next::Turn);
            }
            if let Some(block) = wanted.as_ref().and_then(Cid::inlined) {
                sink(self.walk.give(block)?);
                again += 1;
                continue;
            }
            if wanted.is_none() && self.is_directory() {
                self.check_roots()?;
                return Ok(Next::Nothing);
            }
            if self.ahead.is_none() && !self.ended && !self.read(wanted, sink)? {
                return Ok(Next::Bytes);
            }
            let Some(cid) = self.walk.wanted() else {
                self.check_roots()?;
                match &self.ahead {
                    Some((cid, _)) => return Err(CarError::Extra { cid: *cid }),
                    None if self.ended => return Ok(Next::Nothing),
                    None => continue,
                }
            };
            if let Some((_, block)) = self.ahead.take_if(|(ahead, _)| *ahead == cid) {
                sink(self.walk.give(&block)?);
                self.recent.keep(cid, block);
            } else if self.ahead.is_none() && !self.ended {
                continue;
            } else if let Some(block) = self.recent.get(&cid) {
                sink(self.walk.give_again(block)?);
                again += 1;
            } else {
                return Ok(Next::Block(cid));
            }
        }
    }

    /// Reads the archive's next block, and gives it if it is the wanted one, or puts it aside;
    /// whether there was one.
    fn read(&mut self, wanted: Option<Cid>, sink: &mut dyn FnMut(&[u8])) -> Result<bool, CarError> {
        let block = self.reader.block()?;
        let Some(block) = block else {
            self.check_roots()?;
            return Ok(false);
        };
        if Some(block.cid) == wanted {
            sink(self.walk.give(block.bytes)?);
            self.recent.keep(block.cid, block.bytes.to_vec());
        } else if block.cid.inlined() != Some(block.bytes) {
            self.ahead = Some((block.cid, block.bytes.to_vec()));
        }
        self.check_roots()?;
        Ok(true)
    }

    /// The header must name the root, or what is at the end of the path, or nothing (an empty
    /// list, or the CID of no bytes, which gateways put where they do not know yet).
    fn check_roots(&mut self) -> Result<(), CarError> {
        let Some(roots) = self.reader.roots().filter(|_| !self.roots_right) else {
            return Ok(());
        };
        let ours = |root: &Cid| {
            *root == self.root
                || *root == self.walk.target()
                || root.inlined().is_some_and(<[u8]>::is_empty)
        };
        match roots.first() {
            // With a path, what is at its end is not known before.
            Some(_) if self.walk.found().is_none() && self.walk.wanted().is_some() => {}
            Some(&root) if !roots.iter().any(ours) => return Err(CarError::OtherRoot { root }),
            _ => self.roots_right = true,
        }
        Ok(())
    }
}
