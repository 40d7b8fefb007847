//! Texts of annotations.

use super::super::dbus::fuzz::is_read_as_written;
use super::parse;

pub(crate) const WORDS: &[&str] = &[
    "uint64 ", "int16 -", "byte 0x", "@as ", "@ay ", "[", "]", "(", ")", "<", ">", "'", "\\", ",",
    "1e308",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "uint64 10000000",
        "'inactive-or-failed'",
        "['a', \"b\\n\"]",
        "@as []",
        "[byte 1, 2]",
        "('a', uint64 7, <[(1, true)]>)",
        "-0x10",
        "1.5",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Whether it is a value. Then a bus gets what was read.
pub(crate) fn run(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match parse(&text) {
        Ok(value) => {
            is_read_as_written(value);
            true
        }
        Err(why) => {
            assert!(!why.contains(char::is_control), "{why:?}");
            false
        }
    }
}
