//! Lists of processors and of memory nodes, such as `0-3,7`.

use std::ffi::c_ulong;
use std::fmt;

/// The most processors that a kernel can be built for (CONFIG_NR_CPUS of x86).
const PROCESSORS: usize = 8192;

/// The most memory nodes (CONFIG_NODES_SHIFT of 10).
const NODES: usize = 1024;

/// A list, and the same as a mask for the kernel.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct List {
    text: String,
    mask: Vec<c_ulong>,
}

impl List {
    /// Processors. `Err` says what is wrong with them.
    pub(crate) fn processors(text: &str) -> Result<Self, String> {
        Self::parse(text, "CPU", PROCESSORS)
    }

    /// Memory nodes. `Err` says what is wrong with them.
    pub(crate) fn nodes(text: &str) -> Result<Self, String> {
        Self::parse(text, "memory node", NODES)
    }

    fn parse(text: &str, what: &str, most: usize) -> Result<Self, String> {
        let mut mask = Vec::new();
        for part in text.split(',') {
            let range = range(part)
                .ok_or_else(|| format!("{text:?} is no list of {what}s such as 0-3,7"))?;
            if range.0 > range.1 {
                return Err(format!(
                    "{part} in {text:?} runs backwards; the lower {what} comes first"
                ));
            }
            if range.1 >= most {
                return Err(format!(
                    "{part} in {text:?} is more than Linux has; the last {what} is {}",
                    most - 1
                ));
            }
            (range.0..=range.1).for_each(|number| set(&mut mask, number));
        }
        Ok(Self { text: text.to_owned(), mask })
    }

    /// Bit N for number N.
    pub(crate) fn mask(&self) -> &[c_ulong] {
        &self.mask
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `3` or `0-3`. A number too large for us is too large for anybody.
fn range(part: &str) -> Option<(usize, usize)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    match part.split_once('-') {
        Some((first, last)) => Some((number(first)?, number(last)?)),
        None => number(part).map(|number| (number, number)),
    }
}

fn set(mask: &mut Vec<c_ulong>, number: usize) {
    let bits = c_ulong::BITS as usize;
    if mask.len() <= number / bits {
        mask.resize(number / bits + 1, 0);
    }
    if let Some(word) = mask.get_mut(number / bits) {
        *word |= 1 << (number % bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_bits() {
        let mask = |text| List::processors(text).unwrap().mask;
        assert_eq!(mask("0"), [1]);
        assert_eq!(mask("0-3,7"), [0x8f]);
        assert_eq!(mask("64,5-5"), [0x20, 1]);
        assert_eq!(mask("8191").len(), 128);
        assert_eq!(List::nodes("1,3").unwrap().to_string(), "1,3");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in ["", ",", "0-", "-1", "0--1", "a", "0,,1", " 0", "0-1-2", "+1"] {
            let text = List::processors(text).unwrap_err();
            assert!(text.ends_with("is no list of CPUs such as 0-3,7"), "{text}");
        }
        for (list, says) in [
            (List::processors("3-1"), "3-1 in \"3-1\" runs backwards; the lower CPU comes first"),
            (
                List::processors("0,8192"),
                "8192 in \"0,8192\" is more than Linux has; the last CPU is 8191",
            ),
            (
                List::nodes("1024"),
                "1024 in \"1024\" is more than Linux has; the last memory node is 1023",
            ),
        ] {
            assert_eq!(list.unwrap_err(), says);
        }
        assert!(List::processors("0-99999999999999999999999").is_err());
    }
}
