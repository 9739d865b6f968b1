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

use crate::content::{Cid, Codec, ContentId, Digest};

/// What was seen is good for so long.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Where a node could not be asked, it is asked again after this.
const PAUSE: Duration = Duration::from_secs(60);
/// Who looks nowhere else has no reason to take longer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer that are read.
const ANSWER: u64 = 16 << 10;

/// What a node does with the wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heeds {
    /// It heeds it.
    Yes,
    /// It does not.
    No,
    /// It could not be asked.
    Unknown,
}

impl Heeds {
    /// Asks for what nobody has, and judges the answer by its status and text.
    pub(super) async fn of(request: Request, refused: impl Fn(u16, &str) -> bool) -> Self {
        let request = request.limit(ANSWER).first_byte(PATIENCE).idle(PATIENCE).total(PATIENCE);
        match request.ask().await {
            Ok((status, body)) if refused(status, &String::from_utf8_lossy(&body)) => Self::Yes,
            Ok((429 | 500 | 502 | 503, _)) => Self::Unknown,
            // It is looking for it. That it took too long altogether says less: there may have been no
            // connection yet.
            Err(FetchError::Idle { .. }) => Self::No,
            Ok(_) | Err(FetchError::TooLarge { .. } | FetchError::Redirect { .. }) => Self::No,
            Err(_) => Self::Unknown,
        }
    }
}

/// What was seen of one node. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Canary {
    seen: Arc<Mutex<Option<(Heeds, Instant)>>>,
}

impl Canary {
    /// Whether the node heeds the wish; `ask` is called if that is not known, or not any more.
    /// Others wait for its answer.
    pub(super) async fn heeds(&self, ask: impl AsyncFnOnce(Cid) -> Heeds) -> bool {
        self.heeds_at(Instant::now(), ask).await
    }

    async fn heeds_at(&self, now: Instant, ask: impl AsyncFnOnce(Cid) -> Heeds) -> bool {
        let mut seen = self.seen.lock().await;
        let known = seen.filter(|(heeds, at)| {
            let kept = if *heeds == Heeds::Unknown { PAUSE } else { KEPT };
            now.saturating_duration_since(*at) < kept
        });
        let heeds = match known {
            Some((heeds, _)) => heeds,
            None => {
                let heeds = ask(nobodys()).await;
                *seen = Some((heeds, now));
                heeds
            }
        };
        heeds == Heeds::Yes
    }

    /// Forgets that the node heeds it. That it does not is kept: nothing is claimed from that.
    pub(super) async fn doubt(&self) {
        let mut seen = self.seen.lock().await;
        *seen = seen.filter(|(heeds, _)| *heeds != Heeds::Yes);
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
    use super::*;

    /// Asks at a time, if it has to, and writes down for what.
    async fn ask(canary: &Canary, at: Instant, answer: Heeds, asked: &mut Vec<Cid>) -> bool {
        let ask = async |cid| {
            asked.push(cid);
            answer
        };
        canary.heeds_at(at, ask).await
    }

    #[tokio::test]
    async fn is_kept_for_a_day_and_doubted_after_a_failure() {
        let (canary, now, mut asked) = (Canary::default(), Instant::now(), Vec::new());
        assert!(ask(&canary, now, Heeds::Yes, &mut asked).await);
        let later = now + KEPT / 2;
        assert!(ask(&canary, later, Heeds::No, &mut asked).await);
        assert_eq!(asked.len(), 1, "it is known");
        canary.doubt().await;
        assert!(!ask(&canary, later, Heeds::No, &mut asked).await);
        canary.doubt().await;
        assert!(!ask(&canary, later, Heeds::Yes, &mut asked).await);
        assert_eq!(asked.len(), 2, "that it does not is kept, whatever fails");
        assert!(ask(&canary, later + KEPT, Heeds::Yes, &mut asked).await);
        assert_eq!(asked.len(), 3);
        asked.dedup();
        assert_eq!(asked.len(), 3, "each is another: a node could know one that comes again");
    }

    #[tokio::test]
    async fn a_node_that_could_not_be_asked_is_asked_soon_but_not_with_each_probe() {
        let (canary, now, mut asked) = (Canary::default(), Instant::now(), Vec::new());
        assert!(!ask(&canary, now, Heeds::Unknown, &mut asked).await);
        assert!(!ask(&canary, now, Heeds::Yes, &mut asked).await);
        assert!(ask(&canary, now + PAUSE, Heeds::Yes, &mut asked).await);
    }
}
