//! `everhold freeze`

use std::process::ExitCode;

use alloy::primitives::{Address, U256};
use clap::Args;
use serde_json::json;

use super::{Context, OneChain, keys::KeyArgs, output::Failure};
use crate::{
    chain::{self, Contract, EDITS_ARE_OFF},
    publish::check_owner,
};

/// Fixes a token's content for ever, with the key of the token's owner.
#[derive(Debug, Args)]
pub(super) struct Freeze {
    /// The collection's address
    #[arg(long, value_name = "ADDRESS")]
    collection: Address,
    /// The token's id
    #[arg(long, value_name = "ID")]
    token: U256,
    #[command(flatten)]
    pub(super) chain: OneChain,
    #[command(flatten)]
    key: KeyArgs,
}

impl Freeze {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config()?;
        let owner = self.key.load("freeze").await?;
        let fetcher = config.fetcher()?;
        let rpc = context.connect(&config, &fetcher).await?;
        let provider = rpc.provider().await?;
        let info = chain::inspect(&provider, rpc.chain_id(), self.collection).await?;
        let contract = Contract::new(provider, self.collection);
        let token = self.token;
        check_owner(&contract, &owner, token).await?;
        let transaction = if contract.is_frozen(token).await? {
            None
        } else {
            context.output.confirm(&format!("freeze token {token} for ever?"))?;
            Some(contract.freeze(&owner, token).await?.transaction_hash.to_string())
        };
        let value = json!({
            "collection": self.collection.to_checksum(None),
            "token_id": token.to_string(),
            "frozen": true,
            "editable": info.editable,
            "transaction": transaction,
        });
        let people = match transaction {
            Some(hash) => format!("token {token} is frozen (transaction {hash})"),
            None if info.editable => format!("token {token} was frozen already"),
            None => format!("there is no need to freeze token {token}: {EDITS_ARE_OFF}"),
        };
        context.output.result(&value, || people)?;
        Ok(ExitCode::SUCCESS)
    }
}
