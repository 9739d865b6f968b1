//! `everhold status`

use std::{fmt::Write, process::ExitCode};

use clap::Args;

use super::{
    Context,
    output::{Failure, plain, table},
};
use crate::{
    health::{Health, ReplicaState},
    ledger::{self, Ledger},
    report::Status,
    watch::policy,
};

/// Shows collections, health counts, nodes and incidents.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {}

impl StatusArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config()?;
        let ledger = Ledger::open(&config.database).await?;
        let mut tx = ledger.read().await?;
        let status = Status::read(&mut tx, &policy(&config), ledger::now()).await?;
        drop(tx);
        let printed = context.output.result(&status, || people(&status));
        ledger.close().await;
        printed?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The status as tables.
pub(super) fn people(status: &Status) -> String {
    if status.collections.is_empty() {
        return "nothing is indexed yet: put a [[collection]] into everhold.toml and run \
                `everhold watch`\n"
            .to_owned();
    }
    let mut text = format!("{}\n\n{}\n\n", collections(status), nodes(status));
    for collection in &status.collections {
        for odd in &collection.odd_logs {
            let (address, detail, count) = (&collection.address, odd.detail, odd.count);
            let _ =
                writeln!(text, "{address}: {detail} ({count}, since block {})", odd.first_block);
        }
    }
    let open: Vec<_> = status.open_incidents().collect();
    if open.is_empty() {
        let _ = writeln!(text, "no open incidents");
    }
    for incident in open {
        let _ = writeln!(
            text,
            "{} since {}: {} ({})",
            incident.health, incident.opened_at, incident.content, incident.summary
        );
        for repair in &incident.repairs {
            let detail = repair.detail.as_deref().map(|d| format!(": {}", plain(d)));
            let _ = writeln!(
                text,
                "    {} at {}: {}{}",
                repair.action,
                repair.node,
                repair.state,
                detail.unwrap_or_default()
            );
        }
    }
    text
}

fn collections(status: &Status) -> String {
    let mut header = vec!["collection", "address", "tokens", "block", "final"];
    header.extend(Health::ALL.iter().map(|health| health.as_str()));
    let mut table = table(&header);
    let block = |number: Option<u64>| number.map_or("–".to_owned(), |number| number.to_string());
    for collection in &status.collections {
        let mut row = vec![
            plain(&collection.name),
            collection.address.clone(),
            collection.tokens.to_string(),
            block(collection.indexed_block),
            block(collection.finalized_block),
        ];
        row.extend(collection.health.values().map(usize::to_string));
        table.add_row(row);
    }
    table.trim_fmt()
}

fn nodes(status: &Status) -> String {
    let mut header = vec!["node", "kind"];
    header.extend(ReplicaState::ALL.iter().map(|state| state.as_str()));
    let mut table = table(&header);
    for node in &status.nodes {
        let mut row = vec![node.url.clone(), node.kind.as_str().to_owned()];
        row.extend(node.replicas.values().map(usize::to_string));
        table.add_row(row);
    }
    table.trim_fmt()
}
