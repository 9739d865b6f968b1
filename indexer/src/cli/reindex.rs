//! `everhold reindex`

use std::process::ExitCode;

use alloy::primitives::Address;
use clap::Args;
use serde::Serialize;

use super::{
    Context, OneChain,
    output::{Failure, plain},
};
use crate::{
    config::CollectionConfig,
    ledger::{Collection, Ledger},
    report::HaltStatus,
    watch::{Reindexed, find_collection, reindex},
};

/// Forgets what was read of a collection; the next round of `everhold watch`, also of one that is
/// running, reads it again from its start. Contents, replicas and their evidence stay.
#[derive(Debug, Args)]
pub(super) struct ReindexArgs {
    /// The collection's address
    #[arg(value_name = "ADDRESS")]
    collection: Address,
    #[command(flatten)]
    pub(super) chain: OneChain,
}

/// What `reindex --json` prints.
#[derive(Serialize)]
struct Answer {
    /// EIP-155 chain id.
    chain_id: u64,
    /// EIP-55 address.
    address: String,
    /// ERC-721 `name()`.
    name: String,
    /// The block it is read again from.
    start_block: u64,
    /// The last block that had been read.
    was_indexed_block: Option<u64>,
    /// Why it was halted, if it was.
    was_halted: Option<HaltStatus>,
    /// The incident that this closed, if there was one.
    incident: Option<String>,
}

impl ReindexArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config()?;
        let ledger = Ledger::open_existing(&config.database).await?;
        let found =
            find_collection(&mut ledger.read().await?, self.collection, context.chain_id).await?;
        context.output.confirm(&question(&found))?;
        let done = reindex(&ledger, &config, self.collection, Some(found.chain_id)).await?;
        let is_it = |one: &CollectionConfig| {
            one.address == found.address && one.chain_id.is_none_or(|id| id == found.chain_id)
        };
        // A factory, and what it made, is read as long as it is followed.
        let followed = ledger.read().await?.followed(Some(found.chain_id)).await?;
        let used = followed.iter().any(|one| one.id == found.id);
        let configured = used || config.collection.iter().any(is_it);
        ledger.close().await;
        context.output.result(&Answer::new(&done), || people(&done, configured))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn question(collection: &Collection) -> String {
    let read = match collection.indexed_block {
        Some(block) => format!("forget what was read of it up to block {block} and"),
        None => "nothing was read of it yet;".to_owned(),
    };
    let (name, start) = (plain(&collection.name), collection.start_block);
    format!("{name}: {read} read it from block {start}?")
}

impl Answer {
    fn new(done: &Reindexed) -> Self {
        let before = &done.before;
        Self {
            chain_id: before.chain_id,
            address: before.address.to_checksum(None),
            name: before.name.clone(),
            start_block: before.start_block,
            was_indexed_block: before.indexed_block,
            was_halted: before.halted.as_ref().map(HaltStatus::from),
            incident: done.incident.clone(),
        }
    }
}

fn people(done: &Reindexed, configured: bool) -> String {
    let (name, start) = (plain(&done.before.name), done.before.start_block);
    let lifted = if done.before.halted.is_some() { "it is no longer halted; " } else { "" };
    let when = match configured {
        true => "the next round of `everhold watch` reads it (one that runs needs no restart)",
        false => "it is read once it is a [[collection]] of everhold.toml again",
    };
    format!("{name}: {lifted}it will be read again from block {start}: {when}")
}
