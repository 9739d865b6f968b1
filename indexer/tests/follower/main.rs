//! The follower against a real chain (anvil), through RPC endpoints that lag, lie and fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod anvil;
mod aside;
mod burning;
mod chains;
mod endpoints;
mod factories;
mod following;
mod foreign;
mod gas;
mod halting;
mod heads;
mod http;
mod logs;
mod many;
mod own;
mod paths;
mod proxy;
mod relay;
mod setting;
mod simulation;
mod start;
mod uris;
mod websocket;
