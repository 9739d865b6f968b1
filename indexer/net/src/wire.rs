//! A body as it comes over the wire: bounded in time, pace and length, not yet decoded.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, timeout};

use crate::{error::FetchError, text::root_cause};

/// How long a body may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) idle: Duration,
    pub(crate) total: Duration,
    pub(crate) deadline: Instant,
    pub(crate) slowest: u64,
    pub(crate) slow_start: Duration,
}

/// What has come, and how much may; shared by the wire and by what decodes it.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: AtomicU64,
    wire: AtomicU64,
    decoded: AtomicU64,
}

impl Meter {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        let [wire, decoded] = [0, 0].map(AtomicU64::new);
        Arc::new(Self { limit: AtomicU64::new(limit), wire, decoded })
    }

    pub(crate) fn limit_to(&self, limit: u64) {
        self.limit.fetch_min(limit, Relaxed);
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    /// Decoded bytes.
    pub(crate) fn received(&self) -> u64 {
        self.decoded.load(Relaxed)
    }

    /// Counts decoded bytes; gives whether they are too many now.
    pub(crate) fn decoded(&self, bytes: usize) -> bool {
        self.decoded.fetch_add(bytes as u64, Relaxed) + bytes as u64 > self.limit()
    }
}

/// A body that is on its way.
#[derive(Debug)]
pub(crate) struct Wire {
    response: Response,
    host: String,
    pace: Pace,
    begun: Instant,
    meter: Arc<Meter>,
    encoded: bool,
    /// Its length after its head, until its first byte is asked for.
    announced: Option<u64>,
}

impl Wire {
    pub(crate) fn new(
        response: Response,
        host: String,
        pace: Pace,
        meter: Arc<Meter>,
        encoded: bool,
    ) -> Self {
        let announced = response.content_length();
        Self { response, host, pace, begun: Instant::now(), meter, encoded, announced }
    }

    /// Refuses a body whose announced length alone is too much.
    pub(crate) fn check_announced(&self) -> Result<(), FetchError> {
        match self.announced {
            Some(bytes) if bytes > self.most() => Err(FetchError::TooLarge {
                host: self.host.clone(),
                limit: self.meter.limit(),
                announced: Some(bytes),
            }),
            _ => Ok(()),
        }
    }

    /// Bytes that may come. An encoding may make its content a little longer, but what is all
    /// overhead (empty blocks without end) must end, too.
    fn most(&self) -> u64 {
        let limit = self.meter.limit();
        if self.encoded { limit.saturating_add(limit / 8).saturating_add(64 << 10) } else { limit }
    }

    /// The next bytes, never none of them; `None` at the end of a whole body.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        self.check_announced()?;
        self.announced = None;
        let pace = self.pace;
        let left = pace.deadline.saturating_duration_since(Instant::now());
        // A timeout lets through what is ready at once, and of such bytes there may be no end.
        if left.is_zero() {
            return Err(self.too_slow(pace.total));
        }
        let chunk = match timeout(pace.idle.min(left), some_bytes(&mut self.response)).await {
            Err(_) if left <= pace.idle => return Err(self.too_slow(pace.total)),
            Err(_) => {
                return Err(FetchError::Idle { host: self.host.clone(), waited: pace.idle });
            }
            Ok(Err(error)) => {
                let (host, bytes) = (self.host.clone(), self.meter.received());
                return Err(FetchError::Cut { host, bytes, reason: root_cause(&error) });
            }
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(chunk))) => chunk,
        };
        let came = self.meter.wire.fetch_add(chunk.len() as u64, Relaxed) + chunk.len() as u64;
        if !self.encoded {
            self.meter.decoded(chunk.len());
        }
        let taken = self.begun.elapsed();
        let due = taken.saturating_sub(pace.slow_start).as_secs().saturating_mul(pace.slowest);
        if came.max(self.meter.received()) < due {
            return Err(self.too_slow(taken));
        }
        if came > self.most() {
            let (host, limit) = (self.host.clone(), self.meter.limit());
            return Err(FetchError::TooLarge { host, limit, announced: None });
        }
        Ok(Some(chunk))
    }

    fn too_slow(&self, after: Duration) -> FetchError {
        FetchError::TooSlow { host: self.host.clone(), after }
    }
}

/// Frames without bytes are no progress, however many come.
async fn some_bytes(response: &mut Response) -> reqwest::Result<Option<Bytes>> {
    loop {
        match response.chunk().await? {
            // Lets the timeout have its say.
            Some(chunk) if chunk.is_empty() => tokio::task::consume_budget().await,
            chunk => return Ok(chunk),
        }
    }
}
