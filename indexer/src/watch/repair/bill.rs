//! What recurs each hour, and whether it can be paid for long.

use std::{collections::HashMap, sync::PoisonError, time::Duration};

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    health::Health,
    incident::{Standing, Transition},
    ledger::{self, Collection, Incident, Millis, RowId, Subject},
    repair::Credits,
    span_text,
    watch::{Watch, WatchError, judge::Case},
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
            "the {} credits of {} last {lasts}: its STOREs cost {} an hour",
            self.balance, self.account, self.bill
        )
    }
}

impl Watch {
    /// Takes back what is superfluous, and sees whether the rest can be paid.
    pub(super) async fn care_for_bills(&self) -> Result<(), WatchError> {
        if self.settings.dry_run {
            return Ok(());
        }
        self.forget_superseded().await?;
        self.judge_credits().await
    }

    /// Whether it is long ago that this was done.
    pub(super) fn is_time_for_bills(&self) -> bool {
        // Whoever panicked left a whole time.
        let last = self.repairing.billed.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_none_or(|last| last.elapsed() >= EVERY)
    }

    /// It is done.
    pub(super) fn note_bills(&self) {
        let mut last = self.repairing.billed.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Instant::now());
    }

    /// Opens, changes or closes the incident of each collection for which STOREs were signed here.
    async fn judge_credits(&self) -> Result<(), WatchError> {
        let Some(runway) = self.runway().await? else { return Ok(()) };
        let needed = u64::try_from(self.settings.credits_last / (60 * 60 * 1000)).unwrap_or(0);
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        let paid = tx.collections_paid_for(&runway.account).await?;
        let collections = tx.collections().await?;
        let open = tx.incidents(Millis::MAX).await?.into_iter();
        let open = open.filter(|one| one.subject == Subject::Credits);
        let mut open: HashMap<RowId, Incident> = open.map(|one| (one.collection_id, one)).collect();
        for collection in collections.iter().filter(|one| paid.contains(&one.id)) {
            let incident = open.remove(&collection.id);
            let health = runway.health(needed, incident.is_some());
            let case = CreditsCase { collection, health, runway: &runway };
            self.judge(&mut tx, &case, incident.as_ref(), now).await?;
        }
        for incident in open.into_values() {
            let collection = collections.iter().find(|one| one.id == incident.collection_id);
            if let Some(collection) = collection {
                let case = CreditsCase { collection, health: None, runway: &runway };
                self.judge(&mut tx, &case, Some(&incident), now).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// `None` where no node says how many credits there are.
    async fn runway(&self) -> Result<Option<Runway>, WatchError> {
        let nothing = Some(Runway::of(String::new(), 0, Credits::default()));
        let Some(signer) = self.repairer.as_ref().filter(|_| self.pays_credits()) else {
            return Ok(nothing);
        };
        let account = self.settings.account.unwrap_or(signer.address()).to_checksum(None);
        let bill = self.bill_of(&account).await?;
        if bill == Credits::default() {
            // Nobody is asked: nothing is to be paid by it.
            return Ok(nothing);
        }
        let clients = self.aleph_clients();
        let asked = join_all(clients.iter().map(|(_, client)| client.credits(&account))).await;
        let mut said: Vec<u64> = asked.into_iter().filter_map(|one| one.ok().flatten()).collect();
        said.sort_unstable();
        // One node that makes something up moves no median of three.
        let Some(balance) = said.get((said.len().max(1) - 1) / 2) else { return Ok(None) };
        Ok(Some(Runway::of(account, *balance, bill)))
    }

    /// What an account pays each hour: for what was signed here, and for what else is known to live, as what
    /// was published with its key.
    async fn bill_of(&self, account: &str) -> Result<Credits, WatchError> {
        let mut bill = self.budget().await?.spent().recurring;
        for bytes in self.ledger.read().await?.paid_elsewhere(account).await? {
            bill.0 = bill.0.saturating_add(Credits::of_store(bytes, self.settings.price).0);
        }
        Ok(bill)
    }
}

/// Whether the STOREs of a collection can be paid for long, and all that is told of it.
struct CreditsCase<'a> {
    collection: &'a Collection,
    /// How bad it is, if it is.
    health: Option<Health>,
    runway: &'a Runway,
}

impl Case for CreditsCase<'_> {
    fn collection(&self) -> &Collection {
        self.collection
    }

    fn subject(&self) -> Subject {
        Subject::Credits
    }

    fn standing(&self) -> Standing {
        Standing::of(self.health.unwrap_or(Health::Healthy))
    }

    fn summary(&self) -> String {
        self.runway.summary()
    }

    fn over(&self) -> &'static str {
        "there are enough credits"
    }

    /// That they become fewer is not told each time.
    fn differs(&self, known: &Incident) -> bool {
        known.health != self.standing().health
    }

    fn words(&self, transition: Transition, _: Option<Health>) -> (String, String) {
        let (name, summary) = (&self.collection.name, self.summary());
        let message = match transition {
            Transition::Flapping => {
                format!(
                    "{name}: whether there are enough credits changes again and again: {summary}"
                )
            }
            _ => format!("{name}: {summary}"),
        };
        (message.clone(), message)
    }

    fn more(&self, _: Transition) -> Value {
        json!({
            "content": null,
            "tokens": [],
            "health": self.health,
            "account": self.runway.account,
            "credits": self.runway.balance,
            "credits_per_hour": self.runway.bill.as_number(),
            "hours_left": self.runway.hours,
        })
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
