//! What an archive of a collection says of itself: blocks of DAG-CBOR, the first of which is the archive's
//! root and links the others and the contents.
//!
//! `{everhold: 1, chain_id, collection, contents: [link, …]}`; where the links take more than about a
//! megabyte, `parts: [link, …]` in the place of `contents`, each to a block `{contents: [link, …]}`.

use std::collections::BTreeMap;

use ipld_core::{cid, ipld::Ipld};

use super::{Cid, ContentId, HashFunction};

/// The number of DAG-CBOR in the multicodec table.
const DAG_CBOR: u64 = 0x71;

/// Links in one block. One takes 41 bytes, and blocks of up to 1 MiB are taken everywhere.
const LINKS: usize = 20_000;

/// Of which collection an archive is, and the contents that it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// EIP-55 address.
    pub collection: String,
    /// Their names.
    pub contents: Vec<ContentId>,
}

/// The root of an archive, as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestRoot {
    /// What it names itself.
    pub manifest: Manifest,
    /// Blocks that name more.
    pub parts: Vec<Cid>,
}

impl Manifest {
    /// Its blocks, the root first.
    pub fn blocks(&self) -> Vec<(Cid, Vec<u8>)> {
        let links =
            |ids: &[ContentId]| Ipld::List(ids.iter().map(|id| link(&(*id).into())).collect());
        let mut root = BTreeMap::from([
            ("everhold".to_owned(), Ipld::Integer(1)),
            ("chain_id".to_owned(), Ipld::Integer(self.chain_id.into())),
            ("collection".to_owned(), Ipld::String(self.collection.clone())),
        ]);
        if self.contents.len() <= LINKS {
            root.insert("contents".to_owned(), links(&self.contents));
            return vec![block(root)];
        }
        let part = |ids| block(BTreeMap::from([("contents".to_owned(), links(ids))]));
        let parts: Vec<_> = self.contents.chunks(LINKS).map(part).collect();
        let named = parts.iter().map(|(cid, _)| link(cid)).collect();
        root.insert("parts".to_owned(), Ipld::List(named));
        [vec![block(root)], parts].concat()
    }

    /// Reads a root block; `None` of one that is no manifest.
    pub fn read(bytes: &[u8]) -> Option<ManifestRoot> {
        let mut root = map(bytes)?;
        let (Some(Ipld::Integer(1)), Some(Ipld::Integer(chain_id)), Some(Ipld::String(collection))) =
            (root.remove("everhold"), root.remove("chain_id"), root.remove("collection"))
        else {
            return None;
        };
        let contents = match root.remove("contents") {
            Some(links) => contents(links)?,
            None => Vec::new(),
        };
        let parts = match root.remove("parts") {
            Some(Ipld::List(parts)) => parts.iter().map(cid).collect::<Option<_>>()?,
            _ => Vec::new(),
        };
        let chain_id = u64::try_from(chain_id).ok()?;
        Some(ManifestRoot { manifest: Manifest { chain_id, collection, contents }, parts })
    }

    /// Reads a block that names more; `None` of one that is another.
    pub fn read_part(bytes: &[u8]) -> Option<Vec<ContentId>> {
        contents(map(bytes)?.remove("contents")?)
    }
}

fn map(bytes: &[u8]) -> Option<BTreeMap<String, Ipld>> {
    match serde_ipld_dagcbor::from_slice(bytes) {
        Ok(Ipld::Map(map)) => Some(map),
        _ => None,
    }
}

fn contents(links: Ipld) -> Option<Vec<ContentId>> {
    let Ipld::List(links) = links else { return None };
    links.iter().map(|link| cid(link)?.content_id()).collect()
}

fn cid(link: &Ipld) -> Option<Cid> {
    match link {
        Ipld::Link(cid) => Cid::from_bytes(&cid.to_bytes()).ok(),
        _ => None,
    }
}

/// A link; the name of what has no sha2-256 of its bytes is none.
fn link(to: &Cid) -> Ipld {
    cid::Cid::try_from(to.to_bytes()).map_or(Ipld::Null, Ipld::Link)
}

fn block(map: BTreeMap<String, Ipld>) -> (Cid, Vec<u8>) {
    // Numbers, texts, lists and links can all be written.
    let bytes = serde_ipld_dagcbor::to_vec(&Ipld::Map(map)).unwrap_or_default();
    let digest = HashFunction::Sha256.digest(&bytes);
    let cid = Cid::from_parts(DAG_CBOR, HashFunction::Sha256, &digest);
    // A sha2-256 is as long as one.
    (cid.unwrap_or_else(|| Cid::from(super::id_of(super::Codec::Raw, &bytes))), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codec, id_of};

    fn manifest(contents: usize) -> Manifest {
        let id = |n: usize| {
            id_of(if n.is_multiple_of(2) { Codec::Raw } else { Codec::DagPb }, &n.to_be_bytes())
        };
        Manifest {
            chain_id: 1,
            collection: "0xabc".to_owned(),
            contents: (0..contents).map(id).collect(),
        }
    }

    #[test]
    fn is_read_back_from_its_blocks() {
        for (contents, blocks) in [(0, 1), (3, 1), (LINKS, 1), (LINKS + 1, 3)] {
            let manifest = manifest(contents);
            let written = manifest.blocks();
            assert_eq!(written.len(), blocks);
            assert!(written.iter().all(|(cid, block)| cid.names(block) == Ok(true)));
            assert!(
                written.iter().all(|(cid, block)| cid.codec() == DAG_CBOR && block.len() < 1 << 20)
            );
            let root = Manifest::read(&written[0].1).unwrap();
            let mut all = root.manifest.contents.clone();
            let parts: Vec<Cid> = written[1..].iter().map(|(cid, _)| *cid).collect();
            assert_eq!(root.parts, parts);
            for (_, part) in &written[1..] {
                all.extend(Manifest::read_part(part).unwrap());
            }
            assert_eq!(Manifest { contents: all, ..root.manifest }, manifest);
        }
    }

    #[test]
    fn is_no_other_block() {
        let (_, block) = manifest(2).blocks().remove(0);
        for cut in 0..block.len() {
            assert_eq!(Manifest::read(&block[..cut]), None);
        }
        for other in [&b"\xa0"[..], b"\x80", b"\xa1\x68everhold\x01", b"<html>"] {
            assert_eq!(Manifest::read(other), None);
        }
    }
}
