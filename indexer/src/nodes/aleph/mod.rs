//! aleph.im Core Channel Nodes: their HTTP interface and their messages.

mod client;
mod message;

pub use client::{AlephError, Client, Engine, MessageStatus, Payload};
pub use message::{Message, sign_store};
