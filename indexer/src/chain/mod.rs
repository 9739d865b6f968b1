//! The chain: what collections say, read through endpoints that are not trusted blindly.

mod bindings;
mod collection;
mod events;
mod rpc;
mod wallet;

pub use bindings::IEverhold;
pub use collection::{CollectionError, CollectionInfo, Contract, Deployed, deploy, inspect};
pub use events::{BadLog, BlockRef, TOPICS, TokenEvent, TokenEventKind, decode};
pub use rpc::{Rpc, RpcError, View, may_concern};
pub use wallet::{KeyError, KeySource, load_key};
