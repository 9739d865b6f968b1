//! Events as each is about one token: ranges (ERC-2309) spread out, a piece at a time.

use std::{borrow::Cow, mem};

use alloy::primitives::U256;

use crate::chain::{TokenEvent, TokenEventKind};

/// Events of a piece that may come out of ranges: what is folded and written at once.
const PIECE: usize = 16_384;

/// The events that are about tokens, in their order. Without ranges it is one piece.
pub(super) fn spread<'a>(events: &'a [&'a TokenEvent]) -> Spread<'a> {
    Spread { events: events.iter(), range: None }
}

/// Gives events piece by piece, however long their ranges are.
pub(super) struct Spread<'a> {
    events: std::slice::Iter<'a, &'a TokenEvent>,
    /// A range that is being spread: its event, the next of its tokens, and its last.
    range: Option<(&'a TokenEvent, U256, U256)>,
}

impl<'a> Iterator for Spread<'a> {
    type Item = Vec<Cow<'a, TokenEvent>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = Vec::new();
        loop {
            if let Some((event, next, last)) = self.range.take() {
                if piece.len() >= PIECE {
                    self.range = Some((event, next, last));
                    return Some(piece);
                }
                if let Some(one) = of_range(event, next) {
                    piece.push(Cow::Owned(one));
                }
                if next < last {
                    self.range = Some((event, next + U256::ONE, last));
                }
                continue;
            }
            match self.events.next() {
                None if piece.is_empty() => return None,
                None => return Some(mem::take(&mut piece)),
                Some(event) => match event.kind {
                    TokenEventKind::TransferRange { last, .. } => {
                        self.range = Some((event, event.token_id, last));
                    }
                    TokenEventKind::MetadataChanged { .. }
                    | TokenEventKind::OwnMetadataChanged
                    | TokenEventKind::Odd(_) => {}
                    _ => piece.push(Cow::Borrowed(*event)),
                },
            }
        }
    }
}

/// What a range says of one of its tokens.
fn of_range(event: &TokenEvent, token_id: U256) -> Option<TokenEvent> {
    let TokenEventKind::TransferRange { to, .. } = event.kind else { return None };
    Some(TokenEvent { token_id, kind: TokenEventKind::Transfer { to }, ..event.clone() })
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256};

    use super::*;

    fn event(first: u64, kind: TokenEventKind) -> TokenEvent {
        TokenEvent {
            collection: Address::ZERO,
            token_id: U256::from(first),
            block_number: 1,
            block_hash: B256::ZERO,
            block_time: None,
            log_index: 0,
            sub_index: 0,
            transaction_hash: B256::ZERO,
            kind,
        }
    }

    #[test]
    fn spreads_ranges_piece_by_piece_in_order() {
        let to = Address::repeat_byte(1);
        let move_ = event(3, TokenEventKind::Transfer { to: Address::repeat_byte(2) });
        let range = event(0, TokenEventKind::TransferRange { last: U256::from(40_000), to });
        let other = event(9, TokenEventKind::MetadataChanged { last: U256::MAX });
        let all = [&move_, &range, &other, &move_];
        let pieces: Vec<_> = spread(&all).collect();
        assert_eq!(
            pieces.iter().map(Vec::len).collect::<Vec<_>>(),
            [PIECE, PIECE, 40_003 - 2 * PIECE]
        );
        let ids: Vec<_> = pieces.iter().flatten().map(|event| event.token_id).collect();
        let expected = [3].into_iter().chain(0..=40_000).chain([3]).map(U256::from);
        assert_eq!(ids, expected.collect::<Vec<_>>());
        // The highest id has none behind it.
        let top = TokenEvent { token_id: U256::MAX, ..range.clone() };
        let top = TokenEvent { kind: TokenEventKind::TransferRange { last: U256::MAX, to }, ..top };
        assert_eq!(spread(&[&top]).flatten().count(), 1);
        assert_eq!(spread(&[]).count(), 0);
    }
}
