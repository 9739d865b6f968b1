//! Those who hold content, each asked by a probe: servers that do as is needed, honest or not, and
//! npm's IPFS daemons.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod announced;
mod daemons;
mod dag;
mod held;
mod kept;
mod network;
mod published;
mod spot;
mod support;
