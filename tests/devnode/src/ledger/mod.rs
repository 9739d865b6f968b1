//! What the node knows: messages, files, tags, aggregates, money.

mod accounts;
mod forget;
mod journal;
mod posts;
mod query;
mod record;
mod render;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use journal::{Journal, KnownFile};
pub use query::Filter;
pub(crate) use query::page_of;
pub use record::{Record, Refusal, Status};
pub use render::{listed, live, with_status};

use crate::envelope::{Kind, Message};
use crate::item_hash::FileHash;
use crate::money::Payment;

/// All of the node's records. What is on disk is another matter.
#[derive(Debug)]
pub struct Ledger {
    journal: Journal,
    authority: String,
    unlimited_credit: bool,
    messages: HashMap<String, Record>,
    /// The files ever seen here, by their names on disk.
    files: HashMap<String, KnownFile>,
    /// STORE messages in force, by the file hash they name.
    pins: HashMap<String, BTreeSet<String>>,
    /// AGGREGATE messages in force, by account and key.
    aggregates: HashMap<(String, String), Vec<String>>,
    /// Amends in force, by the post they amend.
    amends: HashMap<String, Vec<String>>,
    balances: HashMap<String, Vec<(String, f64)>>,
    credits: HashMap<String, i128>,
    /// What accounts pay for what they store, by way of paying.
    costs: HashMap<(String, &'static str), u128>,
    cost_of: HashMap<String, u128>,
}

impl Ledger {
    /// Opens the ledger in a folder. `authority` is the account whose posts set balances.
    pub fn open(folder: &Path, authority: &str, unlimited_credit: bool) -> io::Result<Self> {
        let (journal, records, known) = Journal::open(folder)?;
        let mut ledger = Self {
            journal,
            authority: authority.to_owned(),
            unlimited_credit,
            messages: HashMap::new(),
            files: HashMap::new(),
            pins: HashMap::new(),
            aggregates: HashMap::new(),
            amends: HashMap::new(),
            balances: HashMap::new(),
            credits: HashMap::new(),
            costs: HashMap::new(),
            cost_of: HashMap::new(),
        };
        for file in known {
            ledger.replace_file(file);
        }
        for record in records {
            ledger.replace(record);
        }
        Ok(ledger)
    }

    /// A message's record.
    pub fn get(&self, hash: &str) -> Option<&Record> {
        self.messages.get(hash)
    }

    /// All records, in no order.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.messages.values()
    }

    /// Keeps a record, new or changed.
    pub fn put(&mut self, record: Record) {
        self.journal.keep(&record);
        self.replace(record);
    }

    /// The recorded size of a file, by its name on disk.
    pub fn file_size(&self, on_disk: &str) -> Option<u64> {
        self.files.get(on_disk).map(|file| file.size)
    }

