//! Logs as contracts write them, and as none should.

use alloy::{
    primitives::{Address, B256, Bytes, LogData, U256},
    sol,
};
use alloy_sol_types::{SolEvent, SolValue};

use super::{MAX_RANGE, Oddity, Watched, tokens_of, topics};
use crate::{chain::events::TokenEventKind as Kind, config::Standard};

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

const NOBODY: Address = Address::ZERO;
const ANN: Address = Address::repeat_byte(1);
const BOB: Address = Address::repeat_byte(2);

fn said(standard: Standard, log: &LogData) -> Vec<(U256, Kind)> {
    tokens_of(standard, log).unwrap()
}

fn of_721(event: &impl SolEvent) -> Vec<(U256, Kind)> {
    said(Standard::Erc721, &event.encode_log_data())
}

fn of_1155(event: &impl SolEvent) -> Vec<(U256, Kind)> {
    said(Standard::Erc1155, &event.encode_log_data())
}

fn log(topics: &[B256], data: Vec<u8>) -> LogData {
    LogData::new_unchecked(topics.to_vec(), data.into())
}

fn odd(oddity: Oddity) -> Vec<(U256, Kind)> {
    vec![(U256::ZERO, Kind::Odd(oddity))]
}

fn number(value: u64) -> U256 {
    U256::from(value)
}

#[test]
fn a_transfer_is_told_from_its_look_alikes() {
    let event = Transfer { from: ANN, to: BOB, tokenId: U256::MAX };
    assert_eq!(of_721(&event), [(U256::MAX, Kind::Transfer { to: BOB })]);
    let (topic, ann, bob) = (Transfer::SIGNATURE_HASH, ANN.into_word(), BOB.into_word());
    let old = log(&[topic], (ANN, BOB, number(7)).abi_encode());
    assert_eq!(said(Standard::Erc721, &old), [(number(7), Kind::Transfer { to: BOB })]);
    let coin = log(&[topic, ann, bob], number(7).abi_encode());
    assert_eq!(said(Standard::Erc721, &coin), odd(Oddity::Erc20Transfer));
    let dirty = log(&[topic], vec![0xff; 96]);
    for log in [dirty, log(&[topic], vec![0; 95]), log(&[topic, ann], vec![])] {
        assert_eq!(said(Standard::Erc721, &log), odd(Oddity::Undecodable));
    }
    // Of ours, it is an error: it can't log such.
    assert!(tokens_of(Standard::Everhold, &coin).is_err());
}

#[test]
fn ranges_are_bounded() {
    let range = |first: U256, last: U256| ConsecutiveTransfer {
        fromTokenId: first,
        toTokenId: last,
        fromAddress: NOBODY,
        toAddress: ANN,
    };
    let last = number(MAX_RANGE - 1);
    let whole = of_721(&range(U256::ZERO, last));
    assert_eq!(whole, [(U256::ZERO, Kind::TransferRange { last, to: ANN })]);
    assert_eq!(of_721(&range(U256::ZERO, number(MAX_RANGE))), odd(Oddity::HugeRange));
    assert_eq!(of_721(&range(U256::ZERO, U256::MAX)), odd(Oddity::HugeRange));
    assert_eq!(of_721(&range(number(2), number(1))), odd(Oddity::BackwardRange));
    assert_eq!(of_721(&range(U256::MAX, U256::MAX)).len(), 1);
}

#[test]
fn changed_metadata_is_one_event_however_much_changed() {
    let all = BatchMetadataUpdate { _fromTokenId: U256::ZERO, _toTokenId: U256::MAX };
    let expected = [(U256::ZERO, Kind::MetadataChanged { last: U256::MAX })];
    assert_eq!((of_721(&all), of_1155(&all)), (expected.to_vec(), expected.to_vec()));
    let one = MetadataUpdate { _tokenId: number(3) };
    assert_eq!(of_721(&one), [(number(3), Kind::MetadataChanged { last: number(3) })]);
    let back = BatchMetadataUpdate { _fromTokenId: number(3), _toTokenId: number(2) };
    assert_eq!(of_721(&back), odd(Oddity::BackwardRange));
    let cut = log(&[MetadataUpdate::SIGNATURE_HASH], vec![1; 31]);
    assert_eq!(said(Standard::Erc721, &cut), odd(Oddity::Undecodable));
}

#[test]
fn editions_come_move_and_go() {
    let single = |from, to, value| TransferSingle { operator: ANN, from, to, id: number(5), value };
    let amount = number(9);
    let kinds = [
        (single(NOBODY, BOB, amount), Kind::Minted { amount }),
        (single(ANN, BOB, amount), Kind::Moved { amount }),
        (single(ANN, NOBODY, amount), Kind::Burned { amount }),
        (single(NOBODY, NOBODY, amount), Kind::Moved { amount: U256::ZERO }),
    ];
    for (event, kind) in kinds {
        assert_eq!(of_1155(&event), [(number(5), kind)]);
    }
    let batch = |ids: Vec<U256>, values: Vec<U256>| TransferBatch {
        operator: ANN,
        from: NOBODY,
        to: BOB,
        ids,
        values,
    };
    let many = of_1155(&batch(vec![number(1), U256::MAX, number(1)], vec![amount; 3]));
    assert_eq!(
        many.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [number(1), U256::MAX, number(1)]
    );
    assert_eq!(of_1155(&batch(vec![], vec![])), []);
    assert_eq!(of_1155(&batch(vec![number(1)], vec![])), odd(Oddity::UnevenBatch));
}

#[test]
fn a_uri_event_is_not_taken_at_its_word() {
    let id = U256::MAX;
    let uri = URI { value: "ipfs://x".to_owned(), id };
    assert_eq!(of_1155(&uri), [(id, Kind::MetadataChanged { last: id })]);
    // Whatever its text is.
    let broken = log(&[URI::SIGNATURE_HASH, B256::repeat_byte(0xff)], vec![0xff; 7]);
    assert_eq!(said(Standard::Erc1155, &broken), [(id, Kind::MetadataChanged { last: id })]);
}

#[test]
fn hostile_arrays_are_passed_over() {
    let topics =
        [TransferBatch::SIGNATURE_HASH, ANN.into_word(), NOBODY.into_word(), BOB.into_word()];
    let far = (U256::MAX, U256::MAX).abi_encode();
    let long = [number(64).abi_encode(), number(64).abi_encode(), U256::MAX.abi_encode()].concat();
    for data in [far, long, vec![], vec![0xff; 1000]] {
        let log = LogData::new_unchecked(topics.to_vec(), Bytes::from(data));
        assert_eq!(said(Standard::Erc1155, &log), odd(Oddity::Undecodable));
    }
}

#[test]
fn each_standard_has_its_own_topics() {
    let watched = |standard| Watched { address: ANN, standard };
    let ours = topics(&[watched(Standard::Everhold)]);
    assert_eq!(ours.len(), 5);
    let all: Vec<_> = Standard::ALL.map(watched).to_vec();
    // `Transfer` is ours and ERC-721's, ERC-4906 is of both others, ERC-7572 of all.
    assert_eq!(topics(&all).len(), 5 + 5 + 6 - 1 - 2 - 2);
    let single =
        TransferSingle { operator: ANN, from: ANN, to: BOB, id: U256::ZERO, value: U256::ONE };
    assert_eq!(of_721(&single), [], "an ERC-721 says nothing by it");
}
