//! Whether a node keeps to its own copies where it is asked to: it is asked for a block that nobody
//! has, and must refuse it in the words of those who looked nowhere else.
//!
//! This tells software that heeds such a wish from software that does not know it. It can't tell
//! an honest node from one that lies: see docs/verdicts.md.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use everhold_net::{FetchError, Request};
use tokio::sync::Mutex;

use crate::{
    content::{Cid, Codec, ContentId, Digest},
    health::FAILURES_THAT_COUNT,
};

/// What was seen is good for so long.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Where a node could not be asked, it is asked again with a probe after this, so that the next probe of
/// a replica has an answer of its own: no more than the least between two of them.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The same, once it could not be asked so often that it counts.
const PAUSE: Duration = Duration::from_secs(60);
/// Who looks nowhere else has no reason to take longer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Nor longer than this for a connection; and the head and the body of an answer have their own patience
/// each. Who exceeds one of these is silent, and who exceeds all of it together may not have got the
/// question: so that must not be over first.
const ALTOGETHER: Duration = Duration::from_secs(5 + 3 + 3);
/// Bytes of an answer that are read.
const ANSWER: u64 = 16 << 10;

/// What a node does with the wish to give its own copies alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heeds {
    /// It heeds it.
    Yes,
    /// It does not, or has no such wish.
    No,
    /// That could not be told this time.
    Unknown,
}

/// What a node answered to the wish for a block that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// That it has it not, in the words of those who looked nowhere else.
    Refused,
    /// Anything else.
    Otherwise,
    /// Nothing yet, as those do who look for it elsewhere, and those who are busy.
    NotYet,
    /// Nothing that says anything.
    Nothing,
}

impl Answered {
    /// Asks for what nobody has, and judges the answer by its status and text.
    pub(super) async fn of(request: Request, refused: impl Fn(u16, &str) -> bool) -> Self {
        let request = request.limit(ANSWER).first_byte(PATIENCE).idle(PATIENCE).total(ALTOGETHER);
        match request.ask().await {
            Ok((status, body)) if refused(status, &String::from_utf8_lossy(&body)) => Self::Refused,
            Ok((429 | 500 | 502 | 503, _)) => Self::Nothing,
            Ok(_) | Err(FetchError::TooLarge { .. } | FetchError::Redirect { .. }) => {
                Self::Otherwise
            }
            // That it took too long altogether says less: we may have had no turn for it.
            Err(FetchError::Idle { .. }) => Self::NotYet,
            Err(_) => Self::Nothing,
        }
    }
}

/// What was seen of one node. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Canary {
    seen: Arc<Mutex<Record>>,
}

#[derive(Debug, Default)]
struct Record {
    last: Option<(Heeds, Instant)>,
    /// Since it last answered, how often it did not.
    silences: u32,
}

impl Record {
    /// What is known at a time.
    fn at(&self, now: Instant) -> Option<Heeds> {
        let (heeds, at) = self.last?;
        let kept = match heeds {
            Heeds::Yes | Heeds::No => KEPT,
            Heeds::Unknown if self.silences < FAILURES_THAT_COUNT => AT_ONCE,
            Heeds::Unknown => PAUSE,
        };
        (now.saturating_duration_since(at) < kept).then_some(heeds)
    }

    /// Who says nothing may be busy, and who does so again and again looks elsewhere: that is no answer
    /// of those who heed the wish.
    fn answered(&mut self, answer: Answered, now: Instant) -> Heeds {
        let silences = self.silences.saturating_add(1);
        let (heeds, silences) = match answer {
            Answered::Refused => (Heeds::Yes, 0),
            Answered::Otherwise => (Heeds::No, 0),
            Answered::NotYet if silences >= FAILURES_THAT_COUNT => (Heeds::No, 0),
            Answered::NotYet | Answered::Nothing => (Heeds::Unknown, silences),
        };
        *self = Self { last: Some((heeds, now)), silences };
        heeds
    }
}

impl Canary {
    /// Whether the node heeds the wish; `ask` is called if that is not known, or not any more.
    /// Others wait for its answer.
    pub(super) async fn heeds(&self, ask: impl AsyncFnOnce(Cid) -> Answered) -> Heeds {
        self.heeds_at(Instant::now(), ask).await
    }

