//! The latest blocks of a walk.

use std::collections::{HashMap, VecDeque};

use crate::Cid;

/// What a block takes besides its bytes.
const AROUND: usize = 512;

/// The latest proved blocks, in so many bytes: DAGs link the same block again, often near where
/// they linked it first.
#[derive(Debug)]
pub struct RecentBlocks {
    blocks: HashMap<Cid, Vec<u8>>,
    order: VecDeque<Cid>,
    bytes: usize,
    most: usize,
}

impl Default for RecentBlocks {
    /// Of 8 MiB.
    fn default() -> RecentBlocks {
        RecentBlocks::new(8 << 20)
    }
}

impl RecentBlocks {
    /// Keeps at most so many bytes.
    pub fn new(most: usize) -> RecentBlocks {
        RecentBlocks { blocks: HashMap::new(), order: VecDeque::new(), bytes: 0, most }
    }

    /// Keeps a block that was proved.
    pub fn keep(&mut self, cid: Cid, block: Vec<u8>) {
        self.bytes += block.len() + AROUND;
        if let Some(same) = self.blocks.insert(cid, block) {
            self.bytes -= same.len() + AROUND;
            return;
        }
        self.order.push_back(cid);
        while self.bytes > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.blocks.remove(&oldest);
            self.bytes -= gone.map_or(0, |block| block.len() + AROUND);
        }
    }

    /// A block that is kept.
    pub fn get(&self, cid: &Cid) -> Option<&[u8]> {
        self.blocks.get(cid).map(|block| &**block)
    }
}
