//! Tells people where all was tried in vain: once for each incident.

use serde_json::json;
use tracing::warn;

use crate::{
    content::ContentId,
    incident::Transition,
    ledger::{Incident, LedgerError, Millis, RowId, Tx},
    watch::{
        Watch,
        outbox::{Telling, enqueue, told},
    },
};

impl Watch {
    /// Tells of each of these contents over which an incident is open, and why nothing is done there.
    pub(super) async fn tell_stuck(
        &self,
        tx: &mut Tx,
        stuck: &[(RowId, Vec<String>)],
        now: Millis,
    ) -> Result<(), LedgerError> {
        let rows: Vec<RowId> = stuck.iter().map(|(row, _)| *row).collect();
        let mut open = tx.incidents_not_stuck(&rows).await?;
        for (row, reasons) in stuck {
            for incident in open.remove(row).unwrap_or_default() {
                if let Some((_, id)) = incident.subject.content()
                    && tx.incident_stuck(&incident.id).await?
                {
                    tell(tx, self.telling(), &incident, id, reasons, now).await?;
                }
            }
        }
        Ok(())
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
        "todo": format!("Act on this; Everhold tries again by itself, within six hours, and `everhold watch --once` at \
             once: {}.", reasons.join("; ")),
    });
    let body = told(incident, Transition::Stuck, more, (&summary, &message), now);
    enqueue(tx, telling, incident, Transition::Stuck, body, now).await
}
