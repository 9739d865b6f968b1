//! How many endpoints must agree, and asking several at once.

use std::{collections::HashMap, future::Future, hash::Hash, sync::Arc, time::Duration};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::{
    endpoint::Endpoint,
    rpc_error::{Result, RpcError},
};

/// How long single answers are waited for. Endpoints that take longer are set aside.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the others are waited for once enough have answered.
const GRACE: Duration = Duration::from_secs(1);

/// How many endpoints must agree, of so many configured ones.
///
/// Of three or more, a majority of all that are configured, however many are silent: else a liar
/// would only have to wait for the others' rate limits. A second endpoint is a spare: where one of
/// two is silent the other is followed, though not into another fork ([`may_revert`]).
pub(super) fn need(configured: usize) -> usize {
    match configured {
        0..=2 => 1,
        more => majority(more),
    }
}

/// How many of those that answer must agree.
pub(super) fn votes(configured: usize, answering: usize) -> usize {
    need(configured).max(if configured == 2 { answering } else { 0 })
}

/// More than half.
pub(super) fn majority(of: usize) -> usize {
    of / 2 + 1
}

/// Whether blocks may be taken back when so many endpoints answer: of two, both must agree, but
/// for one that has been gone for long.
pub(super) fn may_revert(configured: usize, answering: usize, others_gone: bool) -> bool {
    configured != 2 || answering == 2 || others_gone
}

/// What endpoints answered, in the order in which they are configured, and why others did not.
pub(super) struct Answers<T> {
    pub(super) good: Vec<(Arc<Endpoint>, T)>,
    pub(super) failures: Vec<RpcError>,
}

/// Asks endpoints at once. When `enough` have answered, the others get a short grace. Those that
/// do not answer in time are set aside.
pub(super) async fn ask<T, F>(
    endpoints: &[Arc<Endpoint>],
    enough: usize,
    question: impl Fn(Arc<Endpoint>) -> F,
) -> Answers<T>
where
    F: Future<Output = Result<T>>,
{
    let begun = Instant::now();
    let mut end = begun + PATIENCE;
    let mut open: Vec<_> = (0..endpoints.len()).collect();
    let asked = endpoints.iter().enumerate().map(|(index, endpoint)| {
        let answer = question(endpoint.clone());
        async move { (index, answer.await) }
    });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let (mut good, mut failures) = (Vec::new(), Vec::new());
    while let Ok(Some((index, answer))) = timeout_at(end, asked.next()).await {
        open.retain(|other| *other != index);
        match answer {
            Ok(answer) => good.push((index, answer)),
            Err(error) => failures.push(error),
        }
        if good.len() == enough {
            end = end.min(Instant::now() + GRACE);
        }
    }
    failures.extend(set_late_aside(endpoints, &open, begun.elapsed()));
    good.sort_by_key(|(index, _)| *index);
    let good = good.into_iter().map(|(index, answer)| (endpoints[index].clone(), answer));
    Answers { good: good.collect(), failures }
}

/// What the first of these endpoints says that knows: the next one is asked when one does not know,
/// fails, or hesitates. Who hesitated while another one knew is set aside. `Ok(None)` where some
/// answer and none knows.
///
/// # Errors
/// The last failure, where none answers; nothing where there are no endpoints.
pub(super) async fn first<T, F>(
    endpoints: &[Arc<Endpoint>],
    question: impl Fn(Arc<Endpoint>) -> F,
) -> Result<Option<T>, Option<RpcError>>
where
    F: Future<Output = Result<Option<T>>>,
{
    let ask = |index: usize| {
        let answer = endpoints.get(index).map(|endpoint| question(endpoint.clone()));
        answer.map(|answer| async move { (index, answer.await) })
    };
    let (mut open, mut next) = (Vec::new(), 0);
    let mut asked = FuturesUnordered::new();
    let (mut failure, mut unknown, mut hesitates) = (None, false, true);
    loop {
        if let Some(question) = ask(next).filter(|_| hesitates || open.is_empty()) {
            open.push(next);
            asked.push(question);
            next += 1;
        }
        let answered = timeout_at(Instant::now() + GRACE, asked.next()).await;
        hesitates = answered.is_err();
        match answered {
            Ok(Some((index, answer))) => {
                open.retain(|other| *other != index);
                match answer {
                    Ok(Some(found)) => {
                        open.retain(|other| *other < index);
                        set_late_aside(endpoints, &open, GRACE);
                        return Ok(Some(found));
                    }
                    Ok(None) => unknown = true,
                    Err(error) => failure = Some(error),
                }
            }
            Ok(None) if unknown => return Ok(None),
            Ok(None) => return Err(failure),
            // The others are asked beside it; the last is waited for as long as it takes.
            Err(_) => {}
        }
    }
}

/// Sets those aside that did not answer; gives why.
fn set_late_aside(endpoints: &[Arc<Endpoint>], late: &[usize], waited: Duration) -> Vec<RpcError> {
    let late = late.iter().map(|index| {
        let waited = waited.as_secs_f64();
        let error = endpoints[*index].unusable(&format!("no answer within {waited:.1} s"));
        endpoints[*index].set_aside(error, None)
    });
    late.collect()
}

/// What at least so many say.
pub(super) fn agreed<T: Eq + Hash>(said: impl Iterator<Item = T>, votes: usize) -> Option<T> {
    let mut count: HashMap<T, usize> = HashMap::new();
    for one in said {
        *count.entry(one).or_default() += 1;
    }
    // Two can have it only where it is fewer than a majority: then nobody does.
    let mut enough = count.into_iter().filter(|(_, count)| *count >= votes.max(1));
    let (found, _) = enough.next()?;
    enough.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_of_the_configured_must_agree_but_two_may_be_one() {
        let needs: Vec<_> = (1..=7).map(need).collect();
        assert_eq!(needs, [1, 1, 2, 3, 3, 4, 4]);
        assert_eq!((votes(1, 1), votes(2, 1), votes(2, 2)), (1, 1, 2));
        assert_eq!((votes(3, 2), votes(3, 3), votes(5, 3)), (2, 2, 3));
        assert!(may_revert(1, 1, false) && may_revert(2, 2, false) && may_revert(3, 2, false));
        assert!(!may_revert(2, 1, false) && may_revert(2, 1, true));
    }

    #[test]
    fn agreement_is_of_one_thing() {
        assert_eq!(agreed([1, 2, 1].into_iter(), 2), Some(1));
        assert_eq!(agreed([1, 2, 3].into_iter(), 2), None);
        assert_eq!(agreed([1, 2].into_iter(), 1), None);
        assert_eq!(agreed([1].into_iter(), 2), None);
        assert_eq!(agreed(std::iter::empty::<u8>(), 0), None);
    }
}
