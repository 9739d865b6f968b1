//! Probes that wait for their turn, at a desk for each node: one that is slow, silent, or wants to be
//! left alone holds up no other.

mod spots;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use rand::seq::SliceRandom;

use super::budget::{Breaker, Budget};
use crate::{
    config::ProbesConfig,
    ledger::{DueProbe, Millis, RowId},
    nodes::Seen,
};

/// Probes of one node that are taken ahead, for each that it may have under way.
const AHEAD: u32 = 4;

/// Probes of one provider that are taken ahead, and of all: what strangers say must leave room.
const AHEAD_OF_A_PROVIDER: u32 = 4;
const AHEAD_OF_PROVIDERS: usize = 64;
/// Providers that probes are taken from at once.
const PROVIDERS_AT_ONCE: usize = 64;
/// One turn of so many is a provider's, and one probe of so many under way.
const PART_OF_PROVIDERS: u32 = 4;

/// A node's probes.
#[derive(Debug)]
struct Desk {
    waiting: VecDeque<DueProbe>,
    running: u32,
    /// Spot checks under way, and places that are kept for some.
    spots: u32,
    requests: Budget,
    bytes: Budget,
    breaker: Breaker,
    /// The node wants to be left alone until then.
    resting: Millis,
}

/// Which nodes may be asked more.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Those, and how much more may be taken for each.
    pub(super) nodes: Vec<(RowId, u32)>,
    /// Whether a budget keeps another from being asked now.
    pub(super) is_limited: bool,
}

/// All desks, and what they share.
#[derive(Debug)]
pub(super) struct Desks {
    config: ProbesConfig,
    desks: BTreeMap<RowId, Desk>,
    requests: Budget,
    bytes: Budget,
    /// The node that was served last.
    last: RowId,
    /// Which of the desks are providers'.
    providers: BTreeSet<RowId>,
    /// Probes under way at providers, and how many there may be.
    at_providers: u32,
    most_at_providers: u32,
    turns: u32,
    /// The node that places for spot checks were offered first.
    first_spot: RowId,
}

impl Desks {
    /// Desks of which `concurrency` probes together are under way.
    pub(super) fn new(config: &ProbesConfig, concurrency: u32, now: Millis) -> Self {
        Self {
            config: config.clone(),
            desks: BTreeMap::new(),
            requests: Budget::new(config.requests_per_second, now),
            bytes: Budget::new(config.bytes_per_second, now),
            last: 0,
            providers: BTreeSet::new(),
            at_providers: 0,
            most_at_providers: (concurrency / PART_OF_PROVIDERS).max(1),
            turns: 0,
            first_spot: 0,
        }
    }

    fn desk(&mut self, node: RowId, now: Millis) -> &mut Desk {
        let config = &self.config;
        self.desks.entry(node).or_insert_with(|| Desk {
            waiting: VecDeque::new(),
            running: 0,
            spots: 0,
            requests: Budget::new(config.node_requests_per_second, now),
            bytes: Budget::new(config.node_bytes_per_second, now),
            breaker: Breaker::default(),
            resting: 0,
        })
    }

    /// A round begins: what an earlier one left was given back, or its lease ends. These are the
    /// providers in use.
    pub(super) fn begin(&mut self, providers: Vec<RowId>) {
        let now: BTreeSet<RowId> = providers.into_iter().collect();
        for gone in self.providers.difference(&now) {
            self.desks.remove(gone);
        }
        self.providers = now;
        self.at_providers = 0;
        for desk in self.desks.values_mut() {
            desk.waiting.clear();
            desk.running = 0;
        }
    }

    /// Which of these nodes may be asked more.
    pub(super) fn room(&mut self, nodes: impl Iterator<Item = RowId>, now: Millis) -> Room {
        let ahead = self.config.per_node.max(1).saturating_mul(AHEAD);
        if self.bytes.left(now).is_some_and(|left| left <= 0.0) {
            return Room { nodes: Vec::new(), is_limited: true };
        }
        let mut room = Room::default();
        for node in nodes {
            let desk = self.desk(node, now);
            if desk.resting > now {
                continue;
            }
            let waiting = u32::try_from(desk.waiting.len()).unwrap_or(u32::MAX);
            let in_debt = desk.bytes.left(now).is_some_and(|left| left <= 0.0);
            let allowed = if in_debt { 0 } else { desk.requests.whole(now, ahead) };
            match allowed.saturating_sub(waiting) {
                0 => room.is_limited = true,
                most => room.nodes.push((node, most)),
            }
        }
        room
    }

