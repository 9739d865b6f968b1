//! Does what was written down, and writes down what nodes answered. It proves nothing.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    admit::{Admitted, Step},
    source::Source,
};
use crate::{
    crash,
    ledger::{self, FailedRepair, Millis, RowId, SentRepair},
    nodes::{
        Configured, FetchError,
        aleph::{AlephError, Client, Payload},
    },
    repair::Action,
    watch::{Watch, WatchError},
};

/// Contents in work at once: each may be a large file on the disk for the while.
pub(super) const AT_ONCE: usize = 16;
/// A node that answers so many uploads in a row by silence gets no more in this rung.
const SILENT: u32 = 3;
/// Answers are written down by so many, or after this.
const RECORD: usize = 64;
const RECORD_AFTER: Duration = Duration::from_millis(250);

/// What is said of a repair that the node took, while nothing proves it.
const TAKEN: &str = "the node took the bytes, but still serves none that are right; \
    its operator must remove the file from its disk";
/// The same of a message alone.
const TOLD: &str = "the node took the message, but did not fetch the bytes in time";
/// The same of blocks that were pinned.
const PINNED: &str = "the node says that it pinned it, but serves no right bytes";

/// What a node answered.
enum Answer {
    Sent(SentRepair, (RowId, RowId)),
    Failed(FailedRepair),
    /// Nothing was done: nobody could give the bytes just now. It is planned still.
    NotNow,
}

impl Watch {
    /// Takes every step; gives how many were taken.
    pub(super) async fn carry_out(&self, mut admitted: Admitted) -> Result<u64, WatchError> {
        self.write_plan(&mut admitted).await?;
        let mut by_content: Vec<Vec<Step>> = Vec::new();
        for step in admitted.steps {
            match by_content.last_mut() {
                Some(last) if last[0].target.wanted.row == step.target.wanted.row => {
                    last.push(step)
                }
                _ => by_content.push(vec![step]),
            }
        }
        let work = by_content.iter().map(|steps| self.treat(steps));
        let mut work = std::pin::pin!(stream::iter(work).buffer_unordered(AT_ONCE));
        let (mut answers, mut taken, mut written) = (Vec::new(), 0, Instant::now());
        loop {
            let next = work.next().await;
            let is_end = next.is_none();
            if let Some(some) = next {
                answers.extend(some?);
            }
            let is_time = answers.len() >= RECORD || written.elapsed() >= RECORD_AFTER;
            if is_end || is_time {
                taken += self.write_answers(std::mem::take(&mut answers)).await?;
                written = Instant::now();
            }
            if is_end {
                return Ok(taken);
            }
        }
    }

    /// All steps of one content, with one copy of it.
    async fn treat(&self, steps: &[Step]) -> Result<Vec<Answer>, WatchError> {
        let needs_copy =
            |step: &&Step| !matches!(step.target.action, Action::KuboPin | Action::PinRequest);
        let payload = match steps.iter().find(needs_copy) {
            None => None,
            Some(step) => match self.verified_copy(&step.target.wanted).await {
                Ok(Source::Copy(file)) => Some(file),
                Ok(Source::Resting | Source::None) => {
                    return Ok(steps.iter().map(|_| Answer::NotNow).collect());
                }
                // A full disk is no reason to leave the others alone, or people untold.
                Err(WatchError::Temporary(error)) => {
                    warn!("a repair could not be made: temporary file: {error}");
                    let replicas = steps.iter().map(|step| step.target.replica());
                    self.hold_back(replicas);
                    return Ok(steps.iter().map(|_| Answer::NotNow).collect());
                }
                Err(error) => return Err(error),
            },
        };
        crash::point("repair.copied");
        let nodes = self.nodes();
        let mut answers = Vec::with_capacity(steps.len());
        for step in steps {
            let Some(node) = nodes.get(&step.target.node) else {
                answers.push(Answer::NotNow);
                continue;
            };
            let bytes = match &payload {
                Some(file) => file.as_file().metadata()?.len(),
                None => 0,
            };
            let path = payload.as_ref().map(|file| file.path().to_owned()).unwrap_or_default();
            answers.push(self.take(step, node, Payload::File { path, bytes }).await);
        }
        Ok(answers)
    }

    async fn take(&self, step: &Step, node: &Arc<Configured>, payload: Payload) -> Answer {
        let action = step.target.action;
        if self.is_silent(step.target.node) {
            let detail = "the node answered nothing that was sent to it just before".to_owned();
            return Answer::Failed(FailedRepair { repair: step.repair, detail, is_refusal: false });
        }
        let done = match (action, &node.aleph, &node.kubo, &node.pinning) {
            (Action::Upload | Action::UploadWithStore | Action::NewStore, Some(client), ..) => {
                self.upload(step, client, &payload).await
            }
            (Action::KuboReturn | Action::KuboImport, _, Some(kubo), _) => {
                self.import(step, kubo, &payload).await
            }
            (Action::KuboPin, _, Some(kubo), _) => {
                let pinned = kubo.pin(&step.target.wanted.id).await.map_err(NotTaken::from);
                pinned.map(|()| Taken::now(PINNED))
            }
            (Action::PinRequest, .., Some(service)) => {
                let asked = service.request(&step.target.wanted.id).await;
                let wait = self.settings.pin_wait;
                let taken = |request: crate::nodes::PinRequest| Taken {
                    detail: format!("the service says that it is {}", request.status),
                    wait,
                    request: Some(request.id),
                };
                asked.map(taken).map_err(NotTaken::from)
            }
            _ => Err(NotTaken::because("the node is configured as another kind now")),
        };
        crash::point("repair.acted");
        let (id, node) = (step.target.wanted.id, crate::nodes::name(node.node.url()));
        match done {
            Ok(taken) => {
                debug!("{id}: {} at {node}: taken", action.as_str());
                Answer::Sent(taken.into_sent(step.repair), step.target.replica())
            }
            Err(why) => {
                warn!("{id}: {} at {node}: {}", action.as_str(), why.detail);
                let (repair, detail, is_refusal) = (step.repair, why.detail, why.is_refusal);
                Answer::Failed(FailedRepair { repair, detail, is_refusal })
            }
        }
    }

