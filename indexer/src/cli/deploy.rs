//! `everhold deploy`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tracing::warn;

use super::{Context, keys::KeyArgs, output::Failure};
use crate::{
    chain::{self, Rpc},
    content::Codec,
};

/// Deploys a collection; the key's account becomes its creator.
#[derive(Debug, Args)]
pub(super) struct Deploy {
    /// The collection's name
    #[arg(long)]
    name: String,
    /// The collection's symbol
    #[arg(long)]
    symbol: String,
    /// How digests name content: dag-pb (resolved by every wallet) or raw (sha-256 of the file)
    #[arg(long, default_value = "dag-pb")]
    codec: Codec,
    /// The first token's id
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u8).range(0..=1))]
    first_id: u8,
    #[command(flatten)]
    key: KeyArgs,
}

impl Deploy {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config()?;
        let signer = self.key.load("deploy").await?;
        let rpc = Rpc::connect(&config.chain.rpc).await?;
        let provider = rpc.provider().await?;
        let chain_id = rpc.chain_id();
        let Self { name, symbol, codec, first_id, .. } = self;
        context.output.confirm(&format!(
            "deploy \"{name}\" ({symbol}, {codec}) on chain {chain_id} as {}?",
            signer.address()
        ))?;
        if codec == Codec::Raw {
            warn!("{RAW_WARNING}");
        }
        let deployed = chain::deploy(&provider, &signer, &name, &symbol, codec, first_id).await?;
        let address = deployed.address.to_checksum(None);
        let (block, transaction) = (deployed.block, deployed.transaction);
        let value = json!({
            "address": address,
            "transaction": transaction.to_string(),
            "block": block,
            "codec": codec,
        });
        let people = format!(
            "{name} is deployed at {address} (block {block}, transaction {transaction})\n\n\
             To watch it, put this into everhold.toml:\n\n\
             [[collection]]\naddress = \"{address}\"\nstart_block = {block}\n"
        );
        context.output.result(&value, people);
        Ok(ExitCode::SUCCESS)
    }
}

/// What users of the codec `raw` should know.
pub(super) const RAW_WARNING: &str = "codec raw: wallets resolve ipfs://bafkrei… only where the \
    file is also on IPFS as one raw block (at most 1 MiB); aleph nodes and Everhold know it by its \
    sha-256";
