//! `everhold token`

use std::{fmt::Write, process::ExitCode};

use alloy::primitives::{Address, U256};
use clap::Args;

use super::{
    Context, OneChain,
    output::{Failure, bytes_text, plain, table},
};
use crate::{
    ledger::{self, Form, Ledger},
    report::{Absent, ContentReport, StoreReport, TokenReport, VaultReport, collection_at},
    watch::policy,
};

/// Shows one token: owner, digest, contents, replicas, evidence.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// The collection's address
    #[arg(value_name = "A")]
    collection: Address,
    /// The token's id
    #[arg(value_name = "ID")]
    token: U256,
    #[command(flatten)]
    pub(super) chain: OneChain,
}

impl TokenArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config()?;
        let ledger = Ledger::open(&config.database).await?;
        let mut tx = ledger.read().await?;
        let (address, id) = (self.collection, self.token);
        context.say_shortage(&config, &mut tx).await?;
        let policy = policy(&config);
        let known = tx.collections().await?;
        let report = match collection_at(&known, address, self.chain.chain_id) {
            Err(several) => Err(Failure::usage(format!("{several}: --chain-id N says which"))),
            Ok(None) => Err(failure(Absent::NoCollection, address, id)),
            Ok(Some(collection)) => {
                let now = ledger::now();
                match TokenReport::read(&mut tx, &policy, collection, id, now).await? {
                    Some(report) => Ok(report),
                    None => Err(failure(Absent::read(&mut tx, collection, id).await?, address, id)),
                }
            }
        };
        drop(tx);
        ledger.close().await;
        let report = report?;
        context.output.result(&report, || people(&report))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn failure(absent: Absent, address: Address, id: U256) -> Failure {
    let mut text = absent.text(address, id);
    if absent == Absent::NoCollection {
        text += ": put it into everhold.toml as a [[collection]] and run `everhold watch`";
    }
    Failure::failed(text)
}

fn people(report: &TokenReport) -> String {
    let mut text = String::new();
    let frozen = match (report.editable, report.frozen) {
        (Some(false), _) => ", frozen: edits are off in this collection",
        (_, Some(true)) => ", frozen by an owner",
        _ => "",
    };
    let finality = if report.finalized { "final" } else { "not final yet" };
    let _ = writeln!(text, "token {} of {}: {}", report.token_id, report.collection, report.health);
    if let Some(owner) = &report.owner {
        let _ = writeln!(text, "owner    {owner}");
    }
    if let Some(supply) = &report.supply {
        let _ = writeln!(text, "supply   {supply}");
    }
    let _ = writeln!(text, "content  {}", report.uri.as_deref().map_or("none".to_owned(), plain));
    if let Some(revision) = report.revision {
        let _ = writeln!(text, "revision {revision}{frozen}");
    }
    let _ = writeln!(
        text,
        "block    {} {} ({finality})",
        report.content_block.unwrap_or(report.minted_block),
        report.content_block_hash.as_deref().unwrap_or(&report.minted_block_hash)
    );
    if report.halted {
        let _ = writeln!(
            text,
            "halted   its collection is not read any further: see `everhold status`"
        );
    }
    for reason in &report.unverifiable {
        let _ = writeln!(text, "unverifiable: {}", plain(reason));
    }
    for reason in &report.unresolved {
        let _ = writeln!(text, "not found: {}", plain(reason));
    }
    for content in &report.contents {
        let _ = writeln!(text, "\n{}", content_text(content));
    }
    text
}

fn content_text(content: &ContentReport) -> String {
    let size = content.size.map_or("size unknown".to_owned(), bytes_text);
    let mut text =
        format!("{} {} ({size}): {}\n", plain(&content.role), content.id, content.health,);
    if let Some(reason) = &content.denied {
        let _ = write!(text, "denied: {}", plain(reason));
        return text;
    }
    for sentence in &content.why {
        let _ = writeln!(text, "  {sentence}");
    }
    let mut table = table(&["node", "state", "held", "checked", "evidence", "history"]);
    for replica in &content.replicas {
        let history: Vec<_> = replica.history.iter().map(|change| change.state.as_str()).collect();
        let evidence = match (&replica.detail, replica.http_status, replica.bytes) {
            (Some(detail), ..) => plain(detail),
            (None, Some(status), Some(bytes)) => format!("HTTP {status}, {bytes} bytes"),
            _ => String::new(),
        };
        table.add_row([
            replica.node.clone(),
            replica.state.map_or("not probed yet", |state| state.as_str()).to_owned(),
            replica.held.map_or("–".to_owned(), |held| held.to_string()),
            replica.checked_at.clone().unwrap_or_default(),
            evidence,
            history.join(" → "),
        ]);
    }
    text += &table.trim_fmt();
    if let Some(vault) = &content.vault {
        let _ = write!(text, "\n{}", vault_text(vault));
    }
    if !content.stores.is_empty() {
        let _ = write!(text, "\n\n{}", stores_text(&content.stores));
    }
    for repair in &content.repairs {
        let detail = repair.detail.as_deref().map(|d| format!(": {}", plain(d)));
        let (action, node, state) = (&repair.action, &repair.node, repair.state);
        let _ = write!(text, "\n{action} at {node}: {state}{}", detail.unwrap_or_default());
    }
    text
}

/// The local copy, which wallets can't fetch.
fn vault_text(vault: &VaultReport) -> String {
    let form = match vault.form {
        Form::File => "its file",
        Form::Car => "its blocks",
    };
    let checked = match &vault.checked_at {
        Some(at) => format!("hashed and right {at}"),
        None => "not hashed yet".to_owned(),
    };
    format!("in the vault: {form}, {}, {checked}", bytes_text(vault.bytes))
}

/// The STORE messages of a content.
fn stores_text(stores: &[StoreReport]) -> String {
    let mut table = table(&["STORE", "signed by", "who is", "for", "payment", "time", "status"]);
    for store in stores {
        let who = match store.relation {
            None => "unverified".to_owned(),
            Some(relation) => relation.to_string(),
        };
        let by: Vec<_> = store.authorised_by.iter().map(|grant| grant.account.as_str()).collect();
        let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
        let other = store.address.as_ref().filter(|address| **address != store.sender);
        let each = store.statuses.iter().map(|at| format!("{} on {}", at.status, at.node));
        table.add_row([
            plain(&store.item_hash),
            plain(&store.sender),
            who + &by,
            other.map_or_else(|| "itself".to_owned(), |address| plain(address)),
            store.payment.as_deref().map_or("–".to_owned(), plain),
            store.time.clone().unwrap_or_default(),
            each.collect::<Vec<_>>().join(", "),
        ]);
    }
    table.trim_fmt()
}
