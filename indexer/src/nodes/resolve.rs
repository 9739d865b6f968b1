//! From a path below a content address to the content that lies there, by the folders' own blocks:
//! each is proved, from the root down, so that it does not matter who gives them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use everhold_net::{FetchError, Fetcher};

use super::{BlockNode, Gateway, Kubo, blocks::whole, name};
use crate::{
    config::Config,
    content::{Cid, DagError, DagLimits, Found, RecentBlocks, Walk, shown},
};

/// Names on a path at most: nobody nests folders deeper.
const DEEPEST: usize = 64;
/// Bytes of folders' blocks that are kept: the shards of some hundred thousand files.
const KEPT_BLOCKS: usize = 64 << 20;
/// Entries of folders that are kept.
const KEPT_ENTRIES: usize = 500_000;
/// Until one source has given one block.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why it is not known what lies at a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is proved that nothing does.
    #[error("{0}")]
    Nothing(String),
    /// Nobody who was asked gave the folder's blocks.
    #[error("{0}")]
    Unreachable(String),
    /// Nothing could prove it: a broken folder, or one by a hash that is not checked here.
    #[error("{0}")]
    Unverifiable(String),
    /// Nobody is configured who gives blocks.
    #[error("nobody is configured who could give the folder's blocks: set [ipfs] gateways or kubo")]
    Nobody,
}

/// The entries of a folder of one block.
type Entries = Arc<HashMap<String, Cid>>;

/// Follows paths. Folders are kept while they are few: ten thousand tokens of one cost one look at
/// it.
#[derive(Debug)]
pub struct Resolver {
    sources: Vec<Source>,
    kept: Mutex<Kept>,
}

/// Somebody who gives blocks.
#[derive(Debug)]
enum Source {
    Gateway(Gateway),
    Kubo(Kubo),
}

impl Source {
    fn node(&self) -> &dyn BlockNode {
        match self {
            Self::Gateway(gateway) => gateway,
            Self::Kubo(kubo) => kubo,
        }
    }
}

#[derive(Debug)]
struct Kept {
    blocks: RecentBlocks,
    folders: HashMap<Cid, Entries>,
    order: VecDeque<Cid>,
    entries: usize,
}

impl Kept {
    fn keep(&mut self, folder: Cid, entries: Entries) {
        if entries.len() > KEPT_ENTRIES || self.folders.contains_key(&folder) {
            return;
        }
        self.entries += entries.len();
        self.folders.insert(folder, entries);
        self.order.push_back(folder);
        while self.entries > KEPT_ENTRIES
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries -= self.folders.remove(&oldest).map_or(0, |entries| entries.len());
        }
    }
}

impl Resolver {
    /// One that asks the gateways and Kubo nodes of a configuration, in their order. Aleph nodes give
    /// no blocks.
    pub fn configured(config: &Config, fetcher: &Fetcher) -> Self {
        let gateways = config.ipfs.gateways.iter().map(|node| {
            Source::Gateway(Gateway::new(node.url.clone(), fetcher.clone()).anywhere())
        });
        let kubo = config.ipfs.kubo.iter();
        let kubo = kubo.map(|node| Source::Kubo(Kubo::new(node.url.clone(), fetcher.clone())));
        let kept = Kept {
            blocks: RecentBlocks::new(KEPT_BLOCKS),
            folders: HashMap::new(),
            order: VecDeque::new(),
            entries: 0,
        };
        Self { sources: gateways.chain(kubo).collect(), kept: Mutex::new(kept) }
    }

    /// The CID of what lies at a path (names, each as it is) below `root`.
    ///
    /// # Errors
    /// [`PathError`].
    pub async fn find(&self, root: Cid, path: &[&str]) -> Result<Cid, PathError> {
        if self.sources.is_empty() {
            return Err(PathError::Nobody);
        }
        if path.len() > DEEPEST {
            let text = format!("a path of {} names; at most {DEEPEST} are followed", path.len());
            return Err(PathError::Unverifiable(text));
        }
        let mut at = root;
        for name in path {
            at = self.entry(at, name).await?;
        }
        Ok(at)
    }

