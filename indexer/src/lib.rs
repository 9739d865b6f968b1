//! Everhold keeps NFT collections provable and alive.
//!
//! A collection stores 32-byte digests on-chain. This crate watches mints and updates, fetches
//! what the digests name from aleph.im nodes and IPFS, re-hashes it, counts the nodes that really
//! served the right bytes, and repairs or raises the alarm when they are too few.
//!
//! Data flows one way: [`chain`] → [`ledger`] → probes ([`nodes`]) → [`health`] (pure) → repair
//! and alerts (all in [`watch`]). [`content`] is the ground floor: what a name is, and whether
//! bytes are what it names.

pub mod api;
pub mod chain;
pub mod check;
pub mod cli;
pub mod config;
pub mod hash;
pub mod health;
pub mod ledger;
pub mod nodes;
pub mod picture;
pub mod publish;
pub mod report;
pub mod watch;

pub use everhold_content as content;

/// A time of the ledger as people and machines read it: RFC 3339, UTC, milliseconds.
pub fn time_text(millis: ledger::Millis) -> String {
    let nanos = i128::from(millis) * 1_000_000;
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
    let text =
        time.and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_else(|| format!("{millis} ms since 1970"))
}
