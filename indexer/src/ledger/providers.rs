//! Providers: those whom routers name for contents. They have rows of what they were named for alone,
//! are few however many are named, and leave when nothing speaks for them any more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rand::seq::SliceRandom;

pub use super::places::MOST_OF_A_CONTENT;
use super::{
    Millis, Result, RowId, Tx,
    addresses::SEVERAL,
    bulk::{fetch_in, insert_rows},
    claims::{Held, OF_A_NEIGHBOURHOOD},
    execute, fetch, int,
    places::{Choice, choose},
};
use crate::hosts::{host_of, place_of};

/// Providers in a ledger.
pub const MOST_PROVIDERS: usize = 1000;
/// Contents for which those of one host are asked of whom none ever served one. Of one range of addresses
/// that a customer may have, as many times that as have places there.
const ON_TRIAL: usize = 100;
/// A row of one that left is another's after this, in milliseconds: probes that began before are done.
const RESTS: Millis = 60 * 60 * 1000;
/// That a provider served is written down so often, in milliseconds: else each probe would change
/// its row.
const SERVED_EVERY: Millis = 60 * 60 * 1000;
/// Detail of a replica that was announced and not asked for yet.
const UNASKED: &str = "a router names it; it was not asked yet";

/// What a router said of a content.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The content.
    pub content: RowId,
    /// The router.
    pub router: RowId,
    /// Those whom it named.
    pub named: Vec<Named>,
    /// When.
    pub at: Millis,
}

/// Somebody with a web server who was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The server's URL, as nodes are known.
    pub url: String,
    /// The address that it has by its name alone, until it has served something.
    pub address: String,
}

type Key = (RowId, RowId);

/// What the ledger knows of a URL that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is, or was, configured.
    Configured,
    /// A provider that has served something.
    Served,
    /// A provider that never did.
    OnTrial,
}

/// What it knows of all that are named. Those in no row, or in none that is in use, are new.
struct Acquaintances {
    standing: HashMap<String, (RowId, Standing)>,
    /// Hosts that are, or were, configured.
    configured: HashSet<String>,
    /// For how many contents those are to be asked who never served, by host and by neighbourhood.
    trials: HashMap<Trial, usize>,
    /// How many new ones there may be.
    room: usize,
}

/// Who has so much on trial together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Trial {
    Host(String),
    Neighbourhood(String),
}

impl Trial {
    fn all_of(url: &str) -> Vec<Self> {
        let (host, neighbourhood) = place_of(url);
        [Self::Host(host)].into_iter().chain(neighbourhood.map(Self::Neighbourhood)).collect()
    }

    fn most(&self) -> usize {
        match self {
            Self::Host(_) => ON_TRIAL,
            Self::Neighbourhood(_) => ON_TRIAL * OF_A_NEIGHBOURHOOD,
        }
    }
}

impl Tx {
    /// Writes down whom routers named. At most [`MOST_OF_A_CONTENT`] of a content get a place for
    /// each router, and [`MOST_PROVIDERS`] altogether; `gone_before` is when one must have served
    /// last to keep its place in the ledger where there are more.
    ///
    /// What is, or was, configured is never taken for a provider: who took a node out of use does not
    /// get it back by a router's word.
    pub async fn announce(&mut self, said: &[Announcement], gone_before: Millis) -> Result<()> {
        self.alone().await?;
        let said = self.of_wanted(said).await?;
        let urls: BTreeSet<&str> =
            said.values().flat_map(|one| &one.named).map(|one| one.url.as_str()).collect();
        if urls.is_empty() {
            return Ok(());
        }
        let mut known = self.acquaintances(&urls, gone_before).await?;
        let held = self.held_of(&said, gone_before).await?;
        let (mut named, mut gone) = (BTreeMap::new(), Vec::new());
        for (key, one) in &said {
            let all = held.get(&key.0).map_or(&[][..], Vec::as_slice);
            let (held, elsewhere) = by_router(all, key.1);
            let candidates = known.candidates(one, &held);
            let Choice { again, gone: leaving, new } = choose(&held, &elsewhere, &candidates);
            gone.extend(leaving.into_iter().map(|node| (key.0, node, key.1)));
            named.extend(again.into_iter().map(|node| ((key.0, node, key.1), one.at)));
            for url in new {
                let address = one.named.iter().find(|named| named.url == url);
                let address = address.map(|named| named.address.as_str()).unwrap_or_default();
                let node = match known.standing.get(&url) {
                    Some((row, _)) => Some(*row),
                    None => self.admit(&url, address, one.at).await?,
                };
                if let Some(node) = node {
                    known.admitted(url, node);
                    named.insert((key.0, node, key.1), one.at);
                }
            }
        }
        self.write_announcements(&named.into_iter().collect::<Vec<_>>()).await?;
        self.withdraw(&gone).await
    }

