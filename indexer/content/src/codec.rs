//! How a digest names content.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How a digest names content; fixed per collection.
///
/// Written `dag-pb` or `raw` everywhere (command line, configuration, JSON, ledger).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// The digest is of the root block of a UnixFS DAG: `Qm…`, `bafybei…`, aleph's ipfs engine.
    #[default]
    DagPb,
    /// The digest is of the bytes themselves: aleph's storage engine, `bafkrei…` in IPFS terms.
    Raw,
}

/// A text that names no codec Everhold can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown codec: `dag-pb` or `raw` is expected")]
pub struct CodecError;

impl Codec {
    /// The codec's number in the multicodec table, as in a CIDv1: `0x70` or `0x55`.
    pub const fn multicodec(self) -> u8 {
        match self {
            Codec::DagPb => 0x70,
            Codec::Raw => 0x55,
        }
    }

    /// The codec with this multicodec number, if it is one Everhold can check.
    pub const fn from_multicodec(number: u8) -> Option<Codec> {
        match number {
            0x70 => Some(Codec::DagPb),
            0x55 => Some(Codec::Raw),
            _ => None,
        }
    }

    /// `dag-pb` or `raw`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Codec::DagPb => "dag-pb",
            Codec::Raw => "raw",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Codec {
    type Err = CodecError;

    fn from_str(text: &str) -> Result<Codec, CodecError> {
        match text {
            "dag-pb" => Ok(Codec::DagPb),
            "raw" => Ok(Codec::Raw),
            _ => Err(CodecError),
        }
    }
}
