//! The outbox: alerts on their way to their sinks.

use std::collections::HashSet;

use super::{Millis, NewAlert, Result, Tx, execute, fetch, text};
use crate::incident::Transition;

/// An alert that is still to be delivered.
#[derive(Clone, Debug)]
pub struct PendingAlert {
    /// Its id.
    pub id: String,
    /// Its incident.
    pub incident: String,
    /// `incident.opened` and so on.
    pub event: String,
    /// The body.
    pub payload: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When its incident began.
    pub opened_at: Millis,
}

/// What a sink was told last of an incident that is open.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct GoingOn {
    /// The incident.
    pub incident: String,
    /// The number of the alert: later ones have higher numbers.
    pub seq: i64,
    /// The body.
    pub payload: String,
    /// When the incident began.
    pub opened_at: Millis,
    /// When the sink took it.
    pub delivered_at: Millis,
}

/// What the outbox holds for a sink.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SinkState {
    /// The sink's key.
    pub sink: String,
    /// Alerts that wait.
    pub waiting: i64,
    /// Alerts that it took.
    pub delivered: i64,
    /// When the oldest that waits was put there.
    pub oldest: Option<Millis>,
    /// When the next is tried.
    pub next: Option<Millis>,
    /// When it last took one.
    pub last_delivered: Option<Millis>,
    /// Why one was not taken, where some wait.
    pub last_error: Option<String>,
}

type PendingRow = (String, String, String, String, i64, i64);

