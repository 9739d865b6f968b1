//! What an archive says to have.

use std::{
    collections::{BTreeSet, HashSet},
    io,
};

use super::Index;
use crate::content::{ContentId, DagLimits, Manifest};

/// Contents that an archive may say to have, and blocks in which it does: the rest is not missed where it is
/// not whole. An export has 20,000 links in a block.
const MOST_LINKS: usize = 2_000_000;
const MOST_PARTS: usize = 10_000;

/// The contents that an archive says to have: by the first of its roots that is a manifest. Each block is
/// read once, however often it is named, and no more than so many of them and of their links count:
/// whoever made the archive may want us to be busy for ever.
pub(super) fn said(index: &mut Index) -> io::Result<BTreeSet<ContentId>> {
    let most = DagLimits::default().block_bytes;
    let mut seen = HashSet::new();
    for root in index.roots.clone() {
        if !seen.insert(root.to_bytes()) {
            continue;
        }
        let block = index.block(&root, most)?;
        let Some(read) = block.and_then(|block| Manifest::read(&block)) else { continue };
        let mut links = read.manifest.contents;
        for part in read.parts {
            if seen.len() > MOST_PARTS || links.len() >= MOST_LINKS {
                break;
            }
            if seen.insert(part.to_bytes()) {
                let part = index.block(&part, most)?;
                links.extend(
                    part.and_then(|block| Manifest::read_part(&block)).into_iter().flatten(),
                );
            }
        }
        links.truncate(MOST_LINKS);
        return Ok(links.into_iter().collect());
    }
    Ok(BTreeSet::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{CarWriter, Cid, Codec, HashFunction, id_of};

    /// The parts of a manifest's root, one of them named so often.
    fn named_often(root: &[u8], times: u16) -> Vec<u8> {
        // In CBOR: a text of five characters, a list of two, and links of 41 bytes.
        let at = root.windows(7).position(|some| some == b"\x65parts\x82").unwrap();
        let (before, links) = (&root[..at + 6], &root[at + 7..]);
        let [high, low] = times.to_be_bytes();
        let mut often = [before, &[0x99, high, low]].concat();
        often.extend(links[..41].repeat(usize::from(times) - 1));
        often.extend(&links[41..82]);
        [&often, &links[82..]].concat()
    }

    #[test]
    fn an_archive_that_names_the_same_again_and_again_is_read_once() {
        let id = |n: u32| id_of(Codec::Raw, &n.to_be_bytes());
        let contents: Vec<_> = (0..20_001).map(id).collect();
        let manifest = Manifest { chain_id: 1, collection: "0xabc".to_owned(), contents };
        let mut blocks = manifest.blocks();
        let codec = blocks[0].0.codec();
        blocks[0].1 = named_often(&blocks[0].1, 40_000);
        let digest = HashFunction::Sha256.digest(&blocks[0].1);
        blocks[0].0 = Cid::from_parts(codec, HashFunction::Sha256, &digest).unwrap();
        let roots = vec![blocks[0].0; 1000];
        let mut car = CarWriter::new(tempfile::tempfile().unwrap(), &roots).unwrap();
        for (cid, block) in &blocks {
            car.block(cid, block).unwrap();
        }
        let mut file = car.into_inner();
        io::Seek::rewind(&mut file).unwrap();
        let mut index = Index::of(file).unwrap();
        assert_eq!((index.roots.len(), index.len()), (1000, 3));
        assert_eq!(said(&mut index).unwrap(), BTreeSet::from_iter(manifest.contents));
    }
}
