//! Waiting for what must come.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Error, Result};

/// Looks until `look` gives something, every `pause`; after `patience` it is an error that says
/// what was waited for. What `look` calls an error ends the wait at once.
pub async fn eventually<T>(
    what: &str,
    patience: Duration,
    pause: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= end {
            let seconds = patience.as_secs_f32();
            return Err(Error::new(format!("not within {seconds} s: {what}")));
        }
        sleep(pause).await;
    }
}
