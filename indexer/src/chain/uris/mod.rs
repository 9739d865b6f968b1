//! What contracts answer when they are asked for their URIs, all at one block.

mod compare;
mod multicall;
mod pin;
pub(super) mod text;

use alloy::{
    primitives::{Address, Bytes, U256, address},
    sol,
};
use alloy_sol_types::SolCall;

pub use compare::Pinned;
pub use text::{MAX_URI, Text, text_of};

use crate::config::Standard;

/// Multicall3, at this address on more than a hundred chains: <https://www.multicall3.com>.
pub const MULTICALL: Address = address!("cA11bde05977b3631167028862bE2a173976CA11");

sol! {
    function tokenURI(uint256 tokenId) external view returns (string);
    function uri(uint256 id) external view returns (string);
    function contractURI() external view returns (string);
}

/// A question for a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriCall {
    /// The contract.
    pub contract: Address,
    /// What it is: ERC-721s are asked for `tokenURI`, ERC-1155s for `uri`.
    pub standard: Standard,
    /// The token; `None`: the contract's own, `contractURI` (ERC-7572).
    pub token: Option<U256>,
}

impl UriCall {
    fn input(&self) -> Vec<u8> {
        match (self.token, self.standard) {
            (None, _) => contractURICall {}.abi_encode(),
            (Some(id), Standard::Erc1155) => uriCall { id }.abi_encode(),
            (Some(token_id), _) => tokenURICall { tokenId: token_id }.abi_encode(),
        }
    }
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UriAnswer {
    /// The contract answered these bytes: a text in the ABI's encoding, or anything.
    Answered(Bytes),
    /// It did not answer; why, in words that may be shown.
    Refused(String),
    /// There is no contract any more: it destroyed itself.
    Gone,
}
