//! Reads blocks: dag-pb nodes and the UnixFS data in them.
//!
//! dag-pb: <https://ipld.io/specs/codecs/dag-pb/spec/>; UnixFS: <https://specs.ipfs.tech/unixfs/>,
//! section "Data". Nothing is copied: what is read points into the block.

use super::Cid;

/// A dag-pb node.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) links: Vec<Link<'a>>,
    pub(crate) data: &'a [u8],
}

/// A link of a dag-pb node. Its total size (`Tsize`) is left out: it is advice, importers disagree
/// about it, and nothing here relies on it.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    pub(crate) cid: Cid,
    pub(crate) name: &'a [u8],
}

/// What a UnixFS node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A leaf of the older kind, from before `File` leaves.
    Raw,
    Directory,
    File,
    Symlink,
    /// A part of a directory that is a hash array mapped trie.
    Shard,
}

/// A UnixFS message.
#[derive(Debug)]
pub(crate) struct UnixFs<'a> {
    pub(crate) kind: Kind,
    pub(crate) data: &'a [u8],
    pub(crate) file_size: Option<u64>,
    pub(crate) block_sizes: Vec<u64>,
    pub(crate) hash_type: Option<u64>,
    pub(crate) fanout: Option<u64>,
}

/// What is wrong with a block, in words.
pub(crate) type Malformed = &'static str;

type Result<T, E = Malformed> = std::result::Result<T, E>;

impl<'a> Node<'a> {
    /// Reads a dag-pb node of at most `max_links` links.
    pub(crate) fn read(block: &'a [u8], max_links: usize) -> Result<Node<'a>> {
        let (mut links, mut data) = (Vec::new(), None);
        for field in Fields(block) {
            match field? {
                (1, Value::Bytes(bytes)) if data.is_none() => data = Some(bytes),
                (2, Value::Bytes(_)) if links.len() == max_links => return Err("too many links"),
                (2, Value::Bytes(bytes)) => links.push(Link::read(bytes)?),
                _ => return Err("a field that dag-pb does not have, or has once"),
            }
        }
        Ok(Node { links, data: data.unwrap_or_default() })
    }
}

impl<'a> Link<'a> {
    fn read(bytes: &'a [u8]) -> Result<Link<'a>> {
        let (mut cid, mut name) = (None, None);
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(bytes)) if cid.is_none() => {
                    cid =
                        Some(Cid::from_bytes(bytes).map_err(|_| "a link to something unreadable")?);
                }
                (2, Value::Bytes(bytes)) if name.is_none() => name = Some(bytes),
                (3, Value::Number(_)) => {}
                _ => return Err("a link with a field that dag-pb does not have, or has once"),
            }
        }
        Ok(Link { cid: cid.ok_or("a link to nothing")?, name: name.unwrap_or_default() })
    }
}

impl<'a> UnixFs<'a> {
    /// Reads the data of a dag-pb node. Of fields that come twice the last counts, and unknown
    /// ones are passed over, as in every protobuf reader.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<UnixFs<'a>> {
        let mut kind = None;
        let mut read = UnixFs {
            kind: Kind::Raw,
            data: &[],
            file_size: None,
            block_sizes: Vec::new(),
            hash_type: None,
            fanout: None,
        };
        for field in Fields(bytes) {
            match field? {
                (1, Value::Number(number)) => kind = Some(Kind::from_number(number)?),
                (2, Value::Bytes(bytes)) => read.data = bytes,
                (3, Value::Number(size)) => read.file_size = Some(size),
                (4, Value::Number(size)) => read.block_sizes.push(size),
                (4, Value::Bytes(packed)) => packed_numbers(packed, &mut read.block_sizes)?,
                (5, Value::Number(number)) => read.hash_type = Some(number),
                (6, Value::Number(number)) => read.fanout = Some(number),
                (1..=6, _) => return Err("a UnixFS field of another type"),
                _ => {}
            }
        }
        read.kind = kind.ok_or("no UnixFS type")?;
        Ok(read)
    }
}

impl Kind {
    fn from_number(number: u64) -> Result<Kind> {
        match number {
            0 => Ok(Kind::Raw),
            1 => Ok(Kind::Directory),
            2 => Ok(Kind::File),
            4 => Ok(Kind::Symlink),
            5 => Ok(Kind::Shard),
            _ => Err("a UnixFS type that is not known"),
        }
    }
}

/// `repeated uint64`, packed.
fn packed_numbers(mut bytes: &[u8], into: &mut Vec<u64>) -> Result<()> {
    while !bytes.is_empty() {
        into.push(varint(&mut bytes)?);
    }
    Ok(())
}

/// The value of a protobuf field.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message, in their order.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>)> {
        let tag = varint(&mut self.0)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let size = varint(&mut self.0)?;
                Value::Bytes(self.take(usize::try_from(size).map_err(|_| CUT)?)?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return Err("no protobuf"),
        };
        Ok((tag >> 3, value))
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }
}

const CUT: Malformed = "cut off";

/// Reads a varint of at most 64 bits off the start of `bytes`.
pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for at in 0..10 {
        let (byte, rest) = bytes.split_first().ok_or(CUT)?;
        *bytes = rest;
        if at == 9 && *byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number of more than 64 bits")
}