    /// The last word of each router on each content that is wanted.
    async fn of_wanted(&mut self, said: &[Announcement]) -> Result<BTreeMap<Key, Announcement>> {
        let contents: BTreeSet<RowId> = said.iter().map(|one| one.content).collect();
        let contents: Vec<RowId> = contents.into_iter().collect();
        let wanted = fetch_in!(self, (i64,), {} "SELECT id FROM contents WHERE wanted = 1 AND id IN",
            contents, "");
        let routers = fetch!(
            fetch_all,
            self,
            (i64,),
            "SELECT id FROM nodes WHERE active = 1 AND kind = 'routing'",
        )?;
        let counts = |one: &&Announcement| {
            wanted.contains(&(one.content,)) && routers.contains(&(one.router,))
        };
        let said = said.iter().filter(counts);
        Ok(said.map(|one| ((one.content, one.router), one.clone())).collect())
    }

    async fn acquaintances(
        &mut self,
        urls: &BTreeSet<&str>,
        gone_before: Millis,
    ) -> Result<Acquaintances> {
        type Row = (i64, String, String, i64, Option<i64>);
        let keys: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
        let rows = fetch_in!(
            self,
            Row,
            {}
            "SELECT n.id, n.url, n.kind, n.active, n.served_at FROM nodes n WHERE n.url IN",
            keys,
            ""
        );
        let standing = rows.into_iter().filter_map(|(row, url, kind, active, served)| {
            let standing = match (kind.as_str(), active, served) {
                ("provider", 0, _) => return None,
                ("provider", _, Some(_)) => Standing::Served,
                ("provider", _, None) => Standing::OnTrial,
                _ => Standing::Configured,
            };
            Some((url, (row, standing)))
        });
        let mut standing: HashMap<_, _> = standing.collect();
        let configured = self.configured_hosts().await?;
        let new = urls.iter().filter(|url| !standing.contains_key(**url));
        let new = new.filter(|url| !is_among(&configured, url)).count();
        let (room, sent_away) = self.make_room(new, gone_before).await?;
        standing.retain(|url, _| !sent_away.contains(url));
        let trials = self.trials().await?;
        Ok(Acquaintances { standing, configured, trials, room })
    }

    /// Hosts that are, or were, configured as nodes that give bytes: another port or spelling of one is
    /// no other.
    async fn configured_hosts(&mut self) -> Result<HashSet<String>> {
        let select = "SELECT url FROM nodes WHERE kind NOT IN ('provider', 'routing', 'pinning')";
        let rows = fetch!(fetch_all, self, (String,), select)?;
        Ok(rows.into_iter().filter_map(|(url,)| host_of(&url)).collect())
    }

    /// For how many contents those are to be asked who never served.
    async fn trials(&mut self) -> Result<HashMap<Trial, usize>> {
        let rows = fetch!(
            fetch_all,
            self,
            (String, i64),
            "SELECT n.url, COUNT(*) FROM nodes n JOIN announcements a ON a.node_id = n.id
             WHERE n.kind = 'provider' AND n.active = 1 AND n.served_at IS NULL
             GROUP BY n.id, n.url",
        )?;
        let mut trials = HashMap::new();
        for (url, contents) in rows {
            for trial in Trial::all_of(&url) {
                *trials.entry(trial).or_default() += usize::try_from(contents).unwrap_or(0);
            }
        }
        Ok(trials)
    }

    /// Sends away such as were asked and never served, or not for long, longest first, as far as so
    /// many others are to come; gives how many may, and the URLs of those that are gone.
    async fn make_room(
        &mut self,
        wanted: usize,
        gone_before: Millis,
    ) -> Result<(usize, BTreeSet<String>)> {
        let count = "SELECT COUNT(*) FROM nodes WHERE kind = 'provider' AND active = 1";
        let (count,) = fetch!(fetch_one, self, (i64,), count)?;
        let free = MOST_PROVIDERS.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
        let lacking = int(wanted.saturating_sub(free) as u64);
        if lacking == 0 {
            return Ok((free, BTreeSet::new()));
        }
        let useless = fetch!(
            fetch_all,
            self,
            (i64, String),
            "SELECT id, url FROM nodes WHERE kind = 'provider' AND active = 1
               AND asked_at IS NOT NULL AND (served_at IS NULL OR served_at < $1)
             ORDER BY COALESCE(served_at, 0), asked_at, id LIMIT $2",
            gone_before,
            lacking,
        )?;
        let (rows, urls): (Vec<RowId>, BTreeSet<String>) = useless.into_iter().unzip();
        self.send_away(&rows).await?;
        Ok((free + rows.len(), urls))
    }

