//! What the integration tests share. Each binary uses a part of it.

#![allow(dead_code)]

pub(crate) mod database;
pub(crate) mod postgres;
pub(crate) mod snapshot;
