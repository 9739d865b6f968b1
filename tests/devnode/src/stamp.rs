//! Times as the node writes them: seconds with six decimals, or RFC 3339 in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, now, to a microsecond: finer ones change when they are written to disk as a
/// decimal and read again.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    rounded(since.map_or(0.0, |since| since.as_secs_f64()))
}

/// Seconds rounded to a microsecond, as the node keeps them.
pub fn rounded(seconds: f64) -> f64 {
    micros(seconds) as f64 / 1e6
}

/// `2026-11-22T06:23:14.144886Z`
pub fn rfc3339(seconds: f64) -> String {
    let micros = micros(seconds);
    let (whole, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, clock) = (whole.div_euclid(86_400), whole.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let fraction = match fraction {
        0 => String::new(),
        some => format!(".{some:06}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The fraction is rounded apart from the whole, where a float has the digits for it.
fn micros(seconds: f64) -> i64 {
    let whole = seconds.floor();
    whole as i64 * 1_000_000 + ((seconds - whole) * 1e6).round_ties_even() as i64
}

/// The Gregorian date of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_recorded() {
        assert_eq!(rfc3339(1795328678.7129352), "2026-11-22T06:24:38.712935Z");
        assert_eq!(rfc3339(951_782_400.0), "2000-02-29T00:00:00Z");
        assert_eq!(rounded(1795328592.6793706), 1795328592.679371);
        assert_eq!(rounded(1795328602.9428275), 1795328602.942827);
    }
}
