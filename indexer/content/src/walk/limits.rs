//! Bounds on a DAG.

/// Bounds on a DAG, wide enough for what importers make, and narrow enough that no DAG costs more
/// than its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DagLimits {
    /// Bytes of a block. Nodes exchange up to 2 MiB (Bitswap), so files are cut into at most that.
    pub block_bytes: usize,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Blocks within one another.
    pub levels: usize,
    /// Links of one block, and links that wait to be followed.
    pub links: usize,
    /// Blocks in all, repeated ones counted each time. Blocks without data make DAGs without end
    /// out of a few bytes.
    pub blocks: u64,
}

impl Default for DagLimits {
    /// 2 MiB and a little around it, 1 TiB, 64 levels, 65,536 links, 16,777,216 blocks.
    fn default() -> DagLimits {
        DagLimits {
            block_bytes: (2 << 20) + 4096,
            file_bytes: 1 << 40,
            levels: 64,
            links: 1 << 16,
            blocks: 1 << 24,
        }
    }
}
