//! `everhold publish`

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use alloy::primitives::Address;
use clap::Args;
use serde::Serialize;
use tracing::{info, warn};

use super::{
    Context, OneChain,
    deploy::RAW_WARNING,
    keys::KeyArgs,
    output::{Failure, SHORT, bytes_text, table},
};
use crate::{
    chain::{self, CollectionInfo, Contract},
    content::Codec,
    deny::DenyList,
    publish::{self, Folder, MintState, Minted, NodeReport, Plan, StoreReport, Storer},
    watch::with_found_nodes,
};

/// Uploads a folder's media and metadata, and mints: N.json becomes token N.
#[derive(Debug, Args)]
pub(super) struct Publish {
    /// The folder: 1.json, 2.json, … in it, in metadata/ or in json/
    dir: PathBuf,
    /// The collection's address
    #[arg(long, value_name = "ADDRESS")]
    collection: Address,
    /// Who gets the tokens [default: the key's account]
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    /// Say what would happen, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) chain: OneChain,
    #[command(flatten)]
    key: KeyArgs,
}

/// The result.
#[derive(Serialize)]
struct Published {
    collection: String,
    dry_run: bool,
    contents: usize,
    bytes: u64,
    uploads: u64,
    stores: u64,
    tokens: usize,
    minted: Vec<u64>,
    already_minted: usize,
    updated_since: Vec<u64>,
    burned_since: Vec<u64>,
    transactions: Vec<Minted>,
    nodes: Vec<NodeReport>,
}

impl Publish {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config_with_nodes()?;
        let signer = self.key.load("publish").await?;
        let fetcher = config.fetcher()?;
        let rpc = context.connect(&config, &fetcher).await?;
        let provider = rpc.provider().await?;
        let info = chain::inspect(&provider, rpc.chain_id(), self.collection).await?;
        if info.creator != signer.address() {
            return Err(Failure::failed(format!(
                "{} was created by {}; the key given is {}'s, and only the creator mints",
                self.collection,
                info.creator,
                signer.address()
            )));
        }
        let mut plan = self.plan(&info).await?;
        let contract = Contract::new(provider, self.collection);
        let minting = publish::mint_state(&contract, &info, &plan.tokens).await?;
        self.check(&minting)?;
        plan.forget(&minting.burned);
        refuse_denied(&DenyList::read(&config).await?, &plan)?;
        let config = with_found_nodes(config, &fetcher).await?;
        let storer = Storer::new(&config, &fetcher, signer.clone())?;
        let mut survey = storer.survey(&plan.items).await?;
        let before = storer.report(plan.items.len(), &survey);
        if self.dry_run {
            let value = self.published(&plan, &minting, &before, Vec::new());
            context.output.result(&value, || dry_text(&value, &minting))?;
            return Ok(ExitCode::SUCCESS);
        }
        context.output.confirm(&question(&plan, &minting, &before))?;
        let stored = storer.store(&plan.items, &mut survey).await?;
        let to = self.to.unwrap_or(signer.address());
        let minted = publish::mint(&contract, &signer, to, &minting.missing).await?;
        let value = self.published(&plan, &minting, &stored, minted);
        context.output.result(&value, || text(&value, &info))?;
        let required = stored.required(config.replicas.min);
        let short = stored.fewest < required;
        if short {
            warn!(
                "some content is on {} of {required} required nodes; `everhold watch` brings it \
                 to the others",
                stored.fewest
            );
        }
        Ok(if short { ExitCode::from(SHORT) } else { ExitCode::SUCCESS })
    }

    async fn plan(&self, info: &CollectionInfo) -> Result<Plan, Failure> {
        let first = u64::try_from(info.first_token_id).unwrap_or(u64::MAX);
        let (dir, codec) = (self.dir.clone(), info.codec);
        let read = tokio::task::spawn_blocking(move || {
            publish::plan_folder(&Folder::read(&dir, first)?, codec)
        });
        let plan = read.await.map_err(|error| Failure::failed(error.to_string()))??;
        let (items, tokens) = (plan.items.len(), plan.tokens.len());
        info!("{tokens} tokens, {items} contents, {} hashed", bytes_text(plan.bytes()));
        if codec == Codec::Raw {
            warn!("{RAW_WARNING}");
        }
        Ok(plan)
    }

    fn check(&self, minting: &MintState) -> Result<(), Failure> {
        if let Some(first) = minting.differing.first() {
            return Err(Failure::failed(format!(
                "token {first} ({} in all) is minted with other content than {}'s: this is not \
                 the folder it was published from; nothing was done",
                minting.differing.len(),
                self.dir.display()
            )));
        }
        if !minting.updated.is_empty() {
            info!(
                "{} tokens were updated by their owners since; they stay so",
                minting.updated.len()
            );
        }
        if !minting.burned.is_empty() {
            info!(
                "{} tokens were burned by their owners since; what only they need is not stored",
                minting.burned.len()
            );
        }
        Ok(())
    }

    fn published(
        &self,
        plan: &Plan,
        minting: &MintState,
        stored: &StoreReport,
        transactions: Vec<Minted>,
    ) -> Published {
        Published {
            collection: self.collection.to_checksum(None),
            dry_run: self.dry_run,
            contents: plan.items.len(),
            bytes: plan.bytes(),
            uploads: stored.uploads,
            stores: stored.stores,
            tokens: plan.tokens.len(),
            minted: minting.missing.iter().map(|(token, _)| *token).collect(),
            already_minted: minting.minted + minting.updated.len() + minting.burned.len(),
            updated_since: minting.updated.clone(),
            burned_since: minting.burned.clone(),
            transactions,
            nodes: stored.nodes.clone(),
        }
    }
}

/// Refuses to store what is denied.
pub(super) fn refuse_denied(list: &DenyList, plan: &Plan) -> Result<(), Failure> {
    let denied = plan.items.iter().find_map(|item| Some((item, list.reason(&item.id.digest)?)));
    match denied {
        None => Ok(()),
        Some((item, reason)) => Err(Failure::failed(format!(
            "{} ({}) is denied: {reason}; nothing was done",
            item.path.display(),
            item.id
        ))),
    }
}

fn question(plan: &Plan, minting: &MintState, before: &StoreReport) -> String {
    let lacking: usize = before.nodes.iter().map(|node| node.lacking).sum();
    format!(
        "store {} contents ({}; {lacking} replicas are lacking; a new STORE is billed as at least \
         25 MiB each) and mint {} tokens?",
        plan.items.len(),
        bytes_text(plan.bytes()),
        minting.missing.len()
    )
}

fn node_table(nodes: &[NodeReport]) -> String {
    let mut table = table(&["node", "verified", "lacking", ""]);
    for node in nodes {
        let down = node.down.as_ref().map(|why| format!("down: {why}")).unwrap_or_default();
        table.add_row([
            node.url.clone(),
            node.verified.to_string(),
            node.lacking.to_string(),
            down,
        ]);
    }
    table.trim_fmt()
}

fn dry_text(value: &Published, minting: &MintState) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "would store {} contents ({}) and mint {} of {} tokens; nothing was done\n",
        value.contents,
        bytes_text(value.bytes),
        minting.missing.len(),
        value.tokens
    );
    text + &node_table(&value.nodes)
}

fn text(value: &Published, info: &CollectionInfo) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} of {} tokens minted now, {} before; {} uploads, {} new STOREs\n",
        super::output::plain(&info.name),
        value.minted.len(),
        value.tokens,
        value.already_minted,
        value.uploads,
        value.stores
    );
    text + &node_table(&value.nodes)
}
