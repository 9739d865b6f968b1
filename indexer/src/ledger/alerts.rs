//! The outbox: alerts on their way to their sinks.

use super::{Millis, NewAlert, Result, Transition, Tx, execute, fetch, text};

/// An alert that is still to be delivered.
#[derive(Clone, Debug)]
pub struct PendingAlert {
    /// Its id.
    pub id: String,
    /// Where it goes.
    pub sink: String,
    /// `incident.opened` and so on.
    pub event: String,
    /// The body.
    pub payload: String,
    /// How often it was tried.
    pub attempts: u32,
}

impl Tx {
    /// Puts an alert into the outbox, in the transaction that makes its transition.
    pub async fn enqueue_alert(
        &mut self,
        incident: &str,
        transition: Transition,
        alert: &NewAlert,
        now: Millis,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO alerts (id, incident_id, sink, event, payload, created_at, due_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
            &alert.id,
            incident,
            &alert.sink,
            transition.event(),
            &alert.payload,
            now,
        )?;
        Ok(())
    }

    /// Takes the alerts that are due, oldest first; nobody else gets them before `lease`. Of one
    /// incident, a sink gets them in order: a later one waits for those before it.
    pub async fn take_due_alerts(
        &mut self,
        now: Millis,
        lease: Millis,
    ) -> Result<Vec<PendingAlert>> {
        let sql = self.sql(
            "SELECT a.id, a.sink, a.event, a.payload, a.attempts FROM alerts a
             WHERE a.due_at <= $1 AND NOT EXISTS (
                SELECT 1 FROM alerts b WHERE b.incident_id = a.incident_id AND b.sink = a.sink
                  AND b.seq < a.seq AND b.due_at IS NOT NULL)
             ORDER BY a.seq LIMIT 20",
            "SELECT a.id, a.sink, a.event, a.payload, a.attempts FROM alerts a
             WHERE a.due_at <= $1 AND NOT EXISTS (
                SELECT 1 FROM alerts b WHERE b.incident_id = a.incident_id AND b.sink = a.sink
                  AND b.seq < a.seq AND b.due_at IS NOT NULL)
             ORDER BY a.seq LIMIT 20 FOR UPDATE OF a SKIP LOCKED",
        );
        let rows = fetch!(fetch_all, self, (String, String, String, String, i64), sql, now)?;
        for (id, ..) in &rows {
            execute!(self, "UPDATE alerts SET due_at = $2 WHERE id = $1", id, lease)?;
        }
        let alert = |(id, sink, event, payload, attempts)| PendingAlert {
            id,
            sink,
            event,
            payload,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        };
        Ok(rows.into_iter().map(alert).collect())
    }

    /// The sink took it.
    pub async fn alert_delivered(&mut self, id: &str, now: Millis) -> Result<()> {
        execute!(
            self,
            "UPDATE alerts SET delivered_at = $2, due_at = NULL, attempts = attempts + 1,
                last_error = NULL WHERE id = $1 AND delivered_at IS NULL",
            id,
            now,
        )?;
        Ok(())
    }

    /// The sink did not take it: again at `retry`.
    pub async fn alert_failed(&mut self, id: &str, error: &str, retry: Millis) -> Result<()> {
        execute!(
            self,
            "UPDATE alerts SET attempts = attempts + 1, last_error = $2, due_at = $3
             WHERE id = $1 AND delivered_at IS NULL",
            id,
            text(error),
            retry,
        )?;
        Ok(())
    }

    /// It has no sink any more: it is kept, but not tried again.
    pub async fn alert_dropped(&mut self, id: &str, reason: &str) -> Result<()> {
        let update = "UPDATE alerts SET due_at = NULL, last_error = $2 WHERE id = $1";
        execute!(self, update, id, reason)?;
        Ok(())
    }

    /// How many alerts wait, and when the next is due.
    pub async fn waiting_alerts(&mut self) -> Result<(i64, Option<Millis>)> {
        let select = "SELECT COUNT(*), MIN(due_at) FROM alerts WHERE due_at IS NOT NULL";
        Ok(fetch!(fetch_one, self, (i64, Option<i64>), select)?)
    }

    /// Makes alerts due that a process took and did not bring back.
    pub async fn release_alerts(&mut self) -> Result<()> {
        self.alone().await?;
        execute!(self, "UPDATE alerts SET due_at = 0 WHERE due_at IS NOT NULL")?;
        Ok(())
    }
}
