//! How far what was read is behind the chain. Block times are what the chain says: zero, decreasing
//! or absurd ones must not break anything.

use crate::ledger::{Collection, Head};

/// What lies between a collection and the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lag {
    /// Blocks still to be read; `None` where no head was seen yet.
    pub(super) blocks: Option<u64>,
    /// The head's time less that of the last block read; `None` where either is unknown.
    pub(super) seconds: Option<u64>,
}

impl Lag {
    pub(super) fn of(collection: &Collection, head: Option<&Head>) -> Self {
        let Some(head) = head else { return Self::default() };
        let blocks = match collection.indexed_block {
            Some(indexed) => head.block.saturating_sub(indexed),
            None => head.block.saturating_add(1).saturating_sub(collection.start_block),
        };
        let seconds = match (blocks, collection.indexed_block) {
            (0, Some(_)) => Some(0),
            (_, Some(_)) => {
                let times = head.time.zip(collection.indexed_time);
                times.map(|(head, indexed)| head.saturating_sub(indexed))
            }
            (_, None) => None,
        };
        Self { blocks: Some(blocks), seconds }
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;

    use super::*;
    use crate::content::Codec;

    fn lag(indexed: Option<(u64, Option<u64>)>, head: Option<(u64, Option<u64>)>) -> Lag {
        let collection = Collection {
            id: 1,
            chain_id: 1,
            address: Address::ZERO,
            name: String::new(),
            codec: Some(Codec::Raw),
            standard: crate::config::Standard::Everhold,
            editable: true,
            start_block: 100,
            indexed_block: indexed.map(|(block, _)| block),
            indexed_time: indexed.and_then(|(_, time)| time),
            finalized_block: None,
            halted: None,
            rereading: false,
            factory: None,
        };
        let head = head.map(|(block, time)| Head { block, time, seen_at: 0 });
        Lag::of(&collection, head.as_ref())
    }

    fn is(blocks: impl Into<Option<u64>>, seconds: impl Into<Option<u64>>) -> Lag {
        Lag { blocks: blocks.into(), seconds: seconds.into() }
    }

    #[test]
    fn is_the_difference_of_blocks_and_times() {
        assert_eq!(lag(Some((150, Some(1_000))), Some((160, Some(1_120)))), is(10, 120));
        assert_eq!(lag(Some((160, Some(1_120))), Some((160, Some(1_120)))), is(0, 0));
    }

    #[test]
    fn is_unknown_where_it_can_not_be_told() {
        assert_eq!(lag(Some((150, Some(1_000))), None), is(None, None));
        assert_eq!(lag(Some((150, None)), Some((160, Some(1_000)))), is(10, None));
        assert_eq!(lag(Some((150, Some(1_000))), Some((160, None))), is(10, None));
        assert_eq!(lag(None, Some((160, Some(1_000)))), is(61, None));
    }

    #[test]
    fn is_nothing_where_the_first_block_is_still_to_come_or_the_endpoint_is_behind() {
        assert_eq!(lag(None, Some((99, Some(1_000)))), is(0, None));
        assert_eq!(lag(None, Some((20, Some(1_000)))), is(0, None));
        assert_eq!(lag(Some((150, Some(1_000))), Some((140, Some(900)))), is(0, 0));
    }

    #[test]
    fn survives_times_and_numbers_that_make_no_sense() {
        assert_eq!(lag(Some((150, Some(5_000))), Some((160, Some(0)))), is(10, 0));
        assert_eq!(lag(Some((150, Some(0))), Some((160, Some(u64::MAX)))), is(10, u64::MAX));
        assert_eq!(lag(None, Some((u64::MAX, Some(u64::MAX)))), is(u64::MAX - 100, None));
    }
}
