//! Probes that wait for their turn, at a desk for each node: one that is slow, silent, or wants to be
//! left alone holds up no other.

mod spots;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use rand::seq::SliceRandom;

use super::budget::{Breaker, Budget, Ticks};
use crate::{
    config::ProbesConfig,
    ledger::{DueProbe, RowId},
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
    /// Contents of which probes are under way.
    running: BTreeSet<RowId>,
    /// Spot checks under way, and places that are kept for some.
    spots: u32,
    requests: Budget,
    bytes: Budget,
    breaker: Breaker,
    /// The node wants to be left alone until then.
    resting: Ticks,
}

impl Desk {
    /// Probes and spot checks under way.
    fn under_way(&self) -> u32 {
        u32::try_from(self.running.len()).unwrap_or(u32::MAX).saturating_add(self.spots)
    }

    fn has(&self, content: RowId) -> bool {
        self.running.contains(&content) || self.waiting.iter().any(|due| due.content == content)
    }
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
    /// The node that was served last, and the provider.
    last: [RowId; 2],
    /// Which of the desks are providers'.
    providers: BTreeSet<RowId>,
    /// How many probes may be under way at providers.
    most_at_providers: usize,
    turns: u32,
    /// The node that places for spot checks were offered first.
    first_spot: RowId,
}

impl Desks {
    /// Desks of which `concurrency` probes together are under way.
    pub(super) fn new(config: &ProbesConfig, concurrency: u32, now: Ticks) -> Self {
        Self {
            config: config.clone(),
            desks: BTreeMap::new(),
            requests: Budget::new(config.requests_per_second, now),
            bytes: Budget::new(config.bytes_per_second, now),
            last: [0; 2],
            providers: BTreeSet::new(),
            most_at_providers: (concurrency / PART_OF_PROVIDERS).max(1) as usize,
            turns: 0,
            first_spot: 0,
        }
    }

    fn desk(&mut self, node: RowId, now: Ticks) -> &mut Desk {
        let config = &self.config;
        self.desks.entry(node).or_insert_with(|| Desk {
            waiting: VecDeque::new(),
            running: BTreeSet::new(),
            spots: 0,
            requests: Budget::new(config.node_requests_per_second, now),
            bytes: Budget::new(config.node_bytes_per_second, now),
            breaker: Breaker::default(),
            resting: 0,
        })
    }

    /// A round begins: what an earlier one left was given back, or its lease ends.
    pub(super) fn begin(&mut self) {
        for desk in self.desks.values_mut() {
            desk.waiting.clear();
            desk.running.clear();
        }
    }

    /// These are the providers in use. What is under way at others goes on: they keep their desks, and
    /// the places that they have, until it is done.
    pub(super) fn set_providers(&mut self, providers: Vec<RowId>) {
        let mut now: BTreeSet<RowId> = providers.into_iter().collect();
        for gone in self.providers.difference(&now).copied().collect::<Vec<_>>() {
            match self.desks.get_mut(&gone) {
                Some(desk) if !desk.running.is_empty() => {
                    desk.waiting.clear();
                    now.insert(gone);
                }
                _ => drop(self.desks.remove(&gone)),
            }
        }
        self.providers = now;
    }

