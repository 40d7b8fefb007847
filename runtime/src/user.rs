//! `--user UID[:GID]` and `--additional-gids GID`: decimal ids and nothing else.
//!
//! Other runtimes took what they could not read as a number for 0 or for a name of the image's
//! passwd, and so for root (CVE-2016-3697, CVE-2026-30892).

use crate::failure::{Failure, Result};

/// A user as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    /// None when no group was typed.
    pub(crate) gid: Option<u32>,
}

/// Reads `UID[:GID]`.
pub(crate) fn parse(typed: &str) -> Result<User> {
    let (uid, gid) = match typed.split_once(':') {
        Some((uid, gid)) => (uid, Some(gid)),
        None => (typed, None),
    };
    let wrong = |what, text| Failure::new(format!("--user {typed:?}: {what} {text}"));
    Ok(User {
        uid: id(uid).map_err(|text| wrong("uid", text))?,
        gid: gid.map(id).transpose().map_err(|text| wrong("gid", text))?,
    })
}

/// Reads the value of `--additional-gids`.
pub(crate) fn parse_gid(typed: &str) -> Result<u32> {
    id(typed).map_err(|text| Failure::new(format!("--additional-gids {typed:?}: gid {text}")))
}

fn id(typed: &str) -> std::result::Result<u32, &'static str> {
    if typed.is_empty() || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is not a number; expected UID[:GID], such as 1000 or 1000:1000");
    }
    // The last number means "no id" to the kernel: setuid would leave the id as it is.
    match typed.parse() {
        Ok(u32::MAX) | Err(_) => Err("is too large; the largest id is 4294967294"),
        Ok(id) => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken() {
        assert_eq!(parse("1"), Ok(User { uid: 1, gid: None }));
        assert_eq!(parse("0:5"), Ok(User { uid: 0, gid: Some(5) }));
        assert_eq!(parse("4294967294:0"), Ok(User { uid: u32::MAX - 1, gid: Some(0) }));
        assert_eq!(parse_gid("27"), Ok(27));
    }

    #[test]
    fn everything_else_is_refused() {
        for typed in [
            "",
            ":",
            "1:",
            ":1",
            "x",
            "root",
            "1x",
            " 1",
            "1 ",
            "-1",
            "+1",
            "0x1",
            "1:2:3",
            "1:x",
            "4294967295",
            "4294967296",
            "1:4294967295",
            "99999999999999999999",
            "١",
        ] {
            assert!(parse(typed).is_err(), "{typed}");
            assert!(parse_gid(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn refusal_names_the_flag_and_the_part() {
        let text = parse("1:x").unwrap_err().to_string();
        assert!(text.starts_with("--user \"1:x\": gid is not a number"), "{text}");
    }
}
