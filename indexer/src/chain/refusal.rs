//! What an endpoint means by an error: asked for too much, too often, or something else.
//!
//! JSON-RPC has no code for either; providers use the same ones (-32005 above all) for both, and
//! say the difference in words. The words are a stranger's: they can make us ask for less, or
//! later, within bounds, and nothing else.

use std::time::Duration;

use alloy::{
    rpc::json_rpc::ErrorPayload,
    transports::{RpcError, TransportErrorKind},
};
use everhold_net::FetchError;

use super::words::{named_blocks, named_wait};

/// What an endpoint means by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It may answer if it is asked for less; it may have said how many blocks it takes.
    TooMuch(Option<u64>),
    /// It was asked too often; it may have said when to come back.
    Busy(Option<Duration>),
    /// Nothing came, or the connection broke: too much was asked, or the endpoint is gone.
    Silent,
    /// Anything else.
    Broken,
}

/// Of a message, this much is looked at, in bytes.
const MOST_TEXT: usize = 2048;

impl Refusal {
    /// For how long it wants to be left alone, where it was asked too often; nothing, where it did
    /// not say for how long.
    pub(super) fn wait(self) -> Option<Duration> {
        if let Self::Busy(wait) = self { Some(wait.unwrap_or_default()) } else { None }
    }

    pub(super) fn of(error: &RpcError<TransportErrorKind>) -> Self {
        match error {
            RpcError::ErrorResp(payload) => Self::of_payload(payload),
            RpcError::Transport(kind) => Self::of_transport(kind),
            // Half an answer.
            RpcError::DeserError { .. } => Self::TooMuch(None),
            _ => Self::Broken,
        }
    }

    fn of_payload(payload: &ErrorPayload) -> Self {
        let data = payload.data.as_ref().map(|data| data.get()).unwrap_or_default();
        let text = format!("{} {}", start(&payload.message), start(data)).to_lowercase();
        if is_busy(payload.code, &text) {
            return Self::Busy(named_wait(&text));
        }
        Self::TooMuch(named_blocks(&text))
    }

    fn of_transport(kind: &TransportErrorKind) -> Self {
        if let Some(http) = kind.as_http_error() {
            let text = start(&http.body).to_lowercase();
            let busy = Self::Busy(kind.retry_after().or_else(|| named_wait(&text)));
            return match http.status {
                429 | 503 => busy,
                400..=599 if is_busy(0, &text) => busy,
                400 | 413 | 500 | 502 | 504 => Self::TooMuch(named_blocks(&text)),
                _ => Self::Broken,
            };
        }
        match kind {
            TransportErrorKind::Custom(inner) => {
                use FetchError::{Cut, Idle, TooLarge, TooSlow};
                match inner.downcast_ref() {
                    Some(TooLarge { .. }) => Self::TooMuch(None),
                    Some(TooSlow { .. } | Idle { .. } | Cut { .. }) => Self::Silent,
                    _ => Self::Broken,
                }
            }
            _ => Self::Broken,
        }
    }
}

/// Codes that nobody uses for anything but rates.
const BUSY_CODES: [i64; 5] = [429, -32007, -32029, -32090, -32097];
/// Words that nobody uses for anything but rates.
const BUSY_WORDS: [&str; 13] = [
    "rate limit",
    "rate-limit",
    "ratelimit",
    "rate exceeded",
    "too many request",
    "too many concurrent",
    "per second",
    "/second",
    "/sec",
    "rps limit",
    "request count exceeded",
    "quota",
    "capacity",
];

fn is_busy(code: i64, text: &str) -> bool {
    BUSY_CODES.contains(&code) || BUSY_WORDS.iter().any(|words| text.contains(words))
}

