//! Paths that lead nowhere: an incident each, however many tokens name it.

use std::collections::{BTreeMap, HashMap};

use alloy::primitives::U256;
use serde_json::{Value, json};

use super::{Watch, WatchError, assess::MOST_TOKENS, judge::Case};
use crate::{
    health::Health,
    incident::{Standing, Transition},
    ledger::{Collection, Incident, Millis, RowId, Subject, Tx},
    picture::LostIn,
};

impl Watch {
    /// Opens, changes and closes the incidents over paths.
    pub(super) async fn assess_paths(
        &self,
        tx: &mut Tx,
        paths: BTreeMap<(RowId, String), LostIn>,
        now: Millis,
    ) -> Result<(), WatchError> {
        let key = |incident: &Incident| {
            Some((incident.collection_id, incident.subject.path()?.to_owned()))
        };
        let open = tx.incidents(Millis::MAX).await?;
        let mut open: HashMap<_, _> =
            open.into_iter().filter_map(|one| Some((key(&one)?, one))).collect();
        let collections = tx.collections().await?;
        let known = |id: RowId| collections.iter().find(|one| one.id == id);
        for (key, lost) in paths {
            let incident = open.remove(&key);
            if let Some(collection) = known(key.0) {
                let case = PathCase { collection, path: &key.1, lost: Some(&lost) };
                self.judge(tx, &case, incident.as_ref(), now).await?;
            }
        }
        for ((id, path), incident) in open {
            // While a collection is read again, nobody knows yet what it names.
            if let Some(collection) = known(id).filter(|collection| !collection.rereading) {
                let case = PathCase { collection, path: &path, lost: None };
                self.judge(tx, &case, Some(&incident), now).await?;
            }
        }
        Ok(())
    }
}

/// A path in a collection, and all that is told of it.
struct PathCase<'a> {
    collection: &'a Collection,
    path: &'a str,
    /// What is wrong with it, if anything is.
    lost: Option<&'a LostIn>,
}

impl PathCase<'_> {
    fn tokens(&self) -> &[U256] {
        self.lost.map_or(&[], |lost| &lost.tokens)
    }

    /// What happened, in short.
    fn headline(&self, lost: &LostIn, transition: Transition) -> String {
        let of = match lost.tokens.as_slice() {
            [] => "of the collection itself".to_owned(),
            [one] => format!("of token {one}"),
            many => format!("of {} tokens", many.len()),
        };
        let (name, path, health) = (&self.collection.name, self.path, lost.path.health);
        match transition {
            Transition::Flapping => {
                format!("{name}: {path} {of} comes and goes, and is {health} now")
            }
            _ => format!("{name}: {path} {of} is {health}"),
        }
    }
}

impl Case for PathCase<'_> {
    fn collection(&self) -> &Collection {
        self.collection
    }

    fn subject(&self) -> Subject {
        Subject::Path { reference: self.path.to_owned() }
    }

    fn standing(&self) -> Standing {
        Standing::of(self.lost.map_or(Health::Healthy, |lost| lost.path.health))
    }

    fn summary(&self) -> String {
        self.lost.map_or_else(String::new, |lost| lost.path.problem.clone())
    }

    fn over(&self) -> &'static str {
        "it was found, or nothing names it any more"
    }

    fn words(&self, transition: Transition, _: Option<Health>) -> (String, String) {
        let Some(lost) = self.lost else {
            let message = format!("{}: {}: {}", self.collection.name, self.path, self.over());
            return (message.clone(), message);
        };
        let headline = self.headline(lost, transition);
        let message = format!("{headline}: {}", lost.path.problem);
        (headline, message)
    }

    fn more(&self, _: Transition) -> Value {
        let tokens = self.tokens();
        let named: Vec<_> = tokens.iter().take(MOST_TOKENS as usize).map(U256::to_string).collect();
        json!({
            "content": null,
            "path": self.path,
            "tokens": named,
            "token_count": tokens.len(),
            "health": self.lost.map(|lost| lost.path.health),
        })
    }
}
