//! What nobody is told of for a while, and incidents that somebody looks after.

use alloy::primitives::Address;

use super::{Incident, LedgerError, Millis, NewAlert, Result, Tx, execute, fetch, text};
use crate::{
    content::Digest,
    deny::digest_of,
    incident::{Severity, Transition},
};

/// What a silence is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One incident, by its id.
    Incident(String),
    /// All of the collections at an address.
    Collection(Address),
    /// All over a content, by the digest of whichever of its names.
    Content(Digest),
}

/// A silence.
#[derive(Clone, Debug)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// Since when.
    pub at: Millis,
    /// Until when.
    pub until: Millis,
}

/// That somebody looks after an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Since when.
    pub at: Millis,
    /// Who.
    pub by: String,
    /// Why nobody need be told again.
    pub reason: String,
}

/// An alert that waits for the end of a silence.
#[derive(Clone, Debug)]
pub struct Withheld {
    /// Its id.
    pub id: String,
    /// Its sink's key.
    pub sink: String,
    /// What it tells.
    pub transition: Transition,
    /// The body.
    pub payload: String,
}

type Row = (String, String, String, String, String, i64, i64);

impl Scope {
    fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Incident(id) => ("incident", id.clone()),
            Self::Collection(address) => ("collection", address.to_checksum(None)),
            Self::Content(digest) => ("content", digest.to_string()),
        }
    }

    fn parse(scope: &str, target: String) -> Result<Self> {
        let corrupt = || LedgerError::Corrupt(format!("the {scope} of a silence"));
        Ok(match scope {
            "incident" => Self::Incident(target),
            "collection" => Self::Collection(target.parse().map_err(|_| corrupt())?),
            "content" => Self::Content(digest_of(&target).map_err(|_| corrupt())?),
            _ => return Err(corrupt()),
        })
    }

    /// Whether an incident is one of these.
    pub fn covers(&self, incident: &Incident) -> bool {
        let content = incident.subject.content().or(incident.subject.removal());
        match self {
            Self::Incident(id) => incident.id == *id,
            Self::Collection(address) => incident.collection == *address,
            Self::Content(digest) => content.is_some_and(|(_, known)| known.digest == *digest),
        }
    }
}

/// Until when an incident is silent, if it is.
pub fn silent_until(silences: &[Silence], incident: &Incident) -> Option<Millis> {
    let covering = silences.iter().filter(|silence| silence.scope.covers(incident));
    covering.map(|silence| silence.until).max()
}

impl Tx {
    /// Begins a silence.
    pub async fn silence(&mut self, silence: &Silence) -> Result<()> {
        let (scope, target) = silence.scope.parts();
        execute!(
            self,
            "INSERT INTO silences (id, scope, target, reason, set_by, set_at, until_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &silence.id,
            scope,
            target,
            text(&silence.reason),
            text(&silence.by),
            silence.at,
            silence.until,
        )?;
        Ok(())
    }

    /// Ends the silences in force over exactly this; gives how many there were.
    pub async fn unsilence(&mut self, scope: &Scope, by: &str, now: Millis) -> Result<u64> {
        let (scope, target) = scope.parts();
        Ok(execute!(
            self,
            "UPDATE silences SET ended_at = $3, ended_by = $4
             WHERE scope = $1 AND target = $2 AND ended_at IS NULL AND until_at > $3",
            scope,
            target,
            now,
            text(by),
        )?)
    }

    /// Whether anything has ever named a content with this digest.
    pub async fn is_known(&mut self, digest: &Digest) -> Result<bool> {
        let any = "SELECT 1 FROM contents WHERE digest = $1 LIMIT 1";
        Ok(fetch!(fetch_optional, self, (i32,), any, digest.0.as_slice())?.is_some())
    }

    /// The silences in force, oldest first.
    pub async fn silences(&mut self, now: Millis) -> Result<Vec<Silence>> {
        let rows = fetch!(
            fetch_all,
            self,
            Row,
            "SELECT id, scope, target, reason, set_by, set_at, until_at FROM silences
             WHERE ended_at IS NULL AND until_at > $1 ORDER BY set_at, id",
            now,
        )?;
        rows.into_iter()
            .map(|(id, scope, target, reason, by, at, until)| {
                let scope = Scope::parse(&scope, target)?;
                Ok(Silence { id, scope, reason, by, at, until })
            })
            .collect()
    }

