//! The log of requests, so that tests can say what a client did.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// The log keeps this many of the last requests; the counts keep all.
const KEPT: usize = 10_000;

/// Requests served, but for those of peers and those to `/dev/`.
#[derive(Debug, Default)]
pub struct Requests(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    total: u64,
    counts: BTreeMap<String, u64>,
    last: VecDeque<Value>,
}

impl Requests {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request.
    pub fn add(&self, method: &str, path: &str, query: Option<&str>, status: u16) {
        let mut log = self.lock();
        log.total += 1;
        *log.counts.entry(format!("{method} {path}")).or_default() += 1;
        if log.last.len() == KEPT {
            log.last.pop_front();
        }
        log.last
            .push_back(json!({"method": method, "path": path, "query": query, "status": status}));
    }

    /// What `/dev/requests` answers.
    pub fn report(&self) -> Value {
        let log = self.lock();
        json!({"total": log.total, "counts": log.counts, "log": log.last})
    }

    /// Begins anew.
    pub fn clear(&self) {
        *self.lock() = Log::default();
    }
}
