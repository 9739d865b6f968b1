//! Copies into the vault what nodes have.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use tracing::{info, warn};

use super::super::{Watch, WatchError, repair::Source, verify::LEASE};
use crate::{
    ledger::{self, Form, Millis, RowId, VaultWants},
    picture::ContentPicture,
    vault::{Blocks, is_named_by},
};

/// Contents that are chosen at once, which is a look at all that lack, and taken at once.
const CHOSEN: u32 = 16 * 1024;
const BATCH: usize = 64;
/// After this it is chosen anew: others may be more in need by then.
const FRESH: Duration = Duration::from_secs(60);
/// Contents on their way at once: each is a file on the disk for the while.
const AT_ONCE: usize = 4;
/// What no node gave, though one seems to have it, is tried again after this.
const SOON: Duration = Duration::from_secs(30);
/// What there is no room for is tried again after this.
const LATER: Duration = Duration::from_secs(10 * 60);
/// What was fetched in vain is tried again after this.
pub(super) const MUCH_LATER: Duration = Duration::from_secs(60 * 60);

/// What became of a content that was to be copied.
enum Copied {
    /// It is in the vault.
    Kept,
    /// Nobody gave it.
    NotGiven,
    /// It came, but not its blocks, without which it can't be kept: a node that may give them is busy.
    NoBlocksNow,
    /// It is full.
    NoRoom,
    /// It can't be kept, for this reason.
    Unfit(String),
    /// Something is wrong here, and not with the content.
    Trouble(WatchError),
}

/// What there was no room for in a pass: by how many independent nodes have it, and its bytes. What
/// as many or more have, and is as large or larger, need not be asked about.
#[derive(Default)]
struct Full(Mutex<Vec<(u32, u64)>>);

impl Full {
    fn all(&self) -> MutexGuard<'_, Vec<(u32, u64)>> {
        // Who panicked left none half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, independent: u32, bytes: u64) {
        self.all().push((independent, bytes));
    }

    fn is_for(&self, independent: u32, bytes: u64) -> bool {
        self.all().iter().any(|(nodes, least)| *nodes <= independent && *least <= bytes)
    }
}

/// What is to be copied, and was not taken yet.
#[derive(Default)]
struct Chosen {
    rows: VecDeque<RowId>,
    at: Option<Instant>,
}

impl Chosen {
    fn is_over(&self) -> bool {
        self.rows.is_empty() || self.at.is_none_or(|at| at.elapsed() >= FRESH)
    }
}

/// How far filling the vault has come.
#[derive(Default)]
struct Filling {
    chosen: Chosen,
    full: Full,
    copied: u64,
    left_out: u64,
    troubles: u32,
    /// The first of them.
    trouble: Option<WatchError>,
}

impl Filling {
    /// Counts what became of one; whether there is no use in going on. What is wrong for one, as a full disk,
    /// or a bucket that is too slow for it, need not be wrong for a smaller one.
    fn take(&mut self, copied: Copied) -> bool {
        match copied {
            Copied::Kept => self.copied += 1,
            Copied::NoRoom => self.left_out += 1,
            Copied::NotGiven | Copied::NoBlocksNow | Copied::Unfit(_) => {}
            Copied::Trouble(error) => {
                self.troubles += 1;
                self.trouble.get_or_insert(error);
                return self.troubles >= MOST_TROUBLES;
            }
        }
        false
    }
}

/// After so many the vault is left alone for the round.
const MOST_TROUBLES: u32 = 8;

const NO_BLOCKS: &str =
    "it was cut in a way that nobody knows, and no node that has it gives its blocks";

