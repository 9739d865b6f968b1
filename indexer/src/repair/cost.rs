//! What keeping a file on aleph costs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};

/// However small a file is, its STORE is billed as one of so many bytes (aleph.im, pricing of
/// storage: 25 MiB).
pub const LEAST_BILLED: u64 = 25 << 20;

const MIB: u128 = 1 << 20;

/// An amount of credits an hour, in ten-thousandths of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credits(pub u64);

impl Credits {
    /// What a STORE of a file of so many bytes is billed each hour, where a MiB costs `per_mib` an
    /// hour. A part of a ten-thousandth counts whole.
    pub fn of_store(bytes: u64, per_mib: Credits) -> Self {
        let billed = u128::from(bytes.max(LEAST_BILLED));
        let credits = (billed * u128::from(per_mib.0)).div_ceil(MIB);
        Self(u64::try_from(credits).unwrap_or(u64::MAX))
    }

    /// From a number of credits, as settings give it; `None` of what is no amount.
    pub fn from_number(credits: f64) -> Option<Self> {
        let parts = (credits * 10_000.0).round();
        (parts.is_finite() && (0.0..9e18).contains(&parts)).then_some(Self(parts as u64))
    }

    /// As a number, for JSON.
    pub fn as_number(self) -> f64 {
        self.0 as f64 / 10_000.0
    }
}

/// From a number that is not below zero, as settings give it.
impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(from)?;
        let refused = || de::Error::custom(format!("{number} is no amount of credits"));
        Self::from_number(number).ok_or_else(refused)
    }
}

impl FromStr for Credits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse::<f64>().map_err(|error| error.to_string())?;
        Self::from_number(number).ok_or_else(|| "it is no amount of credits".to_owned())
    }
}

impl fmt::Display for Credits {
    /// With as many decimals as are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:04}", self.0 / 10_000, self.0 % 10_000);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// What an action takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes that are sent.
    pub bytes: u64,
    /// What it adds to the bill of each hour.
    pub credits: Credits,
}
