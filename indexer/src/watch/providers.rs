//! Providers: those whom routers name get places in the ledger, and are asked there.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use url::Url;

use super::{
    Watch, WatchError,
    verify::Probed,
    whereabouts::{address_from, literal_address},
};
use crate::{
    content::Provider,
    health::ReplicaState,
    ledger::{self, Announcement, LedgerError, Millis, Named, RowId, Tx},
    nodes::{self, Announced, Fetcher},
};

/// Between looks for providers that nobody names any more.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// Providers in use, and who of them may be on a private address.
#[derive(Debug)]
pub(super) struct Strangers {
    private: Vec<Url>,
    known: RwLock<BTreeMap<RowId, Url>>,
    forgotten: RwLock<Option<Instant>>,
}

impl Strangers {
    pub(super) fn new(private: Vec<Url>) -> Self {
        Self { private, known: RwLock::default(), forgotten: RwLock::default() }
    }

    fn is_private(&self, url: &Url) -> bool {
        self.private.iter().any(|known| {
            known.host() == url.host()
                && known.port_or_known_default() == url.port_or_known_default()
        })
    }

    /// Those that are known from now on, beside those known before.
    pub(super) fn meet(&self, providers: &[(RowId, String)]) {
        let parsed = providers.iter().filter_map(|(row, url)| Some((*row, url.parse().ok()?)));
        self.known.write().unwrap_or_else(PoisonError::into_inner).extend(parsed);
    }

    /// Only these are known from now on.
    fn replace(&self, providers: &[(RowId, String)]) {
        let parsed = providers.iter().filter_map(|(row, url)| Some((*row, url.parse().ok()?)));
        // All at once: probes that go on meanwhile look them up.
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = parsed.collect();
    }

    /// A provider as a node.
    pub(super) fn node(&self, row: RowId, fetcher: &Fetcher) -> Option<Announced> {
        let url = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&row).cloned()?;
        Some(match self.is_private(&url) {
            true => Announced::private(url, fetcher),
            false => Announced::new(url, fetcher),
        })
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

    /// Writes down from where the bytes of providers came that proved right.
    pub(super) async fn locate(&self, tx: &mut Tx, probed: &[&Probed]) -> Result<(), LedgerError> {
        let served = probed.iter().filter(|one| one.seen.state == ReplicaState::Verified);
        let located = served.filter_map(|one| Some((one.due.node, one.from.as_deref()?)));
        // In one order everywhere, so that two workers never wait for each other.
        for (provider, address) in located.collect::<BTreeMap<_, _>>() {
            tx.locate_provider(provider, address).await?;
        }
        Ok(())
    }

    fn oldest_that_counts(&self) -> Millis {
        ledger::now().saturating_sub(self.settings.policy.max_age())
    }
}

/// The address by which a provider that served something is told apart.
pub(super) fn address_of(provider: &Announced) -> Option<String> {
    use crate::nodes::ContentNode as _;
    let address = provider.address()?;
    Some(address_from(provider.url(), address))
}
