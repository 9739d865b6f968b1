//! Files, folders and archives: our CIDs beside those of two other importers, and DAGs of every
//! shape, honest and hostile, block by block.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod archives;
mod built;
mod files;
mod folders;
mod hostile;
mod paths;
mod seek;
mod support;
