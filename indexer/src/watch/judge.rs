//! From health to incidents: opened, worse, better, as bad in another way, recovered, each told once.
//! Those that come and go are told so once, and then only of what gets worse, or stays as it is.

use tracing::{info, warn};

use super::{Watch, WatchError, assess::Story, outbox::enqueue};
use crate::{
    health::Health,
    incident::{Act, Transition, damp, flaps},
    ledger::{Incident, Millis, Tx},
};

impl Watch {
    /// Opens, changes or closes the incident over a content in a collection, and tells of it.
    pub(super) async fn judge(
        &self,
        tx: &mut Tx,
        story: &Story<'_>,
        incident: Option<Incident>,
        now: Millis,
    ) -> Result<(), WatchError> {
        let health = story.standing().health;
        match incident {
            None if health.is_problem() => self.begin_incident(tx, story, now).await,
            None => Ok(()),
            Some(incident) if incident.care.flapping => self.damp(tx, story, &incident, now).await,
            Some(incident) if !health.is_problem() => self.recover(tx, story, &incident, now).await,
            Some(incident) if incident.health != health || incident.summary != story.summary() => {
                let told = tx.told_since(&incident.id, now.saturating_sub(self.settings.window));
                let flapping = flaps(0, told.await?, self.settings.window);
                let transition = match flapping {
                    true => Transition::Flapping,
                    false => story.standing().since(&incident.standing()),
                };
                self.go_on(tx, story, incident, transition, now).await
            }
            Some(_) => Ok(()),
        }
    }

    async fn begin_incident(
        &self,
        tx: &mut Tx,
        story: &Story<'_>,
        now: Millis,
    ) -> Result<(), WatchError> {
        let window = self.settings.window;
        let (collection, content) = story.rows();
        let before = tx.openings(collection, content, now.saturating_sub(window)).await?;
        let mut incident = story.open(&story.summary(), now);
        incident.care.flapping = flaps(before + 1, 0, window);
        let transition = match incident.care.flapping {
            true => Transition::Flapping,
            false => Transition::Opened,
        };
        if tx.open_incident(&incident).await? {
            warn!("{}", story.message(transition, None));
            self.tell(tx, story, &incident, (transition, None), now).await?;
        }
        Ok(())
    }

    /// It is told of as it stands now; from now on it may be one that comes and goes.
    async fn go_on(
        &self,
        tx: &mut Tx,
        story: &Story<'_>,
        mut incident: Incident,
        transition: Transition,
        now: Millis,
    ) -> Result<(), WatchError> {
        let before = Some(incident.health);
        warn!("{}", story.message(transition, before));
        incident.care.flapping |= transition == Transition::Flapping;
        let flapping = incident.care.flapping;
        tx.tell_incident(&incident.id, &story.standing(), &story.summary(), flapping).await?;
        self.tell(tx, story, &incident, (transition, before), now).await
    }

    async fn recover(
        &self,
        tx: &mut Tx,
        story: &Story<'_>,
        incident: &Incident,
        now: Millis,
    ) -> Result<(), WatchError> {
        if !tx.close_incident(&incident.id, "recovered", now).await? {
            return Ok(());
        }
        let before = Some(incident.health);
        info!("{}", story.message(Transition::Recovered, before));
        self.tell(tx, story, incident, (Transition::Recovered, before), now).await
    }

    /// One that comes and goes.
    async fn damp(
        &self,
        tx: &mut Tx,
        story: &Story<'_>,
        incident: &Incident,
        now: Millis,
    ) -> Result<(), WatchError> {
        let health = story.standing().health;
        let act = damp(incident.health, incident.care.seen, health, now, self.settings.window);
        match act {
            Act::Keep => Ok(()),
            Act::Note(seen) => Ok(tx.note_seen(&incident.id, seen).await?),
            Act::Worsen => self.go_on(tx, story, incident.clone(), Transition::Worsened, now).await,
            Act::Improve => {
                self.go_on(tx, story, incident.clone(), Transition::Improved, now).await
            }
            Act::Close => self.recover(tx, story, incident, now).await,
        }
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        story: &Story<'_>,
        incident: &Incident,
        (transition, previous): (Transition, Option<Health>),
        now: Millis,
    ) -> Result<(), WatchError> {
        let body = story.alert(incident, transition, previous, now);
        Ok(enqueue(tx, self.telling(), incident, transition, body, now).await?)
    }
}
