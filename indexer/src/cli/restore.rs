//! `everhold restore`

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    Context,
    output::{Failure, SHORT, plain},
};
use crate::{
    archive::{Restored, restore},
    ledger::Ledger,
    vault::{Keeper, Vault},
    watch::policy,
};

/// Takes out of an archive (CAR) what is wanted, and puts it into the vault: `everhold watch` repairs from
/// there.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The archive
    #[arg(value_name = "FILE.car")]
    file: PathBuf,
}

impl RestoreArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.read_config()?;
        let ledger = Ledger::open_existing(&config.database).await?;
        let vault = Vault::configured(&config, &config.fetcher()?)?;
        let policy = policy(&config);
        let keeper = Keeper::new(vault, ledger.clone(), policy, &config.vault);
        let restored = restore(&ledger, &policy, &keeper, &self.file).await?;
        ledger.close().await;
        context.output.result(&restored, || people(&restored))?;
        Ok(if restored.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(SHORT) })
    }
}

fn people(restored: &Restored) -> String {
    let mut text = format!(
        "{}: {} contents restored into the vault, {} were there already\n",
        restored.file.display(),
        restored.restored.len(),
        restored.present.len()
    );
    for one in &restored.incomplete {
        let _ = writeln!(text, "not restored: {} ({})", one.id, plain(&one.reason));
    }
    for one in &restored.wrong {
        let _ = writeln!(text, "wrong: block {} at byte {}: not used", one.cid, one.offset);
    }
    let more = restored.wrong_blocks.saturating_sub(restored.wrong.len() as u64);
    if more > 0 {
        let _ = writeln!(text, "wrong: {more} more blocks");
    }
    if restored.unprovable_blocks > 0 {
        let unprovable = restored.unprovable_blocks;
        let _ = writeln!(text, "{unprovable} blocks are hashed in a way that is not known here");
    }
    if let Some(broken) = &restored.broken {
        let _ = writeln!(text, "not read to its end: {}", plain(broken));
    }
    if restored.unknown > 0 {
        let _ = writeln!(text, "{} contents are named by nothing in the ledger", restored.unknown);
    }
    if restored.unnamed_blocks > 0 {
        let _ = writeln!(text, "{} blocks are named by nothing", restored.unnamed_blocks);
    }
    if !restored.restored.is_empty() {
        text += "`everhold watch` gives them back to the nodes\n";
    }
    text
}
