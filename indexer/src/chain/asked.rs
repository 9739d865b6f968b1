//! Questions to a contract whose answers decide something: asked of several endpoints, and settled
//! as everything else is ([`Rpc::settled`]).

use std::hash::Hash;

use alloy::primitives::{Address, Bytes};
use alloy_sol_types::SolCall;

use super::{error::Result, rpc::Rpc};

/// Gas of a question. ERC-165 allows 30,000 for its own, which proxies and chains with other prices
/// need more than; a contract that burns it all must not keep the endpoint busy.
const GAS: u64 = 2_000_000;

/// A contract that is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) rpc: &'a Rpc,
    pub(super) address: Address,
}

impl Asked<'_> {
    /// What `meaning` makes of its answer, `None` where it reverts or runs out of gas. Endpoints must
    /// agree on the meaning alone: a name may be another in each block.
    pub(super) async fn ask<T: Eq + Hash>(
        &self,
        input: Vec<u8>,
        meaning: impl Fn(Option<Bytes>) -> T + Copy,
    ) -> Result<T> {
        let (address, input) = (self.address, Bytes::from(input));
        let settled = self.rpc.settled(address, |endpoint| {
            let input = input.clone();
            async move { Ok(meaning(endpoint.call(address, input, GAS).await?)) }
        });
        Ok(settled.await?)
    }

    /// What `meaning` makes of what a function returns; `None` where it reverts or returns something
    /// else.
    pub(super) async fn get<C: SolCall, T: Eq + Hash>(
        &self,
        call: C,
        meaning: impl Fn(C::Return) -> T + Copy,
    ) -> Result<Option<T>> {
        let decoded = |answer: Option<Bytes>| C::abi_decode_returns(&answer?).ok().map(meaning);
        self.ask(call.abi_encode(), decoded).await
    }

    /// What `meaning` makes of its code.
    pub(super) async fn code<T: Eq + Hash>(
        &self,
        meaning: impl Fn(&[u8]) -> T + Copy,
    ) -> Result<T> {
        let address = self.address;
        let settled = self.rpc.settled(address, |endpoint| async move {
            Ok(meaning(&endpoint.code(address).await?))
        });
        Ok(settled.await?)
    }

    /// Whether there is code at the address.
    pub(super) async fn has_code(&self) -> Result<bool> {
        self.code(|code| !code.is_empty()).await
    }
}