impl Watch {
    /// Copies what is to be in the vault and is not; gives how many came, also where some did not.
    pub(super) async fn fill_vault(&self) -> (u64, Result<(), WatchError>) {
        let mut filling = Filling::default();
        let begun = ledger::now();
        loop {
            match self.fill_some(begun, &mut filling).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return (filling.copied, Err(error)),
            }
        }
        if filling.left_out > 0 {
            info!(
                "{} contents are not in the vault {}: it is full of what no more nodes have; raise \
                 [vault] max_bytes",
                filling.left_out,
                self.tended.keeper.vault.name()
            );
        }
        (filling.copied, filling.trouble.map_or(Ok(()), Err))
    }

    /// Copies some; whether there may be more.
    async fn fill_some(&self, begun: Millis, filling: &mut Filling) -> Result<bool, WatchError> {
        let Some(rows) = self.take_vault_wants(begun, &mut filling.chosen).await? else {
            return Ok(false);
        };
        let mut tx = self.ledger.read().await?;
        let now = ledger::now();
        let mut pictures =
            ContentPicture::of_rows(&mut tx, &rows, &self.settings.policy, now).await?;
        drop(tx);
        pictures.sort_by_key(|one| (one.assessment.independent, one.content.row));
        let (without, pictures): (Vec<_>, Vec<_>) =
            pictures.into_iter().partition(|one| has_no_room(&filling.full, one));
        filling.left_out += without.len() as u64;
        let without: Vec<_> = without.iter().map(|one| one.content.row).collect();
        self.put_off_vault_wants(&without, after(LATER)).await?;
        let mut left: BTreeSet<_> = pictures.iter().map(|one| one.content.row).collect();
        let full = std::mem::take(&mut filling.full);
        let mut results = stream::iter(&pictures)
            // Whoever writes is waited for by the others, and must go on: so all of it is in here.
            .map(async |one| {
                let copied = self.copy_into_vault(one, &full).await;
                (one.content.row, self.write_copied(one, copied).await)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((row, copied)) = results.next().await {
            left.remove(&row);
            if filling.take(copied?) {
                // What is under way is given up, and what was taken and not tried is there for others.
                drop(results);
                self.give_vault_wants_back(&Vec::from_iter(left)).await?;
                return Ok(false);
            }
        }
        drop(results);
        filling.full = full;
        Ok(true)
    }

    /// Takes some of what was chosen, which is chosen anew where nothing is left of it, or it is too long ago;
    /// `None` where there is nothing to choose from. Others may have taken it all meanwhile.
    async fn take_vault_wants(
        &self,
        begun: Millis,
        chosen: &mut Chosen,
    ) -> Result<Option<Vec<RowId>>, WatchError> {
        if chosen.is_over() {
            let rows = self.choose_vault_wants(begun).await?.into();
            *chosen = Chosen { rows, at: Some(Instant::now()) };
        }
        if chosen.rows.is_empty() {
            return Ok(None);
        }
        let some: Vec<_> = chosen.rows.drain(..chosen.rows.len().min(BATCH)).collect();
        let lease = ledger::now().saturating_add(LEASE);
        let mut tx = self.ledger.write().await?;
        let rows = tx.take_vault_wants(&some, begun, lease).await?;
        tx.commit().await?;
        Ok(Some(rows))
    }

    async fn choose_vault_wants(&self, begun: Millis) -> Result<Vec<RowId>, WatchError> {
        let tended = &self.tended;
        let mut tx = self.ledger.read().await?;
        if !tended.keep && tx.vault_summary().await?.problems == 0 {
            return Ok(Vec::new());
        }
        let wants = VaultWants {
            all: tended.keep,
            max_object: tended.keeper.vault.max_object,
            fresh_since: ledger::now().saturating_sub(self.settings.policy.max_age()),
        };
        Ok(tx.vault_wants(&wants, begun, CHOSEN).await?)
    }

    /// Nothing is said of why.
    async fn put_off_vault_wants(&self, rows: &[RowId], due: Millis) -> Result<(), WatchError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.ledger.write().await?;
        tx.put_off_vault_wants(rows, due).await?;
        Ok(tx.commit().await?)
    }

    /// Those that are not there by now are due at once.
    async fn give_vault_wants_back(&self, rows: &[RowId]) -> Result<(), WatchError> {
        let mut tx = self.ledger.write().await?;
        tx.give_vault_wants_back(rows).await?;
        Ok(tx.commit().await?)
    }

    /// Writes down what became of a content; gives that.
    async fn write_copied(
        &self,
        content: &ContentPicture,
        copied: Result<Copied, WatchError>,
    ) -> Result<Copied, WatchError> {
        let (row, id) = (content.content.row, content.content.id);
        let copied = match copied {
            Err(error @ (WatchError::Vault(_) | WatchError::Temporary(_))) => {
                Copied::Trouble(error)
            }
            other => other?,
        };
        let mut tx = self.ledger.write().await?;
        match &copied {
            Copied::Kept => return Ok(copied),
            Copied::NotGiven | Copied::Trouble(_) => {
                tx.put_off_vault_wants(&[row], after(SOON)).await?;
            }
            Copied::NoBlocksNow => tx.put_off_vault_wants(&[row], after(MUCH_LATER)).await?,
            Copied::NoRoom => tx.put_off_vault_wants(&[row], after(LATER)).await?,
            Copied::Unfit(why) => {
                warn!("{id}: it can't be kept in the vault: {why}");
                let due = self.tended.keeper.next_check(ledger::now());
                tx.want_in_vault(row, Some(why), due.max(after(LATER))).await?;
            }
        }
        tx.commit().await?;
        Ok(copied)
    }

    async fn copy_into_vault(
        &self,
        content: &ContentPicture,
        full: &Full,
    ) -> Result<Copied, WatchError> {
        let (keeper, independent) = (&self.tended.keeper, content.assessment.independent);
        // Nothing is fetched in vain, where its size is known.
        if let Some(size) = content.content.known.size {
            if full.is_for(independent, size) {
                return Ok(Copied::NoRoom);
            }
            if !keeper.has_room(content.content.row, size, independent).await? {
                full.add(independent, size);
                return Ok(Copied::NoRoom);
            }
        }
        let Source::Copy(file) = self.copy_from_nodes(&content.into()).await? else {
            return Ok(Copied::NotGiven);
        };
        let (id, most) = (content.content.id, keeper.vault.max_object);
        let (form, file) = match is_named_by(&id, file.path()).await? {
            true => (Form::File, file),
            false => match self.blocks_from_nodes(&content.into(), most).await? {
                Blocks::Car(car) => (Form::Car, car),
                Blocks::NotNow => return Ok(Copied::NoBlocksNow),
                Blocks::TooLarge => {
                    let why = format!("its blocks take more than [vault] max_object = {most}");
                    return Ok(Copied::Unfit(why));
                }
                Blocks::None => return Ok(Copied::Unfit(NO_BLOCKS.to_owned())),
            },
        };
        let bytes = file.as_file().metadata()?.len();
        if bytes > most {
            let why = format!("it takes {bytes} bytes, and [vault] max_object is {most}");
            return Ok(Copied::Unfit(why));
        }
        let row = content.content.row;
        match keeper.keep((row, &id), form, file.path(), independent).await? {
            true => Ok(Copied::Kept),
            false => Ok(Copied::NoRoom),
        }
    }
}

