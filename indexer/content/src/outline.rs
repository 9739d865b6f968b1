//! From a file back to the blocks that its name is about.
//!
//! A file is read twice: once to find how it was cut ([`Outline::of`]), and once more to give its
//! blocks in the order of a walk, root first, whose bytes only the first reading knows.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::{
    CarFile, Cid, Codec, ContentId, Digest, Profile,
    car::{header, section_head},
    dag::{Inner, Leaves, Tree},
    unixfs::around_leaf,
};

/// Bytes read at a time.
const READ_SIZE: usize = Profile::DEFAULT.chunk_size;

/// How a file is cut into the blocks of the DAG that bears its name: all of it but the leaves' bytes.
/// It takes some hundred bytes for each leaf, a two-thousandth of the file.
///
/// ```
/// use everhold_content::{Codec, Outline, id_of};
/// use std::io::Read;
///
/// let file = b"a small file";
/// let id = id_of(Codec::DagPb, file);
/// let outline = Outline::of(id, &file[..])?.expect("it was cut in a known way");
/// let mut car = Vec::new();
/// outline.archive(&file[..]).read_to_end(&mut car)?;
/// assert_eq!(car.len() as u64, outline.archive_bytes());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Outline {
    id: ContentId,
    size: u64,
    /// How it was cut; `None` of one raw block of any size.
    profile: Option<Profile>,
    leaves: Vec<ContentId>,
    inner: Vec<Vec<Inner>>,
}

/// Leaves of one kind, and the trees over them.
struct Lane {
    cutter: Leaves,
    leaves: Vec<ContentId>,
    trees: Vec<(Profile, Tree)>,
}

impl Outline {
    /// Reads a file to its end, and finds in which of the known ways ([`Profile::KNOWN`]) it becomes
    /// `id`; `None` where it does in none: it is another file, or was cut in an unusual way.
    ///
    /// # Errors
    /// The reader's own, but for interruptions, after which it is asked again.
    pub fn of(id: ContentId, file: impl Read) -> io::Result<Option<Outline>> {
        Outline::by_profiles(id, &Profile::KNOWN, file)
    }

    /// As [`Outline::of`], with these ways.
    ///
    /// # Errors
    /// As [`Outline::of`].
    pub fn by_profiles(
        id: ContentId,
        profiles: &[Profile],
        file: impl Read,
    ) -> io::Result<Option<Outline>> {
        match id.codec {
            Codec::Raw => Outline::of_raw(id, file),
            Codec::DagPb => Outline::of_dag(id, profiles, file),
        }
    }

    fn of_raw(id: ContentId, file: impl Read) -> io::Result<Option<Outline>> {
        let mut hasher = Sha256::new();
        let size = read_all(file, |bytes| hasher.update(bytes))?;
        let found = Digest(hasher.finalize().into());
        let outline = Outline { id, size, profile: None, leaves: vec![id], inner: Vec::new() };
        Ok((found == id.digest).then_some(outline))
    }

    fn of_dag(id: ContentId, profiles: &[Profile], file: impl Read) -> io::Result<Option<Outline>> {
        let mut lanes: Vec<Lane> = Vec::new();
        for profile in profiles {
            let tree = (*profile, Tree::keeping(profile));
            match lanes.iter_mut().find(|lane| lane.cuts_like(profile)) {
                Some(lane) => lane.trees.push(tree),
                None => lanes.push(Lane {
                    cutter: Leaves::new(profile),
                    leaves: Vec::new(),
                    trees: vec![tree],
                }),
            }
        }
        let size = read_all(file, |bytes| lanes.iter_mut().for_each(|lane| lane.update(bytes)))?;
        let found = lanes.into_iter().find_map(|lane| lane.finish(id));
        Ok(found.map(|(profile, leaves, inner)| Outline {
            id,
            size,
            profile: Some(profile),
            leaves,
            inner,
        }))
    }

