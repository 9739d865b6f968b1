//! What contracts answer when they are called, at the block that is asked for.

use alloy::{
    hex,
    primitives::{Address, B256, Bytes, U256},
    sol,
};
use alloy_sol_types::{SolCall, SolValue};
use everhold::chain::{IEverhold, MULTICALL};
use serde_json::{Value, json};

use super::{
    chain::{Block, COLLECTION, Chain, TWIN},
    endpoint::{Refused, number},
    foreign::{ERC721, ERC1155},
    says::Outcome,
};

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
    function tokenURI(uint256 tokenId) external view returns (string);
    function uri(uint256 id) external view returns (string);
}

/// What an endpoint can do with calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calls {
    /// Whether Multicall3 is there.
    pub(super) multicall: bool,
    /// Whether a block may be named by its hash (EIP-1898).
    pub(super) by_hash: bool,
    /// So many may be made in one.
    pub(super) longest: u64,
}

impl Calls {
    /// `eth_getCode`.
    pub(super) fn code(self, chain: &Chain, cap: u64, params: &Value) -> Result<Value, Refused> {
        self.block(chain, cap, &params[1])?;
        let contract = address(&params[0]);
        let known = [COLLECTION, TWIN, ERC721, ERC1155].contains(&contract)
            || self.multicall && contract == MULTICALL;
        Ok(json!(if known { "0x60" } else { "0x" }))
    }

    /// `eth_call`.
    pub(super) fn call(self, chain: &Chain, cap: u64, params: &Value) -> Result<Value, Refused> {
        let block = self.block(chain, cap, &params[1])?;
        let request = &params[0];
        let input = request["input"].as_str().or(request["data"].as_str()).unwrap_or_default();
        let input = hex::decode(input).unwrap_or_default();
        let contract = address(&request["to"]);
        if contract == MULTICALL && self.multicall {
            return self.together(block, &input);
        }
        match outcome(block, contract, &input) {
            Outcome::Answered(bytes) => Ok(json!(hex::encode_prefixed(bytes))),
            Outcome::Reverted(bytes) => Err(Refused::reverted(&bytes)),
            Outcome::OutOfGas => Err("out of gas".into()),
        }
    }

    /// Many at once. What one burns, those behind it lack.
    fn together(self, block: &Block, input: &[u8]) -> Result<Value, Refused> {
        let calls = aggregate3Call::abi_decode(input).map_err(|_| "execution reverted")?.calls;
        if calls.len() as u64 > self.longest {
            return Err("request too large".into());
        }
        let mut burned = false;
        let result = |call: Call3| {
            let (success, bytes) = match outcome(block, call.target, &call.callData) {
                _ if burned => (false, Vec::new()),
                Outcome::Answered(bytes) => (true, bytes),
                Outcome::Reverted(bytes) => (false, bytes),
                Outcome::OutOfGas => {
                    burned = true;
                    (false, Vec::new())
                }
            };
            Result3 { success, returnData: bytes.into() }
        };
        let results: Vec<_> = calls.into_iter().map(result).collect();
        Ok(json!(hex::encode_prefixed(aggregate3Call::abi_encode_returns(&results))))
    }

    /// The block that is asked for: by its number, or by its hash, alone or in an object.
    fn block<'a>(self, chain: &'a Chain, cap: u64, of: &Value) -> Result<&'a Block, Refused> {
        let text = of["blockHash"].as_str().or(of.as_str()).unwrap_or("latest");
        let block = match text.parse::<B256>() {
            Ok(_) if !self.by_hash => return Err("hex number > 64 bits".into()),
            Ok(hash) => chain.blocks.iter().find(|block| block.hash == hash),
            Err(_) if text == "latest" => chain.block(cap),
            Err(_) => number(of).and_then(|number| chain.block(number)),
        };
        block.filter(|block| block.number <= cap).ok_or("header not found".into())
    }
}

fn address(value: &Value) -> Address {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn outcome(block: &Block, contract: Address, input: &[u8]) -> Outcome {
    match contract {
        COLLECTION | TWIN => ours(block, input),
        ERC721 | ERC1155 => foreign(block, contract, input),
        // There is nothing.
        _ => Outcome::Answered(Vec::new()),
    }
}

/// What our collections answer.
fn ours(block: &Block, input: &[u8]) -> Outcome {
    let is = |selector: [u8; 4]| input.starts_with(&selector);
    Outcome::Answered(if is(IEverhold::supportsInterfaceCall::SELECTOR) {
        supports(input, [0x80, 0xac, 0x58, 0xcd]).abi_encode()
    } else if is(IEverhold::nameCall::SELECTOR) {
        "Storm".to_owned().abi_encode()
    } else if is(IEverhold::codecCall::SELECTOR) {
        U256::from(0x55).abi_encode()
    } else if is(IEverhold::editableCall::SELECTOR) {
        true.abi_encode()
    } else if is(IEverhold::contractURICall::SELECTOR) {
        String::new().abi_encode()
    } else {
        U256::from(block.number + 1).abi_encode()
    })
}

/// Whether it is asked for ERC-165 or this interface.
fn supports(input: &[u8], interface: [u8; 4]) -> bool {
    let asked = input.get(4..8).unwrap_or_default();
    asked == interface || asked == [0x01, 0xff, 0xc9, 0xa7]
}

/// What contracts of others answer.
fn foreign(block: &Block, contract: Address, input: &[u8]) -> Outcome {
    let interface = match contract {
        ERC721 => [0x80, 0xac, 0x58, 0xcd],
        _ => [0xd9, 0xb6, 0x7a, 0x26],
    };
    let is = |selector: [u8; 4]| input.starts_with(&selector);
    if is(IEverhold::supportsInterfaceCall::SELECTOR) {
        return Outcome::Answered(supports(input, interface).abi_encode());
    }
    if is(IEverhold::nameCall::SELECTOR) {
        return Outcome::Answered("Foreign".to_owned().abi_encode());
    }
    let id = match contract {
        ERC721 => tokenURICall::abi_decode(input).map(|call| call.tokenId),
        _ => uriCall::abi_decode(input).map(|call| call.id),
    };
    match id {
        Ok(id) => block.foreign.says(contract, id).outcome(),
        Err(_) => Outcome::Reverted(Vec::new()),
    }
}

impl Refused {
    fn reverted(bytes: &[u8]) -> Self {
        let data = (!bytes.is_empty()).then(|| Bytes::copy_from_slice(bytes).to_string());
        Self { code: 3, message: "execution reverted", data }
    }
}
