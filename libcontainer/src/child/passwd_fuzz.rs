//! passwd(5) of an image, in pieces of any size, beside a plain reading of the same rules. group(5) is read
//! nowhere: groups are numbers.

use super::{LONGEST_LINE, Line, MOST_BYTES, find_home};
use std::cell::Cell;

pub(crate) const WORDS: &[&str] =
    &[":", "\n", "0:", ":0:", "+0", "root:x:0:0:root:/root:/bin/sh\n"];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let long = format!("long:x:0:0:{}:/long:/bin/sh\nroot:x:0:0::/root:\n", "x".repeat(2000));
    let texts = [
        "root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1000:Bob:/home/bob:/bin/sh\n",
        "bob:x:1000:1000:Bob:/home/bob:/bin/sh\nroot:x:0:0:root:/root",
        "root:x:0:0:root:relative:/bin/sh\nagain:x:0:0::/second:\n",
        "+::0:0:::\n\nroot::+0:0::/plus:\n:x:0:::/:\n",
        &long,
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Whether root has a home in it.
pub(crate) fn run(bytes: &[u8]) -> bool {
    let expected = plainly(bytes);
    // As a file gives it, and as a pipe or a slow disk may.
    for most in [4096, 1, 7] {
        let at = Cell::new(0);
        let read = |buffer: &mut [u8]| {
            let rest = bytes.get(at.get()..).unwrap_or_default();
            let length = rest.len().min(buffer.len()).min(most);
            buffer[..length].copy_from_slice(&rest[..length]);
            at.set(at.get() + length);
            Ok(length)
        };
        let mut home = Line::default();
        find_home(read, 0, &mut home);
        assert_eq!(home.as_bytes(), expected, "in pieces of {most}");
    }
    owner(bytes);
    !expected.is_empty()
}

fn plainly(bytes: &[u8]) -> &[u8] {
    assert!(bytes.len() < MOST_BYTES, "more is not looked at");
    let of_root = |line: &&[u8]| -> Option<usize> {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let number = fields.get(2)?;
        let zero = !number.is_empty() && number.iter().all(|digit| *digit == b'0');
        (zero && line.len() <= LONGEST_LINE && fields.get(5)?.starts_with(b"/")).then_some(5)
    };
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let line = lines.find(|line| of_root(line).is_some()).unwrap_or_default();
    line.split(|byte| *byte == b':').nth(5).unwrap_or_default()
}

/// The host's, for the owner of a container.
fn owner(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let name = crate::container::name_in(&text, "0").unwrap_or_default();
    assert!(!name.contains([':', '\n']), "{name:?}");
}
