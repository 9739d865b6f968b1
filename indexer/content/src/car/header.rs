//! The header of an archive: `{version: 1, roots: [CID, …]}` in DAG-CBOR.

use ipld_core::ipld::Ipld;

use super::CarError;
use crate::Cid;

/// Bytes of a header. One root takes about 60.
pub(super) const MAX_HEADER: u64 = 64 << 10;

/// What begins every CARv2: a header of version 2 and nothing else.
pub(super) const V2_PRAGMA: [u8; 10] = *b"\xa1\x67version\x02";

/// Reads the roots of a CARv1's header.
pub(super) fn roots(bytes: &[u8]) -> Result<Vec<Cid>, CarError> {
    let header: Ipld = serde_ipld_dagcbor::from_slice(bytes)
        .map_err(|error| CarError::Header(format!("its header is no DAG-CBOR ({error})")))?;
    let Ipld::Map(mut header) = header else {
        return Err(wrong("its header is not a map"));
    };
    match header.remove("version") {
        Some(Ipld::Integer(1)) => {}
        Some(Ipld::Integer(version)) => {
            return Err(CarError::Header(format!("version {version}, where 1 and 2 are read")));
        }
        _ => return Err(wrong("its header has no version")),
    }
    let roots = match header.remove("roots") {
        Some(Ipld::List(roots)) => roots,
        _ => return Err(wrong("its header has no list of roots")),
    };
    let root = |root| match root {
        Ipld::Link(cid) => {
            Cid::from_bytes(&cid.to_bytes()).map_err(|_| wrong("a root that can't be read"))
        }
        _ => Err(wrong("a root that is not a CID")),
    };
    roots.into_iter().map(root).collect()
}

fn wrong(reason: &str) -> CarError {
    CarError::Header(reason.to_owned())
}
