//! `--interval`: a duration as Go's `time.ParseDuration` reads it, which is how engines write it.

use std::time::Duration;

use crate::failure::{Failure, Result};

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration above zero, such as `5s`, `1m30s` or `.5h`.
pub(super) fn parse(text: &str) -> Result<Duration> {
    let Some(nanoseconds) = nanoseconds(text) else {
        let text = format!(
            "--interval: invalid value '{text}', expected a duration such as 500ms, 5s or 1m30s"
        );
        return Err(Failure::new(text));
    };
    match u64::try_from(nanoseconds) {
        Ok(nanoseconds) if nanoseconds > 0 => Ok(Duration::from_nanos(nanoseconds)),
        _ => Err(Failure::new(format!(
            "--interval: duration interval must be greater than 0, not '{text}'"
        ))),
    }
}

/// `[+-]` and then `NUMBER[.FRACTION]UNIT` once or more, or a bare `0`; at most what 63 bits hold.
fn nanoseconds(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut sum = 0_i64;
    loop {
        let unit = rest.find(|byte: char| !is_number(byte))?;
        let end = rest[unit..].find(is_number).map_or(rest.len(), |length| unit + length);
        sum = sum.checked_add(amount(&rest[..unit], &rest[unit..end])?)?;
        rest = &rest[end..];
        if rest.is_empty() {
            break;
        }
    }
    Some(if negative { -sum } else { sum })
}

fn is_number(byte: char) -> bool {
    byte.is_ascii_digit() || byte == '.'
}

fn amount(number: &str, unit: &str) -> Option<i64> {
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Hours have thirteen digits of nanoseconds; more make no difference.
    let fraction = fraction.get(..fraction.len().min(15))?;
    let part = match fraction {
        "" => 0,
        digits => {
            let scale = 10_u128.pow(u32::try_from(digits.len()).ok()?);
            digits.parse::<u128>().ok()? * u128::from(*unit) / scale
        }
    };
    i64::try_from(u128::from(whole) * u128::from(*unit) + part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_reads_them() {
        for (text, expected) in [
            ("5s", 5_000_000_000),
            ("1ns", 1),
            ("+300ms", 300_000_000),
            ("1.5s", 1_500_000_000),
            (".5h", 1_800_000_000_000),
            ("1.s", 1_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1h2m3s4ms5us6ns", 3_723_004_005_006),
            ("7\u{b5}s8\u{3bc}s", 15_000),
            ("0s1ms", 1_000_000),
            ("0.3333333333333333333h", 1_199_999_999_999),
            ("2562047h47m16.854775807s", i64::MAX as u64),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told() {
        for text in
            ["", "x", "5", "s", ".s", "5 s", "5S", "1..5s", "5s-1s", "--5s", "2562048h", "1e3s"]
        {
            let failure = parse(text).expect_err(text).to_string();
            assert!(failure.contains(&format!("invalid value '{text}'")), "{failure}");
        }
    }

    #[test]
    fn it_must_be_above_zero() {
        for text in ["0", "0s", "-0", "-5s", "+0", "0h0m", "0.1ns"] {
            let failure = parse(text).expect_err(text).to_string();
            assert!(failure.contains("must be greater than 0"), "{failure}");
        }
    }
}
