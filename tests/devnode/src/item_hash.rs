//! The names of files and messages, as the network takes them.

use cid::{Cid, Version};

const DAG_PB: u64 = 0x70;
const SHA2_256: u64 = 0x12;

/// The engine that keeps a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Sixty-four hex digits: the sha-256 of the bytes.
    Storage,
    /// A CID: the root of a UnixFS DAG.
    Ipfs,
}

impl Engine {
    /// The word used for it in STORE messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Ipfs => "ipfs",
        }
    }
}

/// A file's name: the one that was asked for, and the one it has on disk.
///
/// `Qm…` and `bafy…` of one DAG have the same `on_disk` name (the CIDv0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHash {
    /// The name as it was given.
    pub given: String,
    /// The name of the file on disk.
    pub on_disk: String,
    /// The engine the name belongs to.
    pub engine: Engine,
}

impl FileHash {
    /// Reads a name; `None` for everything the network refuses, `bafkrei…` included.
    pub fn parse(text: &str) -> Option<Self> {
        if is_sha256(text) {
            return Some(Self {
                given: text.to_owned(),
                on_disk: text.to_owned(),
                engine: Engine::Storage,
            });
        }
        Some(Self { given: text.to_owned(), on_disk: cid_v0(text)?, engine: Engine::Ipfs })
    }
}

/// Whether a text is 64 lowercase hex digits.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The CIDv0 of a `Qm…` or `bafy…` name.
pub fn cid_v0(text: &str) -> Option<String> {
    let looks_right = (text.starts_with("Qm") && text.len() == 46)
        || (text.starts_with("bafy") && text.len() == 59);
    if !looks_right {
        return None;
    }
    let cid = Cid::try_from(text).ok()?;
    if cid.codec() != DAG_PB || cid.hash().code() != SHA2_256 {
        return None;
    }
    match cid.version() {
        Version::V0 => Some(text.to_owned()),
        Version::V1 => Some(Cid::new_v0(*cid.hash()).ok()?.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_dag_are_one_file() {
        let v0 = FileHash::parse("QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4").unwrap();
        let v1 =
            FileHash::parse("bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e").unwrap();
        assert_eq!(v0.on_disk, v1.on_disk);
        assert_eq!(v1.engine, Engine::Ipfs);
    }

    #[test]
    fn refused_names() {
        for name in [
            "nothash",
            "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
            "../../../../../../../../../../../../../../../../../../etc/passwd",
            "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB",
        ] {
            assert_eq!(FileHash::parse(name), None, "{name}");
        }
    }
}
