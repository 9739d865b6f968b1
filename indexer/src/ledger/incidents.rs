//! Incidents: a health problem from its opening to its recovery.

use std::collections::{BTreeSet, HashMap};

use alloy::primitives::Address;

use super::{
    Ack, LedgerError, Millis, Result, RowId, Tx, bulk::fetch_in, contents::content_id, execute,
    fetch, naming::naming_sql, uint,
};
use crate::{
    content::{ContentId, Digest},
    health::Health,
    incident::{Kind, Seen, Severity, Standing},
};

/// An incident in the ledger.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// The collection it is about.
    pub collection_id: RowId,
    /// The chain that the collection is on (EIP-155).
    pub chain_id: u64,
    /// The collection's contract.
    pub collection: Address,
    /// What of it.
    pub subject: Subject,
    /// The health it last had; of a halted collection `unverifiable`.
    pub health: Health,
    /// What is known of it: in a word a node, or why the collection is halted.
    pub summary: String,
    /// When it began.
    pub opened_at: Millis,
    /// When it ended.
    pub closed_at: Option<Millis>,
    /// Why it ended.
    pub close_reason: Option<String>,
    /// How it is told of.
    pub care: Care,
}

/// How an incident is told of.
#[derive(Clone, Debug, Default)]
pub struct Care {
    /// Independent verified replicas of its content when it was last told of.
    pub independent: Option<u32>,
    /// How many of them were held.
    pub held: Option<u32>,
    /// Whether it comes and goes, and is not told of each time.
    pub flapping: bool,
    /// Then how its content was last seen, and since when it is so.
    pub seen: Option<Seen>,
    /// Who looks after it.
    pub ack: Option<Ack>,
}

impl Incident {
    /// How its subject stood when it was last told of.
    pub fn standing(&self) -> Standing {
        let Care { independent, held, .. } = self.care;
        Standing { health: self.health, independent, held }
    }
}

/// What an incident is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A content that is not well.
    Content {
        /// Its row.
        row: RowId,
        /// Its name.
        id: ContentId,
    },
    /// A path below a content address that leads nowhere.
    Path {
        /// The reference: `ipfs://`, the address and the path.
        reference: String,
    },
    /// A content that nothing will keep on some node any more: its last STORE there ends.
    Removal {
        /// Its row.
        row: RowId,
        /// Its name.
        id: ContentId,
    },
    /// The whole collection: it is halted.
    Halted,
    /// The account that pays for the collection's STOREs: its credits do not last.
    Credits,
}

impl Subject {
    /// What kind of thing that is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Content { .. } => Kind::Content,
            Self::Path { .. } => Kind::Path,
            Self::Removal { .. } => Kind::Removal,
            Self::Halted => Kind::Halted,
            Self::Credits => Kind::Credits,
        }
    }

    /// The content, if it is about the health of one: its row and its name.
    pub fn content(&self) -> Option<(RowId, ContentId)> {
        match self {
            Self::Content { row, id } => Some((*row, *id)),
            _ => None,
        }
    }

    /// The content, if it is about the end of one's STOREs: its row and its name.
    pub fn removal(&self) -> Option<(RowId, ContentId)> {
        match self {
            Self::Removal { row, id } => Some((*row, *id)),
            _ => None,
        }
    }

    /// The path, if it is about one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Path { reference } => Some(reference),
            _ => None,
        }
    }
}

/// An alert to be put into the outbox.
#[derive(Clone, Debug)]
pub struct NewAlert {
    /// Its id, the same whenever it is sent again.
    pub id: String,
    /// Where it goes.
    pub sink: String,
    /// How bad what it tells is: what is worse goes first.
    pub severity: Severity,
    /// The body, as it is signed and sent.
    pub payload: String,
}

#[derive(sqlx::FromRow)]
struct IncidentRow {
    id: String,
    collection_id: i64,
    chain_id: i64,
    address: Vec<u8>,
    content_id: Option<i64>,
    codec: Option<i64>,
    digest: Option<Vec<u8>>,
    path: Option<String>,
    kind: String,
    health: String,
    summary: String,
    opened_at: i64,
    closed_at: Option<i64>,
    close_reason: Option<String>,
    independent: Option<i64>,
    held: Option<i64>,
    flapping: i64,
    seen: Option<String>,
    seen_since: Option<i64>,
    acked_at: Option<i64>,
    acked_by: Option<String>,
    ack_reason: Option<String>,
}

