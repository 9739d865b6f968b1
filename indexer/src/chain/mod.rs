//! The chain: what collections say, read through endpoints that are not trusted blindly.

mod addresses;
mod bindings;
mod collection;
mod deployer;
mod detect;
mod error;
mod events;
mod factory;
mod reader;
mod reverts;
mod rpc;
mod send;
mod standards;
mod transport;
mod uris;
mod wallet;

pub use addresses::factory_address;
pub use bindings::{CollectionSettings, IEverhold, IEverholdFactory};
pub use collection::{CollectionInfo, Contract, inspect};
pub use deployer::{DEPLOYER, DEPLOYER_ACCOUNT, ether};
pub use detect::{Detected, detect};
pub use error::CollectionError;
pub use events::{BadLog, BlockRef, TokenEvent, TokenEventKind, decode};
pub use factory::{DeployError, Deployed, Deployment, deploy, plan_deployment};
pub use reader::{Read, Reader};
pub(crate) use reverts::EDITS_ARE_OFF;
pub use rpc::{Rpc, RpcError, View, may_concern};
pub use standards::{MAX_RANGE, Oddity, Watched};
pub use transport::RpcTransport;
pub use uris::{MAX_URI, MULTICALL, Pinned, Text, UriAnswer, UriCall, text_of};
pub use wallet::{KeyError, KeySource, load_key};
