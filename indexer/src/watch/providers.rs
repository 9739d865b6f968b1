//! Providers: those whom routers name get places in the ledger, and are asked there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use url::Url;

use super::{Watch, WatchError, verify::Probed, whereabouts::literal_address};
use crate::{
    content::Provider,
    ledger::{self, Announcement, LedgerError, Millis, Named, RowId},
    nodes::{self, Announced, ContentNode as _, Fetcher},
};

/// Between looks for providers that nobody names any more.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// Providers in use, and who of them may be on a private address. Of each it is kept what was seen of
/// it, for as long as the ledger has it: so they are no more than that may have.
#[derive(Debug)]
pub(super) struct Strangers {
    private: Vec<Url>,
    fetcher: Fetcher,
    known: RwLock<BTreeMap<RowId, Announced>>,
    forgotten: RwLock<Option<Instant>>,
}

impl Strangers {
    pub(super) fn new(private: Vec<Url>, fetcher: Fetcher) -> Self {
        Self { private, fetcher, known: RwLock::default(), forgotten: RwLock::default() }
    }

    fn is_private(&self, url: &Url) -> bool {
        self.private.iter().any(|known| {
            known.host() == url.host()
                && known.port_or_known_default() == url.port_or_known_default()
        })
    }

    /// Those that are known from now on, beside those known before.
    pub(super) fn meet(&self, providers: &[(RowId, String)]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (row, url) in providers {
            let Ok(url) = url.parse::<Url>() else { continue };
            // A row may have become another's.
            if known.get(row).is_none_or(|node| *node.url() != url) {
                known.insert(*row, self.announced(url));
            }
        }
    }

    fn announced(&self, url: Url) -> Announced {
        match self.is_private(&url) {
            true => Announced::private(url, &self.fetcher),
            false => Announced::new(url, &self.fetcher),
        }
    }

    /// Only these are known from now on.
    fn replace(&self, providers: &[(RowId, String)]) {
        let rows: BTreeSet<RowId> = providers.iter().map(|(row, _)| *row).collect();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|row, _| rows.contains(row));
        drop(known);
        self.meet(providers);
    }

    /// A provider as a node.
    pub(super) fn node(&self, row: RowId) -> Option<Announced> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&row).cloned()
    }

    /// Whether what was seen is that a provider wants to be left alone. To say so for ever would be to
    /// keep a place for ever: it counts as not having served.
    pub(super) fn puts_off(&self, probed: &Probed) -> bool {
        probed.seen.http_status == Some(429)
            && self
                .known
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .contains_key(&probed.due.node)
    }

    fn is_time_to_forget(&self) -> bool {
        let mut last = self.forgotten.write().unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|at| at.elapsed() >= FORGET_EVERY);
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }
}

impl Watch {
    /// Forgets who is named no more, and learns who is in use now: another process may have found
    /// some, or lost them. Gives the rows.
    pub(super) async fn review_providers(&self) -> Result<Vec<RowId>, LedgerError> {
        if self.strangers.is_time_to_forget() {
            let mut more = true;
            while more {
                let mut tx = self.ledger.write().await?;
                more = tx.forget_unannounced(self.oldest_that_counts()).await?;
                tx.commit().await?;
            }
        }
        let providers = self.ledger.read().await?.providers().await?;
        self.strangers.replace(&providers);
        Ok(providers.into_iter().map(|(row, _)| row).collect())
    }

    /// Gives places to those whom routers named.
    pub(super) async fn announce(&self, probed: &[&Probed]) -> Result<(), WatchError> {
        let said = probed.iter().filter(|one| !one.seen.named.is_empty());
        let said: Vec<_> = said.map(|one| self.announcement(one)).collect();
        if said.is_empty() {
            return Ok(());
        }
        let mut tx = self.ledger.write().await?;
        tx.announce(&said, self.oldest_that_counts()).await?;
        Ok(tx.commit().await?)
    }

    fn announcement(&self, probed: &Probed) -> Announcement {
        // Whom nobody here may ask needs no place.
        let may_be_asked = |one: &&Provider| {
            self.fetcher.allows_strangers(&one.url) || self.strangers.is_private(&one.url)
        };
        let named =
            probed.seen.named.iter().filter(may_be_asked).map(|one| Named {
                url: nodes::name(&one.url),
                address: literal_address(&one.url),
            });
        Announcement {
            content: probed.due.content,
            router: probed.due.node,
            named: named.collect(),
            at: probed.at,
        }
    }

    fn oldest_that_counts(&self) -> Millis {
        ledger::now().saturating_sub(self.settings.policy.max_age())
    }
}