    /// Writes down that somebody looks after an open incident. Gives `false` where it is not open.
    pub async fn acknowledge(&mut self, incident: &str, ack: &Ack) -> Result<bool> {
        let done = execute!(
            self,
            "UPDATE incidents SET acked_at = $2, acked_by = $3, ack_reason = $4
             WHERE id = $1 AND closed_at IS NULL",
            incident,
            ack.at,
            text(&ack.by),
            text(&ack.reason),
        )?;
        Ok(done > 0)
    }

    /// Has what waits of an incident wait for the end of a silence or, where there is none any more, no
    /// longer for it. What is on its way goes.
    pub async fn withhold(
        &mut self,
        incident: &str,
        until: Option<Millis>,
        now: Millis,
    ) -> Result<()> {
        match until {
            Some(until) => execute!(
                self,
                "UPDATE alerts SET due_at = $2, withheld = 1
                 WHERE incident_id = $1 AND due_at IS NOT NULL AND taken = 0",
                incident,
                until,
            )?,
            None => execute!(
                self,
                "UPDATE alerts SET due_at = $2, withheld = 0
                 WHERE incident_id = $1 AND due_at IS NOT NULL AND withheld = 1",
                incident,
                now,
            )?,
        };
        Ok(())
    }

    /// What waits for the end of a silence to be told of an incident, oldest first.
    pub async fn withheld(&mut self, incident: &str) -> Result<Vec<Withheld>> {
        let rows = fetch!(
            fetch_all,
            self,
            (String, String, String, String),
            "SELECT id, sink, event, payload FROM alerts
             WHERE incident_id = $1 AND due_at IS NOT NULL AND withheld = 1 ORDER BY seq",
            incident,
        )?;
        rows.into_iter()
            .map(|(id, sink, event, payload)| {
                let corrupt = || LedgerError::Corrupt(format!("event of alert {id}"));
                let transition = Transition::of_event(&event).ok_or_else(corrupt)?;
                Ok(Withheld { id, sink, transition, payload })
            })
            .collect()
    }

    /// Drops what waits for the end of a silence to be told of an incident: there is newer news of it.
    pub async fn supersede(&mut self, incident: &str) -> Result<()> {
        execute!(
            self,
            "UPDATE alerts SET due_at = NULL, withheld = 0, last_error = 'silenced: there was newer news'
             WHERE incident_id = $1 AND due_at IS NOT NULL AND withheld = 1",
            incident,
        )?;
        Ok(())
    }

    /// Drops one of them.
    pub async fn supersede_alert(&mut self, id: &str) -> Result<()> {
        execute!(
            self,
            "UPDATE alerts SET due_at = NULL, withheld = 0, last_error = 'silenced: there was newer news'
             WHERE id = $1 AND due_at IS NOT NULL AND withheld = 1",
            id,
        )?;
        Ok(())
    }

    /// Puts an alert in the place, and the turn, of one that waits for the end of a silence. Gives `false`
    /// where that waits no more: it was let go meanwhile.
    pub async fn replace_alert(
        &mut self,
        old: &str,
        transition: Transition,
        alert: &NewAlert,
        now: Millis,
    ) -> Result<bool> {
        let replaced = execute!(
            self,
            "UPDATE alerts SET id = $2, event = $3, payload = $4, severity = $5, created_at = $6,
                attempts = 0, last_error = NULL
             WHERE id = $1 AND due_at IS NOT NULL AND withheld = 1",
            old,
            &alert.id,
            transition.event(),
            &alert.payload,
            alert.severity.rank(),
            now,
        )?;
        Ok(replaced > 0)
    }

    /// Has one that waits for the end of a silence say something else.
    pub async fn rewrite_alert(
        &mut self,
        id: &str,
        payload: &str,
        severity: Severity,
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE alerts SET payload = $2, severity = $3
             WHERE id = $1 AND due_at IS NOT NULL AND withheld = 1",
            id,
            payload,
            severity.rank(),
        )?;
        Ok(())
    }
}
