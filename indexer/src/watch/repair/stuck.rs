//! Tells people where all was tried in vain: once for each incident.

use std::collections::HashMap;

use serde_json::json;
use tracing::warn;

use crate::{
    content::ContentId,
    incident::Transition,
    ledger::{Incident, LedgerError, Millis, RowId, Tx, Undone},
    nodes,
    watch::{
        Watch,
        outbox::{Telling, enqueue, told},
    },
};

impl Watch {
    /// Tells of each content among these over which an incident is open.
    pub(super) async fn tell_stuck(
        &self,
        tx: &mut Tx,
        undone: &[Undone],
        now: Millis,
    ) -> Result<(), LedgerError> {
        let in_vain = undone.iter().filter(|one| one.action.is_none());
        let mut by_content: HashMap<RowId, Vec<&Undone>> = HashMap::new();
        for one in in_vain {
            by_content.entry(one.content).or_default().push(one);
        }
        let mut rows: Vec<RowId> = by_content.keys().copied().collect();
        rows.sort_unstable();
        let mut open = tx.incidents_over(&rows).await?;
        for row in rows {
            let reasons = self.reasons(&by_content[&row]);
            for incident in open.remove(&row).unwrap_or_default() {
                if let Some((_, id)) = incident.subject.content()
                    && tx.incident_stuck(&incident.id).await?
                {
                    tell(tx, self.telling(), &incident, id, &reasons, now).await?;
                }
            }
        }
        Ok(())
    }

    /// At which node nothing can be done, and why.
    fn reasons(&self, undone: &[&Undone]) -> Vec<String> {
        let known = self.nodes();
        let reason = |one: &&Undone| {
            let node = known.get(&one.node).map(|node| nodes::name(node.node.url()));
            format!("{}: {}", node.unwrap_or_default(), one.detail)
        };
        undone.iter().map(reason).collect()
    }
}

async fn tell(
    tx: &mut Tx,
    telling: &Telling,
    incident: &Incident,
    id: ContentId,
    reasons: &[String],
    now: Millis,
) -> Result<(), LedgerError> {
    let summary = format!("content {id} can't be repaired without you");
    let message = format!("{summary}: {}", reasons.join("; "));
    warn!("{message}");
    let more = json!({
        "content": { "id": id.to_string(), "cid": id.cid() },
        "tokens": [],
        "health": incident.health,
        "previous": incident.health,
        "todo": format!("Act on this, and Everhold tries again by itself: {}.", reasons.join("; ")),
    });
    let body = told(incident, Transition::Stuck, more, (&summary, &message), now);
    enqueue(tx, telling, incident, Transition::Stuck, body, now).await
}
