//! Whether a message may come into force, by what the ledger knows.

use serde_json::{Value, json};

use crate::envelope::{Kind, Message, strings};
use crate::item_hash::FileHash;
use crate::ledger::{Ledger, Refusal, Status};
use crate::money::Payment;

/// From 2027-01-01, a STORE must be paid with credits.
const CREDIT_ONLY_FROM: f64 = 1_798_761_600.0;

/// Why a message can't come into force now.
#[derive(Debug, PartialEq)]
pub(super) enum Obstacle {
    /// Something it needs is not here yet.
    Wait,
    /// It never will.
    Refuse(Refusal),
}

impl Obstacle {
    pub(super) fn refuse(error_code: i64, error: impl Into<Value>) -> Self {
        let details = json!({"errors": [error.into()]});
        Self::Refuse(Refusal { error_code, details })
    }

    fn refuse_plainly(error_code: i64) -> Self {
        let details = Value::Null;
        Self::Refuse(Refusal { error_code, details })
    }
}

impl Ledger {
    /// Whether the sender may speak for the account. FORGETs are asked for each target instead.
    pub(super) fn check_permission(&self, message: &Message) -> Result<(), Obstacle> {
        let (sender, address) = (&message.envelope.sender, message.address());
        let original = match (message.text("type"), message.text("ref")) {
            (Some("amend"), Some(original)) => self.get(original),
            _ => None,
        };
        let judged = original.map_or(message, |record| &record.message);
        let may =
            message.envelope.kind == Kind::Forget || self.is_authorized(sender, address, judged);
        match may {
            true => Ok(()),
            false => Err(Obstacle::refuse(
                2,
                format!("Sender {sender} is not authorized to post on behalf of address {address}"),
            )),
        }
    }

    /// What a STORE must be, whatever is known about its file.
    pub(super) fn check_store(&self, message: &Message, file: &FileHash) -> Result<(), Obstacle> {
        let item_type = message.text("item_type").unwrap_or_default();
        if item_type != file.engine.as_str() {
            let hash = &file.given;
            let error = format!("Item hash '{hash}' is not of the expected type ('{item_type}')");
            return Err(Obstacle::refuse(0, error));
        }
        let late = message.envelope.time >= CREDIT_ONLY_FROM;
        if late && message.payment() != Payment::Credit {
            return Err(Obstacle::refuse_plainly(202));
        }
        Ok(())
    }

    /// Everything that is judged at the moment a message comes into force.
    pub(super) fn judge(&self, message: &Message) -> Result<(), Obstacle> {
        match message.envelope.kind {
            Kind::Store => self.judge_store(message),
            Kind::Post => self.judge_post(message),
            Kind::Forget => self.judge_forget(message),
            Kind::Aggregate => Ok(()),
        }
    }

    fn judge_store(&self, message: &Message) -> Result<(), Obstacle> {
        if let Some(reference) = message.text("ref").filter(|text| FileHash::parse(text).is_some())
        {
            let target = self.get(reference).filter(|record| record.status.is_in_force());
            let target = &target.ok_or(Obstacle::Wait)?.message;
            if target.text("ref").is_some() {
                return Err(Obstacle::refuse_plainly(201));
            }
            if target.address() != message.address() {
                let hash = &message.envelope.item_hash;
                let error =
                    format!("{hash} attempts to update a file tag belonging to another user");
                return Err(Obstacle::refuse(2, error));
            }
        }
        let size = message.file().and_then(|file| self.file_size(&file.on_disk));
        self.can_pay(message, size).map_err(Obstacle::Refuse)
    }

    fn judge_post(&self, message: &Message) -> Result<(), Obstacle> {
        if message.text("type") != Some("amend") {
            return Ok(());
        }
        let Some(target) = message.text("ref") else {
            return Err(Obstacle::refuse_plainly(100));
        };
        let original = self.get(target).filter(|record| record.status.is_in_force());
        let original = &original.ok_or(Obstacle::Wait)?.message;
        if original.text("type") == Some("amend") {
            return Err(Obstacle::refuse_plainly(102));
        }
        let (owner, address) = (original.address(), message.address());
        if owner != address {
            let error = format!(
                "Cannot amend post {target}: amend message address {address} \
                 does not match original post owner {owner}"
            );
            return Err(Obstacle::refuse(2, error));
        }
        Ok(())
    }

    fn judge_forget(&self, message: &Message) -> Result<(), Obstacle> {
        let targets = self.forget_targets(message);
        let keys = strings(message.content.get("aggregates"));
        if message.targets().is_empty() && keys.is_empty() {
            return Err(Obstacle::refuse_plainly(500));
        }
        for key in &keys {
            if self.elements(message.address(), key).is_empty() {
                return Err(Obstacle::Wait);
            }
        }
        targets.iter().try_for_each(|target| self.judge_forget_of(message, target))
    }

    fn judge_forget_of(&self, message: &Message, target: &str) -> Result<(), Obstacle> {
        let record = self.get(target).ok_or(Obstacle::Wait)?;
        match record.status {
            Status::Pending => return Err(Obstacle::Wait),
            Status::Forgotten | Status::Rejected | Status::Removed => return Ok(()),
            Status::Processed | Status::Removing => {}
        }
        if record.message.envelope.kind == Kind::Forget {
            return Err(Obstacle::refuse(502, json!({"message": target})));
        }
        let (sender, owner) = (&message.envelope.sender, record.message.address());
        match self.is_authorized(sender, owner, &record.message) {
            true => Ok(()),
            false => Err(Obstacle::refuse(
                2,
                format!(
                    "Sender {sender} is not authorized to forget message {target} owned by \
                     {owner}: the sender could not have created this target under the owner's \
                     security aggregate"
                ),
            )),
        }
    }
}