impl IncidentRow {
    fn care(&mut self) -> Result<Care> {
        let corrupt = |_| LedgerError::Corrupt(format!("health seen of incident {}", self.id));
        let count = |count: Option<i64>| count.and_then(|count| u32::try_from(count).ok());
        let seen = self.seen.as_deref().map(str::parse).transpose().map_err(corrupt)?;
        let seen = seen.zip(self.seen_since).map(|(health, since)| Seen { health, since });
        let ack = self.acked_at.map(|at| Ack {
            at,
            by: self.acked_by.take().unwrap_or_default(),
            reason: self.ack_reason.take().unwrap_or_default(),
        });
        let (independent, held) = (count(self.independent), count(self.held));
        Ok(Care { independent, held, flapping: self.flapping != 0, seen, ack })
    }

    fn into_incident(mut self) -> Result<Incident> {
        let path = self.path.take();
        let care = self.care()?;
        let corrupt = |what: &str| LedgerError::Corrupt(format!("{what} of incident {}", self.id));
        let subject = match (self.content_id, self.codec, &self.digest, path) {
            (Some(row), Some(codec), Some(digest), _) => match self.kind.as_str() {
                "removal" => Subject::Removal { row, id: content_id(codec, digest)? },
                _ => Subject::Content { row, id: content_id(codec, digest)? },
            },
            (.., Some(reference)) => Subject::Path { reference },
            _ if self.kind == Kind::Credits.as_str() => Subject::Credits,
            _ => Subject::Halted,
        };
        Ok(Incident {
            collection: Address::try_from(self.address.as_slice())
                .map_err(|_| corrupt("collection"))?,
            health: self.health.parse().map_err(|_| corrupt("health"))?,
            id: self.id,
            collection_id: self.collection_id,
            chain_id: uint(self.chain_id),
            subject,
            summary: self.summary,
            opened_at: self.opened_at,
            closed_at: self.closed_at,
            close_reason: self.close_reason,
            care,
        })
    }
}

/// What a path is found by.
fn path_hash(path: &str) -> Vec<u8> {
    Digest::of(path.as_bytes()).0.to_vec()
}

fn by_content(rows: Vec<IncidentRow>) -> Result<HashMap<RowId, Vec<Incident>>> {
    let mut all: HashMap<RowId, Vec<Incident>> = HashMap::new();
    for row in rows {
        if let Some(content) = row.content_id {
            all.entry(content).or_default().push(row.into_incident()?);
        }
    }
    Ok(all)
}

/// Incidents (`i`) with their collections (`c`) and the contents (`t`) they are about, as
/// [`IncidentRow`]s.
macro_rules! select_incidents_from {
    () => {
        "SELECT i.id, i.collection_id, c.chain_id, c.address, t.id AS content_id, t.codec, t.digest,
                i.path, i.kind, i.health, i.summary, i.opened_at, i.closed_at, i.close_reason,
                i.independent, i.held, i.flapping, i.seen, i.seen_since, i.acked_at, i.acked_by, i.ack_reason
         FROM incidents i
         JOIN collections c ON c.id = i.collection_id
         LEFT JOIN contents t ON t.id = COALESCE(i.content_id, i.ending_id)"
    };
}

/// Some of them, oldest first.
macro_rules! select_incidents {
    ($which:literal) => {
        concat!(select_incidents_from!(), " WHERE ", $which, " ORDER BY i.opened_at, i.id")
    };
}

impl Tx {
    /// Opens an incident. Gives `false` where one is open already.
    pub async fn open_incident(&mut self, incident: &Incident) -> Result<bool> {
        let opened = execute!(
            self,
            "INSERT INTO incidents
                (id, collection_id, content_id, health, summary, opened_at, kind, path, path_hash,
                 ending_id, independent, held, flapping)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
            &incident.id,
            incident.collection_id,
            incident.subject.content().map(|(row, _)| row),
            incident.health.as_str(),
            &incident.summary,
            incident.opened_at,
            incident.subject.kind().as_str(),
            incident.subject.path(),
            incident.subject.path().map(path_hash),
            incident.subject.removal().map(|(row, _)| row),
            incident.care.independent.map(i64::from),
            incident.care.held.map(i64::from),
            i64::from(incident.care.flapping),
        )?;
        Ok(opened > 0)
    }

