//! What waits for the end of a silence, and what becomes of it when there is more to tell of its incident.
//!
//! Of how things stand only the newest is told at the end. That somebody looks after it, or that all was in
//! vain, is true still: it is told beside that, after it.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::{Telling, words};
use crate::{
    incident::{Severity, Transition},
    ledger::{Incident, LedgerError, Millis, NewAlert, Repair, Tx, Withheld},
};

/// What waits, and who is told of the incident already, or will be whatever comes now.
pub(super) struct Held {
    told: HashSet<String>,
    /// By sink, oldest first.
    waiting: HashMap<String, Vec<Withheld>>,
}

impl Held {
    /// As it is when a transition is to be told, in a silence or not.
    pub(super) async fn of(
        tx: &mut Tx,
        incident: &Incident,
        transition: Transition,
        silent: bool,
    ) -> Result<Self, LedgerError> {
        let id = &incident.id;
        let nothing = HashMap::new();
        if !silent {
            return Ok(Self { told: tx.told_of(id).await?, waiting: nothing });
        }
        if transition == Transition::Recovered {
            // Whatever waits is true no more, whoever was to be told of it.
            tx.supersede(id).await?;
            return Ok(Self { told: tx.told_of(id).await?, waiting: nothing });
        }
        let mut waiting = nothing;
        for one in tx.withheld(id).await? {
            waiting.entry(one.sink.clone()).or_insert_with(Vec::new).push(one);
        }
        let told = match transition.is_aside() {
            true => tx.told_of(id).await?,
            false => tx.told_for_good(id).await?,
        };
        Ok(Self { told, waiting })
    }

    /// Whether a sink is told of it already.
    pub(super) fn is_told(&self, sink: &str) -> bool {
        self.told.contains(sink)
    }

    /// Puts an alert into the outbox; in the place of what it is newer news than, if that waits.
    pub(super) async fn put(
        &self,
        tx: &mut Tx,
        incident: &Incident,
        transition: Transition,
        alert: &NewAlert,
        now: Millis,
    ) -> Result<(), LedgerError> {
        let waiting = self.waiting.get(&alert.sink).into_iter().flatten();
        let mut older = waiting.filter(|one| same_news(one.transition, transition));
        let placed = match older.next() {
            Some(first) => tx.replace_alert(&first.id, transition, alert, now).await?,
            None => false,
        };
        if !placed {
            tx.enqueue_alert(&incident.id, transition, alert, now).await?;
        }
        for one in older {
            tx.supersede_alert(&one.id).await?;
        }
        Ok(())
    }

    /// A sink is to be told nothing after all: as it is by now, it is not bad enough for it.
    pub(super) async fn drop(&self, tx: &mut Tx, sink: &str) -> Result<(), LedgerError> {
        for one in self.waiting.get(sink).into_iter().flatten() {
            tx.supersede_alert(&one.id).await?;
        }
        Ok(())
    }

    /// Has what a sink is told beside the news say how things stand by now.
    pub(super) async fn keep_true(
        &self,
        tx: &mut Tx,
        telling: &Telling,
        (incident, sink): (&Incident, &str),
        (news, severity): (&Value, Severity),
        repairs: &[Repair],
    ) -> Result<(), LedgerError> {
        let waiting = self.waiting.get(sink).into_iter().flatten();
        for one in waiting.filter(|one| one.transition.is_aside()) {
            let Ok(mut body) = serde_json::from_str::<Value>(&one.payload) else { continue };
            let Some(fields) = body.as_object_mut() else { continue };
            fields.insert("health".to_owned(), news["health"].clone());
            fields.insert("previous".to_owned(), news["health"].clone());
            fields.insert("flapping".to_owned(), json!(incident.care.flapping));
            let derived = ["severity", "meaning", "done"].into_iter();
            // What is to be done where all was in vain is not derived.
            let todo = (one.transition == Transition::Acknowledged).then_some("todo");
            for name in derived.chain(todo) {
                fields.shift_remove(name);
            }
            let how = (one.transition, severity);
            words::complete(&mut body, incident, how, repairs, telling.api.as_ref());
            tx.rewrite_alert(&one.id, &body.to_string(), severity).await?;
        }
        Ok(())
    }
}

/// Whether of two transitions the later takes the place of the one before.
fn same_news(before: Transition, now: Transition) -> bool {
    match now.is_aside() {
        true => before == now,
        false => !before.is_aside(),
    }
}
