//! `everhold update`

use std::{path::PathBuf, process::ExitCode};

use alloy::primitives::{Address, U256};
use clap::Args;
use serde_json::json;
use tracing::warn;

use super::{
    Context, OneChain,
    keys::{KeyArgs, load_either},
    output::{Failure, SHORT},
    publish::refuse_denied,
};
use crate::{
    chain::{self, Contract},
    deny::DenyList,
    publish::{self, Document, Storer},
    watch::with_found_nodes,
};

/// Stores new metadata and points a token at it, with the key of the token's owner.
#[derive(Debug, Args)]
pub(super) struct Update {
    /// The new metadata; files it names are looked up beside it
    file: PathBuf,
    /// The collection's address
    #[arg(long, value_name = "ADDRESS")]
    collection: Address,
    /// The token's id
    #[arg(long, value_name = "ID")]
    token: U256,
    /// Key file of another account that signs and pays for the STORE: a keystore or 64 hex digits
    #[arg(long, value_name = "FILE")]
    payer: Option<PathBuf>,
    /// File that holds the payer's keystore password [default: EVERHOLD_PAYER_PASSWORD, or a prompt]
    #[arg(long, value_name = "FILE", requires = "payer")]
    payer_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) chain: OneChain,
    #[command(flatten)]
    key: KeyArgs,
}

impl Update {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config()?;
        let owner = self.key.load("update").await?;
        let payer = match &self.payer {
            Some(path) => {
                let password = self.payer_password_file.as_deref();
                load_either(path, password, "EVERHOLD_PAYER_PASSWORD").await?
            }
            None => owner.clone(),
        };
        let fetcher = config.fetcher()?;
        let rpc = context.connect(&config, &fetcher).await?;
        let provider = rpc.provider().await?;
        let info = chain::inspect(&provider, rpc.chain_id(), self.collection).await?;
        let document = Document::read(&self.file, 0)?;
        let plan = publish::plan_document(&document, info.codec)?;
        refuse_denied(&DenyList::read(&config).await?, &plan)?;
        let content = plan.tokens[&0];
        let contract = Contract::new(provider, self.collection);
        let config = with_found_nodes(config, &fetcher).await?;
        let storer = Storer::new(&config, &fetcher, payer)?;
        let token = self.token;
        context.output.confirm(&format!("point token {token} at {}?", content.uri()))?;
        let updated = publish::update(&contract, &owner, token, content, &plan, &storer).await?;
        let transaction = updated.transaction.map(|hash| hash.to_string());
        let value = json!({
            "collection": self.collection.to_checksum(None),
            "token_id": token.to_string(),
            "content": content.to_string(),
            "uri": content.uri(),
            "digest": content.digest.to_string(),
            "previous_digest": updated.before.to_string(),
            "transaction": transaction,
            "stored": updated.stored,
        });
        let people = match &transaction {
            Some(hash) => format!("token {token} now names {} (transaction {hash})", content.uri()),
            None => format!("token {token} names {} already; it is stored", content.uri()),
        };
        context.output.result(&value, || people)?;
        let (fewest, required) =
            (updated.stored.fewest, updated.stored.required(config.replicas.min));
        if fewest < required {
            warn!("its content is on {fewest} of {required} required nodes");
            return Ok(ExitCode::from(SHORT));
        }
        Ok(ExitCode::SUCCESS)
    }
}
