//! Probes that wait for their turn, at a desk for each node: one that is slow, silent, or wants to be
//! left alone holds up no other.

mod spots;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::budget::{Breaker, Budget};
use crate::{
    config::ProbesConfig,
    ledger::{DueProbe, Millis, RowId},
    nodes::Seen,
};

/// Probes of one node that are taken ahead, for each that it may have under way.
const AHEAD: u32 = 4;

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
    /// The node that places for spot checks were offered first.
    first_spot: RowId,
}

impl Desks {
    pub(super) fn new(config: &ProbesConfig, now: Millis) -> Self {
        Self {
            config: config.clone(),
            desks: BTreeMap::new(),
            requests: Budget::new(config.requests_per_second, now),
            bytes: Budget::new(config.bytes_per_second, now),
            last: 0,
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

    /// A round begins: what an earlier one left was given back, or its lease ends.
    pub(super) fn begin(&mut self) {
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

    /// Puts what was taken to its desk.
    pub(super) fn queue(&mut self, due: Vec<DueProbe>, now: Millis) {
        for one in due {
            self.desk(one.node, now).waiting.push_back(one);
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.desks.values().map(|desk| desk.waiting.len()).sum()
    }

    /// The next that may begin: by turns, a node after the other.
    pub(super) fn next(&mut self, now: Millis) -> Option<DueProbe> {
        if self.requests.whole(now, 1) == 0 {
            return None;
        }
        let last = self.last;
        let order = self.desks.range(last + 1..).chain(self.desks.range(..=last));
        let nodes: Vec<RowId> = order.map(|(node, _)| *node).collect();
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
