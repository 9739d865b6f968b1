//! Looks a name up in a directory, flat or sharded.
//!
//! Shards: UnixFS specification, section "HAMT directory". Of a name's murmur3-x64-64 hash, the
//! first bits give its place in the first shard, the next ones in the shard below, and so on.

use murmur3::murmur3_x64_128;

use super::DagError;
use crate::{
    Cid,
    node::{Kind, Link, UnixFs},
};

/// murmur3-x64-64 in the multihash table: the only hash of shards.
const MURMUR3: u64 = 0x22;

/// The most places of a shard (as in Kubo); they are powers of two.
const MAX_FANOUT: u64 = 1024;

/// Bits of a name's hash.
const HASH_BITS: u32 = 64;

/// A name on its way through shards.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: String,
    hash: u64,
    used: u32,
}

/// The hash by which shards find a name: murmur3-x64-64.
pub(crate) fn hamt_hash(name: &str) -> u64 {
    // Half of the 128 bits, as Kubo began to do. Reading from memory can't fail.
    murmur3_x64_128(&mut name.as_bytes(), 0).unwrap_or_default() as u64
}

/// Where a directory's block leads a name.
pub(super) enum Step {
    /// To the entry itself.
    Entry(Cid),
    /// To the shard below.
    Shard(Cid),
}

impl Name {
    pub(super) fn new(text: String) -> Name {
        Name { hash: hamt_hash(&text), text, used: 0 }
    }

    /// Looks for the name in a directory's block. `nested`: whether a shard led here, so that it
    /// must be a shard.
    pub(super) fn step(
        &mut self,
        cid: Cid,
        data: &UnixFs<'_>,
        links: &[Link<'_>],
        nested: bool,
    ) -> Result<Step, DagError> {
        match data.kind {
            Kind::Directory if !nested => self.step_flat(links),
            Kind::Shard => self.step_shard(cid, data, links),
            _ if nested => {
                Err(DagError::Malformed { cid, reason: "a part of a shard that is no shard" })
            }
            _ => Err(DagError::NotADirectory { name: self.text.clone() }),
        }
    }

    fn step_flat(&self, links: &[Link<'_>]) -> Result<Step, DagError> {
        let mut found = links.iter().filter(|link| link.name == self.text.as_bytes());
        match (found.next(), found.next()) {
            (Some(link), None) => Ok(Step::Entry(link.cid)),
            (None, _) => Err(DagError::NotFound { name: self.text.clone() }),
            (Some(_), Some(_)) => Err(DagError::Twice { name: self.text.clone() }),
        }
    }

    fn step_shard(
        &mut self,
        cid: Cid,
        data: &UnixFs<'_>,
        links: &[Link<'_>],
    ) -> Result<Step, DagError> {
        let fanout = fanout(data).map_err(|reason| DagError::Malformed { cid, reason })?;
        let bits = fanout.trailing_zeros();
        if self.used + bits > HASH_BITS {
            return Err(DagError::Malformed { cid, reason: "shards deeper than the hash is long" });
        }
        let place = (self.hash << self.used) >> (HASH_BITS - bits);
        self.used += bits;

        let prefix = prefix(place, fanout);
        let at_place = |link: &&Link<'_>| link.name.starts_with(prefix.as_bytes());
        let mut found = links.iter().filter(at_place);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(DagError::Malformed { cid, reason: "a shard with two entries at one place" })
            }
            (Some(link), None) if link.name.len() == prefix.len() => Ok(Step::Shard(link.cid)),
            (Some(link), None) if link.name[prefix.len()..] == *self.text.as_bytes() => {
                Ok(Step::Entry(link.cid))
            }
            _ => Err(DagError::NotFound { name: self.text.clone() }),
        }
    }
}

/// The places of a shard.
fn fanout(data: &UnixFs<'_>) -> Result<u64, &'static str> {
    if data.hash_type != Some(MURMUR3) {
        return Err("a shard by another hash than murmur3-x64-64");
    }
    match data.fanout {
        Some(fanout) if (2..=MAX_FANOUT).contains(&fanout) && fanout.is_power_of_two() => {
            Ok(fanout)
        }
        _ => Err("a shard with a fanout that is no power of two up to 1024"),
    }
}

/// What the names of links at a place begin with.
fn prefix(place: u64, fanout: u64) -> String {
    let digits = format!("{:X}", fanout - 1).len();
    format!("{place:0digits$X}")
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as it is: it may hold anything, `..` and control characters too.
    pub name: String,
    /// What it names.
    pub cid: Cid,
}

/// The entries that a directory's block itself holds, and whether there are more in shards below.
pub(super) fn entries(
    cid: Cid,
    data: &UnixFs<'_>,
    links: &[Link<'_>],
) -> Result<(Vec<Entry>, bool), DagError> {
    let malformed = |reason| DagError::Malformed { cid, reason };
    let skip = match data.kind {
        Kind::Shard => prefix(0, fanout(data).map_err(malformed)?).len(),
        _ => 0,
    };
    let mut entries = Vec::with_capacity(links.len());
    let mut seen = std::collections::HashSet::with_capacity(links.len());
    for link in links {
        let name =
            link.name.get(skip..).ok_or_else(|| malformed("a shard's link without a place"))?;
        let name = std::str::from_utf8(name).map_err(|_| malformed("a name that is not UTF-8"))?;
        if skip > 0 && name.is_empty() {
            continue;
        }
        if !seen.insert(name) {
            return Err(DagError::Twice { name: name.to_owned() });
        }
        entries.push(Entry { name: name.to_owned(), cid: link.cid });
    }
    let more = entries.len() < links.len();
    Ok((entries, more))
}
