//! Headers as JSON-RPC gives them (`eth_getBlockByNumber`, execution-apis `Block`).
//!
//! Following a chain takes a header's number, hash, parent and filter; proofs take all of them, since its hash is made
//! of all. An endpoint that leaves others out, or says something absurd in them, can be followed.

use alloy::{
    primitives::{B256, Bloom, U64},
    rpc::types::Header,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

use super::events::BlockRef;

/// What following needs of a header, and its text.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) block: BlockRef,
    /// The filter of what was logged; where it was left out, one that leaves everything open.
    pub(super) bloom: Bloom,
    text: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    number: U64,
    hash: B256,
    parent_hash: B256,
    logs_bloom: Option<Bloom>,
    #[serde(default, deserialize_with = "time")]
    timestamp: Option<u64>,
}

impl Seen {
    pub(super) fn read(text: Box<RawValue>) -> Result<Self, serde_json::Error> {
        let fields: Fields = serde_json::from_str(text.get())?;
        let block = BlockRef {
            number: fields.number.to(),
            hash: fields.hash,
            parent_hash: fields.parent_hash,
            time: fields.timestamp,
        };
        let bloom = fields.logs_bloom.unwrap_or(Bloom::repeat_byte(0xff));
        Ok(Self { block, bloom, text })
    }

    /// All of it; `None` where something is missing or can't be.
    pub(super) fn whole(&self) -> Option<Header> {
        serde_json::from_str(self.text.get()).ok()
    }
}

/// A time, seconds since 1970; `None` where it is left out, or is no number of 64 bits.
pub(super) fn time<'de, D: Deserializer<'de>>(text: D) -> Result<Option<u64>, D::Error> {
    let said = Value::deserialize(text)?;
    let hex = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    Ok(said.as_u64().or_else(|| hex(said.as_str()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn header() -> Value {
        let mut header =
            serde_json::to_value(Header::<alloy::consensus::Header>::default()).unwrap();
        header["number"] = json!("0x10");
        header["timestamp"] = json!("0x65a0");
        // Endpoints give blocks: there is more in them.
        header["transactions"] = json!([]);
        header
    }

    fn read(header: &Value) -> Result<Seen, serde_json::Error> {
        Seen::read(serde_json::from_str(&header.to_string()).unwrap())
    }

    #[test]
    fn a_whole_header_is_read_as_alloy_reads_it() {
        let seen = read(&header()).unwrap();
        let whole = seen.whole().unwrap();
        assert_eq!((seen.block.number, seen.block.time), (16, Some(0x65a0)));
        assert_eq!((whole.number, whole.timestamp), (16, 0x65a0));
        assert_eq!((seen.block.hash, seen.block.parent_hash), (whole.hash, whole.parent_hash));
        assert_eq!(seen.bloom, whole.logs_bloom);
    }

    #[test]
    fn times_that_are_absurd_are_unknown() {
        let absurd = [
            json!(null),
            json!(""),
            json!("0x"),
            json!("0x1ffffffffffffffff"),
            json!("yesterday"),
            json!(-1),
            json!(1.5),
            json!([]),
            json!({"a": 1}),
        ];
        for said in absurd {
            let mut header = header();
            header["timestamp"] = said.clone();
            assert_eq!(read(&header).unwrap().block.time, None, "{said}");
        }
        for (said, time) in [(json!("0xffffffffffffffff"), u64::MAX), (json!(5), 5)] {
            let mut header = header();
            header["timestamp"] = said;
            assert_eq!(read(&header).unwrap().block.time, Some(time));
        }
    }

    #[test]
    fn number_hash_and_parent_are_enough() {
        let mut header = header();
        let needed = ["number", "hash", "parentHash"];
        header.as_object_mut().unwrap().retain(|key, _| needed.contains(&key.as_str()));
        let seen = read(&header).unwrap();
        assert_eq!((seen.block.time, seen.bloom), (None, Bloom::repeat_byte(0xff)));
        assert!(seen.whole().is_none());
        for key in needed {
            let mut less = header.clone();
            less.as_object_mut().unwrap().remove(key);
            assert!(read(&less).is_err(), "{key}");
        }
    }
}
