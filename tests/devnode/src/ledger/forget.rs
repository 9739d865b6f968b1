//! What FORGET messages, and tests, do to other messages.

use super::{Ledger, Status};
use crate::envelope::{Message, strings};
use crate::stamp;

impl Ledger {
    /// The messages that make up one key of an account's aggregate.
    pub fn elements(&self, address: &str, key: &str) -> Vec<String> {
        let key = (address.to_owned(), key.to_owned());
        self.aggregates.get(&key).cloned().unwrap_or_default()
    }

    /// The messages that a FORGET is about, by hash or by aggregate.
    pub fn forget_targets(&self, forget: &Message) -> Vec<String> {
        let mut targets = forget.targets();
        for key in strings(forget.content.get("aggregates")) {
            targets.extend(self.elements(forget.address(), &key));
        }
        targets
    }

    /// Forgets what a FORGET names.
    pub fn forget(&mut self, forget: &Message) {
        let by = &forget.envelope.item_hash;
        for target in self.forget_targets(forget) {
            let Some(mut record) = self.get(&target).cloned() else {
                continue;
            };
            if record.status.is_in_force() {
                record.status = Status::Forgotten;
                record.ended = Some(forget.envelope.time);
                record.size = self.size_of(&record.message);
            } else if record.status != Status::Forgotten {
                continue;
            }
            if !record.forgotten_by.contains(by) {
                record.forgotten_by.push(by.clone());
            }
            let file = record.message.file();
            self.put(record);
            if let Some(file) = file.filter(|file| self.count_pins(file) == 0) {
                self.add_grace_pin(&file.on_disk);
            }
        }
    }

    /// Sets where a message stands, as payment running out does; false where it is unknown.
    pub fn set_status(&mut self, hash: &str, status: Status) -> bool {
        let Some(mut record) = self.get(hash).cloned() else {
            return false;
        };
        record.status = status;
        if status == Status::Removed {
            record.ended = Some(stamp::now());
            record.size = self.size_of(&record.message);
        }
        self.put(record);
        true
    }

    fn size_of(&self, message: &Message) -> Option<u64> {
        self.file_size(&message.file()?.on_disk)
    }
}
