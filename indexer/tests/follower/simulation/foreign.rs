//! Contracts of others in the chain in memory: what they log, what they have, and what their tokens
//! say by then.

use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, B256, Log as RawLog, U256},
    sol,
};
use alloy_sol_types::SolEvent;

use super::{Dice, says::Says};
use crate::support::snapshot::TokenShape;

sol! {
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    event ConsecutiveTransfer(
        uint256 indexed fromTokenId, uint256 toTokenId, address indexed fromAddress, address indexed toAddress
    );
    event MetadataUpdate(uint256 _tokenId);
    event BatchMetadataUpdate(uint256 _fromTokenId, uint256 _toTokenId);
    event TransferSingle(
        address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value
    );
    event TransferBatch(
        address indexed operator, address indexed from, address indexed to, uint256[] ids, uint256[] values
    );
    event URI(string value, uint256 indexed id);
}

pub(super) const ERC721: Address = Address::repeat_byte(0xf0);
pub(super) const ERC1155: Address = Address::repeat_byte(0xf1);

/// Ids are below this; the highest stands for the highest that there is.
const IDS: u64 = 24;

/// A token of a contract, as a number below [`IDS`].
type Key = (Address, u64);
/// A block's number and hash.
type Place = (u64, B256);

/// What the contracts have.
#[derive(Clone, Default)]
pub(super) struct Foreign {
    pub(super) tokens: BTreeMap<Key, TokenShape>,
    says: BTreeMap<Key, Says>,
}

/// The token that a number stands for.
pub(super) fn id_of(number: u64) -> U256 {
    if number == IDS - 1 { U256::MAX } else { U256::from(number) }
}

impl Foreign {
    /// What a token's contract says of it.
    pub(super) fn says(&self, contract: Address, id: U256) -> Says {
        let number = (0..IDS).find(|number| id_of(*number) == id).unwrap_or(0);
        self.says.get(&(contract, number)).copied().unwrap_or_default()
    }

    /// Something that a contract does; what it logs.
    pub(super) fn act(&mut self, here: Place, silent: bool, dice: &mut Dice) -> Vec<RawLog> {
        let person = Address::repeat_byte(dice.below(5) as u8 + 1);
        let id = dice.below(IDS);
        if dice.below(4) == 0 {
            return self.change(id, silent, dice);
        }
        match dice.below(2) {
            0 => vec![self.act_721(id, person, here, dice)],
            _ => vec![self.act_1155(id, person, here, dice)],
        }
    }

    fn act_721(&mut self, id: u64, person: Address, here: Place, dice: &mut Dice) -> RawLog {
        let from = self.tokens.get(&(ERC721, id)).map_or(Address::ZERO, |token| token.owner);
        let to = if dice.below(4) == 0 { Address::ZERO } else { person };
        match dice.below(8) {
            0 | 1 => {
                let last = (id + dice.below(6)).min(IDS - 2);
                let first = id.min(last);
                (first..=last).for_each(|id| self.give(id, person, here));
                log(
                    ERC721,
                    &ConsecutiveTransfer {
                        fromTokenId: id_of(first),
                        toTokenId: id_of(last),
                        fromAddress: Address::ZERO,
                        toAddress: person,
                    },
                )
            }
            // An ERC-20's, which is passed over.
            2 => {
                let mut log = log(ERC721, &Transfer { from, to, tokenId: id_of(id) });
                let amount = log.data.topics_mut_unchecked().pop().unwrap_or_default();
                log.data.data = amount.to_vec().into();
                log
            }
            kind => {
                self.give(id, to, here);
                let event = Transfer { from, to, tokenId: id_of(id) };
                if kind > 3 { log(ERC721, &event) } else { unindexed(&event) }
            }
        }
    }

    /// Gives a token to somebody, or to nobody.
    fn give(&mut self, id: u64, to: Address, here: Place) {
        match to.is_zero() {
            true => drop(self.tokens.remove(&(ERC721, id))),
            false => self.tokens.entry((ERC721, id)).or_insert_with(|| shape(here)).owner = to,
        }
    }

