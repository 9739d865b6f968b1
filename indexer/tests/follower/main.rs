//! The follower against a real chain (anvil), through RPC endpoints that lag, lie and fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod anvil;
mod burning;
mod endpoints;
mod following;
mod foreign;
mod gas;
mod http;
mod proxy;
mod setting;
mod simulation;
