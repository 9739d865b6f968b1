//! Answers of several endpoints, compared: what a contract says follows from nobody's word alone.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use alloy::primitives::keccak256;
use futures::{StreamExt, TryStreamExt, stream};
use tracing::debug;

use super::{UriAnswer, UriCall, pin::Pin};
use crate::chain::{
    BlockRef, RpcError, View,
    endpoint::Endpoint,
    quorum::{agreed, ask, majority},
    source::both,
};

/// Of the answers that differ, so many are looked into before it is asked anew, or given up for now: a
/// contract may answer each endpoint otherwise, as often as it likes.
const DISPUTES: usize = 32;
/// Disputes looked into at once.
const AT_ONCE: usize = 4;

/// Contracts, as enough endpoints have them at one block.
#[derive(Debug)]
pub struct Pinned<'a> {
    view: &'a View<'a>,
    block: BlockRef,
    pins: Mutex<Vec<Arc<Pin>>>,
    /// Endpoints that could not answer at this block. They may be fine otherwise.
    failed: Mutex<BTreeSet<String>>,
}

/// What an endpoint says of a question, short enough to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Said {
    /// An answer with this hash.
    Answer([u8; 32]),
    /// That the contract does not answer. Why is told in each machine's own words.
    Nothing,
    /// That there is no contract.
    Gone,
}

impl Said {
    fn of(answer: &UriAnswer) -> Self {
        match answer {
            UriAnswer::Answered(bytes) => Self::Answer(keccak256(bytes).0),
            UriAnswer::Refused(_) => Self::Nothing,
            UriAnswer::Gone => Self::Gone,
        }
    }
}

/// What two endpoints said: what they agree on, and where they do not.
struct Comparison<T> {
    same: Vec<(usize, T)>,
    differ: Vec<usize>,
}

/// What became of a dispute.
struct Settled<T> {
    /// What most of all endpoints say, if they do.
    truth: Option<T>,
    /// Whether somebody was set aside for it.
    convicted: bool,
}

impl<'a> View<'a> {
    /// Pins questions to a block.
    ///
    /// # Errors
    /// Where too few endpoints can be asked for it.
    pub async fn pin(&'a self, block: BlockRef) -> Result<Pinned<'a>, RpcError> {
        let pinned = Pinned { view: self, block, pins: Mutex::default(), failed: Mutex::default() };
        pinned.pair().await?;
        Ok(pinned)
    }
}

impl Pinned<'_> {
    /// The block.
    pub fn block(&self) -> BlockRef {
        self.block
    }