    /// How many incidents over what this one is about began after `since`.
    pub async fn openings(&mut self, incident: &Incident, since: Millis) -> Result<usize> {
        let Incident { collection_id, subject, .. } = incident;
        macro_rules! count {
            ($which:literal, $of:expr) => {
                fetch!(
                    fetch_one,
                    self,
                    (i64,),
                    concat!(
                        "SELECT COUNT(*) FROM incidents
                         WHERE collection_id = $1 AND opened_at > $2 AND ",
                        $which
                    ),
                    *collection_id,
                    since,
                    $of,
                )?
            };
        }
        let (count,) = match subject {
            Subject::Content { row, .. } => count!("content_id = $3", *row),
            Subject::Removal { row, .. } => count!("ending_id = $3", *row),
            Subject::Path { reference } => count!("path_hash = $3", path_hash(reference)),
            Subject::Halted | Subject::Credits => count!("kind = $3", subject.kind().as_str()),
        };
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// How often a sink was told of an incident after `since`, at most.
    pub async fn told_since(&mut self, incident: &str, since: Millis) -> Result<usize> {
        let (count,) = fetch!(
            fetch_one,
            self,
            (i64,),
            "SELECT COALESCE(MAX(told), 0) FROM (SELECT COUNT(*) AS told FROM alerts
                WHERE incident_id = $1 AND created_at > $2 GROUP BY sink) AS each_sink",
            incident,
            since,
        )?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Writes down how the subject of an incident that comes and goes is seen from now on.
    pub async fn note_seen(&mut self, id: &str, seen: Seen) -> Result<()> {
        let update = "UPDATE incidents SET seen = $2, seen_since = $3 WHERE id = $1";
        execute!(self, update, id, seen.health.as_str(), seen.since)?;
        Ok(())
    }

    /// The incident with an id.
    pub async fn incident(&mut self, id: &str) -> Result<Option<Incident>> {
        let row = fetch!(fetch_optional, self, IncidentRow, select_incidents!("i.id = $1"), id)?;
        row.map(IncidentRow::into_incident).transpose()
    }

    /// The incidents of which alerts wait.
    pub async fn incidents_to_tell(&mut self) -> Result<Vec<Incident>> {
        let waiting = select_incidents!(
            "EXISTS (SELECT 1 FROM alerts a WHERE a.incident_id = i.id AND a.due_at IS NOT NULL)"
        );
        let rows = fetch!(fetch_all, self, IncidentRow, waiting)?;
        rows.into_iter().map(IncidentRow::into_incident).collect()
    }

    /// The incidents that are open over contents, and of which it was not told that all was in vain.
    pub async fn incidents_not_stuck(
        &mut self,
        contents: &[RowId],
    ) -> Result<HashMap<RowId, Vec<Incident>>> {
        let rows = fetch_in!(
            self,
            IncidentRow,
            {}
            concat!(
                select_incidents_from!(),
                " WHERE i.closed_at IS NULL AND i.stuck = 0 AND i.kind = 'content' AND i.content_id IN"
            ),
            contents,
            "ORDER BY i.opened_at, i.id"
        );
        by_content(rows)
    }

    /// Writes down that all was tried in vain. Gives `false` where that was written down before.
    pub async fn incident_stuck(&mut self, id: &str) -> Result<bool> {
        let update = "UPDATE incidents SET stuck = 1
                      WHERE id = $1 AND stuck = 0 AND closed_at IS NULL";
        Ok(execute!(self, update, id)? > 0)
    }

    /// Writes down how the subject of an open incident stands as it is told of, and whether it comes and
    /// goes. Gives `false` where it is closed, or was told of since it was read: then others have told of
    /// it.
    pub async fn change_incident(
        &mut self,
        known: &Incident,
        standing: &Standing,
        summary: &str,
        flapping: bool,
    ) -> Result<bool> {
        let changed = execute!(
            self,
            "UPDATE incidents SET health = $2, summary = $3, independent = $4, held = $5, flapping = $6,
                seen = NULL, seen_since = NULL
             WHERE id = $1 AND health = $7 AND summary = $8 AND closed_at IS NULL",
            &known.id,
            standing.health.as_str(),
            summary,
            standing.independent.map(i64::from),
            standing.held.map(i64::from),
            i64::from(flapping),
            known.health.as_str(),
            &known.summary,
        )?;
        Ok(changed > 0)
    }

    /// Closes an incident. Gives `false` where it is closed already: then others have told of it.
    pub async fn close_incident(&mut self, id: &str, reason: &str, now: Millis) -> Result<bool> {
        let closed = execute!(
            self,
            "UPDATE incidents SET closed_at = $2, close_reason = $3
             WHERE id = $1 AND closed_at IS NULL",
            id,
            now,
            reason,
        )?;
        Ok(closed > 0)
    }

    /// Writes down how bad an incident is now; gives how bad it was at its worst.
    pub async fn weigh_incident(&mut self, id: &str, severity: Severity) -> Result<Severity> {
        let (worst,) = fetch!(
            fetch_one,
            self,
            (i64,),
            "UPDATE incidents SET worst = CASE WHEN worst < $2 THEN $2 ELSE worst END
             WHERE id = $1 RETURNING worst",
            id,
            severity.rank(),
        )?;
        let corrupt = || LedgerError::Corrupt(format!("severity of incident {id}"));
        Severity::of_rank(worst).ok_or_else(corrupt)
    }

    /// The incidents that are open over contents, by content.
    pub async fn incidents_over(
        &mut self,
        contents: &[RowId],
    ) -> Result<HashMap<RowId, Vec<Incident>>> {
        let rows = fetch_in!(
            self,
            IncidentRow,
            {}
            concat!(select_incidents_from!(), " WHERE i.closed_at IS NULL AND i.content_id IN"),
            contents,
            "ORDER BY i.opened_at, i.id"
        );
        by_content(rows)
    }

    /// The incidents that are open, oldest first, and those closed since `closed_since`.
    pub async fn incidents(&mut self, closed_since: Millis) -> Result<Vec<Incident>> {
        let rows = fetch!(
            fetch_all,
            self,
            IncidentRow,
            select_incidents!("i.closed_at IS NULL OR i.closed_at >= $1"),
            closed_since,
        )?;
        rows.into_iter().map(IncidentRow::into_incident).collect()
    }

    /// The open incidents over the end of a content's STOREs, one a collection.
    pub async fn removals(&mut self, content: RowId) -> Result<Vec<Incident>> {
        let open = select_incidents!("i.closed_at IS NULL AND i.ending_id = $1");
        let rows = fetch!(fetch_all, self, IncidentRow, open, content)?;
        rows.into_iter().map(IncidentRow::into_incident).collect()
    }

    /// Those of the contents over whose end an incident is open.
    pub async fn with_removals(&mut self, contents: &[RowId]) -> Result<BTreeSet<RowId>> {
        let select = "SELECT DISTINCT ending_id FROM incidents
                      WHERE closed_at IS NULL AND ending_id IN";
        let rows = fetch_in!(self, (i64,), {} select, contents, "");
        Ok(rows.into_iter().map(|(content,)| content).collect())
    }

    /// The open ones among them over contents that nothing in their collection names any more. While a
    /// collection is read again, nobody knows yet what it names.
    pub async fn stale_removals(&mut self) -> Result<Vec<Incident>> {
        let stale = concat!(
            select_incidents_from!(),
            " WHERE i.closed_at IS NULL AND i.ending_id IS NOT NULL AND (t.wanted = 0 OR (
                c.rereading = 0 AND NOT EXISTS (SELECT 1 FROM (",
            naming_sql!("i.ending_id"),
            ") AS naming WHERE naming.collection_id = i.collection_id))) ORDER BY i.opened_at, i.id"
        );
        let rows = fetch!(fetch_all, self, IncidentRow, stale)?;
        rows.into_iter().map(IncidentRow::into_incident).collect()
    }
}
