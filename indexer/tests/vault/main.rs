//! The vault through its public functions: in a folder, and in a bucket of a real S3 server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bucket;
mod full;
mod places;
mod support;