    /// What a folder has under a name.
    async fn entry(&self, folder: Cid, name: &str) -> Result<Cid, PathError> {
        let known = self.kept(|kept| kept.folders.get(&folder).cloned());
        if let Some(entries) = known {
            return lookup(&entries, name);
        }
        let mut walk = Walk::new(folder, &[], DagLimits::default());
        self.advance(&mut walk).await?;
        match walk.found() {
            Some(Found::Directory { entries, more: false }) => {
                let entries = entries.iter().map(|entry| (entry.name.clone(), entry.cid));
                let entries: Entries = Arc::new(entries.collect());
                self.kept(|kept| kept.keep(folder, entries.clone()));
                lookup(&entries, name)
            }
            Some(Found::Directory { .. }) => self.shards(folder, name).await,
            _ => Err(failed(&DagError::NotADirectory { name: name.to_owned() })),
        }
    }

    /// The same in a folder that is cut into shards, which only the name leads through.
    async fn shards(&self, folder: Cid, name: &str) -> Result<Cid, PathError> {
        let mut walk = Walk::new(folder, &[name], DagLimits::default());
        loop {
            match walk.arrived() {
                Some(found) => return Ok(found),
                None => self.advance(&mut walk).await?,
            }
        }
    }

    /// Gives a walk the block that it wants.
    async fn advance(&self, walk: &mut Walk) -> Result<(), PathError> {
        let Some(cid) = walk.wanted() else {
            return Err(PathError::Unverifiable("the folder was not gone through".to_owned()));
        };
        let known = cid.inlined().map(<[u8]>::to_vec);
        let known = known.or_else(|| self.kept(|kept| kept.blocks.get(&cid).map(<[u8]>::to_vec)));
        if let Some(block) = known {
            return walk.give(&block).map(drop).map_err(|error| failed(&error));
        }
        let mut reasons = Vec::new();
        for source in &self.sources {
            let node = source.node();
            let request = node.block(&cid).total(PATIENCE);
            let reason = match whole(request, &DagLimits::default()).await {
                Ok(block) => match walk.give(&block) {
                    Ok(_) => {
                        self.kept(|kept| kept.blocks.keep(cid, block));
                        return Ok(());
                    }
                    // About these bytes only: another may have the right ones.
                    Err(error @ (DagError::WrongBlock { .. } | DagError::BlockTooLarge { .. })) => {
                        error.to_string()
                    }
                    Err(error) => return Err(failed(&error)),
                },
                Err(error) => said(node, &error),
            };
            reasons.push(format!("{}: {reason}", name(node.base())));
        }
        let text = format!("nobody gave the folder's block {cid} ({})", reasons.join("; "));
        Err(PathError::Unreachable(shown(&text)))
    }

    fn kept<T>(&self, use_it: impl FnOnce(&mut Kept) -> T) -> T {
        // Whoever panicked left whole entries: they are put in by single steps.
        use_it(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn said(node: &dyn BlockNode, error: &FetchError) -> String {
    if matches!(error.status(), Some(404 | 410)) || node.says_missing(error) {
        return "it does not have it".to_owned();
    }
    error.to_string()
}

fn lookup(entries: &Entries, name: &str) -> Result<Cid, PathError> {
    let found = entries.get(name).copied();
    found.ok_or_else(|| failed(&DagError::NotFound { name: name.to_owned() }))
}

/// What is wrong with a folder whose blocks are proved.
fn failed(error: &DagError) -> PathError {
    match error {
        DagError::NotFound { .. } | DagError::NotADirectory { .. } => {
            PathError::Nothing(error.to_string())
        }
        _ => PathError::Unverifiable(error.to_string()),
    }
}
