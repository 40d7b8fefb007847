//! Signatures: which types a value is made of.

use super::Malformed;

/// Longest signature, in bytes.
const LENGTH: usize = 255;

/// How deep arrays may be nested in arrays, and structs in structs.
const NESTING: usize = 32;

/// Splits the first complete type off; `None` at the end.
pub(super) fn split(signature: &str) -> Result<Option<(&str, &str)>, Malformed> {
    match signature.len() {
        0 => Ok(None),
        1..=LENGTH => {
            let end = end_of_type(signature.as_bytes(), 0, Nesting::default())?;
            Ok(signature.split_at_checked(end))
        }
        _ => Err(Malformed("a signature is longer than 255 bytes")),
    }
}

/// Whether all of it is complete types.
pub(super) fn check(mut signature: &str) -> Result<(), Malformed> {
    if signature.len() > LENGTH {
        return Err(Malformed("a signature is longer than 255 bytes"));
    }
    while let Some((_, rest)) = split(signature)? {
        signature = rest;
    }
    Ok(())
}

/// The alignment of a type, by its first letter.
pub(super) fn alignment(first: u8) -> usize {
    match first {
        b'n' | b'q' => 2,
        b'b' | b'i' | b'u' | b's' | b'o' | b'a' => 4,
        b'x' | b't' | b'd' | b'(' | b'{' => 8,
        _ => 1,
    }
}

#[derive(Clone, Copy, Default)]
struct Nesting {
    arrays: usize,
    structs: usize,
}

/// Where the complete type that begins at `at` ends.
fn end_of_type(signature: &[u8], at: usize, nesting: Nesting) -> Result<usize, Malformed> {
    if nesting.arrays > NESTING || nesting.structs > NESTING {
        return Err(Malformed("a signature is nested too deeply"));
    }
    match signature.get(at) {
        Some(b'a') => {
            let inner = Nesting { arrays: nesting.arrays + 1, ..nesting };
            match signature.get(at + 1) {
                Some(b'{') => end_of_entry(signature, at + 2, inner),
                _ => end_of_type(signature, at + 1, inner),
            }
        }
        Some(b'(') => end_of_struct(signature, at + 1, nesting),
        Some(b'v') => Ok(at + 1),
        Some(byte) if is_basic(*byte) => Ok(at + 1),
        Some(_) => Err(Malformed("a signature has an unknown type")),
        None => Err(Malformed("a signature is incomplete")),
    }
}

fn end_of_struct(signature: &[u8], mut at: usize, nesting: Nesting) -> Result<usize, Malformed> {
    let inner = Nesting { structs: nesting.structs + 1, ..nesting };
    if signature.get(at) == Some(&b')') {
        return Err(Malformed("a signature has an empty struct"));
    }
    while signature.get(at) != Some(&b')') {
        at = end_of_type(signature, at, inner)?;
    }
    Ok(at + 1)
}

fn end_of_entry(signature: &[u8], at: usize, nesting: Nesting) -> Result<usize, Malformed> {
    let inner = Nesting { structs: nesting.structs + 1, ..nesting };
    if !signature.get(at).is_some_and(|byte| is_basic(*byte)) {
        return Err(Malformed("a signature has a dictionary without a basic key"));
    }
    let end = end_of_type(signature, at + 1, inner)?;
    match signature.get(end) {
        Some(b'}') => Ok(end + 1),
        _ => Err(Malformed("a signature has a dictionary entry that is no pair")),
    }
}

/// All but `h`: descriptors are never passed here.
fn is_basic(byte: u8) -> bool {
    b"ybnqiuxtdsog".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_type_is_split_off() {
        for (signature, first, rest) in [
            ("s", "s", ""),
            ("ssa(sv)a(sa(sv))", "s", "sa(sv)a(sa(sv))"),
            ("a(sv)a(sa(sv))", "a(sv)", "a(sa(sv))"),
            ("a{sv}u", "a{sv}", "u"),
            ("aaya{y(ii)}", "aay", "a{y(ii)}"),
            ("(i(vs))g", "(i(vs))", "g"),
        ] {
            assert_eq!(split(signature), Ok(Some((first, rest))), "{signature}");
            assert_eq!(check(signature), Ok(()));
        }
        assert_eq!(split(""), Ok(None));
    }

    #[test]
    fn nonsense_is_refused() {
        let deep = ["a".repeat(33) + "i", "(".repeat(33) + "i" + &")".repeat(33), "i".repeat(256)];
        let deep = deep.iter().map(String::as_str);
        let short = ["a", "()", "(", "(i", ")", "{sv}", "a{vs}", "a{s}", "a{sss}", "a{s", "h", "é"];
        for signature in short.into_iter().chain(deep) {
            assert!(check(signature).is_err(), "{signature}");
        }
        assert_eq!(check(&("a".repeat(32) + "i")), Ok(()));
    }
}
