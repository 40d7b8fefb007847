//! Container ids: names of directories, typed by people and engines.

use crate::error::{Error, ErrorKind, Result};

const LONGEST: usize = 1024;

/// Letters, digits, `_`, `+`, `-` and `.`, as runc has it; not `.` or `..`, and no `-` in front.
pub(super) fn check(id: &str) -> Result<()> {
    let wrong =
        |text: &str| Err(Error::new(ErrorKind::InvalidArgument, format!("container id {}", text)));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    match id {
        "" => wrong("is empty; give one"),
        _ if id.len() > LONGEST => wrong("is longer than 1024 bytes; shorten it"),
        "." | ".." => wrong(&format!("{id:?} is a directory; give a name")),
        _ if id.starts_with('-') => wrong(&format!("{id:?} begins with -; give one that does not")),
        _ if !id.chars().all(allowed) => wrong(&format!(
            "{id:?} has other characters than letters, digits, _ + - and .; leave them out"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_pass_and_paths_do_not() {
        for id in ["a", "web-1.2_x+y", &"a".repeat(1024), "0123abc"] {
            assert!(check(id).is_ok(), "{id}");
        }
        for id in ["", ".", "..", "a/b", "-x", "a b", "a\0", "ä", &"a".repeat(1025)] {
            assert!(check(id).is_err(), "{id}");
        }
    }
}
