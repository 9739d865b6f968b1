//! The fetcher against servers that misbehave, through its public interface.

#![allow(clippy::unwrap_used, clippy::panic)]

mod addresses;
mod encodings;
mod redirects;
mod secrets;
mod server;
mod sizes;
mod socket;
mod times;
mod tls;
mod turns;
