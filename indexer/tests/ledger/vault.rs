//! What the vault holds: taken note of, taken for work by one worker only, and evicted in its order.

use std::{fs, io::Write, path::Path};

use everhold::{
    config::Config,
    content::ContentId,
    health::{
        Policy,
        ReplicaState::{Missing, Verified},
    },
    ledger::{Form, Ledger, Millis, RowId, VaultSummary, VaultWants, now},
    vault::{KeepError, Keeper, Vault, VaultError},
};
use tempfile::NamedTempFile;

use crate::{
    story::{HOUR, NOW, Story, burn, mint, raw, record, row_of, seen, set_nodes},
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(
    wants_first_what_fewest_nodes_have,
    wants_nothing_that_is_there_or_denied_or_too_large,
    gives_a_want_to_one_worker_and_back_after_its_lease,
    a_process_that_begins_gives_back_what_none_is_busy_with,
    only_what_was_read_is_lost,
    what_was_unnamed_for_a_moment_stays,
    room_is_made_of_what_was_unnamed_for_long,
    what_is_replaced_counts_once,
    one_that_is_not_mounted_is_not_taken_for_empty,
    counts_what_many_change_at_once,
    checks_are_taken_once_and_due_again,
    what_is_wrong_is_wanted_again_even_where_nothing_is_kept,
    what_most_have_goes_first_and_what_nothing_names_before,
    nothing_goes_where_all_that_may_go_is_not_enough,
    adopts_only_what_it_knows_and_did_not_have,
    sums_up,
);

const LEASE: Millis = NOW + 1000;

struct Setting {
    story: Story,
    contents: Vec<RowId>,
    nodes: Vec<RowId>,
}

/// Four contents, the first on three nodes, the next on two, on one, and on none.
async fn setting(db: &Database) -> Setting {
    setting_at(db, NOW).await
}

/// The same, seen at a time.
async fn setting_at(db: &Database, at: Millis) -> Setting {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one", "http://two", "http://three"]).await;
    let mut story = Story::simple(ledger).await;
    for token in 1..=4 {
        story.tell(mint(0, u64::from(token), 1, token)).await;
    }
    let mut contents = Vec::new();
    for content in 1..=4 {
        contents.push(row_of(&story.ledger, raw(content)).await);
    }
    for (index, content) in contents.iter().enumerate() {
        for (position, node) in nodes.iter().enumerate() {
            let state = if position + index < 3 { Verified } else { Missing };
            record(&story.ledger, &seen(*content, *node, state, at)).await;
        }
    }
    Setting { story, contents, nodes }
}

fn all() -> VaultWants {
    VaultWants { all: true, max_object: 1 << 30, fresh_since: NOW - 1 }
}

impl Setting {
    async fn wants(&self, wants: VaultWants, now: Millis, limit: u32) -> Vec<RowId> {
        let mut tx = self.story.ledger.read().await.unwrap();
        let chosen = tx.vault_wants(&wants, now, limit).await.unwrap();
        drop(tx);
        self.take(&chosen, now).await
    }

    async fn take(&self, chosen: &[RowId], now: Millis) -> Vec<RowId> {
        let mut tx = self.story.ledger.write().await.unwrap();
        let taken = tx.take_vault_wants(chosen, now, LEASE).await.unwrap();
        tx.commit().await.unwrap();
        taken
    }

    async fn keep(&self, content: usize, bytes: u64) {
        let mut tx = self.story.ledger.write().await.unwrap();
        let row = self.contents[content];
        tx.record_in_vault(row, (Form::File, bytes), NOW + content as i64, NOW + 500)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn summary(&self) -> VaultSummary {
        self.story.ledger.read().await.unwrap().vault_summary().await.unwrap()
    }
}

async fn wants_first_what_fewest_nodes_have(db: Database) {
    let setting = setting(&db).await;
    let [three, two, one, _none] = setting.contents[..] else { panic!() };
    assert_eq!(setting.wants(all(), NOW, 1).await, [one]);
    assert_eq!(setting.wants(all(), NOW, 1).await, [two]);
    assert_eq!(setting.wants(all(), NOW, 5).await, [three], "what no node has can't be copied");
    assert_eq!(setting.wants(all(), NOW, 5).await, [] as [RowId; 0]);
}

async fn wants_nothing_that_is_there_or_denied_or_too_large(db: Database) {
    let setting = setting(&db).await;
    let two = setting.contents[1];
    setting.keep(0, 7).await;
    let mut tx = setting.story.ledger.write().await.unwrap();
    tx.deny(&raw(3).digest, "a test", NOW).await.unwrap();
    tx.apply_denials(false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let none: [RowId; 0] = [];
    assert_eq!(setting.wants(VaultWants { max_object: 0, ..all() }, NOW, 9).await, none);
    let stale = VaultWants { fresh_since: Millis::MAX, ..all() };
    assert_eq!(setting.wants(stale, NOW, 9).await, none);
    assert_eq!(setting.wants(VaultWants { all: false, ..all() }, NOW, 9).await, none);
    assert_eq!(setting.wants(all(), NOW, 9).await, [two]);
    // What was chosen before it was denied.
    let three = setting.contents[2];
    assert_eq!(setting.take(&[three], NOW).await, none);
}

async fn gives_a_want_to_one_worker_and_back_after_its_lease(db: Database) {
    let setting = setting(&db).await;
    let mut tx = setting.story.ledger.read().await.unwrap();
    let chosen = tx.vault_wants(&all(), NOW, 9).await.unwrap();
    drop(tx);
    assert_eq!(chosen.len(), 3);
    let workers = [&chosen, &chosen, &chosen].map(|chosen| setting.take(chosen, NOW));
    let mut taken = futures::future::join_all(workers).await.concat();
    taken.sort_unstable();
    assert_eq!(taken, setting.contents[..3], "each of them once");
    assert_eq!(setting.wants(all(), NOW, 9).await, [] as [RowId; 0]);
    assert_eq!(setting.wants(all(), LEASE, 9).await.len(), 3);
    let mut tx = setting.story.ledger.write().await.unwrap();
    tx.put_off_vault_wants(&setting.contents[..1], LEASE + 9).await.unwrap();
    tx.give_vault_wants_back(&setting.contents[1..2]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(setting.wants(all(), NOW, 9).await, [setting.contents[1]]);
    assert_eq!(setting.summary().await, VaultSummary::default(), "nothing came yet");
}

/// On PostgreSQL, another process may be busy with it.
async fn a_process_that_begins_gives_back_what_none_is_busy_with(db: Database) {
    let setting = setting(&db).await;
    assert_eq!(setting.wants(all(), NOW, 9).await.len(), 3);
    let mut tx = setting.story.ledger.write().await.unwrap();
    tx.want_in_vault(setting.contents[2], Some("rot"), 0).await.unwrap();
    tx.put_off_vault_wants(&setting.contents[..1], LEASE + 9).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(setting.take(&setting.contents[2..3], NOW).await, setting.contents[2..3]);
    let mut tx = setting.story.ledger.write().await.unwrap();
    tx.release_vault().await.unwrap();
    tx.commit().await.unwrap();
    let mut back = setting.wants(all(), NOW, 9).await;
    back.sort_unstable();
    match db.engine {
        Engine::Sqlite => assert_eq!(back, setting.contents[..3]),
        Engine::Postgres => assert_eq!(back, setting.contents[..1], "what was only put off"),
    }
}

async fn checks_are_taken_once_and_due_again(db: Database) {
    let setting = setting(&db).await;
    setting.keep(0, 7).await;
    setting.keep(1, 8).await;
    let take = async |now: Millis| {
        let mut tx = setting.story.ledger.write().await.unwrap();
        let taken = tx.take_vault_checks(now, now + 1000, 9).await.unwrap();
        tx.commit().await.unwrap();
        taken
    };
    assert!(take(NOW + 499).await.is_empty());
    let taken = take(NOW + 500).await;
    assert_eq!(taken.len(), 2);
    assert_eq!((taken[0].form, taken[0].checked_at), (Form::File, Some(NOW)));
    assert!(take(NOW + 500).await.is_empty());
    let mut tx = setting.story.ledger.write().await.unwrap();
    tx.record_vault_check(setting.contents[0], NOW + 600, NOW + 9000).await.unwrap();
    tx.commit().await.unwrap();
    let due: Vec<_> = take(NOW + 1500).await.iter().map(|one| one.content).collect();
    assert_eq!(due, [setting.contents[1]], "the lease of the other one is over");
    let mut tx = setting.story.ledger.read().await.unwrap();
    let checked = tx.vault_object(setting.contents[0]).await.unwrap().unwrap();
    assert_eq!((checked.stored_at, checked.checked_at), (Some(NOW), Some(NOW + 600)));
}

async fn what_is_wrong_is_wanted_again_even_where_nothing_is_kept(db: Database) {
    let mut setting = setting(&db).await;
    setting.keep(0, 7).await;
    let mut tx = setting.story.ledger.write().await.unwrap();
    tx.want_in_vault(setting.contents[0], Some("rot \0"), 0).await.unwrap();
    tx.commit().await.unwrap();
    let summary = setting.summary().await;
    assert_eq!(summary, VaultSummary { objects: 0, bytes: 0, problems: 1 });
    let only_before = VaultWants { all: false, ..all() };
    assert_eq!(setting.wants(only_before, NOW, 9).await, [setting.contents[0]]);
    setting.keep(0, 7).await;
    assert_eq!(setting.summary().await, VaultSummary { objects: 1, bytes: 7, problems: 0 });

    // What nothing names any more is no problem.
    let mut tx = setting.story.ledger.write().await.unwrap();
    tx.want_in_vault(setting.contents[0], Some("rot"), 0).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(setting.summary().await.problems, 1);
    setting.story.finalized = Some(99);
    setting.story.tell(burn(0, 1)).await;
    assert_eq!(setting.summary().await.problems, 0);
}

async fn what_most_have_goes_first_and_what_nothing_names_before(db: Database) {
    let setting = setting(&db).await;
    for content in 0..4 {
        setting.keep(content, 10).await;
    }
    let safest = async |since: Millis| {
        let mut tx = setting.story.ledger.read().await.unwrap();
        let safest = tx.safest_in_vault(since, 9).await.unwrap();
        safest.iter().map(|one| one.content).collect::<Vec<_>>()
    };
    assert_eq!(safest(NOW - 1).await, setting.contents[..3], "never what no node has");
    assert!(safest(Millis::MAX).await.is_empty(), "what was verified long ago proves nothing");
    let mut tx = setting.story.ledger.write().await.unwrap();
    tx.note_unnamed_in_vault(NOW).await.unwrap();
    assert!(tx.unnamed_in_vault(Millis::MAX, 9).await.unwrap().is_empty());
    tx.deny(&raw(2).digest, "a test", NOW).await.unwrap();
    tx.apply_denials(false, NOW).await.unwrap();
    let unnamed = tx.unnamed_in_vault(NOW - HOUR, 9).await.unwrap();
    let unnamed: Vec<_> = unnamed.iter().map(|one| one.content).collect();
    assert_eq!(unnamed, setting.contents[1..2], "at once, since it is denied");
    let denied = tx.denied_in_vault().await.unwrap();
    assert_eq!(denied.len(), 1);
    tx.forget_in_vault(denied[0].content).await.unwrap();
    assert!(tx.denied_in_vault().await.unwrap().is_empty());
    assert_eq!(setting.nodes.len(), 3);
}

/// A collection that was left out of the settings for a while loses nothing by it.
async fn what_was_unnamed_for_a_moment_stays(db: Database) {
    let mut setting = setting(&db).await;
    setting.keep(0, 7).await;
    setting.keep(1, 7).await;
    setting.story.finalized = Some(99);
    setting.story.tell(burn(0, 1)).await;
    let unnamed = async |ledger: &Ledger, noted: Millis, before: Millis| {
        let mut tx = ledger.write().await.unwrap();
        tx.note_unnamed_in_vault(noted).await.unwrap();
        let unnamed = tx.unnamed_in_vault(before, 9).await.unwrap();
        tx.commit().await.unwrap();
        unnamed.iter().map(|one| one.content).collect::<Vec<_>>()
    };
    let ledger = setting.story.ledger.clone();
    assert!(unnamed(&ledger, NOW, NOW - 1).await.is_empty());
    assert_eq!(unnamed(&ledger, NOW + HOUR, NOW).await, setting.contents[..1], "since it was seen");
    setting.story.tell(mint(0, 9, 1, 1)).await;
    assert!(unnamed(&ledger, NOW + HOUR, Millis::MAX).await.is_empty());
    setting.story.tell(burn(0, 9)).await;
    assert!(unnamed(&ledger, NOW + 2 * HOUR, NOW + HOUR).await.is_empty(), "it begins anew");
    assert_eq!(unnamed(&ledger, NOW + 3 * HOUR, NOW + 2 * HOUR).await, setting.contents[..1]);
}

/// Who found a copy wrong that another replaced meanwhile, writes nothing over what that one wrote.
async fn only_what_was_read_is_lost(db: Database) {
    let setting = setting(&db).await;
    setting.keep(0, 7).await;
    let mut tx = setting.story.ledger.write().await.unwrap();
    let row = setting.contents[0];
    let read = tx.vault_object(row).await.unwrap().unwrap();
    tx.record_in_vault(row, (Form::File, 8), NOW + 1, NOW + 500).await.unwrap();
    assert!(!tx.lose_in_vault(&read, "rot").await.unwrap());
    let read = tx.vault_object(row).await.unwrap().unwrap();
    assert_eq!(read.bytes, 8);
    assert!(tx.lose_in_vault(&read, "rot").await.unwrap());
    assert!(!tx.lose_in_vault(&read, "rot").await.unwrap(), "once");
    assert_eq!(tx.vault_total().await.unwrap(), (0, 0));
    assert_eq!(tx.vault_summary().await.unwrap().problems, 1);
}

/// A keeper of a vault of so many bytes, in a folder.
fn keeper(ledger: &Ledger, folder: &Path, max_bytes: u64) -> Keeper {
    let path = folder.display().to_string();
    let text =
        format!("[vault]\npath = {path:?}\nmax_bytes = {max_bytes}\nmax_object = {max_bytes}\n");
    let config = Config::parse(Path::new("x"), &text).unwrap();
    let vault = Vault::configured(&config, &config.fetcher().unwrap()).unwrap();
    let policy = Policy { min: 1, min_held: 0, grace: 0, recheck: HOUR };
    Keeper::new(vault, ledger.clone(), policy, &config.vault)
}

impl Setting {
    async fn put(&self, keeper: &Keeper, content: u8, independent: u32, bytes: usize) -> bool {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(&vec![0; bytes]).unwrap();
        let key = (self.contents[usize::from(content) - 1], &raw(content));
        keeper.keep(key, Form::File, file.path(), independent).await.unwrap()
    }
}

async fn room_is_made_of_what_was_unnamed_for_long(db: Database) {
    let mut setting = setting_at(&db, now()).await;
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(&setting.story.ledger, dir.path(), 25);
    assert!(setting.put(&keeper, 1, 3, 12).await && setting.put(&keeper, 2, 2, 12).await);
    setting.story.finalized = Some(99);
    for (token, noted) in [(1, now() - 8 * 24 * HOUR), (2, now() - 24 * HOUR)] {
        setting.story.tell(burn(0, token)).await;
        let mut tx = setting.story.ledger.write().await.unwrap();
        tx.note_unnamed_in_vault(noted).await.unwrap();
        tx.commit().await.unwrap();
    }
    let [_, two, three, four] = setting.contents[..] else { panic!() };
    assert!(!keeper.has_room(four, 14, 0).await.unwrap(), "the other one goes no sooner");
    assert!(setting.put(&keeper, 3, 1, 13).await);
    let mut tx = setting.story.ledger.read().await.unwrap();
    let held: Vec<_> = tx.vault_objects().await.unwrap().iter().map(|one| one.content).collect();
    assert_eq!(held, [two, three]);
}

async fn what_is_replaced_counts_once(db: Database) {
    let setting = setting_at(&db, now()).await;
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(&setting.story.ledger, dir.path(), 25);
    assert!(setting.put(&keeper, 1, 3, 20).await && setting.put(&keeper, 4, 0, 5).await);
    let row = setting.contents[0];
    assert!(keeper.has_room(row, 20, 3).await.unwrap());
    assert!(!keeper.has_room(row, 21, 0).await.unwrap(), "its own copy makes room for none");
    assert!(setting.put(&keeper, 1, 3, 19).await);
    assert_eq!(setting.summary().await, VaultSummary { objects: 2, bytes: 24, problems: 0 });
}

/// What is on a disk that is not mounted is not lost, and nothing is put in its place.
async fn one_that_is_not_mounted_is_not_taken_for_empty(db: Database) {
    let setting = setting_at(&db, now()).await;
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(&setting.story.ledger, dir.path(), 25);
    assert!(!keeper.is_there().await.unwrap(), "nothing is in it yet");
    assert!(setting.put(&keeper, 1, 3, 10).await && keeper.is_there().await.unwrap());
    let (marker, away) = (dir.path().join("everhold-vault"), dir.path().join("away"));
    fs::rename(&marker, &away).unwrap();
    let said = keeper.is_there().await.unwrap_err().to_string();
    let named = [dir.path().to_str().unwrap(), "1 contents", "mounted", "everhold-vault"];
    assert!(named.iter().all(|name| said.contains(name)), "{said}");
    let file = NamedTempFile::new().unwrap();
    let key = (setting.contents[1], &raw(2));
    let kept = keeper.keep(key, Form::File, file.path(), 1).await;
    assert!(matches!(kept, Err(KeepError::Vault(VaultError::Absent { objects: 1, .. }))));
    assert!(!marker.exists() && keeper.vault.find(&raw(2)).await.unwrap().is_empty());
    fs::write(&marker, b"").unwrap();
    assert!(keeper.is_there().await.unwrap() && setting.put(&keeper, 2, 2, 10).await);
    // Where the ledger knows of nothing in it, it begins anew.
    fs::remove_file(&marker).unwrap();
    for object in setting.story.ledger.read().await.unwrap().vault_objects().await.unwrap() {
        keeper.evict(&object).await.unwrap();
    }
    assert!(!keeper.is_there().await.unwrap() && setting.put(&keeper, 2, 2, 10).await);
    assert!(marker.exists());
}

async fn counts_what_many_change_at_once(db: Database) {
    let setting = setting(&db).await;
    let worker = async |seed: usize| {
        for step in 0..20 {
            let at = (seed * 7 + step * 3) % 4;
            let (row, id) = (setting.contents[at], raw(at as u8 + 1));
            let mut tx = setting.story.ledger.write().await.unwrap();
            match (seed + step) % 5 {
                0 => tx.forget_in_vault(row).await.unwrap(),
                1 => tx.want_in_vault(row, Some("rot"), 0).await.unwrap(),
                2 => {
                    let all = setting.contents.iter().zip(1..).map(|(_, n)| raw(n));
                    let all: Vec<_> = all.map(|id| (id, Form::Car, step as u64)).collect();
                    tx.adopt_into_vault(&all, NOW).await.unwrap();
                }
                3 => drop(tx.adopt_into_vault(&[(id, Form::Car, 9)], NOW).await.unwrap()),
                _ => {
                    let bytes = (seed * 100 + step) as u64;
                    tx.record_in_vault(row, (Form::File, bytes), NOW, NOW).await.unwrap();
                }
            }
            // One in ten is taken back.
            match step % 10 {
                9 => drop(tx),
                _ => tx.commit().await.unwrap(),
            }
            let mut tx = setting.story.ledger.read().await.unwrap();
            let objects = tx.vault_objects().await.unwrap();
            let bytes = objects.iter().map(|one| one.bytes).sum::<u64>();
            assert_eq!(tx.vault_total().await.unwrap(), (objects.len() as u64, bytes));
        }
    };
    tokio::join!(worker(0), worker(1), worker(2), worker(3));
}

async fn nothing_goes_where_all_that_may_go_is_not_enough(db: Database) {
    let setting = setting_at(&db, now()).await;
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(&setting.story.ledger, dir.path(), 25);
    let keep = |content, independent, bytes| setting.put(&keeper, content, independent, bytes);
    let third = setting.contents[2];
    assert!(keep(1, 3, 10).await && keep(2, 2, 10).await);
    assert!(!keeper.has_room(third, 30, 1).await.unwrap() && !keep(3, 1, 30).await);
    let both = VaultSummary { objects: 2, bytes: 20, problems: 0 };
    assert_eq!(setting.summary().await, both, "it made no room, and something went");
    assert!(!keeper.has_room(third, 10, 3).await.unwrap(), "no more nodes have them");
    assert!(keeper.has_room(third, 10, 1).await.unwrap());
    assert_eq!(setting.summary().await, both, "nothing is here yet");
    assert!(keep(3, 1, 10).await);
    let mut tx = setting.story.ledger.read().await.unwrap();
    let held: Vec<_> = tx.vault_objects().await.unwrap().iter().map(|one| one.content).collect();
    assert_eq!(held, setting.contents[1..3], "what most have went, and no more");
}

async fn adopts_only_what_it_knows_and_did_not_have(db: Database) {
    let setting = setting(&db).await;
    setting.keep(0, 7).await;
    let found: Vec<(ContentId, Form, u64)> =
        [1, 2, 99].map(|content| (raw(content), Form::Car, 70)).to_vec();
    let mut tx = setting.story.ledger.write().await.unwrap();
    assert_eq!(tx.adopt_into_vault(&found, NOW).await.unwrap(), 1);
    assert_eq!(tx.adopt_into_vault(&found, NOW).await.unwrap(), 0);
    let adopted = tx.vault_object(setting.contents[1]).await.unwrap().unwrap();
    assert_eq!((adopted.form, adopted.checked_at), (Form::Car, None));
    let due = tx.take_vault_checks(NOW, LEASE, 9).await.unwrap();
    assert_eq!(due.len(), 1, "it is hashed at once");
    assert_eq!(tx.vault_objects().await.unwrap().len(), 2);
}

async fn sums_up(db: Database) {
    let setting = setting(&db).await;
    assert_eq!(setting.summary().await, VaultSummary::default());
    setting.keep(0, u64::from(u32::MAX)).await;
    setting.keep(1, 5).await;
    setting.keep(1, 6).await;
    let bytes = u64::from(u32::MAX) + 6;
    assert_eq!(setting.summary().await, VaultSummary { objects: 2, bytes, problems: 0 });
    let mut tx = setting.story.ledger.read().await.unwrap();
    let wanted = tx.wanted_after(setting.contents[0], 2).await.unwrap();
    assert_eq!(wanted.iter().map(|one| one.row).collect::<Vec<_>>(), setting.contents[1..3]);
}
