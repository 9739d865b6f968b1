//! `everhold status`

use std::{fmt::Write, process::ExitCode};

use clap::Args;

use super::{
    Context,
    output::{Failure, bytes_text, plain, table},
};
use crate::{
    health::{Health, ReplicaState},
    ledger::{self, Ledger, NodeKind},
    report::{ChainStatus, CollectionStatus, FactoryStatus, IncidentStatus, NodeStatus, Status},
    span_text,
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
        context.say_shortage(&config, &mut tx).await?;
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
    if status.collections.is_empty() && status.factories.is_empty() {
        return "nothing is indexed yet: put a [[collection]] or a [[factory]] into everhold.toml and \
                run `everhold watch`\n"
            .to_owned();
    }
    let mut text = format!("{}\n", collections(status));
    status.chains.iter().filter_map(chain).for_each(|line| text += &line);
    status.factories.iter().for_each(|one| text += &factory(one));
    status.collections.iter().for_each(|collection| text += &remarks(collection));
    for collection in &status.collections {
        for odd in &collection.odd_logs {
            let (address, detail, count) = (&collection.address, odd.detail, odd.count);
            let _ =
                writeln!(text, "{address}: {detail} ({count}, since block {})", odd.first_block);
        }
    }
    let _ = write!(text, "\n{}\n\n", nodes(status));
    text += &vault(status);
    for denied in &status.denied {
        let _ = writeln!(text, "denied: {} ({})", denied.content, plain(&denied.reason));
    }
    let open: Vec<_> = status.open_incidents().collect();
    if open.is_empty() {
        let _ = writeln!(text, "no open incidents");
    }
    for incident in open {
        text += &incident_text(incident);
        text += &care_text(incident);
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

/// What an incident is about; a halt with the command that ends it.
pub(super) fn incident_text(incident: &IncidentStatus) -> String {
    let (health, since) = (incident.health, &incident.opened_at);
    let summary = plain(&incident.summary);
    if let ("removal", Some(content)) = (incident.kind, &incident.content) {
        return format!("about to be removed since {since}: {content} ({summary}); now {health}\n");
    }
    match incident.content.as_ref().or(incident.path.as_ref()) {
        Some(named) => format!("{health} since {since}: {} ({summary})\n", plain(named)),
        None => format!(
            "halted since {since}: {address} ({summary}); when the chain is as it will stay, run: \
             everhold reindex {address} --chain-id {chain}\n",
            address = incident.collection,
            chain = incident.chain_id
        ),
    }
}

/// Who looks after an incident, and whether anybody is told of it.
pub(super) fn care_text(incident: &IncidentStatus) -> String {
    let mut text = String::new();
    if incident.flapping {
        text +=
            "    it comes and goes: it is told of again when it is worse, or has stayed as it is\n";
    }
    if let Some(ack) = &incident.acknowledged {
        let (by, reason) = (plain(&ack.by), plain(&ack.reason));
        let _ = writeln!(text, "    {by} looks after it since {}: {reason}", ack.at);
    }
    if let Some(silence) = &incident.silenced {
        let (by, reason) = (plain(&silence.by), plain(&silence.reason));
        let _ =
            writeln!(text, "    nobody is told of it until {}, by {by}: {reason}", silence.until);
    }
    text
}

/// How far a collection is behind the head.
fn behind(collection: &CollectionStatus) -> String {
    let blocks = match (&collection.halted, collection.lag_blocks) {
        (Some(_), _) => return "halted".to_owned(),
        (None, None) => return "–".to_owned(),
        (None, Some(blocks)) => blocks,
    };
    let plural = if blocks == 1 { "" } else { "s" };
    match (blocks, collection.lag_seconds) {
        (0, _) => "0 blocks".to_owned(),
        (_, Some(seconds)) => format!("{blocks} block{plural} ({})", span_text(seconds)),
        (_, None) => format!("{blocks} block{plural}"),
    }
}

/// After so many seconds without a word of the head, the indexer seems not to run.
const SILENT: u64 = 120;

fn chain(chain: &ChainStatus) -> Option<String> {
    let (head, age) = chain.head_block.zip(chain.head_age_seconds)?;
    let hint = if age > SILENT { ": `everhold watch` does not seem to run" } else { "" };
    Some(format!("chain {}: block {head}, seen {} ago{hint}\n", chain.chain_id, span_text(age)))
}

fn factory(factory: &FactoryStatus) -> String {
    let FactoryStatus { address, chain_id, collections, .. } = factory;
    let read = match (&factory.halted, factory.indexed_block, factory.lag_blocks) {
        (Some(_), ..) => "halted".to_owned(),
        (None, Some(block), lag) => match lag {
            Some(lag) if lag > 0 => format!("read up to block {block}, {lag} behind"),
            _ => format!("read up to block {block}"),
        },
        (None, None, _) => format!("not begun; it starts at block {}", factory.start_block),
    };
    let anew = if factory.rereading { "; it is being read again from its start" } else { "" };
    format!("factory {address} on chain {chain_id}: {collections} collections; {read}{anew}\n")
}

/// What the table has no room for.
fn remarks(collection: &CollectionStatus) -> String {
    let name = plain(&collection.name);
    let mut text = String::new();
    if collection.indexed_block.is_none() && collection.lag_blocks == Some(0) {
        let start = collection.start_block;
        let _ = writeln!(text, "{name}: not begun; its start_block {start} is still to come");
    }
    if collection.rereading {
        let _ = writeln!(text, "{name}: it is being read again from its start");
    }
    if let Some(own) = &collection.contract_uri {
        let uri = own.uri.as_deref().map(plain).unwrap_or_default();
        let _ = writeln!(text, "{name}: what it says of itself is {}: {uri}", own.health);
    }
    match collection.not_final {
        0 => {}
        1 => text += &format!("{name}: 1 token is not final yet\n"),
        many => text += &format!("{name}: {many} tokens are not final yet\n"),
    }
    text
}

fn collections(status: &Status) -> String {
    let mut header = vec!["collection", "address", "tokens", "block", "behind by", "final"];
    let from = status.collections.iter().any(|collection| collection.factory.is_some());
    if from {
        header.push("from");
    }
    header.extend(Health::ALL.iter().map(|health| health.as_str()));
    let mut table = table(&header);
    let block = |number: Option<u64>| number.map_or("–".to_owned(), |number| number.to_string());
    for collection in &status.collections {
        let mut row = vec![
            plain(&collection.name),
            collection.address.clone(),
            collection.tokens.to_string(),
            block(collection.indexed_block),
            behind(collection),
            block(collection.finalized_block),
        ];
        if from {
            let made = collection.factory.is_some();
            row.push(if made { "factory" } else { "[[collection]]" }.to_owned());
        }
        row.extend(collection.health.values().map(usize::to_string));
        table.add_row(row);
    }
    table.trim_fmt()
}

/// The local copy, where there is one.
fn vault(status: &Status) -> String {
    let vault = &status.vault;
    let contents = if vault.objects == 1 { "content" } else { "contents" };
    let held = format!("vault: {} {contents}, {}", vault.objects, bytes_text(vault.bytes));
    match (vault.objects, vault.problems) {
        (0, 0) => String::new(),
        (_, 0) => held + "\n",
        (_, 1) => held + "; something is wrong with 1: see `everhold watch`\n",
        (_, many) => held + &format!("; something is wrong with {many}: see `everhold watch`\n"),
    }
}

fn nodes(status: &Status) -> String {
    let mut header = vec!["node", "kind"];
    header.extend(ReplicaState::ALL.iter().map(|state| state.as_str()));
    let mut table = table(&header);
    // Routers may name a thousand who serve nothing: they are counted, and shown in the JSON.
    let serves = |node: &&NodeStatus| {
        node.kind != NodeKind::Provider
            || node.replicas.get(&ReplicaState::Verified).is_some_and(|count| *count > 0)
    };
    let idle = status.nodes.iter().filter(|node| !serves(node)).count();
    for node in status.nodes.iter().filter(serves) {
        let mut row = vec![node.url.clone(), node.kind.as_str().to_owned()];
        row.extend(node.replicas.values().map(usize::to_string));
        table.add_row(row);
    }
    let rest = match idle {
        0 => String::new(),
        1 => "\n1 provider that was announced serves nothing".to_owned(),
        many => format!("\n{many} providers that were announced serve nothing"),
    };
    table.trim_fmt() + &rest
}
