//! What loss and corruption have in common: a problem opens, is told, and is repaired.

use std::{
    collections::HashSet,
    path::PathBuf,
    time::{Duration, Instant},
};

use everhold_harness::{Alert, Context, DevNode, Result, eventually, sha256_file};
use serde_json::Value;

use crate::{
    Stage,
    ledger::{self, LOOK, PATIENCE, history, incidents, is_node, items, text},
    stage::node_name,
};

/// A file that harm is done to.
pub(super) struct Victim {
    pub(super) token: u64,
    pub(super) role: &'static str,
    pub(super) id: String,
    path: PathBuf,
    sha256: String,
}

impl Victim {
    /// `token 3's image QmZf…`
    pub(super) fn text(&self) -> String {
        format!("token {}'s {} {}", self.token, self.role, self.id)
    }
}

/// Harm to some files of one node, and how Everhold met it.
pub(super) struct Damage<'a> {
    stage: &'a Stage,
    pub(super) name: String,
    pub(super) node: &'a DevNode,
    pub(super) victims: Vec<Victim>,
    /// The state that replicas get by it.
    state: &'static str,
    /// Incidents from before.
    known: HashSet<String>,
    begun: Instant,
}

/// The problem as the ledger has it.
pub(super) struct Opened {
    pub(super) incidents: Vec<Value>,
    pub(super) after: Duration,
    /// Tokens that `status` showed as degraded while it lasted.
    pub(super) degraded: u64,
}

impl<'a> Damage<'a> {
    /// Looks at the files before harm is done.
    pub(super) async fn prepare(
        stage: &'a Stage,
        node: usize,
        victims: &[(u64, &'static str)],
        state: &'static str,
    ) -> Result<Self> {
        let name = node_name(node);
        let node = stage.nodes.get(node).context("no such node")?;
        let mut prepared = Vec::new();
        for &(token, role) in victims {
            let report = stage.everhold.token(&stage.collection, token).await?;
            let id = text(&ledger::content(&report, role)?["id"]).to_owned();
            let path = node.path(&id);
            let sha256 = sha256_file(&path)?;
            prepared.push(Victim { token, role, id, path, sha256 });
        }
        Ok(Self {
            stage,
            name,
            node,
            victims: prepared,
            state,
            known: ledger::incident_ids(&stage.everhold.status().await?),
            begun: Instant::now(),
        })
    }

    /// Harm is done now.
    pub(super) fn begin(&mut self) {
        self.begun = Instant::now();
    }

    /// Waits until there is an incident for each file. Repairs may be quicker than any look at
    /// the status; incidents and replica histories stay.
    pub(super) async fn wait_opened(&self) -> Result<Opened> {
        let mut degraded = 0;
        let what = format!("an incident for {} files", self.victims.len());
        let incidents = eventually(&what, PATIENCE, LOOK, async || {
            let status = self.stage.everhold.status().await?;
            let now = &status["collections"][0]["health"]["degraded"];
            degraded = degraded.max(now.as_u64().unwrap_or_default());
            Ok(self.mine(&status))
        })
        .await?;
        let after = self.begun.elapsed();
        for incident in &incidents {
            let health = &incident["health"];
            (health == "degraded").then_some(()).context(format!("the incident is {health}"))?;
        }
        for victim in &self.victims {
            self.history_of(victim, &[self.state]).await?;
        }
        Ok(Opened { incidents, after, degraded })
    }

    /// An incident for each file, if there is one for each.
    fn mine(&self, status: &Value) -> Option<Vec<Value>> {
        let new = |incident: &&Value| !self.known.contains(text(&incident["id"]));
        let of = |victim: &Victim| {
            let mut new = incidents(status).filter(new);
            new.find(|incident| incident["content"] == *victim.id).cloned()
        };
        self.victims.iter().map(of).collect()
    }

    /// The replica's history, which must end with these states and have begun with `verified`.
    async fn history_of(&self, victim: &Victim, states: &[&str]) -> Result<String> {
        let (everhold, address) = (&self.stage.everhold, &self.stage.collection);
        let report = everhold.token(address, victim.token).await?;
        let content = ledger::content(&report, victim.role)?;
        let replica = ledger::replica(content, &self.node.url())?;
        let seen = history(replica);
        let mut expected = vec!["verified"];
        expected.extend(states);
        // It may have gone on since.
        let found = seen.windows(expected.len()).any(|part| part == expected);
        let shown = seen.join(" → ");
        found
            .then_some(shown.clone())
            .context(format!("the history of {} is {shown}", victim.text()))
    }

    /// Waits for a signed alert of an event for each incident.
    pub(super) async fn wait_alerts(&self, incidents: &[Value], event: &str) -> Result<Vec<Alert>> {
        let what = format!("a signed {event} for each incident");
        eventually(&what, PATIENCE, LOOK, async || {
            let alerts = self.stage.receiver.alerts();
            let of = |incident: &Value| {
                let mut alerts = alerts.iter();
                let found = alerts
                    .find(|alert| alert.event == event && alert.body["incident"] == incident["id"]);
                found.cloned()
            };
            Ok(incidents.iter().map(of).collect::<Option<Vec<_>>>())
        })
        .await
    }

    /// Whether an alert names the content, and the node with the state it is in.
    pub(super) fn check_names(&self, alert: &Alert) -> Result<()> {
        let body = &alert.body;
        let content = self.victims.iter().any(|v| body["content"]["id"] == *v.id);
        let node = items(&body["replicas"]).iter().any(|replica| {
            is_node(&replica["node"], &self.node.url()) && replica["state"] == self.state
        });
        let good = content && node && body["health"] == "degraded";
        good.then_some(()).context(format!("the alert says: {body}"))
    }

    /// Waits until each incident is closed by a repair of this node that a probe proved, and all
    /// is healthy. Gives the actions taken.
    pub(super) async fn wait_repaired(&self, tokens: u64) -> Result<(String, Duration)> {
        let closed = |incident: &Value| incident["close_reason"] == "recovered";
        let incidents = eventually("recovery of each incident", PATIENCE, LOOK, async || {
            let status = self.stage.everhold.status().await?;
            let mine = self.mine(&status);
            Ok(mine.filter(|incidents| incidents.iter().all(closed)))
        })
        .await?;
        let after = self.begun.elapsed();
        let mut actions = Vec::new();
        for incident in &incidents {
            let mut repairs = items(&incident["repairs"]).iter();
            let done = repairs.find(|repair| {
                is_node(&repair["node"], &self.node.url()) && repair["state"] == "done"
            });
            let done = done.context(format!("no repair is done in {incident}"))?;
            actions.push(text(&done["action"]).to_owned());
        }
        actions.dedup();
        ledger::wait_until_healthy(&self.stage.everhold, tokens).await?;
        Ok((actions.join(", "), after))
    }

    /// The replica histories show harm and repair, and the disk holds the old bytes again.
    pub(super) async fn check_restored(&self) -> Result<String> {
        let mut shown = String::new();
        for victim in &self.victims {
            shown = self.history_of(victim, &[self.state, "verified"]).await?;
            let now = sha256_file(&victim.path)?;
            (now == victim.sha256).then_some(()).context(format!(
                "{} has SHA-256 {now}, and had {}",
                victim.path.display(),
                victim.sha256
            ))?;
        }
        Ok(shown)
    }
}
