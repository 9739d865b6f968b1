//! One endpoint, asked for URIs at one block.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use alloy::{
    eips::{BlockId, BlockNumberOrTag, RpcBlockHash},
    network::{Ethereum, TransactionBuilder},
    primitives::{Address, Bytes},
    providers::{Provider, RootProvider},
    rpc::types::TransactionRequest,
    transports::TransportError,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{MULTICALL, UriAnswer, UriCall, multicall};
use crate::{
    chain::{BlockRef, RpcError, endpoint::Endpoint, reverts},
    content::shown,
};

/// Questions in one call at first. A hundred URIs of usual length take some three million gas, of the
/// fifty million that nodes allow.
const TOGETHER: usize = 64;
/// Calls of many questions under way at once.
const BATCHES: usize = 4;
/// Calls of one question under way at once.
const SINGLES: usize = 8;
/// Characters of a contract's reason that are kept.
const LONGEST_REASON: usize = 300;

/// Contracts, as one endpoint has them at one block.
#[derive(Debug)]
pub(super) struct Pin {
    endpoint: Arc<Endpoint>,
    block: BlockRef,
    id: BlockId,
    /// Whether the block is named by its hash, so that no answer can be of another.
    by_hash: bool,
    /// Whether many questions can be asked in one call.
    multicall: bool,
    together: AtomicUsize,
}

impl Pin {
    /// Pins questions to a block: by its hash (EIP-1898), where the endpoint knows that, else by its
    /// number.
    pub(super) async fn new(endpoint: Arc<Endpoint>, block: BlockRef) -> Result<Self, RpcError> {
        let provider = &endpoint.provider;
        let by_hash = BlockId::Hash(RpcBlockHash::from_hash(block.hash, None));
        let (id, by_hash, code) = match provider.get_code_at(MULTICALL).block_id(by_hash).await {
            Ok(code) => (by_hash, true, code),
            Err(error) if error.as_error_resp().is_some() => {
                let id = BlockId::number(block.number);
                let code = provider.get_code_at(MULTICALL).block_id(id).await;
                (id, false, code.map_err(|error| endpoint.call_failed(&error))?)
            }
            Err(error) => return Err(endpoint.call_failed(&error)),
        };
        let (multicall, together) = (!code.is_empty(), AtomicUsize::new(TOGETHER));
        Ok(Self { endpoint, block, id, by_hash, multicall, together })
    }

    /// Whose it is.
    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }
}

impl Pin {
    /// Asks for URIs; gives what `read` makes of each answer, in the same order. Answers may be long,
    /// and none is kept.
    ///
    /// # Errors
    /// Those of the endpoint, which are no contract's doing; [`RpcError::Changed`] where the chain
    /// has another block of that number by now.
    pub(super) async fn uris<T, F>(&self, calls: &[UriCall], read: F) -> Result<Vec<T>, RpcError>
    where
        T: Send,
        F: Fn(&UriCall, &UriAnswer) -> T + Sync,
    {
        let mut answers = Vec::with_capacity(calls.len());
        if self.multicall {
            let mut rest = calls;
            while !rest.is_empty() {
                let size = self.together.load(Ordering::Relaxed).max(1);
                let (now, later) = rest.split_at(rest.len().min(size * BATCHES));
                let batches = stream::iter(now.chunks(size)).map(|batch| self.batch(batch, &read));
                let found: Vec<_> = batches.buffered(BATCHES).try_collect().await?;
                answers.extend(found.into_iter().flatten());
                rest = later;
            }
        } else {
            let singles = stream::iter(calls).map(|call| self.single(call, &read));
            answers = singles.buffered(SINGLES).try_collect().await?;
        }
        self.check().await?;
        Ok(answers)
    }

    /// Asks for some together, in ever smaller parts where that does not work.
    async fn batch<T: Send>(
        &self,
        calls: &[UriCall],
        read: &(dyn Fn(&UriCall, &UriAnswer) -> T + Sync),
    ) -> Result<Vec<T>, RpcError> {
        let mut answers: BTreeMap<usize, T> = BTreeMap::new();
        let mut alone: Vec<usize> = Vec::new();
        let mut parts = vec![(0, calls.len())];
        while let Some((from, to)) = parts.pop() {
            if to - from <= 1 {
                alone.extend(from..to);
                continue;
            }
            let Some(results) = self.together(&calls[from..to]).await? else {
                let middle = from + (to - from) / 2;
                parts.extend([(from, middle), (middle, to)]);
                continue;
            };
            for (at, (success, data)) in (from..to).zip(results) {
                let answer = match (success, data.is_empty()) {
                    (true, false) => UriAnswer::Answered(data),
                    (false, false) => UriAnswer::Refused(reason(&data)),
                    // It may only have had no gas left, behind another that burned it; or there is
                    // no contract any more.
                    (_, true) => {
                        alone.push(at);
                        continue;
                    }
                };
                answers.insert(at, read(&calls[at], &answer));
            }
        }
        // Contracts whose URIs take much gas are asked for fewer at once from here on.
        if alone.len() * 4 > calls.len() && calls.len() > 1 {
            self.together.fetch_min((calls.len() / 2).max(1), Ordering::Relaxed);
        }
        let singles = stream::iter(alone)
            .map(|at| async move { Ok::<_, RpcError>((at, self.single(&calls[at], read).await?)) });
        let found: Vec<_> = singles.buffer_unordered(SINGLES).try_collect().await?;
        answers.extend(found);
        Ok(answers.into_values().collect())
    }

