//! The ledger through its public functions, each test on SQLite and on PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod chain;
mod clocks;
mod concurrent;
mod denied;
mod due;
mod followers;
mod foreign;
mod foreign_model;
mod foreign_property;
mod fragile;
mod halts;
mod health;
mod hostile;
mod incidents;
mod kill;
mod links;
mod many;
mod migration;
mod model;
mod nodes;
mod pages;
mod property;
mod providers;
mod repairs;
mod rereading;
mod retention;
mod silences;
mod spots;
mod stores;
mod story;
mod vault;
mod verdicts;