    /// Who was named before, by content, and by which router. From where they served before
    /// `gone_before` is of no account.
    async fn held_of(
        &mut self,
        said: &BTreeMap<Key, Announcement>,
        gone_before: Millis,
    ) -> Result<HashMap<RowId, Vec<(RowId, Held)>>> {
        type Row = (i64, i64, i64, String, Option<i64>);
        let contents: BTreeSet<RowId> = said.keys().map(|(content, _)| *content).collect();
        let contents: Vec<RowId> = contents.into_iter().collect();
        let rows = fetch_in!(
            self,
            Row,
            {}
            "SELECT a.content_id, a.router_id, a.node_id, n.url, CAST(CASE
                WHEN r.checked_at IS NULL THEN NULL WHEN r.state = 'verified' THEN 1 ELSE 0
                END AS BIGINT)
             FROM announcements a
             JOIN replicas r ON r.content_id = a.content_id AND r.node_id = a.node_id
             JOIN nodes n ON n.id = a.node_id
             WHERE a.content_id IN",
            contents,
            "ORDER BY a.node_id"
        );
        let nodes: BTreeSet<RowId> = rows.iter().map(|(_, _, node, ..)| *node).collect();
        let mut seen: HashMap<RowId, BTreeMap<String, Millis>> = HashMap::new();
        for (node, address, first, last) in self.sightings(&nodes).await? {
            if address != SEVERAL && last >= gone_before {
                seen.entry(node).or_default().insert(address, first);
            }
        }
        let mut held: HashMap<RowId, Vec<(RowId, Held)>> = HashMap::new();
        for (content, router, node, url, serves) in rows {
            let addresses = seen.get(&node).cloned().unwrap_or_default();
            let serves = serves.map(|serves| serves != 0);
            held.entry(content).or_default().push((router, Held { node, url, serves, addresses }));
        }
        Ok(held)
    }

    /// A row for a provider that is new, or comes back; `None` where there is none to be had.
    async fn admit(&mut self, url: &str, address: &str, at: Millis) -> Result<Option<RowId>> {
        let again = "UPDATE nodes SET active = 1, asked_at = NULL, left_at = NULL
             WHERE url = $1 AND kind = 'provider' RETURNING id";
        if let Some((id,)) = fetch!(fetch_optional, self, (i64,), again, url)? {
            return Ok(Some(id));
        }
        let left = "UPDATE nodes SET url = $1, address = $2, active = 1, asked_at = NULL,
                served_at = NULL, left_at = NULL
             WHERE id = (SELECT id FROM nodes WHERE kind = 'provider' AND active = 0
                         AND left_at < $3 ORDER BY left_at, id LIMIT 1) RETURNING id";
        let before = at.saturating_sub(RESTS);
        if let Some((id,)) = fetch!(fetch_optional, self, (i64,), left, url, address, before)? {
            self.forget_all_addresses(id).await?;
            return Ok(Some(id));
        }
        let rows = "SELECT COUNT(*) FROM nodes WHERE kind = 'provider'";
        let (rows,) = fetch!(fetch_one, self, (i64,), rows)?;
        if rows >= int(2 * MOST_PROVIDERS as u64) {
            return Ok(None);
        }
        let new = "INSERT INTO nodes (url, kind, address, active) VALUES ($1, 'provider', $2, 1)
             RETURNING id";
        Ok(fetch!(fetch_optional, self, (i64,), new, url, address)?.map(|(id,)| id))
    }

    async fn write_announcements(
        &mut self,
        named: &[((RowId, RowId, RowId), Millis)],
    ) -> Result<()> {
        insert_rows!(
            self,
            "INSERT INTO announcements (content_id, node_id, router_id, named_at) ",
            named,
            |one| (one.0.0, one.0.1, one.0.2, one.1),
            " ON CONFLICT (content_id, node_id, router_id) DO UPDATE
                SET named_at = excluded.named_at"
        );
        let replicas: BTreeSet<Key> = named.iter().map(|((c, n, _), _)| (*c, *n)).collect();
        let replicas: Vec<Key> = replicas.into_iter().collect();
        insert_rows!(
            self,
            "INSERT INTO replicas (content_id, node_id, state, detail, due_at) ",
            replicas,
            |one| (one.0, one.1, "claimed", UNASKED, 0_i64),
            " ON CONFLICT (content_id, node_id) DO UPDATE SET due_at = 0
                WHERE replicas.due_at IS NULL"
        );
        Ok(())
    }

    /// Providers with a probe that is due at `now` and that nobody has taken, with their URLs: of
    /// many, few have one.
    pub async fn due_providers(&mut self, now: Millis) -> Result<Vec<(RowId, String)>> {
        Ok(fetch!(
            fetch_all,
            self,
            (i64, String),
            "SELECT n.id, n.url FROM nodes n WHERE n.kind = 'provider' AND n.active = 1
               AND EXISTS (SELECT 1 FROM replicas r
                WHERE r.node_id = n.id AND r.priority IN (0, 1, 2) AND r.due_at <= $1
                  AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.node_id = r.node_id
                       AND l.content_id = r.content_id AND l.until > $1))
             ORDER BY n.id",
            now,
        )?)
    }

    /// Providers in use, with their URLs.
    pub async fn providers(&mut self) -> Result<Vec<(RowId, String)>> {
        let select = "SELECT id, url FROM nodes WHERE kind = 'provider' AND active = 1 ORDER BY id";
        Ok(fetch!(fetch_all, self, (i64, String), select)?)
    }

    /// A provider was asked, and perhaps served.
    pub(super) async fn met_provider(
        &mut self,
        provider: RowId,
        asked: Option<Millis>,
        served: Option<Millis>,
    ) -> Result<()> {
        let recent = served.map(|at| at.saturating_sub(SERVED_EVERY));
        execute!(
            self,
            "UPDATE nodes SET asked_at = COALESCE(asked_at, $2), served_at = COALESCE($3, served_at)
             WHERE id = $1 AND (asked_at IS NULL
                OR ($4 IS NOT NULL AND COALESCE(served_at, 0) < $4))",
            provider,
            asked,
            served,
            recent,
        )?;
        Ok(())
    }
}

