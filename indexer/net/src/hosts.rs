//! How many requests are under way, for each host and altogether.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    limits::Limits,
    origin::{Origin, Way},
};

/// Hosts that can have requests under way, or waiting, each with a count of its own. It takes
/// more requests at once than we make to reach this; those beyond share one count.
const MAX_HOSTS: usize = 4096;

/// Whose turn it is. Turns come in the order in which they were asked for.
#[derive(Debug)]
pub(crate) struct Hosts {
    total: Arc<Semaphore>,
    /// Kept while in use, and a little longer.
    each: Mutex<HashMap<Key, Arc<Semaphore>>>,
    per_host: usize,
    per_configured: usize,
}

/// A host that is not configured is one however many ports it has; configured ones, which may
/// all be on one machine, are told apart.
type Key = (String, Option<u16>);

/// Leave to have one request under way; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _host: OwnedSemaphorePermit,
    _total: OwnedSemaphorePermit,
}

impl Hosts {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            total: semaphore(limits.in_total),
            each: Mutex::default(),
            per_host: limits.per_host,
            per_configured: limits.per_configured,
        }
    }

    /// Waits for a turn: first for the host's, so that those who wait for a busy host do not
    /// stand in the way of others. `None` never comes, since no semaphore is ever closed.
    pub(crate) async fn permit(&self, origin: &Origin, way: Way) -> Option<Permit> {
        let host = self.host(origin, way).acquire_owned().await.ok()?;
        let total = self.total.clone().acquire_owned().await.ok()?;
        Some(Permit { _host: host, _total: total })
    }

    fn host(&self, origin: &Origin, way: Way) -> Arc<Semaphore> {
        let (port, most) = match way {
            Way::Open => (None, self.per_host),
            Way::Configured => (Some(origin.port), self.per_configured),
        };
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (origin.host.clone(), port);
        if each.len() >= MAX_HOSTS && !each.contains_key(&key) {
            each.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
            if each.len() >= MAX_HOSTS {
                // No host is called so.
                key = (String::new(), None);
            }
        }
        each.entry(key).or_insert_with(|| semaphore(most)).clone()
    }
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn remembers_so_many_hosts_and_no_more() {
        let limits = Limits { in_total: usize::MAX, ..Limits::default() };
        let hosts = Hosts::new(&limits);
        let mut held = Vec::new();
        for number in 0..MAX_HOSTS + 10 {
            let origin = Origin { host: number.to_string(), port: 80 };
            let permit = hosts.permit(&origin, Way::Open);
            if number <= MAX_HOSTS + 7 {
                held.push(permit.await);
            } else {
                // All that share a count have taken their turns.
                let wait = std::time::Duration::from_millis(1);
                assert!(tokio::time::timeout(wait, permit).await.is_err());
            }
        }
        assert_eq!(hosts.each.lock().unwrap().len(), MAX_HOSTS + 1);
        drop(held);
        hosts.permit(&Origin { host: "x".to_owned(), port: 80 }, Way::Open).await;
        assert_eq!(hosts.each.lock().unwrap().len(), 1);
    }
}