    /// Asks for URIs; gives what `read` makes of each answer, in the same order. Answers may be long,
    /// and none is kept. Of several endpoints two are asked, and where they differ all of them:
    /// `None` where no majority of the configured ones says the same.
    ///
    /// # Errors
    /// Those of the endpoints, which are no contract's doing; [`RpcError::Changed`] where the chain
    /// has another block of that number by now.
    pub async fn uris<T, F>(&self, calls: &[UriCall], read: F) -> Result<Vec<Option<T>>, RpcError>
    where
        T: Send,
        F: Fn(&UriCall, &UriAnswer) -> T + Sync,
    {
        let mut found: Vec<Option<T>> = calls.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..calls.len()).collect();
        while !open.is_empty() {
            let these: Vec<_> = open.iter().map(|at| calls[*at]).collect();
            let Comparison { same, differ } = self.compared(&these, &read).await?;
            for (at, one) in same {
                found[open[at]] = Some(one);
            }
            let (now, later) = differ.split_at(differ.len().min(DISPUTES));
            let settled = stream::iter(now.iter().map(|at| (open[*at], these[*at])));
            let settled = settled
                .map(async |(at, call)| Ok::<_, RpcError>((at, self.settle(&call, &read).await?)));
            let settled: Vec<_> = settled.buffer_unordered(AT_ONCE).try_collect().await?;
            // Whoever is set aside is not asked for the rest.
            let goes_on = settled.iter().any(|(_, one)| one.convicted);
            for (at, one) in settled {
                found[at] = one.truth;
            }
            open = if goes_on { later.iter().map(|at| open[*at]).collect() } else { Vec::new() };
        }
        Ok(found)
    }

    /// Asks two endpoints, or the only one; others, where those fail.
    async fn compared<T, F>(&self, calls: &[UriCall], read: &F) -> Result<Comparison<T>, RpcError>
    where
        T: Send,
        F: Fn(&UriCall, &UriAnswer) -> T + Sync,
    {
        let mut failure: Option<RpcError> = None;
        loop {
            let pair = self.pair().await;
            let pair = pair.map_err(|error| failure.take().unwrap_or(error))?;
            let outcome = match pair.as_slice() {
                [one, other] => self.both(one, other, calls, read).await,
                [one, ..] => {
                    let alone = one.uris(calls, read).await;
                    let alone = alone.map(|all| Comparison {
                        same: all.into_iter().enumerate().collect(),
                        differ: Vec::new(),
                    });
                    alone.map_err(|error| (one.clone(), error))
                }
                [] => return Err(self.view.rpc.too_few(0)),
            };
            match outcome {
                Ok(comparison) => return Ok(comparison),
                Err((_, RpcError::Changed)) => return Err(RpcError::Changed),
                Err((pin, error)) => {
                    self.give_up(pin.endpoint());
                    failure = Some(error);
                }
            }
        }
    }

    async fn both<T, F>(
        &self,
        one: &Arc<Pin>,
        other: &Arc<Pin>,
        calls: &[UriCall],
        read: &F,
    ) -> Result<Comparison<T>, (Arc<Pin>, RpcError)>
    where
        T: Send,
        F: Fn(&UriCall, &UriAnswer) -> T + Sync,
    {
        // What the second one says is only compared.
        let asked = [(one, true), (other, false)].map(|(pin, keep)| {
            pin.uris(calls, move |call: &UriCall, answer: &UriAnswer| {
                (Said::of(answer), keep.then(|| read(call, answer)))
            })
        });
        let [first, second] = both(asked).await;
        let said = |pin: &Arc<Pin>, said: Option<Result<Vec<_>, RpcError>>| {
            let late = || {
                let endpoint = pin.endpoint();
                let error = endpoint.unusable("it told no URIs long after another had");
                Err(endpoint.set_aside(error, None))
            };
            said.unwrap_or_else(late).map_err(|error| (pin.clone(), error))
        };
        let (first, second) = (said(one, first)?, said(other, second)?);
        let mut comparison = Comparison { same: Vec::new(), differ: Vec::new() };
        for (at, ((mine, found), (its, _))) in first.into_iter().zip(second).enumerate() {
            match found.filter(|_| mine == its) {
                Some(found) => comparison.same.push((at, found)),
                None => comparison.differ.push(at),
            }
        }
        Ok(comparison)
    }

    /// Asks every endpoint for one URI. What most of all configured ones say is so; whoever says
    /// otherwise is set aside.
    async fn settle<T, F>(&self, call: &UriCall, read: &F) -> Result<Settled<T>, RpcError>
    where
        T: Send,
        F: Fn(&UriCall, &UriAnswer) -> T + Sync,
    {
        let most = majority(self.view.rpc.configured());
        let fine = self.view.fine();
        let answers = ask(&fine, most, async |endpoint| {
            let pin = self.pin_of(&endpoint).await?;
            let answer = pin.answer(call).await?;
            pin.check().await?;
            Ok((Said::of(&answer), read(call, &answer)))
        });
        let answers = answers.await.good;
        let truth = agreed(answers.iter().map(|(_, (said, _))| *said), most);
        let Some(truth) = truth else {
            debug!("{}: no majority about the URI of {:?}", call.contract, call.token);
            return Ok(Settled { truth: None, convicted: false });
        };
        let (mut found, mut convicted) = (None, false);
        for (endpoint, (said, its)) in answers {
            if said == truth {
                found.get_or_insert(its);
            } else {
                convicted |= convict(&endpoint, call, said, truth);
            }
        }
        Ok(Settled { truth: found, convicted })
    }

    /// Two endpoints to be compared, or the only one that there is to ask.
    async fn pair(&self) -> Result<Vec<Arc<Pin>>, RpcError> {
        let mut fine = self.view.fine();
        // In turn, so that none is asked more than the others.
        let turn = usize::try_from(self.block.number).unwrap_or_default() % fine.len().max(1);
        fine.rotate_left(turn);
        let (mut pair, mut failure) = (Vec::new(), None);
        for endpoint in fine {
            if self.gave_up(&endpoint) {
                continue;
            }
            match self.pin_of(&endpoint).await {
                Ok(pin) => pair.push(pin),
                Err(error) => {
                    self.give_up(&endpoint);
                    failure = Some(error);
                }
            }
            if pair.len() == 2 {
                break;
            }
        }
        // The spare of two may be silent; of three or more, one alone is not believed.
        let enough = if self.view.rpc.configured() < 3 { 1 } else { 2 };
        match failure {
            _ if pair.len() >= enough => Ok(pair),
            Some(failure) => Err(failure),
            None => Err(self.view.rpc.too_few(pair.len())),
        }
    }

    async fn pin_of(&self, endpoint: &Arc<Endpoint>) -> Result<Arc<Pin>, RpcError> {
        let pins = || self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pins().iter().find(|pin| Arc::ptr_eq(pin.endpoint(), endpoint)).cloned();
        if let Some(pin) = known {
            return Ok(pin);
        }
        let pin = Arc::new(Pin::new(endpoint.clone(), self.block).await?);
        pins().push(pin.clone());
        Ok(pin)
    }

    fn gave_up(&self, endpoint: &Endpoint) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.contains(endpoint.shown())
    }

    fn give_up(&self, endpoint: &Endpoint) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.insert(endpoint.shown().to_owned());
    }
}

/// Sets an endpoint aside that contradicts most of the others; gives whether it did. Not for ever the
/// same contract: one may be written so that honest machines differ (by their gas, by fees).
fn convict(endpoint: &Endpoint, call: &UriCall, said: Said, truth: Said) -> bool {
    if !endpoint.may_be_accused_over(call.contract) {
        return false;
    }
    let why = match call.token {
        Some(token) => format!("its URI of token {token} of {} is not", call.contract),
        None => format!("its contractURI of {} is not", call.contract),
    };
    let why = format!("{why} that of most endpoints");
    match (said, truth) {
        // It may only give a contract less gas, or more.
        (Said::Nothing, _) | (_, Said::Nothing) => {
            endpoint.set_aside(endpoint.unusable(&why), None);
        }
        _ => endpoint.lied(why),
    }
    true
}