    /// All files ever recorded, with their sizes.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        let files = self.files.values();
        files.map(|file| (file.hash.as_str(), file.size))
    }

    /// Records a file.
    pub fn put_file(&mut self, on_disk: &str, size: u64) {
        if self.file_size(on_disk) != Some(size) {
            self.change_file(on_disk, |file| file.size = size);
        }
    }

    /// Pins a file without a message, as uploads do that have none.
    ///
    /// A real node drops such a pin, and then the file, a day later; this one keeps both.
    pub fn add_grace_pin(&mut self, on_disk: &str) {
        self.change_file(on_disk, |file| file.grace += 1);
    }

    /// How many pins a file has: STOREs in force, and pins without a message.
    pub fn count_pins(&self, file: &FileHash) -> usize {
        let grace = self.files.get(&file.on_disk).map_or(0, |file| file.grace);
        self.stores_of(&file.given).count() + grace
    }

    /// Collects a file as garbage, unless a STORE in force names its bytes.
    pub fn collect(&mut self, on_disk: &str) -> bool {
        let names = |record: &Record| {
            let file = record.message.file();
            file.is_some_and(|file| file.on_disk == on_disk)
        };
        let free = !self.in_force(Kind::Store).any(names);
        if free {
            self.change_file(on_disk, |file| file.gone = true);
        }
        free
    }

    fn change_file(&mut self, on_disk: &str, change: impl FnOnce(&mut KnownFile)) {
        let new = || KnownFile::new(on_disk);
        let mut file = self.files.get(on_disk).cloned().unwrap_or_else(new);
        change(&mut file);
        self.journal.keep_file(&file);
        self.replace_file(file);
    }

    fn replace_file(&mut self, file: KnownFile) {
        match file.gone {
            true => self.files.remove(&file.hash),
            false => self.files.insert(file.hash.clone(), file),
        };
    }

    /// The STORE messages in force for a file hash, exactly as the messages name it.
    pub fn stores_of(&self, file_hash: &str) -> impl Iterator<Item = &Record> {
        let pins = self.pins.get(file_hash).into_iter().flatten();
        pins.filter_map(|hash| self.messages.get(hash))
    }

    /// The newest STORE under a tag.
    pub fn tagged(&self, tag: &str) -> Option<&Record> {
        self.in_force(Kind::Store)
            .filter(|record| record.message.file_tag() == tag)
            .max_by(|a, b| a.message.time().total_cmp(&b.message.time()))
    }

    /// Messages of a kind that are in force, in no order.
    pub fn in_force(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.messages.values().filter(move |record| {
            record.status.is_in_force() && record.message.envelope.kind == kind
        })
    }

    fn replace(&mut self, record: Record) {
        let hash = record.hash().to_owned();
        let was = self.messages.get(&hash).map(|old| old.status);
        let was = was.is_some_and(Status::is_in_force);
        let is = record.status.is_in_force();
        let message = record.message.clone();
        self.messages.insert(hash, record);
        match (was, is) {
            (false, true) => self.come_into_force(&message),
            (true, false) => self.leave_force(&message),
            _ => {}
        }
    }

    fn come_into_force(&mut self, message: &Message) {
        let hash = message.envelope.item_hash.clone();
        match message.envelope.kind {
            Kind::Store => self.pin(message),
            Kind::Aggregate => self.aggregates.entry(key_of(message)).or_default().push(hash),
            Kind::Post => {
                if let (Some("amend"), Some(target)) = (message.text("type"), message.text("ref")) {
                    self.amends.entry(target.to_owned()).or_default().push(hash);
                }
                self.take_money_post(message);
            }
            Kind::Forget => {}
        }
    }

    fn leave_force(&mut self, message: &Message) {
        let hash = &message.envelope.item_hash;
        match message.envelope.kind {
            Kind::Store => self.unpin(message),
            Kind::Aggregate => {
                if let Some(elements) = self.aggregates.get_mut(&key_of(message)) {
                    elements.retain(|element| element != hash);
                }
            }
            Kind::Post => {
                let target = message.text("ref").unwrap_or_default();
                if let Some(amends) = self.amends.get_mut(target) {
                    amends.retain(|amend| amend != hash);
                }
            }
            Kind::Forget => {}
        }
    }

    fn pin(&mut self, message: &Message) {
        let Some(file) = message.file() else { return };
        let hash = message.envelope.item_hash.clone();
        let payment = message.payment();
        let size = self.file_size(&file.on_disk);
        let cost = match (size, payment) {
            (None, Payment::Hold) => 0,
            (size, payment) => payment.cost(size.unwrap_or(0)),
        };
        *self.costs.entry(payer_of(message)).or_default() += cost;
        self.cost_of.insert(hash.clone(), cost);
        self.pins.entry(file.given).or_default().insert(hash);
    }

    fn unpin(&mut self, message: &Message) {
        let Some(file) = message.file() else { return };
        let hash = &message.envelope.item_hash;
        let cost = self.cost_of.remove(hash).unwrap_or(0);
        let total = self.costs.entry(payer_of(message)).or_default();
        *total = total.saturating_sub(cost);
        if let Some(pins) = self.pins.get_mut(&file.given) {
            pins.remove(hash);
        }
    }
}

fn key_of(message: &Message) -> (String, String) {
    let key = message.text("key").unwrap_or_default();
    (message.address().to_owned(), key.to_owned())
}

fn payer_of(message: &Message) -> (String, &'static str) {
    (message.address().to_owned(), message.payment().as_str())
}
