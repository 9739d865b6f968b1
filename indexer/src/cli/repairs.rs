//! `everhold repairs`

use std::{fmt::Write, process::ExitCode};

use clap::Args;

use super::{
    Context,
    output::{Failure, bytes_text, plain, table},
};
use crate::{
    config::Span,
    ledger::{self, Ledger},
    report::RepairLog,
};

/// Shows what was done to bring replicas back, what it costs, and what is left of budgets.
#[derive(Debug, Args)]
pub(super) struct RepairsArgs {
    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    since: Span,
    /// At most so many, the last ones
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: u32,
}

impl RepairsArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.read_config()?;
        let ledger = Ledger::open_existing(&config.database).await?;
        let mut tx = ledger.read().await?;
        let now = ledger::now();
        let since = now.saturating_sub(self.since.millis());
        let budget = config.repair.budget.unspent();
        let log = RepairLog::read(&mut tx, budget, since, self.limit, now).await?;
        drop(tx);
        let printed = context.output.result(&log, || people(&log));
        ledger.close().await;
        printed?;
        Ok(ExitCode::SUCCESS)
    }
}

fn people(log: &RepairLog) -> String {
    let mut text = String::new();
    if log.repairs.is_empty() {
        text.push_str("nothing was repaired\n");
    } else {
        let header = ["at", "content", "node", "action", "state", "bytes", "credits/h", "detail"];
        let mut table = table(&header);
        for one in &log.repairs {
            let repair = &one.repair;
            table.add_row([
                repair.started_at.clone(),
                one.content.clone(),
                plain(&repair.node),
                plain(&repair.action),
                repair.state.to_owned(),
                bytes_text(repair.bytes),
                repair.credits_per_hour.to_string(),
                plain(repair.detail.as_deref().unwrap_or_default()),
            ]);
        }
        let _ = writeln!(text, "{}", table.trim_fmt());
    }
    let spent = &log.spent;
    let of = |cap: Option<String>| cap.map(|cap| format!(" of {cap}")).unwrap_or_default();
    let caps = &log.budget;
    let _ = writeln!(
        text,
        "\nin the last hour: {} actions{}, {}{}, STOREs of {} credits an hour{}",
        spent.actions,
        of(caps.actions.map(|cap| cap.to_string())),
        bytes_text(spent.bytes),
        of(caps.bytes.map(bytes_text)),
        spent.credits,
        of(caps.credits.map(|cap| cap.to_string())),
    );
    let _ = writeln!(
        text,
        "all STOREs signed here: {} credits an hour{}",
        spent.recurring,
        of(caps.recurring.map(|cap| cap.to_string()))
    );
    if log.waiting > 0 {
        let _ = writeln!(text, "{} repairs wait for a budget", log.waiting);
    }
    text
}