/// Whether it is known that there is no room for it.
fn has_no_room(full: &Full, content: &ContentPicture) -> bool {
    let size = content.content.known.size;
    size.is_some_and(|size| full.is_for(content.assessment.independent, size))
}

/// The time after a while.
fn after(wait: Duration) -> Millis {
    ledger::now().saturating_add(Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::VaultError;

    #[test]
    fn what_is_as_safe_and_as_large_as_what_had_no_room_has_none() {
        let full = Full::default();
        assert!(!full.is_for(9, u64::MAX));
        full.add(2, 1000);
        let tried = [(2, 1000), (3, 1000), (2, 1001), (1, 1000), (2, 999), (9, 999)];
        let known = tried.map(|(nodes, bytes)| full.is_for(nodes, bytes));
        assert_eq!(known, [true, true, true, false, false, false]);
    }

    #[test]
    fn one_that_fails_stops_the_pass_for_no_other() {
        let trouble = || {
            let failed = VaultError::Failed { vault: "x".to_owned(), reason: "slow".to_owned() };
            Copied::Trouble(WatchError::Vault(failed))
        };
        let mut filling = Filling::default();
        for _ in 1..MOST_TROUBLES {
            assert!(!filling.take(trouble()) && !filling.take(Copied::Kept));
        }
        assert!(filling.take(trouble()), "it is the vault");
    }
}
