//! The way of a message: taken in, judged, in force, sent on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Node;
use super::judge::Obstacle;
use crate::envelope::{Kind, Message};
use crate::ledger::{Ledger, Record, Refusal, Status};
use crate::signature;
use crate::stamp;

/// Where a message came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client.
    Client,
    /// Another node, by its URL.
    Peer(String),
}

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(2);

impl Node {
    /// Takes in a message. With `sync`, waits until it was judged for the first time.
    ///
    /// A known message is left as it is, unless it was rejected before.
    pub async fn submit(self: &Arc<Self>, message: Message, sync: bool, origin: Origin) -> Status {
        let hash = message.envelope.item_hash.clone();
        {
            let mut ledger = self.ledger();
            let known = ledger.get(&hash).map(|record| record.status);
            if let Some(status) = known.filter(|status| *status != Status::Rejected) {
                return status;
            }
            ledger.put(Record::pending(message, stamp::now()));
        }
        let from_peer = origin != Origin::Client;
        if let Origin::Peer(url) = origin {
            self.remember_sender(&hash, &url);
        }
        // A task of its own: the message is settled even if the client goes away.
        let (judged, first) = oneshot::channel();
        tokio::spawn(Arc::clone(self).settle(hash, from_peer, Some(judged)));
        match sync {
            true => first.await.unwrap_or(Status::Pending),
            false => Status::Pending,
        }
    }

    /// Takes up a message that was pending when the node ended.
    pub(super) fn resume(self: &Arc<Self>, hash: String) {
        tokio::spawn(Arc::clone(self).settle(hash, false, None));
    }

    /// Judges a message until it is no more pending.
    async fn settle(
        self: Arc<Self>,
        hash: String,
        from_peer: bool,
        mut judged: Option<oneshot::Sender<Status>>,
    ) {
        let mut delay = FIRST_DELAY;
        loop {
            if !(from_peer && self.paused.load(Ordering::Relaxed)) {
                let status = self.attempt(&hash).await;
                if let Some(judged) = judged.take() {
                    self.send_on(&hash, status);
                    // Nobody listens where the client did not want to wait.
                    let _ = judged.send(status);
                }
                if status != Status::Pending {
                    self.news.notify_waiters();
                    return;
                }
                delay = (delay * 2).min(LONGEST_DELAY);
            }
            tokio::select! {
                () = sleep(delay) => {}
                () = self.news.notified() => {}
            }
        }
    }

    /// Sends a message on, unless it was rejected.
    fn send_on(&self, hash: &str, status: Status) {
        if status == Status::Rejected {
            return;
        }
        let message = self.ledger().get(hash).map(|record| record.message.clone());
        if let Some(message) = message {
            self.publish(&message);
        }
    }

    /// Judges a message once.
    async fn attempt(self: &Arc<Self>, hash: &str) -> Status {
        let Some(record) = self.ledger().get(hash).cloned() else {
            return Status::Rejected;
        };
        if record.status != Status::Pending {
            return record.status;
        }
        let message = &record.message;
        let here = match self.prepare(message).await {
            Ok(here) => here,
            Err(obstacle) => return self.held_up(record, obstacle),
        };
        let outcome = {
            let mut ledger = self.ledger();
            ledger.judge(message).map(|()| bring_into_force(&mut ledger, record.clone()))
        };
        match outcome {
            Ok(record) => {
                if let (false, Some(file)) = (here, record.message.file()) {
                    self.fetch_later(file, hash.to_owned());
                }
                // Nobody may be listening.
                let _ = self.live.send(Arc::new(record));
                Status::Processed
            }
            Err(obstacle) => self.held_up(record, obstacle),
        }
    }

    /// Signature, permission and file; true where the file is here.
    async fn prepare(&self, message: &Message) -> Result<bool, Obstacle> {
        let envelope = &message.envelope;
        let signature = envelope.signature.as_deref().unwrap_or_default();
        let kind = envelope.kind.as_str();
        let hash = &envelope.item_hash;
        if !signature::is_valid(&envelope.chain, &envelope.sender, kind, hash, signature) {
            return Err(Obstacle::refuse(1, "The signature of the message is invalid"));
        }
        self.ledger().check_permission(message)?;
        let Some(file) = message.file() else {
            return Ok(true);
        };
        self.ledger().check_store(message, &file)?;
        match self.has_file(&file, hash).await {
            true => Ok(true),
            false if self.is_trusting() => Ok(false),
            false => Err(Obstacle::Wait),
        }
    }

    fn held_up(&self, mut record: Record, obstacle: Obstacle) -> Status {
        match obstacle {
            Obstacle::Wait => Status::Pending,
            Obstacle::Refuse(refusal) => {
                record.status = Status::Rejected;
                record.refusal = Some(refusal);
                self.ledger().put(record);
                Status::Rejected
            }
        }
    }
}

fn bring_into_force(ledger: &mut Ledger, mut record: Record) -> Record {
    if record.message.envelope.kind == Kind::Forget {
        ledger.forget(&record.message);
    }
    record.status = Status::Processed;
    record.refusal = None::<Refusal>;
    ledger.put(record.clone());
    record
}