    async fn heeds_at(&self, now: Instant, ask: impl AsyncFnOnce(Cid) -> Answered) -> Heeds {
        let mut seen = self.seen.lock().await;
        match seen.at(now) {
            Some(heeds) => heeds,
            None => {
                let answer = ask(nobodys()).await;
                seen.answered(answer, now)
            }
        }
    }

    /// Forgets that the node heeds it. That it does not is kept: nothing is claimed from that.
    pub(super) async fn doubt(&self) {
        let mut seen = self.seen.lock().await;
        seen.last = seen.last.filter(|(heeds, _)| *heeds != Heeds::Yes);
    }
}

/// The name of a block that nobody has: a digest drawn at random has no bytes that anybody knows.
/// Its codec is drawn, too, so that it looks like any content.
fn nobodys() -> Cid {
    let codec = if rand::random() { Codec::Raw } else { Codec::DagPb };
    ContentId::new(codec, Digest(rand::random())).into()
}

#[cfg(test)]
mod tests {
    use super::{Answered::*, *};

    /// Asks at a time, if it has to, and writes down for what.
    async fn ask(canary: &Canary, at: Instant, answer: Answered, asked: &mut Vec<Cid>) -> Heeds {
        let ask = async |cid| {
            asked.push(cid);
            answer
        };
        canary.heeds_at(at, ask).await
    }

    #[tokio::test]
    async fn is_kept_for_a_day_and_doubted_after_a_failure() {
        let (canary, now, mut asked) = (Canary::default(), Instant::now(), Vec::new());
        assert_eq!(ask(&canary, now, Refused, &mut asked).await, Heeds::Yes);
        let later = now + KEPT / 2;
        assert_eq!(ask(&canary, later, Otherwise, &mut asked).await, Heeds::Yes);
        assert_eq!(asked.len(), 1, "it is known");
        canary.doubt().await;
        assert_eq!(ask(&canary, later, Otherwise, &mut asked).await, Heeds::No);
        canary.doubt().await;
        assert_eq!(ask(&canary, later, Refused, &mut asked).await, Heeds::No);
        assert_eq!(asked.len(), 2, "that it does not is kept, whatever fails");
        assert_eq!(ask(&canary, later + KEPT, Refused, &mut asked).await, Heeds::Yes);
        assert_eq!(asked.len(), 3);
        asked.dedup();
        assert_eq!(asked.len(), 3, "each is another: a node could know one that comes again");
    }

    /// So that three probes of a replica, a second and two apart, do not rest on one silence.
    #[tokio::test]
    async fn a_node_that_could_not_be_asked_is_asked_at_once_and_after_three_times_less_often() {
        let (canary, mut at, mut asked) = (Canary::default(), Instant::now(), Vec::new());
        for times in 1..=FAILURES_THAT_COUNT {
            assert_eq!(ask(&canary, at, Nothing, &mut asked).await, Heeds::Unknown);
            assert_eq!(ask(&canary, at, Refused, &mut asked).await, Heeds::Unknown);
            assert_eq!(asked.len(), times as usize, "but not with each probe");
            at += AT_ONCE;
        }
        assert_eq!(ask(&canary, at, Refused, &mut asked).await, Heeds::Unknown);
        assert_eq!(ask(&canary, at + PAUSE, Refused, &mut asked).await, Heeds::Yes);
        canary.doubt().await;
        assert_eq!(ask(&canary, at + PAUSE, Nothing, &mut asked).await, Heeds::Unknown);
        assert_eq!(ask(&canary, at + PAUSE + AT_ONCE, Refused, &mut asked).await, Heeds::Yes);
    }

    /// Who is slow once may be busy; who always is looks elsewhere.
    #[tokio::test]
    async fn who_does_not_answer_in_time_is_believed_to_look_elsewhere_the_third_time() {
        let (canary, now, mut asked) = (Canary::default(), Instant::now(), Vec::new());
        assert_eq!(ask(&canary, now, NotYet, &mut asked).await, Heeds::Unknown);
        assert_eq!(ask(&canary, now + AT_ONCE, NotYet, &mut asked).await, Heeds::Unknown);
        assert_eq!(ask(&canary, now + 2 * AT_ONCE, NotYet, &mut asked).await, Heeds::No);
        assert_eq!(ask(&canary, now + KEPT, Refused, &mut asked).await, Heeds::No, "for a day");
    }
}
