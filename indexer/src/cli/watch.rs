//! `everhold watch`

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use tracing::{info, warn};

use super::{
    Context,
    keys::KeyArgs,
    output::{Failure, SHORT, plain},
    status::people,
};
use crate::{
    api::Api,
    ledger::{self, Collection},
    report::{HaltStatus, Status},
    watch::{Planned, Round, Watch, remedy},
};

/// Follows the chain, verifies, repairs, alerts, until it is stopped.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// One round, then end: 0 if all is healthy and nothing halted, else 3; 1 if a chain of several
    /// could not be followed
    #[arg(long)]
    pub(super) once: bool,
    /// Only look
    #[arg(long)]
    no_repair: bool,
    /// Only say which repairs would be made, and what they would cost
    #[arg(long, conflicts_with = "no_repair")]
    dry_run: bool,
    /// Only follow the chain to its head, then end: no probes, repairs or alerts
    #[arg(long, conflicts_with_all = ["once", "no_repair", "dry_run"])]
    index_only: bool,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `watch --once --json` prints: the status, and what the round did.
#[derive(Serialize)]
struct Watched {
    round: Round,
    /// What would be done, where it is only said.
    #[serde(skip_serializing_if = "Option::is_none")]
    planned: Option<Vec<Planned>>,
    #[serde(flatten)]
    status: Status,
}

impl WatchArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let mut config = context.config_to_watch()?;
        config.repair.dry_run |= self.dry_run;
        let repair = config.repair.enabled && !self.no_repair && !self.index_only;
        let repairer =
            if repair { self.key.or(&config.repair).load_if_named().await? } else { None };
        if repair && repairer.is_none() {
            info!("no [repair] key: content whose STORE is gone can't be stored anew");
        }
        let watch = Watch::start(&config, repairer).await?;
        if self.index_only {
            return index_only(context, &watch).await;
        }
        if self.once && repair && config.repair.dry_run {
            let round = watch.once(false).await?;
            let planned = watch.plan().await?;
            return finish(context, &watch, round, Some(planned)).await;
        }
        if self.once {
            let round = watch.once(repair).await?;
            return finish(context, &watch, round, None).await;
        }
        let api = match config.api.listen {
            Some(address) => Some(Api::listen(address).await.map_err(|error| {
                Failure::usage(format!("[api] listen = \"{address}\": {error}"))
            })?),
            None => None,
        };
        info!(
            "watching ({} of [[collection]], {} of [[factory]], {} nodes); Ctrl-C stops",
            config.collection.len(),
            config.factory.len(),
            watch.node_count()
        );
        let serving = async {
            match api {
                Some(api) => {
                    let stop = context.stop.clone();
                    let serving = api.serve(watch.ledger().clone(), *watch.policy(), stop.clone());
                    // A client that keeps its connection open does not keep us.
                    let patience = async {
                        stop.cancelled().await;
                        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    };
                    tokio::select! { served = serving => served, () = patience => Ok(()) }
                }
                None => Ok(()),
            }
        };
        let (watched, served) = tokio::join!(watch.forever(repair, &context.stop), serving);
        watched?;
        served?;
        watch.ledger().close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Follows the chain to its head, and says how far that is: not how everything is, for which
/// nothing was looked at.
async fn index_only(context: &Context, watch: &Watch) -> Result<ExitCode, Failure> {
    let round = watch.index_once().await?;
    let mut tx = watch.ledger().read().await?;
    let (collections, followed) = (tx.collections().await?, tx.followed(None).await?);
    drop(tx);
    let mut text = format!("{} events, {} reorgs\n", round.events, round.reorgs);
    let positions: Vec<_> = collections
        .iter()
        .map(|collection| {
            let (name, block) = (plain(&collection.name), collection.indexed_block);
            let shown = block.map_or_else(
                || format!("none yet (it starts at {})", collection.start_block),
                |block| block.to_string(),
            );
            let halted = if collection.halted.is_some() { ", halted" } else { "" };
            text.push_str(&format!("{name} {}: block {shown}{halted}\n", collection.address));
            json!({
                "chain_id": collection.chain_id,
                "address": collection.address.to_checksum(None),
                "name": collection.name,
                "indexed_block": block,
                "finalized_block": collection.finalized_block,
                "halted": collection.halted.as_ref().map(HaltStatus::from),
            })
        })
        .collect();
    let value = json!({ "round": round, "collections": positions });
    let printed = context.output.result(&value, || text);
    watch.ledger().close().await;
    printed?;
    let halted = say_halted(&followed);
    if say_failed(round) {
        return Ok(ExitCode::FAILURE);
    }
    Ok(if halted { ExitCode::from(SHORT) } else { ExitCode::SUCCESS })
}

/// Says that not every chain could be followed; gives whether that is so.
fn say_failed(round: Round) -> bool {
    match round.failed_chains {
        0 => return false,
        1 => warn!("one chain could not be followed; what is told of it is as of before"),
        many => warn!("{many} chains could not be followed; what is told of them is as of before"),
    }
    true
}

/// Says which collections are halted; gives whether one is.
fn say_halted(collections: &[Collection]) -> bool {
    let halted = || collections.iter().filter(|collection| collection.halted.is_some());
    for collection in halted() {
        let (name, command) = (plain(&collection.name), remedy(collection));
        warn!("{name} is halted and was not read any further: `{command}` has it read again");
    }
    halted().next().is_some()
}

async fn finish(
    context: &Context,
    watch: &Watch,
    round: Round,
    planned: Option<Vec<Planned>>,
) -> Result<ExitCode, Failure> {
    let mut tx = watch.ledger().read().await?;
    let followed = tx.followed(None).await?;
    let status = Status::read(&mut tx, watch.policy(), ledger::now()).await?;
    drop(tx);
    let healthy = status.all_healthy();
    let mut text = format!(
        "{}\n{} events, {} probes, {} spot checks, {} of {} repairs proved, {} alerts delivered",
        people(&status),
        round.events,
        round.probes,
        round.spot_checks,
        round.repaired,
        round.repairs,
        round.alerts
    );
    for one in planned.iter().flatten() {
        text.push_str(&format!("\nwould do: {one}"));
    }
    let printed = context.output.result(&Watched { round, planned, status }, || text);
    watch.ledger().close().await;
    printed?;
    let halted = say_halted(&followed);
    if say_failed(round) {
        return Ok(ExitCode::FAILURE);
    }
    if healthy && !halted {
        return Ok(ExitCode::SUCCESS);
    }
    if !healthy {
        warn!("not every token is healthy");
    }
    Ok(ExitCode::from(SHORT))
}
