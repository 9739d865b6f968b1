//! From what is seen to incidents: opened, worse, better, as bad in another way, recovered, each told
//! once. Those that come and go are told so once, and then only of what gets worse, or stays as it is.

use serde_json::{Value, json};
use tracing::{info, warn};

use super::{
    Watch,
    outbox::{enqueue, opened, told},
};
use crate::{
    health::Health,
    incident::{Act, Standing, Transition, damp, flaps},
    ledger::{Care, Collection, Incident, LedgerError, Millis, Subject, Tx},
};

/// What an incident may be about, as it is seen now, and what is told of it.
pub(super) trait Case {
    /// The collection that it is a problem of.
    fn collection(&self) -> &Collection;

    /// What of it.
    fn subject(&self) -> Subject;

    /// How it stands now.
    fn standing(&self) -> Standing;

    /// What makes two states of it differ that are as bad.
    fn summary(&self) -> String;

    /// Why its incident ends, when it is no problem any more.
    fn over(&self) -> &'static str;

    /// One line, and all that was seen, for a person.
    fn words(&self, transition: Transition, previous: Option<Health>) -> (String, String);

    /// What its alerts say beside what all say.
    fn more(&self, transition: Transition) -> Value;

    /// Whether it is a problem.
    fn is_problem(&self) -> bool {
        self.standing().health.is_problem()
    }

    /// Whether it is seen otherwise than was told.
    fn differs(&self, known: &Incident) -> bool {
        known.health != self.standing().health || known.summary != self.summary()
    }

    /// What became of it since it was told of last.
    fn since(&self, known: &Incident) -> Transition {
        self.standing().since(&known.standing())
    }

    /// How bad it was when it was told of last, and is now: for one that comes and goes.
    fn weighed(&self, known: &Incident) -> (Health, Health) {
        (known.health, self.standing().health)
    }
}

impl Watch {
    /// Opens, changes or closes the incident over a case, and tells of it; gives what was told.
    pub(super) async fn judge(
        &self,
        tx: &mut Tx,
        case: &impl Case,
        incident: Option<&Incident>,
        now: Millis,
    ) -> Result<Option<Transition>, LedgerError> {
        match incident {
            None if case.is_problem() => self.begin_incident(tx, case, now).await,
            None => Ok(None),
            Some(incident) if incident.care.flapping => self.damp(tx, case, incident, now).await,
            Some(incident) if !case.is_problem() => self.recover(tx, case, incident, now).await,
            Some(incident) if case.differs(incident) => {
                let told = tx.told_since(&incident.id, now.saturating_sub(self.settings.window));
                let flapping = flaps(0, told.await?, self.settings.window);
                let transition = match flapping {
                    true => Transition::Flapping,
                    false => case.since(incident),
                };
                self.go_on(tx, case, incident, transition, now).await
            }
            Some(_) => Ok(None),
        }
    }

    async fn begin_incident(
        &self,
        tx: &mut Tx,
        case: &impl Case,
        now: Millis,
    ) -> Result<Option<Transition>, LedgerError> {
        let window = self.settings.window;
        let Standing { health, independent, held } = case.standing();
        let mut incident = opened(case.collection(), case.subject(), health, case.summary(), now);
        let before = tx.openings(&incident, now.saturating_sub(window)).await?;
        let flapping = flaps(before + 1, 0, window);
        incident.care = Care { independent, held, flapping, ..Care::default() };
        let transition = match flapping {
            true => Transition::Flapping,
            false => Transition::Opened,
        };
        if !tx.open_incident(&incident).await? {
            return Ok(None);
        }
        self.tell(tx, case, &incident, (transition, None), now).await
    }

    /// It is told of as it stands now; from now on it may be one that comes and goes.
    async fn go_on(
        &self,
        tx: &mut Tx,
        case: &impl Case,
        known: &Incident,
        transition: Transition,
        now: Millis,
    ) -> Result<Option<Transition>, LedgerError> {
        let mut incident = known.clone();
        incident.care.flapping |= transition == Transition::Flapping;
        let flapping = incident.care.flapping;
        if !tx.change_incident(known, &case.standing(), &case.summary(), flapping).await? {
            return Ok(None);
        }
        self.tell(tx, case, &incident, (transition, Some(known.health)), now).await
    }

    async fn recover(
        &self,
        tx: &mut Tx,
        case: &impl Case,
        incident: &Incident,
        now: Millis,
    ) -> Result<Option<Transition>, LedgerError> {
        if !tx.close_incident(&incident.id, case.over(), now).await? {
            return Ok(None);
        }
        let told = (Transition::Recovered, Some(incident.health));
        self.tell(tx, case, incident, told, now).await
    }

    /// One that comes and goes.
    async fn damp(
        &self,
        tx: &mut Tx,
        case: &impl Case,
        incident: &Incident,
        now: Millis,
    ) -> Result<Option<Transition>, LedgerError> {
        let (told, health) = case.weighed(incident);
        match damp(told, incident.care.seen, health, now, self.settings.window) {
            Act::Keep => Ok(None),
            Act::Note(seen) => {
                tx.note_seen(&incident.id, seen).await?;
                Ok(None)
            }
            Act::Worsen => self.go_on(tx, case, incident, Transition::Worsened, now).await,
            Act::Improve => self.go_on(tx, case, incident, Transition::Improved, now).await,
            Act::Close => self.recover(tx, case, incident, now).await,
        }
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        case: &impl Case,
        incident: &Incident,
        (transition, previous): (Transition, Option<Health>),
        now: Millis,
    ) -> Result<Option<Transition>, LedgerError> {
        let (summary, message) = case.words(transition, previous);
        match transition {
            Transition::Recovered => info!("{message}"),
            _ => warn!("{message}"),
        }
        let mut more = case.more(transition);
        if let Some(more) = more.as_object_mut() {
            more.insert("previous".to_owned(), json!(previous));
        }
        let body = told(incident, transition, more, (&summary, &message), now);
        enqueue(tx, self.telling(), incident, transition, body, now).await?;
        Ok(Some(transition))
    }
}