fn start(text: &str) -> &str {
    let mut end = text.len().min(MOST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i64, message: &str, data: Option<&str>) -> Refusal {
        let mut error = serde_json::json!({ "code": code, "message": message });
        if let Some(data) = data {
            error["data"] = serde_json::from_str(data).unwrap();
        }
        let payload: ErrorPayload = serde_json::from_value(error).unwrap();
        Refusal::of(&RpcError::ErrorResp(payload))
    }

    /// As providers and nodes word it, and the blocks that they say they take.
    const TOO_MUCH: &[(&str, i64, &str, Option<u64>)] = &[
        (
            "Alchemy",
            -32602,
            "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on the response size, or you can request any block range with a cap of 10K logs in the response. Based on your parameters and the response size limit, this block range should work: [0x112a880, 0x112ac67]",
            Some(1000),
        ),
        (
            "Alchemy, free",
            -32600,
            "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. Based on your parameters, this block range should work: [0x1, 0xa]. Upgrade to PAYG for expanded block range.",
            Some(10),
        ),
        (
            "Infura",
            -32005,
            "query returned more than 10000 results. Try with this block range [0x3A9F59, 0x3AA0E8].",
            Some(400),
        ),
        ("Infura, older", -32005, "query returned more than 10000 results", None),
        ("QuickNode", -32614, "eth_getLogs is limited to a 10,000 range", Some(10_000)),
        (
            "QuickNode, discover",
            -32615,
            "eth_getLogs is limited to a 5 range, upgrade from free plan to increase limit",
            Some(5),
        ),
        (
            "QuickNode, both",
            -32602,
            "eth_getLogs and eth_newFilter are limited to a 10,000 blocks range",
            Some(10_000),
        ),
        ("Ankr", -32062, "Block range is too large", None),
        (
            "Chainstack",
            -32000,
            "Block range limit exceeded. See more details at https://docs.chainstack.com/docs/limits#evm-range-limits",
            None,
        ),
        ("dRPC", 35, "ranges over 10000 blocks are not supported on freetier", Some(10_000)),
        (
            "dRPC, time",
            30,
            "Request timeout on the free tier, please upgrade your tier to the paid one",
            None,
        ),
        ("publicnode", -32701, "exceed maximum block range: 50000", Some(50_000)),
        (
            "Cloudflare",
            -32047,
            "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: 800",
            Some(800),
        ),
        ("1RPC", -32000, "eth_getLogs is limited to 0 - 10000 blocks range", Some(10_000)),
        ("BNB Smart Chain", -32005, "limit exceeded", None),
        (
            "Avalanche",
            -32000,
            "requested too many blocks from 10 to 90000, maximum is set to 2048",
            Some(2048),
        ),
        ("Geth, time", -32002, "request timed out", None),
        ("Geth, filter", -32000, "query timeout exceeded", None),
        ("Erigon", -32000, "query returned more than 20000 logs", None),
        ("Nethermind", -32005, "Too many logs requested. Max logs per response is 20000.", None),
        ("Besu", -32005, "Requested range exceeds maximum RPC range limit", None),
        ("Reth", -32602, "query exceeds max block range 100000", Some(100_000)),
        (
            "Reth, results",
            -32602,
            "query exceeds max results 20000, retry with the range 4660-4759",
            Some(100),
        ),
        (
            "zkSync",
            -32602,
            "Query returned more than 10000 results. Try with this block range [0x0, 0x63].",
            Some(100),
        ),
        ("Anvil", -32603, "internal error", None),
    ];

    #[test]
    fn knows_who_was_asked_for_too_much_and_takes_the_length_that_is_named() {
        for (provider, code, message, blocks) in TOO_MUCH {
            assert_eq!(of(*code, message, None), Refusal::TooMuch(*blocks), "{provider}");
        }
    }

    /// Provider, code, message, data, seconds.
    type Said = (&'static str, i64, &'static str, Option<&'static str>, Option<u64>);

    /// As providers word it, and the seconds after which they want to be asked again.
    const BUSY: &[Said] = &[
        (
            "Alchemy",
            429,
            "Your app has exceeded its compute units per second capacity. If you have retries enabled, you can safely ignore this message. If not, check out https://docs.alchemy.com/reference/throughput",
            None,
            None,
        ),
        (
            "Infura, day",
            -32005,
            "daily request count exceeded, request rate limited",
            Some(
                r#"{"rate":{"allowed_rps":1,"backoff_seconds":30,"current_rps":1.4},"see":"https://infura.io/dashboard"}"#,
            ),
            Some(30),
        ),
        ("Infura, second", -32005, "project ID request rate exceeded", None, None),
        (
            "QuickNode",
            -32007,
            "50/second request limit reached - reduce calls per second or upgrade your account at quicknode.com",
            None,
            None,
        ),
        (
            "Ankr",
            -32090,
            "Too many requests, reason: call rate limit exhausted, retry in 10s",
            None,
            Some(10),
        ),
        (
            "Ankr, long",
            -32090,
            "Too many requests, reason: call rate limit exhausted, retry in 10m0s",
            None,
            Some(600),
        ),
        (
            "Chainstack",
            -32005,
            "You've exceeded the RPS limit available on the current plan. Learn more: https://chainstack.com/pricing/",
            None,
            None,
        ),
        ("Chainstack, code", -32097, "limit reached", None, None),
        ("dRPC", 15, "Too many requests, try again in 3 seconds", None, Some(3)),
        ("publicnode", -32005, "rate limit exceeded", None, None),
        ("Cloudflare", -32005, "Rate limit: please retry after 60", None, Some(60)),
        ("Blast", -32029, "Too Many Requests", None, None),
        ("an unfriendly one", 429, "retry in 99999999999999999999h", None, Some(3600)),
    ];

    #[test]
    fn knows_who_was_asked_too_often_and_how_long_to_wait() {
        for (provider, code, message, data, wait) in BUSY {
            let expected = Refusal::Busy(wait.map(Duration::from_secs));
            assert_eq!(of(*code, message, *data), expected, "{provider}");
        }
    }

    #[test]
    fn http_says_it_with_statuses() {
        let http = |status, body: &str, wait: Option<u64>| {
            let wait = wait.map(Duration::from_secs);
            let text = body.to_owned();
            Refusal::of(&TransportErrorKind::http_error_with_retry_after(status, text, wait))
        };
        assert_eq!(http(429, "", Some(7)), Refusal::Busy(Some(Duration::from_secs(7))));
        assert_eq!(http(503, "try again in 2s", None), Refusal::Busy(Some(Duration::from_secs(2))));
        assert_eq!(http(413, "", None), Refusal::TooMuch(None));
        assert_eq!(http(504, "<html>", None), Refusal::TooMuch(None));
        assert_eq!(http(403, "forbidden", None), Refusal::Broken);
        assert_eq!(http(401, "", None), Refusal::Broken);
    }
}
