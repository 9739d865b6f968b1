//! `everhold delegate`

use std::process::ExitCode;

use alloy::primitives::Address;
use clap::Args;

use super::{
    Context,
    keys::KeyArgs,
    output::{Failure, SHORT},
};
use crate::publish::delegate;

/// Lets the key that repairs sign STOREs for an account, which pays for them; signed with the account's key.
#[derive(Debug, Args)]
pub(super) struct DelegateArgs {
    /// Who may sign for the account: the address of the key that repairs
    #[arg(long, value_name = "ADDRESS")]
    to: Address,
    /// Take it back
    #[arg(long)]
    revoke: bool,
    #[command(flatten)]
    key: KeyArgs,
}

impl DelegateArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.read_config()?;
        let account = self.key.load("delegate").await?;
        let fetcher = config.fetcher()?;
        let done = delegate(&config, &fetcher, &account, self.to, !self.revoke).await?;
        let nodes = config.aleph.named().len();
        let people = || {
            let (account, delegate, known) = (&done.account, &done.delegate, done.nodes.len());
            let may = if done.authorized { "may" } else { "may not" };
            let already = if done.message.is_none() { "; so it was before" } else { "" };
            format!(
                "{delegate} {may} sign STOREs for {account}, as {known} of {nodes} nodes say{already}\n\
                 Everhold signs for it with [repair] account = \"{account}\"\n"
            )
        };
        context.output.result(&done, people)?;
        // What no node has taken in is in force nowhere.
        Ok(if done.nodes.is_empty() { ExitCode::from(SHORT) } else { ExitCode::SUCCESS })
    }
}
