//! Hashes of files, taken while the bytes go by.

use aleph_cid::verify::Hasher;
use sha2::{Digest, Sha256};

use crate::item_hash::{Engine, FileHash, cid_v0};

/// Hashes bytes as one engine names them.
pub struct FileHasher {
    /// How many bytes went by.
    pub size: u64,
    way: Way,
}

enum Way {
    Storage(Sha256),
    Ipfs { wrapped: Hasher, raw_leaves: Option<Hasher> },
}

impl FileHasher {
    /// For a new file.
    pub fn new(engine: Engine) -> Self {
        let way = match engine {
            Engine::Storage => Way::Storage(Sha256::new()),
            Engine::Ipfs => Way::Ipfs { wrapped: Hasher::for_ipfs(), raw_leaves: None },
        };
        Self { size: 0, way }
    }

    /// For a file whose name is known: of a CID, both usual ways to build the DAG are tried.
    pub fn expecting(name: &FileHash) -> Self {
        let mut hasher = Self::new(name.engine);
        if let Way::Ipfs { raw_leaves, .. } = &mut hasher.way {
            *raw_leaves = Some(Hasher::for_ipfs_v1_raw_leaves());
        }
        hasher
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        match &mut self.way {
            Way::Storage(hasher) => hasher.update(bytes),
            Way::Ipfs { wrapped, raw_leaves } => {
                wrapped.update(bytes);
                if let Some(hasher) = raw_leaves {
                    hasher.update(bytes);
                }
            }
        }
    }

    /// The name under which the bytes belong on disk.
    pub fn finish(self) -> String {
        match self.way {
            Way::Storage(hasher) => hex::encode(hasher.finalize()),
            Way::Ipfs { wrapped, .. } => wrapped.finalize().to_string(),
        }
    }

    /// Whether the bytes are those of the name.
    pub fn matches(self, name: &FileHash) -> bool {
        match self.way {
            Way::Storage(hasher) => hex::encode(hasher.finalize()) == name.on_disk,
            Way::Ipfs { wrapped, raw_leaves } => {
                let raw_leaves =
                    raw_leaves.and_then(|hasher| cid_v0(&hasher.finalize().to_string()));
                wrapped.finalize().to_string() == name.on_disk
                    || raw_leaves.as_deref() == Some(&name.on_disk)
            }
        }
    }
}
