//! The node itself: its records, its disk, its peers.

pub mod disk;
pub mod faults;
mod fetch;
pub mod hashing;
mod judge;
mod peers;
mod process;
pub mod requests;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, broadcast};

use crate::config::Config;
use crate::item_hash::{Engine, FileHash};
use crate::ledger::{Ledger, Record, Status};
use disk::Disk;
use faults::Faults;
use peers::Peers;
pub use process::Origin;
use requests::Requests;

/// The header by which a node tells another where it is.
pub const PEER_HEADER: &str = "x-everhold-peer";

/// A node and all of its state.
#[derive(Debug)]
pub struct Node {
    /// How it was set up.
    pub config: Config,
    /// Its files.
    pub disk: Disk,
    /// The faults it was told to have.
    pub faults: Faults,
    /// The requests it served.
    pub requests: Requests,
    ledger: Mutex<Ledger>,
    peers: Peers,
    /// The node that sent a message: a place where its file may be.
    senders: Mutex<HashMap<String, String>>,
    url: OnceLock<String>,
    live: broadcast::Sender<Arc<Record>>,
    /// Woken whenever something came that a pending message may wait for.
    news: Notify,
    paused: AtomicBool,
}

impl Node {
    /// Opens the node in its folder.
    pub fn open(config: Config) -> io::Result<Arc<Self>> {
        let disk = Disk::open(&config.data)?;
        let mut ledger = Ledger::open(&config.data, &config.authority, config.unlimited_credit)?;
        for (address, amount) in &config.credits {
            ledger.give_credits(address, *amount);
        }
        Ok(Arc::new(Self {
            config,
            disk,
            faults: Faults::default(),
            requests: Requests::default(),
            ledger: Mutex::new(ledger),
            peers: Peers::new().map_err(io::Error::other)?,
            senders: Mutex::default(),
            url: OnceLock::new(),
            live: broadcast::channel(1024).0,
            news: Notify::new(),
            paused: AtomicBool::new(false),
        }))
    }

    /// Begins work, once the node's own URL is known: peers, and messages left pending.
    pub fn start(self: &Arc<Self>, url: &str) {
        // Called once; a second URL would change nothing.
        let _ = self.url.set(url.to_owned());
        for peer in &self.config.peers {
            self.connect(peer);
        }
        let pending: Vec<String> = self
            .ledger()
            .records()
            .filter(|record| record.status == Status::Pending)
            .map(|record| record.hash().to_owned())
            .collect();
        for hash in pending {
            self.resume(hash);
        }
    }

    /// The node's records.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages as they come into force.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Record>> {
        self.live.subscribe()
    }

    /// Whether the node has the engine of a name.
    pub fn serves(&self, file: &FileHash) -> bool {
        self.config.ipfs || file.engine == Engine::Storage
    }

    /// Records a file that is on disk, and wakes the messages that wait for it.
    pub fn file_came(&self, on_disk: &str, size: u64) {
        self.ledger().put_file(on_disk, size);
        self.news.notify_waiters();
    }

    /// Holds back messages from peers, or lets them go on.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
        self.news.notify_waiters();
    }

    /// The size a file is said to have, be it on disk or not.
    pub fn said_size(&self, file: &FileHash) -> Option<u64> {
        let known = self.ledger().file_size(&file.on_disk);
        match self.faults.claim(&file.on_disk) {
            Some(claim) => claim.size.or(known).or(Some(0)),
            None => known,
        }
    }
}
