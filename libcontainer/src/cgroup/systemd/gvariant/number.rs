//! Numbers in GVariant's notation.

use super::super::dbus::Value;

/// A number without a type is an int32, or with a point a double.
pub(super) fn parse(word: &str, wanted: Option<&str>) -> Result<Value, String> {
    let wrong = || format!("is not understood at {word:?}");
    let value = match wanted.unwrap_or(if word.contains('.') { "d" } else { "i" }) {
        "d" => {
            let number = word.parse().ok().filter(|number: &f64| number.is_finite());
            return number.map(Value::Double).ok_or_else(wrong);
        }
        "b" | "s" | "o" | "g" => return Err(wrong()),
        signature => integer(word).map(|number| sized(number, signature)).ok_or_else(wrong)?,
    };
    value.ok_or_else(|| match wanted {
        Some(_) => format!("has {word}, which is out of range for its type"),
        None => format!("has {word}, which is no int32; write its type before it, such as uint64"),
    })
}

fn integer(word: &str) -> Option<i128> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let number = i128::from(number.ok()?);
    Some(if negative { -number } else { number })
}

fn sized(number: i128, signature: &str) -> Option<Value> {
    Some(match signature {
        "y" => Value::Byte(number.try_into().ok()?),
        "n" => Value::Int16(number.try_into().ok()?),
        "q" => Value::Uint16(number.try_into().ok()?),
        "i" => Value::Int32(number.try_into().ok()?),
        "u" => Value::Uint32(number.try_into().ok()?),
        "x" => Value::Int64(number.try_into().ok()?),
        "t" => Value::Uint64(number.try_into().ok()?),
        _ => return None,
    })
}