impl Acquaintances {
    /// Those who have places and those who may get one, in the order of a draw: nobody can foresee it,
    /// or bring it about.
    fn candidates(&self, said: &Announcement, held: &[Held]) -> Vec<String> {
        let mut urls: Vec<String> = said.named.iter().map(|named| named.url.clone()).collect();
        urls.shuffle(&mut rand::rng());
        let mut room = self.room;
        urls.retain(|url| match self.standing.get(url) {
            _ if is_among(&self.configured, url) => false,
            _ if held.iter().any(|one| one.url == *url) => true,
            Some((_, Standing::Configured)) => false,
            Some((_, Standing::Served)) => true,
            Some((_, Standing::OnTrial)) => self.may_be_tried(url),
            None => {
                let may_come = room > 0 && self.may_be_tried(url);
                room = room.saturating_sub(usize::from(may_come));
                may_come
            }
        });
        urls
    }

    fn may_be_tried(&self, url: &str) -> bool {
        let has_room = |trial: &Trial| self.trials.get(trial).is_none_or(|now| *now < trial.most());
        Trial::all_of(url).iter().all(has_room)
    }

    /// One more content has this provider.
    fn admitted(&mut self, url: String, row: RowId) {
        let (_, standing) = *self.standing.entry(url.clone()).or_insert_with(|| {
            self.room = self.room.saturating_sub(1);
            (row, Standing::OnTrial)
        });
        if standing == Standing::OnTrial {
            for trial in Trial::all_of(&url) {
                *self.trials.entry(trial).or_default() += 1;
            }
        }
    }
}

/// Those of a content whom a router named, and those that serve it and were named by others alone.
fn by_router(all: &[(RowId, Held)], router: RowId) -> (Vec<Held>, Vec<Held>) {
    let own: Vec<Held> =
        all.iter().filter(|(of, _)| *of == router).map(|(_, held)| held.clone()).collect();
    let is_other =
        |held: &&Held| held.serves == Some(true) && own.iter().all(|one| one.node != held.node);
    let others = all.iter().map(|(_, held)| held).filter(is_other);
    let others: BTreeMap<RowId, &Held> = others.map(|held| (held.node, held)).collect();
    let others = others.into_values().cloned().collect();
    (own, others)
}

fn is_among(hosts: &HashSet<String>, url: &str) -> bool {
    host_of(url).is_some_and(|host| hosts.contains(&host))
}
