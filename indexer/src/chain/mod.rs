//! The chain: what collections say, read through endpoints that are not trusted blindly.

mod addresses;
mod bindings;
mod collection;
mod deployer;
mod error;
mod events;
mod factory;
mod reader;
mod reverts;
mod rpc;
mod send;
mod transport;
mod wallet;

pub use addresses::factory_address;
pub use bindings::{CollectionSettings, IEverhold, IEverholdFactory};
pub use collection::{CollectionInfo, Contract, inspect};
pub use deployer::{DEPLOYER, DEPLOYER_ACCOUNT, ether};
pub use error::CollectionError;
pub use events::{BadLog, BlockRef, TOPICS, TokenEvent, TokenEventKind, decode};
pub use factory::{DeployError, Deployed, Deployment, deploy, plan_deployment};
pub use reader::{Read, Reader};
pub(crate) use reverts::EDITS_ARE_OFF;
pub use rpc::{Rpc, RpcError, View, may_concern};
pub use transport::RpcTransport;
pub use wallet::{KeyError, KeySource, load_key};