    /// Which of these providers may be asked more, beside those nodes: some, by chance, of many.
    pub(super) fn room_at_providers(
        &mut self,
        room: &mut Room,
        providers: impl Iterator<Item = RowId>,
        now: Millis,
    ) {
        let due: Vec<RowId> = providers.collect();
        self.providers.extend(&due);
        let is_full = self.waiting_at_providers() >= AHEAD_OF_PROVIDERS
            || self.bytes.left(now).is_some_and(|left| left <= 0.0);
        if is_full {
            room.is_limited |= !due.is_empty();
            return;
        }
        let mut free = self.room(due.into_iter(), now);
        room.is_limited |= free.is_limited || free.nodes.len() > PROVIDERS_AT_ONCE;
        free.nodes.shuffle(&mut rand::rng());
        free.nodes.truncate(PROVIDERS_AT_ONCE);
        let few = |(row, most): (RowId, u32)| (row, most.min(AHEAD_OF_A_PROVIDER));
        room.nodes.extend(free.nodes.into_iter().map(few));
    }

    /// Puts what was taken to its desk.
    pub(super) fn queue(&mut self, due: Vec<DueProbe>, now: Millis) {
        for one in due {
            self.desk(one.node, now).waiting.push_back(one);
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.desks.values().map(|desk| desk.waiting.len()).sum()
    }

    fn waiting_at_providers(&self) -> usize {
        let at = self.providers.iter().filter_map(|row| self.desks.get(row));
        at.map(|desk| desk.waiting.len()).sum()
    }

    /// Those that wait at other nodes than providers.
    pub(super) fn waiting_at_nodes(&self) -> usize {
        self.waiting() - self.waiting_at_providers()
    }

    /// The next that may begin: by turns, a node after the other. Of four turns one is a provider's, if
    /// others want the rest, and so is one of four places: they are strangers, and may be many.
    pub(super) fn next(&mut self, now: Millis) -> Option<DueProbe> {
        if self.requests.whole(now, 1) == 0 {
            return None;
        }
        self.turns = self.turns.wrapping_add(1);
        let first = self.turns.is_multiple_of(PART_OF_PROVIDERS);
        self.next_of(first, now).or_else(|| self.next_of(!first, now))
    }

    /// The next at a provider, or at another node.
    fn next_of(&mut self, providers: bool, now: Millis) -> Option<DueProbe> {
        if providers && self.at_providers >= self.most_at_providers {
            return None;
        }
        let last = self.last;
        let order = self.desks.range(last + 1..).chain(self.desks.range(..=last));
        let nodes = order.map(|(node, _)| *node);
        let nodes: Vec<RowId> =
            nodes.filter(|node| self.providers.contains(node) == providers).collect();
        for node in nodes {
            let most = self.config.per_node.max(1);
            let Some(desk) = self.desks.get_mut(&node) else { continue };
            let free = desk.running + desk.spots < most && desk.resting <= now;
            if !free || desk.waiting.is_empty() || desk.requests.whole(now, 1) == 0 {
                continue;
            }
            let next = desk.waiting.pop_front();
            desk.running += 1;
            self.last = node;
            self.at_providers += u32::from(providers);
            return next;
        }
        None
    }

    /// Whether a probe that began is to ask its node; else what is seen instead.
    pub(super) fn ask(&mut self, node: RowId, now: Millis) -> Result<(), Seen> {
        let desk = self.desk(node, now);
        desk.breaker.ask(now).map_err(|why| Seen::unasked(&why))?;
        desk.requests.use_up(1);
        self.requests.use_up(1);
        Ok(())
    }

    /// What a probe that asked saw.
    pub(super) fn saw(&mut self, node: RowId, seen: &Seen, now: Millis) {
        let silence = seen.is_silence().then(|| seen.detail.as_deref().unwrap_or_default());
        self.answered(node, seen.bytes.unwrap_or(0), (seen.left_alone, silence), now);
    }

    /// What a node gave, whether it wants to be left alone, and what was wrong if it was silent.
    fn answered(
        &mut self,
        node: RowId,
        bytes: u64,
        (left_alone, silence): (Option<Duration>, Option<&str>),
        now: Millis,
    ) {
        self.bytes.use_up(bytes);
        let desk = self.desk(node, now);
        desk.bytes.use_up(bytes);
        if let Some(wait) = left_alone {
            let wait = Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX);
            desk.resting = now.saturating_add(wait);
        } else if let Some(why) = silence {
            desk.breaker.was_silent(why, now);
        } else {
            desk.breaker.heard();
        }
    }

