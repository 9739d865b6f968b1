//! Many questions in one call: `aggregate3` of Multicall3.

use alloy::{
    primitives::{Address, Bytes},
    sol,
};
use alloy_sol_types::SolCall;

sol! {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result3 {
        bool success;
        bytes returnData;
    }

    function aggregate3(Call3[] calls) external payable returns (Result3[] returnData);
}

/// The call of these contracts with these inputs, each of which may fail.
pub(super) fn input(calls: impl Iterator<Item = (Address, Vec<u8>)>) -> Vec<u8> {
    let call = |(target, input): (Address, Vec<u8>)| Call3 {
        target,
        allowFailure: true,
        callData: input.into(),
    };
    aggregate3Call { calls: calls.map(call).collect() }.abi_encode()
}

/// What each of `count` calls gave; `None` where that is not what was answered.
pub(super) fn results(answer: &[u8], count: usize) -> Option<Vec<(bool, Bytes)>> {
    let results = aggregate3Call::abi_decode_returns(answer).ok()?;
    let pair = |result: Result3| (result.success, result.returnData);
    (results.len() == count).then(|| results.into_iter().map(pair).collect())
}
