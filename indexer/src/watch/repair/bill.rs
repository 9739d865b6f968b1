//! What recurs each hour, and whether it can be paid for long.

use std::{collections::HashMap, sync::PoisonError, time::Duration};

use futures::future::join_all;
use serde_json::json;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{
    health::Health,
    incident::Transition,
    ledger::{self, Collection, Incident, LedgerError, Millis, RowId, Subject, Tx},
    repair::Credits,
    span_text,
    watch::{
        Watch, WatchError,
        outbox::{enqueue, opened, told},
    },
};

/// Between looks at bills and what could be taken back.
const EVERY: Duration = Duration::from_secs(600);
/// With less than this left it is urgent, in hours.
const URGENT: u64 = 24;

/// How long an account's credits last.
#[derive(Clone, Debug)]
struct Runway {
    account: String,
    /// In credits.
    balance: u64,
    bill: Credits,
    /// Hours until they are used up.
    hours: u64,
}

impl Runway {
    fn of(account: String, balance: u64, bill: Credits) -> Self {
        let hours = u128::from(balance) * 10_000 / u128::from(bill.0.max(1));
        let hours = u64::try_from(hours).unwrap_or(u64::MAX);
        Self { account, balance, bill, hours }
    }

    /// How bad it is, if it is; what was bad before is so until there is a tenth more.
    fn health(&self, needed: u64, was_bad: bool) -> Option<Health> {
        let enough = if was_bad { needed.saturating_add(needed / 10) } else { needed };
        match self.hours {
            hours if self.bill.0 == 0 || hours >= enough => None,
            hours if hours < URGENT => Some(Health::Lost),
            _ => Some(Health::Degraded),
        }
    }

    fn summary(&self) -> String {
        if self.bill.0 == 0 {
            return "no STORE is to be paid by the credits of the [repair] key any more".to_owned();
        }
        let lasts = span_text(self.hours.saturating_mul(3600));
        format!(
            "the {} credits of {} last {lasts}: STOREs signed for it cost {} an hour",
            self.balance, self.account, self.bill
        )
    }
}

impl Watch {
    /// Every so often: takes back what is superfluous, and sees whether the rest can be paid.
    pub(super) async fn care_for_bills(&self) -> Result<(), WatchError> {
        if self.settings.dry_run || !self.is_time_for_bills() {
            return Ok(());
        }
        self.forget_superseded().await?;
        self.judge_credits().await
    }

    fn is_time_for_bills(&self) -> bool {
        // Whoever panicked left a whole time.
        let mut last = self.billed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|last| last.elapsed() >= EVERY);
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }

    /// Opens, changes or closes the incident of each collection for which STOREs were signed here.
    async fn judge_credits(&self) -> Result<(), WatchError> {
        let Some(runway) = self.runway().await? else { return Ok(()) };
        let needed = u64::try_from(self.settings.credits_last / (60 * 60 * 1000)).unwrap_or(0);
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        let paid = tx.collections_paid_for().await?;
        let collections = tx.collections().await?;
        let open = tx.incidents(Millis::MAX).await?.into_iter();
        let open = open.filter(|one| one.subject == Subject::Credits);
        let mut open: HashMap<RowId, Incident> = open.map(|one| (one.collection_id, one)).collect();
        for collection in collections.iter().filter(|one| paid.contains(&one.id)) {
            let incident = open.remove(&collection.id);
            let health = runway.health(needed, incident.is_some());
            self.tell_credits(&mut tx, collection, incident, health, &runway, now).await?;
        }
        for incident in open.into_values() {
            let collection = collections.iter().find(|one| one.id == incident.collection_id);
            if let Some(collection) = collection {
                self.tell_credits(&mut tx, collection, Some(incident), None, &runway, now).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// `None` where no node says how many credits there are.
    async fn runway(&self) -> Result<Option<Runway>, WatchError> {
        let bill = self.budget().await?.spent().recurring;
        let signer = self.repairer.as_ref().filter(|_| self.pays_credits());
        let Some(signer) = signer.filter(|_| bill != Credits::default()) else {
            // Nobody is asked: nothing is to be paid by it.
            return Ok(Some(Runway::of(String::new(), 0, Credits::default())));
        };
        let account = self.settings.account.unwrap_or(signer.address()).to_checksum(None);
        let clients = self.aleph_clients();
        let asked = join_all(clients.iter().map(|(_, client)| client.credits(&account))).await;
        let mut said: Vec<u64> = asked.into_iter().filter_map(|one| one.ok().flatten()).collect();
        said.sort_unstable();
        // One node that makes something up moves no median of three.
        let Some(balance) = said.get((said.len().max(1) - 1) / 2) else { return Ok(None) };
        Ok(Some(Runway::of(account, *balance, bill)))
    }

    async fn tell_credits(
        &self,
        tx: &mut Tx,
        collection: &Collection,
        incident: Option<Incident>,
        health: Option<Health>,
        runway: &Runway,
        now: Millis,
    ) -> Result<(), LedgerError> {
        let summary = runway.summary();
        let message = format!("{}: {summary}", collection.name);
        let (incident, transition) = match (incident, health) {
            (None, None) => return Ok(()),
            (None, Some(health)) => {
                let new = opened(collection, Subject::Credits, health, summary, now);
                if !tx.open_incident(&new).await? {
                    return Ok(());
                }
                (new, Transition::Opened)
            }
            (Some(known), None) => {
                if !tx.close_incident(&known.id, "there are enough credits", now).await? {
                    return Ok(());
                }
                (known, Transition::Recovered)
            }
            // That they become fewer is not told each time.
            (Some(known), Some(health)) if known.health == health => return Ok(()),
            (Some(known), Some(health)) => {
                if !tx.change_incident(&known, health, &summary).await? {
                    return Ok(());
                }
                let worse = health > known.health;
                (known, if worse { Transition::Worsened } else { Transition::Improved })
            }
        };
        match transition {
            Transition::Recovered => info!("{message}"),
            _ => warn!("{message}"),
        }
        let previous = (transition != Transition::Opened).then_some(incident.health);
        let more = json!({
            "content": null,
            "tokens": [],
            "health": health,
            "previous": previous,
            "account": runway.account,
            "credits": runway.balance,
            "credits_per_hour": runway.bill.as_number(),
            "hours_left": runway.hours,
        });
        let body = told(&incident, transition, more, (&message, &message), now);
        enqueue(tx, self.telling(), &incident, transition, body, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bad_before_it_is_too_late_and_well_only_with_some_to_spare() {
        let runway = |balance| Runway::of("0x1".to_owned(), balance, Credits(44_925));
        assert_eq!(runway(755).hours, 168);
        assert_eq!(runway(755).health(168, false), None);
        assert_eq!(runway(754).health(168, false), Some(Health::Degraded));
        assert_eq!(runway(107).health(168, false), Some(Health::Lost));
        assert_eq!(runway(0).health(168, false), Some(Health::Lost));
        // It is not over by a credit.
        assert_eq!(runway(755).health(168, true), Some(Health::Degraded));
        assert_eq!(runway(831).health(168, true), None);
        let nothing_to_pay = Runway::of("0x1".to_owned(), 0, Credits(0));
        assert_eq!(nothing_to_pay.health(168, true), None);
        assert!(runway(754).summary().contains("last 6 days"), "{}", runway(754).summary());
    }
}
