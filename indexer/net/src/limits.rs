//! How long, how much, how many.

use std::time::Duration;

/// Bounds on everything a [`crate::Fetcher`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands: name, TCP and TLS together.
    pub connect: Duration,
    /// From a standing connection until the whole head of the answer has come, whatever comes in
    /// between: a head that drips, or any number of 1xx answers. What is sent must be sent in
    /// that time, too.
    pub first_byte: Duration,
    /// Until the next byte of a body comes.
    pub idle: Duration,
    /// For a whole request: waiting for its turn, all redirects, and the body.
    pub total: Duration,
    /// A body that, after [`Limits::slow_start`], has come more slowly than this on average
    /// (bytes a second) is given up: one that drips would hold a place for as long as it likes.
    pub slowest: u64,
    /// How long a body may be slow.
    pub slow_start: Duration,
    /// Largest content that is fetched, in bytes after decoding.
    pub max_content: u64,
    /// Largest of other answers (JSON, errors), in bytes after decoding.
    pub max_answer: u64,
    /// Redirects that are followed for [`crate::Request::open_web`].
    pub max_redirects: usize,
    /// Requests under way at once to one host that is not configured.
    pub per_host: usize,
    /// Requests under way at once to one configured origin: a node or an RPC of ours, for which
    /// the callers' own limits are meant.
    pub per_configured: usize,
    /// Requests under way at once altogether. Each may take the memory of its decoder, 16 MiB in
    /// the worst case (brotli), and a connection.
    pub in_total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(15),
            idle: Duration::from_secs(15),
            total: Duration::from_secs(15 * 60),
            slowest: 4 * 1024,
            slow_start: Duration::from_secs(20),
            max_content: 4 << 30,
            max_answer: 4 << 20,
            max_redirects: 5,
            per_host: 8,
            per_configured: 64,
            in_total: 256,
        }
    }
}
