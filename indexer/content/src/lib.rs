//! The ground floor: what content is called and whether bytes are that content.
//!
//! Nothing here opens a socket, a file or a database, and nothing knows of chains. Everything
//! that comes in (texts, bytes, metadata) is taken as hostile: no function panics, and each has
//! a bound on the memory it uses.
//!
//! ```
//! use everhold_content::{Codec, ContentId, Verifier, id_of};
//!
//! let id = id_of(Codec::DagPb, b"");
//! assert_eq!(id.to_string(), "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH");
//!
//! let mut verifier = Verifier::new(id);
//! verifier.update(b"something else");
//! assert!(!verifier.finish().matches);
//! assert_eq!(id.cid().parse::<ContentId>(), Ok(id));
//! ```

mod car;
mod cid;
mod codec;
mod dag;
mod data_uri;
mod digest;
mod folder;
mod graph;
mod hasher;
mod id;
mod manifest;
mod metadata;
mod multiaddr;
mod multihash;
mod node;
mod node_list;
mod outline;
mod profile;
mod providers;
mod recent;
mod reference;
mod unixfs;
mod verifier;
mod walk;

#[cfg(test)]
mod tests;

pub use self::cid::{Cid, CidError};
pub use car::{CarBlock, CarCheck, CarError, CarFile, CarPart, CarReader, CarWriter, Next};
pub use codec::{Codec, CodecError};
pub use data_uri::{Data, DataUri, DataUriError};
pub use digest::{Digest, DigestError};
pub use folder::{Folder, FolderError, Imported};
pub use graph::{
    DocumentSummary, Edge, Graph, GraphError, GraphLimits, Limit, Node, NodeId, NodeState, Outcome,
    Picture, Root, RootId, RootRole, Task,
};
pub use hasher::{Hasher, id_of, id_of_reader};
pub use id::{ContentId, ContentIdError};
pub use manifest::{Manifest, ManifestRoot};
pub use metadata::{
    Link, Metadata, MetadataError, MetadataLimits, MetadataWarning, local_references,
    rewrite_references,
};
pub use multiaddr::{Multiaddr, MultiaddrError};
pub use multihash::{HashError, HashFunction, MAX_IDENTITY, StreamHasher};
pub use node_list::{ListedNode, NodeList, NodeListError};
pub use outline::Outline;
pub use profile::{CidVersion, Profile};
pub use providers::{Provider, ProviderReader, Providers, Shape};
pub use recent::RecentBlocks;
pub use reference::{
    Fact, ID_PLACE, MAX_REFERENCE_BYTES, Proof, Provability, Reference, ReferenceClass,
    ReferenceClassError, id_hex, is_visible, shown, substitute_id,
};
pub use verifier::{Verification, Verifier};
pub use walk::{DagError, DagLimits, Entry, Found, Seek, Walk};