    /// A probe is done.
    pub(super) fn done(&mut self, node: RowId) {
        if let Some(desk) = self.desks.get_mut(&node) {
            desk.running = desk.running.saturating_sub(1);
        }
        if self.providers.contains(&node) {
            self.at_providers = self.at_providers.saturating_sub(1);
        }
    }

    /// Those that waited at desks of nodes that want to be left alone: they are given back.
    pub(super) fn sent_away(&mut self, now: Millis) -> Vec<(DueProbe, Millis)> {
        let resting = self.desks.values_mut().filter(|desk| desk.resting > now);
        resting
            .flat_map(|desk| {
                let until = desk.resting;
                desk.waiting.drain(..).map(move |due| (due, until))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        content::{Codec, id_of},
        ledger::Known,
    };

    fn due(content: RowId, node: RowId) -> DueProbe {
        let (id, known) = (id_of(Codec::Raw, b"x"), Known::default());
        DueProbe { content, id, known, node, parse: false }
    }

    fn desks() -> Desks {
        let config = ProbesConfig { node_requests_per_second: 0, ..ProbesConfig::default() };
        Desks::new(&config, 32, 0)
    }

    /// Nodes 1 and 2 are configured, and all from 100 on providers.
    fn busy() -> Desks {
        let mut desks = desks();
        desks.begin((100..200).collect());
        let at = [1, 2].into_iter().chain(100..200);
        desks
            .queue(at.flat_map(|node| (0..50).map(move |content| due(content, node))).collect(), 0);
        desks
    }

    #[test]
    fn providers_have_a_quarter_of_places_and_turns() {
        let mut desks = busy();
        let served: Vec<_> = (0..32).filter_map(|_| desks.next(0)).map(|due| due.node).collect();
        assert_eq!(served.len(), 32);
        assert_eq!(served.iter().filter(|node| **node >= 100).count(), 8);
        // Nobody brings anything back but nodes: they have all the turns.
        for _ in 0..10 {
            desks.done(1);
            assert!(desks.next(0).unwrap().node < 100);
        }
        let provider = *served.iter().find(|node| **node >= 100).unwrap();
        desks.done(provider);
        let served: Vec<_> = (0..4)
            .filter_map(|_| {
                desks.done(2);
                desks.next(0)
            })
            .collect();
        assert_eq!(served.iter().filter(|due| due.node >= 100).count(), 1);
    }

    #[test]
    fn nodes_get_more_while_providers_wait() {
        let mut desks = desks();
        desks.begin((100..1100).collect());
        let mut room = desks.room([1, 2].into_iter(), 0);
        desks.room_at_providers(&mut room, 100..1100, 0);
        assert_eq!(room.nodes.len(), 2 + PROVIDERS_AT_ONCE);
        assert!(room.is_limited, "there are more");
        let few = room.nodes.iter().filter(|(node, _)| *node >= 100);
        assert!(few.clone().all(|(_, most)| *most == AHEAD_OF_A_PROVIDER));
        let taken: Vec<_> = few.map(|(node, _)| due(1, *node)).collect();
        desks.queue(taken, 0);
        assert_eq!((desks.waiting_at_nodes(), desks.waiting()), (0, PROVIDERS_AT_ONCE));
        let mut room = desks.room([1, 2].into_iter(), 0);
        desks.room_at_providers(&mut room, 100..1100, 0);
        assert_eq!(room.nodes.iter().map(|(node, _)| *node).collect::<Vec<_>>(), [1, 2]);
        assert!(room.is_limited, "they are taken later");
    }

    #[test]
    fn who_is_a_provider_no_more_has_no_desk() {
        let mut desks = busy();
        desks.begin(vec![100]);
        assert_eq!(desks.desks.keys().copied().collect::<Vec<_>>(), [1, 2, 100]);
    }
}