    /// Which of these nodes may be asked more.
    pub(super) fn room(&mut self, nodes: impl Iterator<Item = RowId>, now: Ticks) -> Room {
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
        now: Ticks,
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

    /// Puts what was taken to its desk. What is there still, or under way, was taken again because its
    /// lease ended: that is a new lease, and no second probe.
    pub(super) fn queue(&mut self, due: Vec<DueProbe>, now: Ticks) {
        for one in due {
            let desk = self.desk(one.node, now);
            if !desk.has(one.content) {
                desk.waiting.push_back(one);
            }
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.desks.values().map(|desk| desk.waiting.len()).sum()
    }

    fn desks_of_providers(&self) -> impl Iterator<Item = &Desk> {
        self.providers.iter().filter_map(|row| self.desks.get(row))
    }

    fn waiting_at_providers(&self) -> usize {
        self.desks_of_providers().map(|desk| desk.waiting.len()).sum()
    }

    fn running_at_providers(&self) -> usize {
        self.desks_of_providers().map(|desk| desk.running.len()).sum()
    }

    /// Those that wait at other nodes than providers.
    pub(super) fn waiting_at_nodes(&self) -> usize {
        self.waiting() - self.waiting_at_providers()
    }

    /// The next that may begin: by turns, a node after the other. Of four turns one is a provider's, if
    /// others want the rest, and so is one of four places: they are strangers, and may be many.
    ///
    /// Where no place is left (`has_place`), one may begin all the same at a node at which none is under
    /// way: few slow nodes would hold up all others otherwise.
    pub(super) fn next(&mut self, has_place: bool, now: Ticks) -> Option<DueProbe> {
        if self.requests.whole(now, 1) == 0 {
            return None;
        }
        if !has_place {
            return self.next_of(false, |desk| desk.running.is_empty(), now);
        }
        self.turns = self.turns.wrapping_add(1);
        let first = self.turns.is_multiple_of(PART_OF_PROVIDERS);
        self.next_of(first, |_| true, now).or_else(|| self.next_of(!first, |_| true, now))
    }

    /// The next at a provider, or at another node, whose desk will do.
    fn next_of(
        &mut self,
        providers: bool,
        will_do: impl Fn(&Desk) -> bool,
        now: Ticks,
    ) -> Option<DueProbe> {
        if providers && self.running_at_providers() >= self.most_at_providers {
            return None;
        }
        let last = self.last[usize::from(providers)];
        let order = self.desks.range(last + 1..).chain(self.desks.range(..=last));
        let nodes = order.map(|(node, _)| *node);
        let nodes: Vec<RowId> =
            nodes.filter(|node| self.providers.contains(node) == providers).collect();
        for node in nodes {
            let most = self.config.per_node.max(1);
            let Some(desk) = self.desks.get_mut(&node).filter(|desk| will_do(desk)) else {
                continue;
            };
            let free = desk.under_way() < most && desk.resting <= now;
            if !free || desk.requests.whole(now, 1) == 0 {
                continue;
            }
            let Some(next) = desk.waiting.pop_front() else { continue };
            desk.running.insert(next.content);
            self.last[usize::from(providers)] = node;
            return Some(next);
        }
        None
    }

    /// Whether a probe that began is to ask its node; else what is seen instead.
    pub(super) fn ask(&mut self, node: RowId, now: Ticks) -> Result<(), Seen> {
        let desk = self.desk(node, now);
        desk.breaker.ask(now).map_err(|why| Seen::unasked(&why))?;
        desk.requests.use_up(1);
        self.requests.use_up(1);
        Ok(())
    }

    /// What a probe that asked saw.
    pub(super) fn saw(&mut self, node: RowId, seen: &Seen, now: Ticks) {
        let silence = seen.is_silence.then(|| seen.detail.as_deref().unwrap_or_default());
        self.answered(node, seen.bytes.unwrap_or(0), (seen.left_alone, silence), now);
    }

    /// What a node gave, whether it wants to be left alone, and what was wrong if it was silent.
    fn answered(
        &mut self,
        node: RowId,
        bytes: u64,
        (left_alone, silence): (Option<Duration>, Option<&str>),
        now: Ticks,
    ) {
        self.bytes.use_up(bytes);
        let desk = self.desk(node, now);
        desk.bytes.use_up(bytes);
        if let Some(wait) = left_alone {
            let wait = Ticks::try_from(wait.as_millis()).unwrap_or(Ticks::MAX);
            desk.resting = now.saturating_add(wait);
        } else if let Some(why) = silence {
            desk.breaker.was_silent(why, now);
        } else {
            desk.breaker.heard();
        }
    }

    /// A probe is done.
    pub(super) fn done(&mut self, node: RowId, content: RowId) {
        if let Some(desk) = self.desks.get_mut(&node) {
            desk.running.remove(&content);
        }
    }

    /// Whether a node wants to be left alone.
    pub(super) fn is_resting(&self, node: RowId, now: Ticks) -> bool {
        !self.rest(node, now).is_zero()
    }

    /// For how much longer a node wants to be left alone.
    pub(super) fn rest(&self, node: RowId, now: Ticks) -> Duration {
        let left = self.desks.get(&node).map_or(0, |desk| desk.resting.saturating_sub(now));
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// Those that waited at desks of nodes that want to be left alone, and for how much longer: they are
    /// given back.
    pub(super) fn sent_away(&mut self, now: Ticks) -> Vec<(DueProbe, Duration)> {
        let resting = self.desks.values_mut().filter(|desk| desk.resting > now);
        resting
            .flat_map(|desk| {
                let rest = desk.resting.saturating_sub(now).unsigned_abs();
                desk.waiting.drain(..).map(move |due| (due, Duration::from_millis(rest)))
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
        desks.set_providers((100..200).collect());
        let at = [1, 2].into_iter().chain(100..200);
        desks
            .queue(at.flat_map(|node| (0..50).map(move |content| due(content, node))).collect(), 0);
        desks
    }

    #[test]
    fn providers_have_a_quarter_of_places_and_turns() {
        let mut desks = busy();
        let served: Vec<_> = (0..32).filter_map(|_| desks.next(true, 0)).collect();
        assert_eq!(served.len(), 32);
        assert_eq!(served.iter().filter(|due| due.node >= 100).count(), 8);
        // Nobody brings anything back but nodes: they have all the turns.
        for _ in 0..10 {
            let of_one = desks.desks[&1].running.first().copied().unwrap();
            desks.done(1, of_one);
            assert!(desks.next(true, 0).unwrap().node < 100);
        }
        let provider = served.iter().find(|due| due.node >= 100).unwrap();
        desks.done(provider.node, provider.content);
        let served: Vec<_> = (0..4)
            .filter_map(|_| {
                let of_two = desks.desks[&2].running.first().copied().unwrap();
                desks.done(2, of_two);
                desks.next(true, 0)
            })
            .collect();
        assert_eq!(served.iter().filter(|due| due.node >= 100).count(), 1);
    }

    #[test]
    fn nodes_get_more_while_providers_wait() {
        let mut desks = desks();
        desks.set_providers((100..1100).collect());
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
        desks.begin();
        desks.set_providers(vec![100]);
        assert_eq!(desks.desks.keys().copied().collect::<Vec<_>>(), [1, 2, 100]);
    }

    #[test]
    fn slow_nodes_hold_up_no_other() {
        let mut desks = desks();
        let of = |node| (0..50).map(move |content| due(content, node));
        desks.queue(of(1).chain(of(2)).collect(), 0);
        while desks.next(true, 0).is_some() {}
        assert_eq!(desks.under_way(), 32, "two nodes have all places, and bring nothing back");
        desks.queue(of(3).chain(of(4)).collect(), 0);
        let mut served = || desks.next(false, 0).map(|due| due.node);
        assert_eq!([served(), served(), served()], [Some(3), Some(4), None], "one each");
        desks.done(4, 0);
        assert_eq!(desks.next(false, 0).map(|due| (due.node, due.content)), Some((4, 1)));
        desks.set_providers(vec![5]);
        desks.queue(of(5).collect(), 0);
        assert!(desks.next(false, 0).is_none(), "providers have a share of their own");
    }

    #[test]
    fn what_is_taken_again_is_probed_once() {
        let mut desks = desks();
        desks.queue(vec![due(1, 1), due(2, 1)], 0);
        assert!(desks.next(true, 0).is_some());
        desks.queue(vec![due(1, 1), due(2, 1), due(3, 1)], 0);
        assert_eq!(desks.waiting(), 2);
        desks.done(1, 1);
        desks.queue(vec![due(1, 1)], 0);
        assert_eq!(desks.waiting(), 3);
    }

    #[test]
    fn a_provider_that_leaves_keeps_its_places_until_it_is_done() {
        let mut desks = busy();
        while desks.next(true, 0).is_some() {}
        let running: Vec<RowId> = desks.providers.iter().copied().collect();
        let running: Vec<RowId> =
            running.into_iter().filter(|row| !desks.desks[row].running.is_empty()).collect();
        assert_eq!(running.len(), 8);
        desks.set_providers(Vec::new());
        assert_eq!(desks.providers.iter().copied().collect::<Vec<_>>(), running);
        assert_eq!((desks.running_at_providers(), desks.waiting_at_providers()), (8, 0));
        for provider in running {
            let content = desks.desks[&provider].running.first().copied().unwrap();
            desks.done(provider, content);
        }
        desks.set_providers(Vec::new());
        assert_eq!(desks.desks.keys().copied().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn whoever_wants_to_be_left_alone_is_for_as_long() {
        let mut desks = desks();
        let alone = Seen { left_alone: Some(Duration::from_secs(3)), ..Seen::unasked("429") };
        desks.saw(1, &alone, 500);
        desks.queue(vec![due(7, 1)], 500);
        assert!(desks.is_resting(1, 3499) && !desks.is_resting(1, 3500));
        assert_eq!((desks.rest(1, 3000).as_millis(), desks.rest(2, 0).as_millis()), (500, 0));
        let away = desks.sent_away(1500);
        assert_eq!(
            away.iter().map(|(due, rest)| (due.content, rest.as_secs())).collect::<Vec<_>>(),
            [(7, 2)]
        );
    }
}