    /// Many questions in one call; `None` where fewer may work.
    async fn together(&self, calls: &[UriCall]) -> Result<Option<Vec<(bool, Bytes)>>, RpcError> {
        let input = multicall::input(calls.iter().map(|call| (call.contract, call.input())));
        match self.call(MULTICALL, input).await {
            Ok(answer) => Ok(multicall::results(&answer, calls.len())),
            Err(error) => match self.endpoint.call_failed(&error) {
                error if error.may_be_too_much() => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn single<T: Send>(
        &self,
        call: &UriCall,
        read: &(dyn Fn(&UriCall, &UriAnswer) -> T + Sync),
    ) -> Result<T, RpcError> {
        Ok(read(call, &self.answer(call).await?))
    }

    /// What comes of one question. One that failed on its way is asked again before the contract is
    /// held to account for it.
    pub(super) async fn answer(&self, call: &UriCall) -> Result<UriAnswer, RpcError> {
        let answer = match self.try_answer(call).await? {
            Err(_) => self.try_answer(call).await?,
            answer => answer,
        };
        Ok(answer.unwrap_or_else(UriAnswer::Refused))
    }

    /// What comes of asking once; why nothing did, where the endpoint answers to other questions.
    async fn try_answer(&self, call: &UriCall) -> Result<Result<UriAnswer, String>, RpcError> {
        let error = match self.call(call.contract, call.input()).await {
            // An address without code answers everything with nothing.
            Ok(answer) if answer.is_empty() && self.code(call.contract).await?.is_empty() => {
                return Ok(Ok(UriAnswer::Gone));
            }
            Ok(answer) => return Ok(Ok(UriAnswer::Answered(answer))),
            Err(error) => error,
        };
        if let Some(data) = error.as_error_resp().and_then(|payload| payload.as_revert_data()) {
            return Ok(Ok(UriAnswer::Refused(reason(&data))));
        }
        let refused = error.as_error_resp().map(|payload| payload.message.to_string());
        let message = refused.clone().unwrap_or_else(|| everhold_net::root_cause(&error));
        let error = self.endpoint.call_failed(&error);
        // Whether it is the contract or the endpoint, another question to it tells: a token that
        // can't be asked for must not keep others from being so.
        if !error.may_be_too_much() || self.code(call.contract).await.is_err() {
            return Err(error);
        }
        let message = kept(&message);
        Ok(if refused.is_some() { Ok(UriAnswer::Refused(message)) } else { Err(message) })
    }

    fn provider(&self) -> &RootProvider<Ethereum> {
        &self.endpoint.provider
    }

    async fn call(&self, to: Address, input: Vec<u8>) -> Result<Bytes, TransportError> {
        let request = TransactionRequest::default().with_to(to).with_input(input);
        self.provider().call(request).block(self.id).await
    }

    async fn code(&self, contract: Address) -> Result<Bytes, RpcError> {
        let code = self.provider().get_code_at(contract).block_id(self.id).await;
        code.map_err(|error| self.endpoint.call_failed(&error))
    }

    /// Whether the number that was asked for is still that block's.
    pub(super) async fn check(&self) -> Result<(), RpcError> {
        if self.by_hash {
            return Ok(());
        }
        let now = self.endpoint.block(BlockNumberOrTag::Number(self.block.number)).await?;
        let same = now.is_some_and(|block| block.hash == self.block.hash);
        if same { Ok(()) } else { Err(RpcError::Changed) }
    }
}

/// Why a contract reverted, for a person; it is the contract that says so.
fn reason(data: &[u8]) -> String {
    match data {
        [] => "it reverted and gave no reason".to_owned(),
        data => kept(&reverts::in_words(data)),
    }
}

fn kept(text: &str) -> String {
    shown(&text.chars().take(LONGEST_REASON).collect::<String>())
}