    /// The content's name.
    pub fn id(&self) -> ContentId {
        self.id
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How it was cut; `None` of a file that is one raw block, of whatever size.
    pub fn profile(&self) -> Option<Profile> {
        self.profile
    }

    /// How many blocks it is, repeated ones counted each time.
    pub fn blocks(&self) -> u64 {
        (self.inner.iter().map(Vec::len).sum::<usize>() + self.leaves.len()) as u64
    }

    /// Bytes of its [archive](Outline::archive).
    pub fn archive_bytes(&self) -> u64 {
        let nodes = self.inner.iter().flatten();
        let section =
            |id: ContentId, size: u64| section_head(&Cid::from(id), size).len() as u64 + size;
        let inner: u64 = nodes.map(|node| section(node.id, node.bytes.len() as u64)).sum();
        let leaf = |(at, id): (usize, &ContentId)| {
            let (frame, size, tail) = self.leaf(at);
            section(*id, (frame.len() + tail.len()) as u64 + size)
        };
        let leaves: u64 = self.leaves.iter().enumerate().map(leaf).sum();
        header(&[self.id.into()]).len() as u64 + inner + leaves
    }

    /// The archive (CARv1) of the file, whose one root is the content, with its blocks in the order of a
    /// [`Walk`](crate::Walk). `file` is the same file from its start.
    pub fn archive<R: Read>(&self, file: R) -> CarFile<'_, R> {
        CarFile::archive(self, file)
    }

    /// The sections of its blocks, in the same order, for an archive of more than this.
    pub fn sections<R: Read>(&self, file: R) -> CarFile<'_, R> {
        CarFile::sections(self, file)
    }

    pub(crate) fn order(&self) -> Order {
        let levels = self.inner.len();
        Order { open: vec![(levels, 1)], next: vec![0; levels + 1] }
    }

    /// What stands around a leaf's bytes, and how many these are.
    fn leaf(&self, at: usize) -> (Vec<u8>, u64, Vec<u8>) {
        let Some(profile) = &self.profile else { return (Vec::new(), self.size, Vec::new()) };
        let chunk = profile.chunk_size.max(1) as u64;
        let size = chunk.min(self.size.saturating_sub(at as u64 * chunk));
        let (frame, tail) = match profile.raw_leaves {
            true => (Vec::new(), Vec::new()),
            false => around_leaf(size),
        };
        (frame, size, tail)
    }
}

impl Lane {
    fn cuts_like(&self, profile: &Profile) -> bool {
        self.trees.iter().any(|(own, _)| own.same_leaves(profile))
    }

    fn update(&mut self, bytes: &[u8]) {
        let Lane { cutter, leaves, trees } = self;
        cutter.update(bytes, |leaf| {
            leaves.push(leaf.id);
            trees.iter_mut().for_each(|(_, tree)| tree.push(leaf));
        });
    }

    /// The tree whose root is `id`.
    fn finish(mut self, id: ContentId) -> Option<(Profile, Vec<ContentId>, Vec<Vec<Inner>>)> {
        if let Some(last) = self.cutter.finish() {
            self.leaves.push(last.id);
            self.trees.iter_mut().for_each(|(_, tree)| tree.push(last));
        }
        let mut trees = self.trees.into_iter();
        let (profile, mut tree) = trees
            .find_map(|(profile, mut tree)| (tree.root().id == id).then_some((profile, tree)))?;
        Some((profile, self.leaves, tree.take_inner()))
    }
}

/// Where in an outline the next block is, depth first.
#[derive(Debug)]
pub(crate) struct Order {
    /// Levels, the leaves' being 0, and how many blocks are to come there before the level above.
    open: Vec<(usize, usize)>,
    /// Of each level, the next block.
    next: Vec<usize>,
}

/// A block of an outline.
pub(crate) enum Part<'a> {
    Inner(&'a Inner),
    /// A leaf: so many bytes of the file between two that are given.
    Leaf {
        id: ContentId,
        size: u64,
        frame: Vec<u8>,
        tail: Vec<u8>,
    },
}

impl Order {
    pub(crate) fn next<'o>(&mut self, outline: &'o Outline) -> Option<Part<'o>> {
        let (level, left) = loop {
            let (level, left) = self.open.pop()?;
            if left > 0 {
                break (level, left);
            }
        };
        self.open.push((level, left - 1));
        let at = self.next[level];
        self.next[level] += 1;
        match level.checked_sub(1) {
            None => {
                let (frame, size, tail) = outline.leaf(at);
                Some(Part::Leaf { id: outline.leaves[at], size, frame, tail })
            }
            Some(below) => {
                let node = &outline.inner[below][at];
                self.open.push((below, node.children));
                Some(Part::Inner(node))
            }
        }
    }
}

/// Reads to the end; gives how many bytes that were.
fn read_all(mut file: impl Read, mut take: impl FnMut(&[u8])) -> io::Result<u64> {
    let (mut buffer, mut bytes) = (vec![0; READ_SIZE], 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(read) => {
                take(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
