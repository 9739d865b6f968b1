//! aleph.im Core Channel Nodes: their HTTP interface and their messages.

mod client;
mod live;
mod message;
mod refusal;
mod security;
mod stores;

pub use client::{AlephError, Client, Engine, MessageStatus, Payload};
pub use live::{LiveStores, lists_suffice};
pub use message::{Message, sign_aggregate, sign_forget, sign_store, sign_store_for};
pub use refusal::rejection;
pub use stores::{Listed, Narrowed, StoreMessage};
