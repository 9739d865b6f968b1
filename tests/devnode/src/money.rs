//! What a STORE costs, in units of 10⁻¹⁸ (of an ALEPH held, or of a credit a second).

const MIB: u128 = 1 << 20;
const UNIT: u128 = 1_000_000_000_000_000_000;
/// ALEPH to be held for a MiB: 0.333333333.
const HELD_PER_MIB: u128 = 333_333_333_000_000_000;
/// Credits for a MiB and hour, as the recorded nodes charged: 1.2 × 0.17967489030626108.
const CREDITS_PER_MIB_HOUR: u128 = 215_609_868_367_513_296;
/// A STORE paid with credits is billed as at least this many bytes.
const LEAST_BILLED: u128 = 25 * MIB;
const DAY: u128 = 86_400;

/// How a STORE is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payment {
    /// ALEPH held on the account.
    Hold,
    /// Credits spent over time.
    Credit,
}

impl Payment {
    /// The word used for it in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Credit => "credit",
        }
    }

    /// The cost of a file of `size` bytes: held in all, or credits a second.
    pub fn cost(self, size: u64) -> u128 {
        let size = u128::from(size);
        match self {
            Self::Hold => size * HELD_PER_MIB / MIB,
            Self::Credit => size.max(LEAST_BILLED) * CREDITS_PER_MIB_HOUR / (MIB * 3600),
        }
    }
}

/// The credits that a day at `per_second` takes.
pub fn credits_for_a_day(per_second: u128) -> u128 {
    per_second * DAY
}

/// A number of whole units.
pub fn units(whole: u128) -> u128 {
    whole.saturating_mul(UNIT)
}

/// Units from a floating amount, as balances are given.
pub fn units_of(amount: f64) -> u128 {
    (amount.max(0.0) * 1e9) as u128 * 1_000_000_000
}

/// `129.365921020507920000`
pub fn decimal(amount: u128) -> String {
    format!("{}.{:018}", amount / UNIT, amount % UNIT)
}

/// The nearest floating number.
pub fn float(amount: u128) -> f64 {
    decimal(amount).parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_recorded() {
        let day = credits_for_a_day(Payment::Credit.cost(6));
        assert_eq!(decimal(day), "129.365921020507920000");
        assert_eq!(float(Payment::Hold.cost(3_600_389)), 1.1445328383126612);
    }
}
