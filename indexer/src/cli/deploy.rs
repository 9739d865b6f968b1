//! `everhold deploy`

mod terms;

use std::{fmt::Write, process::ExitCode};

use alloy::primitives::{Address, B256};
use clap::Args;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::{Context, OneChain, keys::KeyArgs, output::Failure};
use crate::{
    chain::{self, CollectionSettings, DEPLOYER, DEPLOYER_ACCOUNT, Deployed, Deployment},
    content::{Codec, ContentId, Digest},
};
use terms::Terms;

/// Makes a collection, whose address follows from the key's account, the terms, and a salt.
#[derive(Debug, Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    terms: Terms,
    /// Tells collections made with the same of all the above apart; one given here serves once
    /// [default: the lowest unused]
    #[arg(long, value_name = "N|0x…", value_parser = terms::salt)]
    salt: Option<B256>,
    /// Another factory than the one that is at the same address on every chain
    #[arg(long, value_name = "ADDRESS")]
    factory: Option<Address>,
    #[command(flatten)]
    pub(super) chain: OneChain,
    #[command(flatten)]
    key: KeyArgs,
}

impl Deploy {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config()?;
        let signer = self.key.load("deploy").await?;
        let settings = self.terms.settings(signer.address())?;
        let fetcher = config.fetcher()?;
        let rpc = context.connect(&config, &fetcher).await?;
        let provider = rpc.provider().await?;
        let (account, salt) = (signer.address(), self.salt);
        let deployment =
            chain::plan_deployment(&provider, account, settings, salt, self.factory).await?;
        if let Some(last) = deployment.earlier.last() {
            warn!("{account} made a collection with the same settings before: {last}");
        }
        context.output.confirm(&self.question(&deployment, rpc.chain_id()))?;
        if self.terms.codec == Codec::Raw {
            warn!("{RAW_WARNING}");
        }
        info!("the collection will be at {}", deployment.collection);
        let deployed = chain::deploy(&provider, &signer, &deployment).await?;
        // What is printed fits into the settings as they are.
        let named = (config.chain.len() > 1).then(|| rpc.chain_id());
        let value = self.value(&deployment, &deployed, rpc.chain_id());
        context.output.result(&value, || self.people(&deployed, named))?;
        Ok(ExitCode::SUCCESS)
    }

    /// All that is going to happen, with the address.
    fn question(&self, deployment: &Deployment, chain_id: u64) -> String {
        let Deployment { settings, sender, collection, factory, .. } = deployment;
        let Terms { name, symbol, codec, .. } = &self.terms;
        let mut text = String::new();
        if let Some(wei) = deployment.deployer_missing {
            let _ = writeln!(
                text,
                "Chain {chain_id} lacks the deterministic deployer {DEPLOYER}: its account \
                 {DEPLOYER_ACCOUNT} gets {} ether for gas, and its well-known transaction is sent.",
                chain::ether(wei)
            );
        }
        if deployment.factory_missing {
            let _ = writeln!(
                text,
                "The factory {factory} is put on the chain first: about 5 million gas, once for \
                 everybody."
            );
        }
        let _ = write!(
            text,
            "Deploy \"{name}\" ({symbol}, {codec}, first token {}, {}, {}) on chain {chain_id} as \
             {sender}, with the creator {}? It will be at {collection}.",
            self.terms.first_id,
            if settings.editable { "owners may edit" } else { "edits off" },
            royalty_text(settings),
            settings.creator
        );
        text
    }

    fn value(&self, deployment: &Deployment, deployed: &Deployed, chain_id: u64) -> Value {
        let settings = &deployment.settings;
        let codec = self.terms.codec;
        let address = |address: Address| address.to_checksum(None);
        let digest = settings.contractDigest;
        let contract_uri = ContentId::new(codec, Digest(digest.0)).uri();
        json!({
            "chain_id": chain_id,
            "address": address(deployed.address),
            "transaction": deployed.transaction.to_string(),
            "block": deployed.block,
            "codec": codec,
            "name": settings.name,
            "symbol": settings.symbol,
            "first_id": settings.firstTokenId,
            "editable": settings.editable,
            "creator": address(settings.creator),
            "royalty_receiver": (!settings.royaltyReceiver.is_zero())
                .then(|| address(settings.royaltyReceiver)),
            "royalty_basis_points": settings.royaltyBasisPoints.to::<u64>(),
            "contract_uri": (!digest.is_zero()).then_some(contract_uri),
            "salt": deployment.salt.to_string(),
            "factory": address(deployment.factory),
            "factory_transaction": deployed.factory_transaction.map(|hash| hash.to_string()),
            "deployer_transaction": deployed.deployer_transaction.map(|hash| hash.to_string()),
            "earlier": deployment.earlier.iter().map(|a| address(*a)).collect::<Vec<_>>(),
        })
    }

    fn people(&self, deployed: &Deployed, chain_id: Option<u64>) -> String {
        let chain = chain_id.map_or_else(String::new, |id| format!("chain_id = {id}\n"));
        let address = deployed.address.to_checksum(None);
        let Deployed { block, transaction, .. } = deployed;
        format!(
            "{} is deployed at {address} (block {block}, transaction {transaction})\n\n\
             To watch it, put this into everhold.toml:\n\n\
             [[collection]]\n{chain}address = \"{address}\"\nstart_block = {block}\n",
            self.terms.name
        )
    }
}

fn royalty_text(settings: &CollectionSettings) -> String {
    let points = settings.royaltyBasisPoints.to::<u64>();
    if points == 0 {
        return "no royalties".to_owned();
    }
    let (whole, part) = (points / 100, points % 100);
    let part = if part == 0 { String::new() } else { format!(".{part:02}") };
    format!("royalties of {whole}{part} % to {}", settings.royaltyReceiver)
}

/// What users of the codec `raw` should know.
pub(super) const RAW_WARNING: &str = "codec raw: wallets resolve ipfs://bafkrei… only where the \
    file is also on IPFS as one raw block (at most 1 MiB); aleph nodes and Everhold know it by its \
    sha-256";