fn pending((id, incident, event, payload, attempts, opened_at): PendingRow) -> PendingAlert {
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    PendingAlert { id, incident, event, payload, attempts, opened_at }
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
        let severity = alert.severity.rank();
        execute!(
            self,
            "INSERT INTO alerts (id, incident_id, sink, event, payload, severity, created_at, due_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
            &alert.id,
            incident,
            &alert.sink,
            transition.event(),
            &alert.payload,
            severity,
            now,
        )?;
        // It waits for those before it: they are as urgent.
        execute!(
            self,
            "UPDATE alerts SET severity = $3
             WHERE incident_id = $1 AND sink = $2 AND due_at IS NOT NULL AND severity < $3",
            incident,
            &alert.sink,
            severity,
        )?;
        Ok(())
    }

    /// Whether any alert to a sink is due; it may have to wait for one before it.
    pub async fn is_alert_due(&mut self, sink: &str, now: Millis) -> Result<bool> {
        let any = "SELECT 1 FROM alerts WHERE sink = $1 AND due_at <= $2 LIMIT 1";
        Ok(fetch!(fetch_optional, self, (i32,), any, sink, now)?.is_some())
    }

    /// Takes some of a sink's alerts that are due; nobody else gets them before `lease`. The worst first, and
    /// then those that were tried least. One that it can't take holds up no others for long: tried often
    /// enough, it comes after what is less bad. Of one incident, a sink gets them in order: a later one waits
    /// for those before it.
    pub async fn take_due_alerts(
        &mut self,
        sink: &str,
        now: Millis,
        lease: Millis,
    ) -> Result<Vec<PendingAlert>> {
        macro_rules! due {
            ($from:literal, $end:literal) => {
                concat!(
                    "SELECT a.id, a.incident_id, a.event, a.payload, a.attempts, i.opened_at
                     FROM alerts a ",
                    $from,
                    " JOIN incidents i ON i.id = a.incident_id
                     WHERE a.sink = $1 AND a.due_at IS NOT NULL AND a.due_at <= $2 AND NOT EXISTS (
                        SELECT 1 FROM alerts b WHERE b.incident_id = a.incident_id AND b.sink = a.sink
                          AND b.seq < a.seq AND b.due_at IS NOT NULL)
                     ORDER BY a.attempts - 8 * a.severity, a.seq LIMIT 20",
                    $end
                )
            };
        }
        // SQLite is told which index gives them in order; else it sorts all that are due.
        let sql =
            self.sql(due!("INDEXED BY alerts_turn", ""), due!("", " FOR UPDATE OF a SKIP LOCKED"));
        let rows = fetch!(fetch_all, self, PendingRow, sql, sink, now)?;
        for (id, ..) in &rows {
            execute!(
                self,
                "UPDATE alerts SET due_at = $2, taken = 1, withheld = 0
                 WHERE id = $1",
                id,
                lease
            )?;
        }
        Ok(rows.into_iter().map(pending).collect())
    }

    /// The sink took it.
    pub async fn alert_delivered(&mut self, id: &str, now: Millis) -> Result<()> {
        execute!(
            self,
            "UPDATE alerts SET delivered_at = $2, due_at = NULL, taken = 0,
                attempts = attempts + 1, last_error = NULL WHERE id = $1 AND delivered_at IS NULL",
            id,
            now,
        )?;
        Ok(())
    }

    /// The sink did not take it: again at `retry`.
    pub async fn alert_failed(&mut self, id: &str, error: &str, retry: Millis) -> Result<()> {
        execute!(
            self,
            "UPDATE alerts SET attempts = attempts + 1, last_error = $2, due_at = $3, taken = 0
             WHERE id = $1 AND delivered_at IS NULL",
            id,
            text(error),
            retry,
        )?;
        Ok(())
    }

    /// It was not tried, since the sink took nothing: not before `retry`.
    pub async fn alert_put_off(&mut self, id: &str, retry: Millis) -> Result<()> {
        execute!(
            self,
            "UPDATE alerts SET due_at = $2, taken = 0 WHERE id = $1 AND delivered_at IS NULL",
            id,
            retry,
        )?;
        Ok(())
    }

    /// The sinks that were told of an incident, or will be whatever comes: what waits for the end of a
    /// silence aside.
    pub async fn told_for_good(&mut self, incident: &str) -> Result<HashSet<String>> {
        let rows = fetch!(
            fetch_all,
            self,
            (String,),
            "SELECT DISTINCT sink FROM alerts WHERE incident_id = $1
                AND (delivered_at IS NOT NULL OR (due_at IS NOT NULL AND withheld = 0))",
            incident,
        )?;
        Ok(rows.into_iter().map(|(sink,)| sink).collect())
    }

    /// The sinks that were told of an incident, or will be.
    pub async fn told_of(&mut self, incident: &str) -> Result<HashSet<String>> {
        let rows = fetch!(
            fetch_all,
            self,
            (String,),
            "SELECT DISTINCT sink FROM alerts
             WHERE incident_id = $1 AND (due_at IS NOT NULL OR delivered_at IS NOT NULL)",
            incident,
        )?;
        Ok(rows.into_iter().map(|(sink,)| sink).collect())
    }

    /// What a sink took last of each incident that is open.
    pub async fn going_on(&mut self, sink: &str) -> Result<Vec<GoingOn>> {
        Ok(fetch!(
            fetch_all,
            self,
            GoingOn,
            "SELECT i.id AS incident, a.seq, a.payload, i.opened_at, a.delivered_at FROM incidents i JOIN alerts a ON a.seq = (
                SELECT MAX(b.seq) FROM alerts b
                WHERE b.incident_id = i.id AND b.sink = $1 AND b.delivered_at IS NOT NULL)
             WHERE i.closed_at IS NULL ORDER BY a.seq",
            sink,
        )?)
    }

    /// Of which incidents a sink took alerts since a time, and the number of the last of each.
    pub async fn taken_since(&mut self, sink: &str, since: Millis) -> Result<Vec<(String, i64)>> {
        Ok(fetch!(
            fetch_all,
            self,
            (String, i64),
            "SELECT incident_id, MAX(seq) FROM alerts
             WHERE sink = $1 AND due_at IS NULL AND delivered_at >= $2 GROUP BY incident_id",
            sink,
            since,
        )?)
    }

    /// An alert that was taken, by its number.
    pub async fn taken_alert(&mut self, seq: i64) -> Result<Option<PendingAlert>> {
        let select = "SELECT a.id, a.incident_id, a.event, a.payload, a.attempts, i.opened_at
                      FROM alerts a JOIN incidents i ON i.id = a.incident_id WHERE a.seq = $1";
        let row = fetch!(fetch_optional, self, PendingRow, select, seq)?;
        Ok(row.map(pending))
    }

    /// The sinks that the outbox names.
    pub async fn sinks_in_outbox(&mut self) -> Result<Vec<String>> {
        let rows = fetch!(fetch_all, self, (String,), "SELECT DISTINCT sink FROM alerts")?;
        Ok(rows.into_iter().map(|(sink,)| sink).collect())
    }

    /// Has the outbox call a sink otherwise.
    pub async fn rename_sink(&mut self, from: &str, to: &str) -> Result<()> {
        execute!(self, "UPDATE alerts SET sink = $2 WHERE sink = $1", from, to)?;
        Ok(())
    }

    /// What the outbox holds, by sink.
    pub async fn outbox(&mut self) -> Result<Vec<SinkState>> {
        Ok(fetch!(
            fetch_all,
            self,
            SinkState,
            "SELECT sink,
                COUNT(due_at) AS waiting,
                COUNT(delivered_at) AS delivered,
                MIN(CASE WHEN due_at IS NOT NULL THEN created_at END) AS oldest,
                MIN(due_at) AS next,
                MAX(delivered_at) AS last_delivered,
                (SELECT b.last_error FROM alerts b WHERE b.sink = alerts.sink
                    AND b.due_at IS NOT NULL AND b.last_error IS NOT NULL
                    ORDER BY b.seq LIMIT 1) AS last_error
             FROM alerts GROUP BY sink ORDER BY sink",
        )?)
    }

    /// The sinks for which alerts wait since before a time, and nobody has them in hand.
    pub async fn waited_for_since(&mut self, before: Millis) -> Result<Vec<String>> {
        let select = "SELECT DISTINCT sink FROM alerts
                      WHERE due_at IS NOT NULL AND taken = 0 AND created_at < $1 ORDER BY sink";
        let rows = fetch!(fetch_all, self, (String,), select, before)?;
        Ok(rows.into_iter().map(|(sink,)| sink).collect())
    }

    /// Gives up what waits for a sink since before a time: it is kept, but not tried again. Gives how many
    /// these are.
    pub async fn drop_alerts(&mut self, sink: &str, before: Millis, reason: &str) -> Result<u64> {
        Ok(execute!(
            self,
            "UPDATE alerts SET due_at = NULL, withheld = 0, last_error = $3
             WHERE sink = $1 AND created_at < $2 AND due_at IS NOT NULL AND taken = 0",
            sink,
            before,
            reason,
        )?)
    }

    /// How many alerts wait for a sink, and when the next can be tried; those that a silence holds back
    /// aside.
    pub async fn waiting_alerts(&mut self, sink: &str) -> Result<(i64, Option<Millis>)> {
        let count = "SELECT COUNT(*) FROM alerts
                     WHERE sink = $1 AND due_at IS NOT NULL AND withheld = 0";
        let (count,) = fetch!(fetch_one, self, (i64,), count, sink)?;
        Ok((count, self.next_alert(sink).await?))
    }

    /// When the next of a sink's alerts can be tried, a silence aside.
    pub async fn next_alert(&mut self, sink: &str) -> Result<Option<Millis>> {
        let select = "SELECT a.due_at FROM alerts a
             WHERE a.sink = $1 AND a.due_at IS NOT NULL AND a.withheld = 0 AND NOT EXISTS (
                SELECT 1 FROM alerts b WHERE b.incident_id = a.incident_id AND b.sink = a.sink
                  AND b.seq < a.seq AND b.due_at IS NOT NULL)
             ORDER BY a.due_at LIMIT 1";
        Ok(fetch!(fetch_optional, self, (i64,), select, sink)?.map(|(due,)| due))
    }

    /// Makes a sink's alerts due at once that wait: those that a process took and did not bring back, too,
    /// on SQLite, where no other one delivers. On PostgreSQL another may be about to send what it took,
    /// which would come twice; what was taken by one that ended is due when its lease is.
    pub async fn release_alerts_of(&mut self, sink: &str) -> Result<()> {
        self.alone().await?;
        let sql = self.sql(
            "UPDATE alerts SET due_at = 0, taken = 0
             WHERE sink = $1 AND due_at IS NOT NULL AND withheld = 0",
            "UPDATE alerts SET due_at = 0
             WHERE sink = $1 AND due_at IS NOT NULL AND taken = 0 AND withheld = 0",
        );
        execute!(self, sql, sink)?;
        Ok(())
    }

    /// The same of all sinks.
    pub async fn release_alerts(&mut self) -> Result<()> {
        for sink in self.sinks_in_outbox().await? {
            self.release_alerts_of(&sink).await?;
        }
        Ok(())
    }
}
