//! Waiting for endpoints that were only asked too often, where nothing else is to be done meanwhile:
//! at the start of a single chain, and in a single round.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tracing::warn;

use super::{WatchError, chain::Followed};
use crate::chain::{CollectionError, DeployError};

/// How long one run waits for the endpoints of a chain, altogether.
const MOST: Duration = Duration::from_secs(30);
/// Between two tries, at least.
const LEAST: Duration = Duration::from_millis(50);

/// How much longer endpoints are waited for.
#[derive(Debug)]
pub(super) struct Patience(Mutex<Duration>);

impl Default for Patience {
    fn default() -> Self {
        Self(Mutex::new(MOST))
    }
}

impl Patience {
    /// Takes a pause from what is left; gives how much was left before, and nothing where that is
    /// less than the pause.
    fn take(&self, pause: Duration) -> Option<Duration> {
        // A number: whoever panicked left it whole.
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *left;
        *left = before.checked_sub(pause)?;
        Some(before)
    }
}

impl WatchError {
    /// In how long it may work, where endpoints were only asked too often.
    fn pause(&self) -> Option<Duration> {
        match self {
            Self::Rpc(error)
            | Self::Collection(CollectionError::Rpc(error))
            | Self::Factory(DeployError::Collection(CollectionError::Rpc(error))) => error.pause(),
            _ => None,
        }
    }
}

impl Followed {
    /// Does something that asks the chain's endpoints; where they want to be left alone for a while,
    /// does it again after that, as long as there is patience left.
    ///
    /// # Errors
    /// Those of the work.
    pub(super) async fn patiently<T>(
        &self,
        mut work: impl AsyncFnMut() -> Result<T, WatchError>,
    ) -> Result<T, WatchError> {
        loop {
            let error = match work().await {
                Err(error) => error,
                done => return done,
            };
            let pause = error.pause().map(|pause| pause.max(LEAST));
            let Some((pause, left)) =
                pause.and_then(|pause| Some((pause, self.patience.take(pause)?)))
            else {
                return Err(error);
            };
            if left == MOST {
                let most = MOST.as_secs();
                warn!("{}: {error}; it is waited for, for {most} s at most", self.name);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        let (patience, pause) = (Patience::default(), Duration::from_secs(12));
        let left = [30, 18].map(|seconds| Some(Duration::from_secs(seconds)));
        assert_eq!([patience.take(pause), patience.take(pause)], left);
        assert_eq!(patience.take(pause), None, "six seconds are left");
        assert_eq!(patience.take(Duration::from_secs(6)), Some(Duration::from_secs(6)));
        assert_eq!(Patience::default().take(Duration::MAX), None);
    }
}
