//! Numbers as they are typed.

use std::str::FromStr;

/// An integer of some type, and how to call it in an error.
pub(crate) trait Integer: FromStr {
    const KIND: &'static str;
}

impl Integer for i64 {
    const KIND: &'static str = "whole number";
}

impl Integer for u64 {
    const KIND: &'static str = "number of 0 or more";
}

impl Integer for u16 {
    const KIND: &'static str = "number from 0 to 65535";
}

/// The powers of 1024 that a letter stands for.
const UNITS: &str = "bkmgtp";

/// A size in bytes: a number, also one with a fraction, with a unit of 1024 in either case and in
/// the forms `k`, `kb` and `kib`, perhaps behind a space; or -1. As Docker reads it.
pub(crate) fn bytes(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let unit = power(unit.strip_prefix(' ').unwrap_or(unit))?;
    let factor = 1_i64 << (10 * unit);
    if let Ok(whole) = digits.parse::<i64>() {
        return whole.checked_mul(factor);
    }
    let size = digits.parse::<f64>().ok()? * factor as f64;
    (size < i64::MAX as f64).then_some(size as i64)
}

fn power(unit: &str) -> Option<usize> {
    let unit = unit.to_ascii_lowercase();
    let Some(letter) = unit.chars().next() else { return Some(0) };
    let power = UNITS.find(letter)?;
    let forms: &[&str] = if power == 0 { &[""] } else { &["", "b", "ib"] };
    forms.contains(&&unit[1..]).then_some(power)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, size) in [
            ("0", 0),
            ("-1", -1),
            ("4096", 4096),
            ("7b", 7),
            ("1k", 1024),
            ("64M", 64 << 20),
            ("64mb", 64 << 20),
            ("64MiB", 64 << 20),
            ("2 g", 2 << 30),
            ("0.5g", 1 << 29),
            ("1.5k", 1536),
            ("3t", 3 << 40),
            ("1p", 1 << 50),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(bytes(text), Some(size), "{text}");
        }
    }

    #[test]
    fn other_things_are_no_sizes() {
        for text in [
            "",
            " ",
            "m",
            "-2",
            "-1k",
            "1q",
            "1kk",
            "1bb",
            "1bib",
            "1 2",
            "1.2.3",
            ".",
            "inf",
            "1e3",
            "0x10",
            "+5",
            "99999999999999999999",
            "9999999p",
            "1ké",
            "é",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