    fn act_1155(&mut self, id: u64, person: Address, here: Place, dice: &mut Dice) -> RawLog {
        let operator = person;
        let amount = if dice.below(20) == 0 { U256::MAX } else { U256::from(dice.below(5)) };
        let (nobody, somebody) = (Address::ZERO, Address::repeat_byte(7));
        let (from, to) = match dice.below(7) {
            0..=2 => (nobody, person),
            3..=5 => (person, nobody),
            _ => (somebody, person),
        };
        match dice.below(4) {
            0 => {
                // One of them twice.
                let ids = vec![id, dice.below(IDS), id];
                let values: Vec<_> = ids.iter().map(|_| U256::from(1 + dice.below(3))).collect();
                for (id, value) in ids.iter().zip(&values) {
                    self.count(*id, from, to, *value, here);
                }
                let ids = ids.into_iter().map(id_of).collect();
                log(ERC1155, &TransferBatch { operator, from, to, ids, values })
            }
            // Of uneven lists, which is passed over.
            1 if dice.below(3) == 0 => {
                let (ids, values) = (vec![id_of(id)], vec![]);
                log(ERC1155, &TransferBatch { operator, from, to, ids, values })
            }
            _ => {
                self.count(id, from, to, amount, here);
                let event = TransferSingle { operator, from, to, id: id_of(id), value: amount };
                log(ERC1155, &event)
            }
        }
    }

    /// So many of a token come, go or move.
    fn count(&mut self, id: u64, from: Address, to: Address, amount: U256, here: Place) {
        let key = (ERC1155, id);
        let supply = self.tokens.get(&key).and_then(|token| token.supply);
        let now = match (from.is_zero(), to.is_zero()) {
            (true, _) => supply.unwrap_or_default().saturating_add(amount),
            (_, true) => supply.unwrap_or_default().saturating_sub(amount),
            _ => supply.unwrap_or(amount),
        };
        match now.is_zero() {
            true => drop(self.tokens.remove(&key)),
            false => {
                let token = self.tokens.entry(key).or_insert_with(|| shape(here));
                token.supply = Some(now);
            }
        }
    }

    /// What tokens say becomes something else, and the contract tells of it, or does not.
    fn change(&mut self, id: u64, silent: bool, dice: &mut Dice) -> Vec<RawLog> {
        let contract = if dice.below(2) == 0 { ERC721 } else { ERC1155 };
        let last = if dice.below(3) == 0 { id + dice.below(IDS - id) } else { id };
        for id in id..=last {
            self.says.insert((contract, id), Says::any(dice));
        }
        if silent && dice.below(2) == 0 {
            return Vec::new();
        }
        let (first, end) = (id_of(id), id_of(last));
        vec![match (last > id, contract) {
            (true, _) => {
                log(contract, &BatchMetadataUpdate { _fromTokenId: first, _toTokenId: end })
            }
            // What it says there is not what it answers.
            (false, ERC1155) if dice.below(2) == 0 => {
                log(contract, &URI { value: "ipfs://elsewhere".to_owned(), id: first })
            }
            _ => log(contract, &MetadataUpdate { _tokenId: first }),
        }]
    }
}

fn shape(here: Place) -> TokenShape {
    TokenShape {
        owner: Address::ZERO,
        supply: None,
        content: None,
        revision: 0,
        frozen: false,
        minted: here,
        content_set: None,
    }
}

fn log(address: Address, event: &impl SolEvent) -> RawLog {
    RawLog { address, data: event.encode_log_data() }
}

/// As the first contracts logged it.
fn unindexed(event: &Transfer) -> RawLog {
    let mut log = log(ERC721, event);
    let words = log.data.topics_mut_unchecked().drain(1..).collect::<Vec<_>>();
    log.data.data = words.iter().flat_map(|word| word.0).collect();
    log
}