    /// Uploads to an aleph node. Where it takes no upload, the message alone may make it fetch.
    async fn upload(
        &self,
        step: &Step,
        client: &Client,
        payload: &Payload,
    ) -> Result<Taken, NotTaken> {
        let (id, message) = (&step.target.wanted.id, step.target.message.as_ref());
        crash::point("repair.before-upload");
        let done = client.upload(id, payload, message).await;
        self.note_silence(step.target.node, matches!(&done, Err(error) if error.is_silence()));
        match done {
            Ok(()) => {
                crash::point("repair.uploaded");
                Ok(Taken::now(TAKEN))
            }
            Err(error) if error.is_lacking() => {
                let Some(message) = message else { return Err(error.into()) };
                crash::point("repair.before-publish");
                client.publish(message).await?;
                crash::point("repair.published");
                let wait = self.settings.wait;
                Ok(Taken { detail: TOLD.to_owned(), wait, request: None })
            }
            Err(error @ (AlephError::Refused { .. } | AlephError::File { .. })) => {
                Err(error.into())
            }
            // It may have come through all the same: a probe tells.
            Err(error) => Ok(Taken::now(&error.to_string())),
        }
    }

    /// Whether a node answered none of the last that was sent to it in this rung: one that only takes time
    /// must not take everybody's.
    fn is_silent(&self, node: RowId) -> bool {
        // Whoever panicked left whole entries.
        let silent = self.repairing.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.get(&node).is_some_and(|times| *times >= SILENT)
    }

    fn note_silence(&self, node: RowId, is_silent: bool) {
        let mut silent = self.repairing.silent.lock().unwrap_or_else(PoisonError::into_inner);
        match is_silent {
            true => *silent.entry(node).or_default() += 1,
            false => silent.retain(|one, _| *one != node),
        }
    }

    /// Writes down what nodes answered; each that took something is due for a probe. Gives how many
    /// answered at all.
    async fn write_answers(&self, answers: Vec<Answer>) -> Result<u64, WatchError> {
        let (mut sent, mut again, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let now = ledger::now();
        for answer in answers {
            match answer {
                Answer::Sent(one, (content, node)) => {
                    sent.push(one);
                    again.push((content, node, now));
                }
                Answer::Failed(one) => failed.push(one),
                Answer::NotNow => {}
            }
        }
        if sent.is_empty() && failed.is_empty() {
            return Ok(0);
        }
        let mut tx = self.ledger.write().await?;
        // In the order in which probes write down what they saw.
        tx.probe_again(&again).await?;
        tx.repairs_sent(&sent).await?;
        tx.repairs_failed(&failed, now).await?;
        crash::point("repair.before-sent");
        tx.commit().await?;
        crash::point(if failed.is_empty() { "repair.sent" } else { "repair.refused" });
        Ok((sent.len() + failed.len()) as u64)
    }
}

/// That a node did not take something, and why.
pub(super) struct NotTaken {
    detail: String,
    /// Whether it refused the message that went with it.
    is_refusal: bool,
}

impl NotTaken {
    pub(super) fn because(why: &str) -> Self {
        Self { detail: why.to_owned(), is_refusal: false }
    }
}

impl From<AlephError> for NotTaken {
    fn from(error: AlephError) -> Self {
        Self { detail: error.to_string(), is_refusal: error.is_refusal_of_message() }
    }
}

impl From<FetchError> for NotTaken {
    fn from(error: FetchError) -> Self {
        Self::because(&error.to_string())
    }
}

/// That a node took something.
pub(super) struct Taken {
    /// What is said of it, unless it is proved.
    pub(super) detail: String,
    /// How long it gets.
    pub(super) wait: Duration,
    /// A pinning service's name of the request.
    pub(super) request: Option<String>,
}

impl Taken {
    /// The first probe decides.
    pub(super) fn now(detail: &str) -> Self {
        Self { detail: detail.to_owned(), wait: Duration::ZERO, request: None }
    }

    fn into_sent(self, repair: RowId) -> SentRepair {
        let sent_at = ledger::now();
        let wait = Millis::try_from(self.wait.as_millis()).unwrap_or(Millis::MAX);
        let prove_by = sent_at.saturating_add(wait);
        SentRepair { repair, detail: Some(self.detail), request: self.request, sent_at, prove_by }
    }
}
