//! The parameters with which files become DAGs.
//!
//! Nothing in a CID says which were used, so the same bytes have one CID per profile. Sources:
//! the UnixFS specification (<https://specs.ipfs.tech/unixfs/>), section "Files", and IPIP-499,
//! which names the profiles.

use serde::{Deserialize, Serialize};

/// How nodes of a DAG spell the CIDs of the dag-pb nodes below them.
///
/// It changes the bytes of a node, hence its hash. Raw leaves are always linked as CIDv1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CidVersion {
    /// 34 bytes: the bare multihash.
    V0,
    /// 36 bytes: version, codec and multihash.
    V1,
}

/// One way to cut a file into leaves and to build a balanced DAG over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Profile {
    /// Bytes in each leaf but the last. 0 is taken as 1.
    pub chunk_size: usize,
    /// Whether leaves are the bytes themselves (codec raw) or UnixFS nodes that hold them.
    ///
    /// With raw leaves a file of one leaf *is* that leaf: its codec is raw, not dag-pb.
    pub raw_leaves: bool,
    /// Links in each inner node but the last of its level. Below 2 is taken as 2.
    pub max_links: usize,
    /// How inner nodes are linked.
    pub cid_version: CidVersion,
}

impl Profile {
    /// What aleph nodes and `ipfs add` make (`unixfs-v0-2015`): 256 KiB in UnixFS leaves, 174
    /// links, `Qm…`.
    pub const DEFAULT: Profile = Profile {
        chunk_size: 256 << 10,
        raw_leaves: false,
        max_links: 174,
        cid_version: CidVersion::V0,
    };

    /// `ipfs add --cid-version=1` before profiles had names: 256 KiB raw leaves, 174 links.
    pub const KUBO_V1: Profile =
        Profile { raw_leaves: true, cid_version: CidVersion::V1, ..Profile::DEFAULT };

    /// 1 MiB raw leaves, 174 links (Kubo's `test-cid-v1`).
    pub const MIB_174: Profile = Profile { chunk_size: 1 << 20, ..Profile::KUBO_V1 };

    /// 1 MiB raw leaves, 1024 links (`unixfs-v1-2025`; earlier nft.storage and web3.storage).
    pub const MIB_1024: Profile = Profile { max_links: 1024, ..Profile::MIB_174 };

    /// Every profile that is tried on content of unknown origin, the commonest first.
    pub const KNOWN: [Profile; 4] =
        [Profile::DEFAULT, Profile::KUBO_V1, Profile::MIB_174, Profile::MIB_1024];

    /// What it is called: by IPIP-499 or by Kubo, where they have a name for it, else `custom`.
    pub fn name(&self) -> &'static str {
        match *self {
            Profile::DEFAULT => "unixfs-v0-2015",
            Profile::KUBO_V1 => "cid-v1-256k",
            Profile::MIB_174 => "test-cid-v1",
            Profile::MIB_1024 => "unixfs-v1-2025",
            _ => "custom",
        }
    }

    /// Whether both cut and hash leaves alike, so that these need to be hashed only once.
    pub(super) fn same_leaves(&self, other: &Profile) -> bool {
        self.chunk_size == other.chunk_size && self.raw_leaves == other.raw_leaves
    }
}

impl Default for Profile {
    fn default() -> Profile {
        Profile::DEFAULT
    }
}
