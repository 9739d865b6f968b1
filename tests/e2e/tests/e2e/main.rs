//! Everhold from outside: a chain, nodes that are harmed, and what the binary makes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alerts;
mod bad_chain;
mod bad_folder;
mod bad_keys;
mod bad_nodes;
mod bad_settings;
mod burn;
mod check;
mod check_gateways;
mod check_hostile;
mod claims;
mod dag_pb;
mod deny;
mod deploy;
mod desks;
mod discover;
mod faulty_nodes;
mod foreign;
mod halt;
mod hash;
mod incidents;
mod memory;
mod postgres;
mod provenance;
mod providers;
mod publish;
mod publish_killed;
mod publish_many;
mod publish_nodes;
mod raw_on_isolated_nodes;
mod references;
mod repair;
mod sinks;
mod sinks_twice;
mod spot_checks;
mod support;
mod unusual_dags;
mod update;
mod watch;
mod watch_killed;
