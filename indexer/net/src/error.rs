//! Why a fetch gave no bytes, or not all.

use std::time::Duration;

use crate::retry::Retry;

/// Why a fetch gave no bytes, or not all. `host` is the host, with its port where that is not the
/// scheme's own: nothing else of a URL is ever shown, since it may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection.
    #[error("{host}: can't connect: {reason}")]
    Connect {
        /// The host.
        host: String,
        /// What the network said.
        reason: String,
    },
    /// Nothing came for too long.
    #[error("{host}: no byte came for {waited:?}")]
    Idle {
        /// The host.
        host: String,
        /// How long.
        waited: Duration,
    },
    /// It took too long altogether.
    #[error("{host}: not done after {after:?}")]
    TooSlow {
        /// The host.
        host: String,
        /// How long.
        after: Duration,
    },
    /// Its turn did not come: too many requests to this host, or altogether, are under way.
    #[error("{host}: too many requests are under way; this one waited {waited:?} for its turn")]
    Busy {
        /// The host.
        host: String,
        /// How long.
        waited: Duration,
    },
    /// An answer that is not the content.
    #[error("{host}: HTTP {status}{}", text_of(.body))]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// The start of the answer's body, in one line.
        body: String,
        /// When the server wants to be asked again (RFC 9110, section 10.2.3).
        retry_after: Option<Duration>,
    },
    /// The connection ended before the answer did.
    #[error("{host}: cut off after {bytes} bytes: {reason}")]
    Cut {
        /// The host.
        host: String,
        /// Bytes that came.
        bytes: u64,
        /// What the connection said.
        reason: String,
    },
    /// More bytes than are allowed.
    #[error("{host}: {}more than {limit} bytes", announced_in_words(.announced))]
    TooLarge {
        /// The host.
        host: String,
        /// The limit.
        limit: u64,
        /// The length the server announced, where that alone was too much and no byte was read.
        announced: Option<u64>,
    },
    /// An answer that can't be read.
    #[error("{host}: an answer that makes no sense: {reason}")]
    Nonsense {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// An encoded body (RFC 9110, section 8.4) that can't be decoded.
    #[error("{host}: {fault}")]
    Encoding {
        /// The host.
        host: String,
        /// Why.
        fault: EncodingFault,
    },
    /// A redirect that is not followed.
    #[error("{host}: redirects {fault}")]
    Redirect {
        /// The host that redirects.
        host: String,
        /// Why not.
        fault: RedirectFault,
    },
    /// A URL that leads where nothing is fetched from. No byte was sent there.
    #[error("{host}: refused: {why}")]
    Refused {
        /// The host.
        host: String,
        /// Why.
        why: Refusal,
    },
    /// A request that can't be made: a header or a body that is none.
    #[error("{host}: the request can't be made: {reason}")]
    Request {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// HTTP can't be set up on this machine.
    #[error("can't set up HTTP: {0}")]
    Setup(String),
}

/// What is wrong with an encoded body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingFault {
    /// Not one that we know; none was asked for.
    #[error("sends the unknown encoding `{0}`, which was not asked for")]
    Unknown(String),
    /// Encoded more than once: only bombs are.
    #[error("sends a body that is encoded more than once: `{0}`")]
    Stacked(String),
    /// The encoded bytes are wrong or end too early.
    #[error("sends {encoding} that is {}: {reason}", if *.cut { "cut off" } else { "corrupt" })]
    Corrupt {
        /// The encoding's name.
        encoding: &'static str,
        /// Whether they only end too early.
        cut: bool,
        /// What the decoder said.
        reason: String,
    },
}

/// What is wrong with a redirect (RFC 9110, section 15.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectFault {
    /// Back to where it came from.
    #[error("in a circle")]
    Loop,
    /// More often than is followed.
    #[error("more than {0} times")]
    TooMany(usize),
    /// From https to http.
    #[error("from https to http")]
    Downgrade,
    /// To another host, where only the same one and those below it are followed.
    #[error("to another host: {0}")]
    Elsewhere(String),
    /// Nowhere: `Location` is missing, is there twice, or is no URL.
    #[error("nowhere: its Location is missing or no URL")]
    NoLocation,
}

/// Why nothing is fetched from a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not http or https.
    #[error("`{0}:` is neither http nor https")]
    Scheme(String),
    /// Without a host.
    #[error("it has no host")]
    NoHost,
    /// An address that is private, special, or a cloud's metadata.
    #[error("it is no public address, and it is not configured")]
    Address,
    /// A name that only such addresses answer to.
    #[error("the name leads to no public address, and it is not configured")]
    Resolves,
    /// A port below 1024 that is not HTTP's.
    #[error("nothing is fetched from port {0}")]
    Port(u16),
    /// `user:password@` in a URL that was not configured so.
    #[error("the URL carries a user name or password that is not configured")]
    Userinfo,
}

impl FetchError {
    /// The HTTP status, where an answer came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the host is up: it answered, though not well.
    pub fn answered(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Cut { .. }
                | Self::TooLarge { .. }
                | Self::Nonsense { .. }
                | Self::Encoding { .. }
                | Self::Redirect { .. }
        )
    }

    /// Whether nothing was there that answers: no connection. Who takes one and then says nothing, or ends
    /// it, is there: some do so where nobody has what they were asked for.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }

    /// Whether, and when, the same request may go better.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Connect { .. }
            | Self::Idle { .. }
            | Self::TooSlow { .. }
            | Self::Busy { .. }
            | Self::Cut { .. }
            // A page for people in place of JSON, or half of one: maintenance, most often.
            | Self::Nonsense { .. }
            | Self::Encoding { fault: EncodingFault::Corrupt { .. }, .. } => Retry::Later,
            Self::Status { status: 429 | 503, retry_after: Some(wait), .. } => Retry::After(*wait),
            Self::Status { status: 501 | 505, .. } => Retry::Never,
            Self::Status { status: 408 | 425 | 429 | 500..=599, .. } => Retry::Later,
            Self::Status { .. }
            | Self::TooLarge { .. }
            | Self::Encoding { .. }
            | Self::Redirect { .. }
            | Self::Refused { .. }
            | Self::Request { .. }
            | Self::Setup(_) => Retry::Never,
        }
    }
}

fn text_of(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

fn announced_in_words(announced: &Option<u64>) -> String {
    announced.map(|bytes| format!("announces {bytes} bytes, ")).unwrap_or_default()
}
