//! What the end-to-end tests share: a chain, nodes and a collection, and ways to look at them that
//! do not pass through the product.
//!
//! The tests are in `tests/e2e/`, a file a behaviour. `cargo build -p everhold -p everhold-devnode`
//! first; then `cargo test -p everhold-e2e`. Most of them wait for the product's own delays, so
//! `RUST_TEST_THREADS=8` is faster even on two cores.

pub mod blocks;
pub mod chain;
pub mod content;
pub mod dag;
pub mod ended;
pub mod fake;
pub mod foreign;
pub mod gateway;
pub mod list;
pub mod node;
pub mod proxy;
pub mod report;
pub mod run;
pub mod seed;
pub mod shape;
pub mod web;
mod world;

pub use everhold_harness::*;
pub use world::{Setup, World};
