//! Everhold keeps NFT collections provable and alive.
//!
//! A collection stores 32-byte digests on-chain. This crate watches mints and updates, fetches
//! what the digests name from aleph.im nodes and IPFS, re-hashes it, counts the nodes that really
//! served the right bytes, and repairs or raises the alarm when they are too few.
//!
//! Data flows one way: [`chain`] → [`ledger`] → probes ([`nodes`]) → [`health`] (pure) → repair
//! and alerts (all in [`watch`]). [`content`] is the ground floor: what a name is, and whether
//! bytes are what it names.

pub mod alert;
pub mod api;
pub mod archive;
mod aside;
pub mod chain;
pub mod check;
pub mod cli;
pub mod config;
mod crash;
pub mod deny;
pub mod hash;
pub mod health;
mod hosts;
pub mod incident;
pub mod ledger;
pub mod nodes;
pub mod picture;
pub mod provenance;
pub mod publish;
pub mod repair;
pub mod report;
pub mod vault;
pub mod watch;
mod words;

pub use everhold_content as content;

/// A time of the ledger as people and machines read it: RFC 3339, UTC, milliseconds.
pub fn time_text(millis: ledger::Millis) -> String {
    let nanos = i128::from(millis) * 1_000_000;
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
    let text =
        time.and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_else(|| format!("{millis} ms since 1970"))
}

/// A span of time as people read it: its largest unit, rounded down.
pub fn span_text(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "days"), (3_600, "h"), (60, "min")];
    let unit = UNITS.iter().find(|(length, _)| seconds >= 2 * length);
    match unit {
        Some((length, name)) => format!("{} {name}", seconds / length),
        None => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::span_text;

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        let texts = [0, 119, 120, 7_199, 7_200, 172_799, 172_800, u64::MAX].map(span_text);
        let expected = ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"];
        assert_eq!(texts[..7], expected);
        assert_eq!(texts[7], "213503982334601 days");
    }
}
