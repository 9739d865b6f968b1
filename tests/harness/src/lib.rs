//! Runs Everhold as a user does: the `everhold` binary, a chain, aleph nodes and a receiver of
//! alerts, each a process (the receiver: a server) of its own.
//!
//! The product's crate is not linked. What it says is checked from outside: with hashes computed
//! here, files read from the nodes' disks, and blocks read from the chain.
//!
//! ```no_run
//! # async fn example() -> everhold_harness::Result<()> {
//! use everhold_harness::{Anvil, DevNode, Everhold, NodeOptions, Settings, accounts};
//!
//! let anvil = Anvil::start().await?;
//! let node = DevNode::start(NodeOptions::default()).await?;
//! let everhold = Everhold::new()?;
//! everhold.configure(&Settings {
//!     rpc: vec![anvil.url()],
//!     nodes: vec![node.url()],
//!     min: 1,
//!     ..Settings::default()
//! })?;
//! let key = everhold.key_file("creator", &accounts::CREATOR)?;
//! let deployed = everhold
//!     .json(["deploy", "--name", "N", "--symbol", "S", "--private-key-file", &key])
//!     .await?;
//! println!("{}", deployed["address"]);
//! # Ok(()) }
//! ```
//!
//! Whatever is started here ends with its value: on drop, in a panic, and, for all but the
//! receiver, which is no process, even where this process is killed.

pub mod accounts;
mod anvil;
mod binaries;
mod collection;
mod devnode;
mod error;
mod everhold;
mod hash;
mod http;
mod ipfs;
mod memory;
mod process;
mod receiver;
mod services;
mod smtp;
mod wait;
mod workdir;

pub use accounts::Account;
pub use anvil::Anvil;
pub use binaries::{Program, locate};
pub use collection::{Sample, SampleOptions, SampleToken};
pub use devnode::{DevNode, NodeFile, NodeOptions};
pub use error::{Context, Error, Result};
pub use everhold::{Alerting, Everhold, Finished, Settings, Watcher};
pub use hash::{dag_pb_sha256, sha256, sha256_file};
pub use ipfs::Ipfs;
pub use process::Process;
pub use receiver::{Alert, AlertReceiver};
pub use services::{Posted, Services};
pub use smtp::{Mail, MailServer};
pub use wait::eventually;
