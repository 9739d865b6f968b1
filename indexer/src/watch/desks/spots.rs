//! Places for spot checks, at desks at which no full probe waits.

use super::{Desk, Desks, Ticks};
use crate::{
    ledger::RowId,
    nodes::{SpotFound, Spotted},
};

impl Desk {
    /// How many spot checks may begin: none while a full probe waits, or the node should be let be.
    fn places(&mut self, per_node: u32, now: Ticks) -> u32 {
        let in_debt = self.bytes.left(now).is_some_and(|left| left <= 0.0);
        if !self.waiting.is_empty() || self.resting > now || self.breaker.is_open() || in_debt {
            return 0;
        }
        self.requests.whole(now, per_node.saturating_sub(self.under_way()))
    }
}

impl Desks {
    /// A round of spot checks begins: what an earlier one left under way is gone.
    pub(in crate::watch) fn begin_spots(&mut self) {
        for desk in self.desks.values_mut() {
            desk.spots = 0;
        }
    }

    /// How many probes and spot checks are under way.
    pub(in crate::watch) fn under_way(&self) -> usize {
        self.desks.values().map(|desk| desk.under_way() as usize).sum()
    }

    /// How many spot checks are.
    pub(in crate::watch) fn spots(&self) -> usize {
        self.desks.values().map(|desk| desk.spots as usize).sum()
    }

    /// Keeps places for spot checks at those of these nodes that have no full probe to wait for, and
    /// says how many at each, `most` at one.
    pub(in crate::watch) fn keep_for_spots(
        &mut self,
        nodes: Vec<RowId>,
        most: u32,
        now: Ticks,
    ) -> Vec<(RowId, u32)> {
        let most = self.requests.whole(now, most);
        if self.bytes.left(now).is_some_and(|left| left <= 0.0) {
            return Vec::new();
        }
        let per_node = self.config.per_node.max(1);
        let mut kept = Vec::new();
        for node in self.in_turn(nodes) {
            let places = self.desk(node, now).places(per_node, now).min(most);
            if places > 0 {
                self.desk(node, now).spots += places;
                kept.push((node, places));
            }
        }
        kept
    }

    /// These nodes, another of them first each time.
    fn in_turn(&mut self, mut nodes: Vec<RowId>) -> Vec<RowId> {
        nodes.sort_unstable();
        let next = nodes.partition_point(|node| *node <= self.first_spot);
        if next < nodes.len() {
            nodes.rotate_left(next);
        }
        self.first_spot = nodes.first().copied().unwrap_or(0);
        nodes
    }

    /// Gives a place back that was kept for a spot check.
    pub(in crate::watch) fn give_back_spot(&mut self, node: RowId) {
        if let Some(desk) = self.desks.get_mut(&node) {
            desk.spots = desk.spots.saturating_sub(1);
        }
    }

    /// A spot check is done: it counts as the requests that it made.
    pub(in crate::watch) fn spotted(&mut self, node: RowId, spotted: &Spotted, now: Ticks) {
        let requests = u64::from(spotted.requests);
        self.requests.use_up(requests);
        self.desk(node, now).requests.use_up(requests);
        let silence = match &spotted.found {
            SpotFound::Nothing(why) if spotted.is_silence => Some(why.as_str()),
            _ => None,
        };
        self.answered(node, spotted.bytes, (spotted.left_alone, silence), now);
        self.give_back_spot(node);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        config::ProbesConfig,
        content::{Codec, id_of},
        ledger::{DueProbe, Known},
        nodes::Seen,
    };

    fn desks(change: impl FnOnce(&mut ProbesConfig)) -> Desks {
        let mut config = ProbesConfig { per_node: 4, ..ProbesConfig::default() };
        change(&mut config);
        Desks::new(&config, 64, 0)
    }

    fn full(node: RowId) -> DueProbe {
        let (id, known) = (id_of(Codec::Raw, b""), Known::default());
        DueProbe { content: 1, id, known, node, parse: false }
    }

    fn done(requests: u32, bytes: u64) -> Spotted {
        let right = Spotted::none("");
        Spotted { found: SpotFound::Right, requests, bytes, ..right }
    }

    #[test]
    fn full_probes_come_first() {
        let mut desks = desks(|_| {});
        desks.queue(vec![full(1)], 0);
        assert_eq!(desks.keep_for_spots(vec![1, 2], 9, 0), [(2, 4)], "one waits at the first");
        assert!(desks.next(true, 0).is_some());
        assert_eq!(desks.keep_for_spots(vec![1], 9, 0), [(1, 3)], "beside the one under way");
        desks.queue(vec![DueProbe { content: 2, ..full(1) }], 0);
        assert!(
            desks.next(true, 0).is_none(),
            "no more at a node than it may be asked, of both kinds"
        );
        assert_eq!((desks.spots(), desks.under_way()), (7, 8));
        desks.give_back_spot(1);
        assert!(desks.next(true, 0).is_some());
        desks.begin_spots();
        assert_eq!((desks.spots(), desks.under_way()), (0, 2));
    }

    #[test]
    fn another_node_is_the_first_each_time() {
        let mut desks = desks(|_| {});
        let mut first = || {
            let kept = desks.keep_for_spots(vec![7, 5, 9], 1, 0);
            desks.begin_spots();
            kept[0].0
        };
        assert_eq!([first(), first(), first(), first()], [5, 7, 9, 5]);
        assert!(desks.keep_for_spots(Vec::new(), 1, 0).is_empty());
    }

    #[test]
    fn each_request_and_byte_counts() {
        let mut desks = desks(|config| {
            config.node_requests_per_second = 1;
            config.node_bytes_per_second = 100;
        });
        assert_eq!(desks.keep_for_spots(vec![1], 1, 0), [(1, 1)]);
        desks.spotted(1, &done(9, 10), 0);
        assert_eq!(desks.keep_for_spots(vec![1], 9, 0), [(1, 1)], "of ten requests one is left");
        desks.spotted(1, &done(1, 990), 0);
        assert!(desks.keep_for_spots(vec![1], 9, 5000).len() == 1, "there is more after a while");
        desks.begin_spots();
        desks.spotted(1, &done(1, 5000), 5000);
        assert!(desks.keep_for_spots(vec![1], 9, 9000).is_empty(), "too many bytes came");
    }

    #[test]
    fn nodes_that_are_silent_or_want_to_be_left_alone_get_none() {
        let mut desks = desks(|_| {});
        let rest = Some(Duration::from_secs(3));
        desks.spotted(1, &Spotted { left_alone: rest, ..Spotted::none("429") }, 0);
        assert!(desks.keep_for_spots(vec![1], 1, 2999).is_empty());
        assert_eq!(desks.keep_for_spots(vec![1], 1, 3000), [(1, 1)]);
        let silence = Spotted { is_silence: true, ..Spotted::none("refused") };
        for _ in 0..5 {
            assert!(desks.ask(2, 0).is_ok());
            desks.spotted(2, &silence, 0);
        }
        assert!(desks.keep_for_spots(vec![2], 1, 100_000).is_empty());
        assert!(desks.ask(2, 0).is_err(), "as after five probes");
        desks.saw(2, &Seen { detail: None, http_status: Some(200), ..Seen::unasked("") }, 1000);
        assert_eq!(desks.keep_for_spots(vec![2], 1, 1000), [(2, 1)]);
    }
}
