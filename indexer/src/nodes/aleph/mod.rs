//! aleph.im Core Channel Nodes: their HTTP interface and their messages.

mod client;
mod message;
mod security;
mod stores;

pub use client::{AlephError, Client, Engine, MessageStatus, Payload};
pub use message::{Message, sign_store};
pub use stores::{Listed, Narrowed, StoreMessage};
