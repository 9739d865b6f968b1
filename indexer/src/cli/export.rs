//! `everhold export`

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use alloy::primitives::{Address, U256};
use clap::Args;

use super::{
    Context, OneChain,
    output::{Failure, SHORT, bytes_text, plain},
};
use crate::{
    archive::{Exported, Holders, export, named},
    ledger::{Collection, Ledger},
    report::{Absent, collection_at},
    watch::{policy, with_found_nodes},
};

/// Writes all content that a collection names into an archive (CAR): from the vault, else from nodes that
/// have it.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The collection's address
    #[arg(value_name = "A")]
    collection: Address,
    /// The archive to write
    #[arg(value_name = "FILE.car")]
    file: PathBuf,
    /// Only what this token names
    #[arg(long, value_name = "ID")]
    token: Option<U256>,
    #[command(flatten)]
    pub(super) chain: OneChain,
}

impl ExportArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.read_config()?;
        let ledger = Ledger::open_existing(&config.database).await?;
        let fetcher = config.fetcher()?;
        let config = with_found_nodes(config, &fetcher).await?;
        let holders = Holders::configured(&config, &fetcher)?;
        let policy = policy(&config);
        let collection = self.collection(&ledger).await?;
        let rows = named(&ledger, &policy, &collection, self.token).await?;
        let (what, to) = ((&collection, &rows[..]), (&*self.file, context.global.yes));
        let exported = export(&ledger, &policy, &holders, what, to).await?;
        ledger.close().await;
        context.output.result(&exported, || people(&exported))?;
        Ok(match exported.missing.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(SHORT),
        })
    }

    async fn collection(&self, ledger: &Ledger) -> Result<Collection, Failure> {
        let known = ledger.read().await?.collections().await?;
        match collection_at(&known, self.collection, self.chain.chain_id) {
            Err(several) => Err(Failure::usage(format!("{several}: --chain-id N says which"))),
            Ok(Some(collection)) => Ok(collection.clone()),
            Ok(None) => Err(Failure::failed(format!(
                "{}: put it into everhold.toml as a [[collection]] and run `everhold watch`",
                Absent::NoCollection.text(self.collection, U256::ZERO)
            ))),
        }
    }
}

fn people(exported: &Exported) -> String {
    let Exported { contents, blocks, .. } = exported;
    let mut text = format!(
        "{}: {contents} contents in {blocks} blocks, {}\n",
        exported.file.display(),
        bytes_text(exported.bytes)
    );
    for missing in &exported.missing {
        let _ = writeln!(text, "not in it: {} ({})", missing.id, plain(&missing.reason));
    }
    text
}
