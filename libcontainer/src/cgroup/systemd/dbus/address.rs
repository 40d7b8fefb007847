//! Addresses of buses, as `DBUS_SESSION_BUS_ADDRESS` has them.

use super::Malformed;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Where a bus listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) enum Address {
    /// A socket in the file system.
    Path(PathBuf),
    /// A socket of the abstract namespace of unix(7).
    Abstract(Vec<u8>),
}

impl Address {
    /// The unix sockets of a list of addresses, in order; others are passed over.
    pub(in super::super) fn parse(list: &str) -> Result<Vec<Self>, Malformed> {
        let addresses = list.split(';').filter(|one| !one.is_empty()).map(parse_one);
        addresses.filter_map(Result::transpose).collect()
    }
}

fn parse_one(address: &str) -> Result<Option<Address>, Malformed> {
    let (transport, keys) = address.split_once(':').ok_or(Malformed("it has no transport"))?;
    if transport != "unix" {
        return Ok(None);
    }
    for pair in keys.split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or(Malformed("a key has no value"))?;
        match key {
            "path" => {
                let path = PathBuf::from(OsString::from_vec(unescape(value)?));
                return Ok(Some(Address::Path(path)));
            }
            "abstract" => return Ok(Some(Address::Abstract(unescape(value)?))),
            _ => {}
        }
    }
    Ok(None)
}

/// `%` and two hexadecimal digits stand for a byte.
fn unescape(value: &str) -> Result<Vec<u8>, Malformed> {
    let mut bytes = value.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| (digit as char).to_digit(16));
                let pair = digit().zip(digit()).map(|(high, low)| (high * 16 + low) as u8);
                pair.ok_or(Malformed("a `%` is not followed by two hexadecimal digits"))?
            }
            other => other,
        };
        plain.push(byte);
    }
    match plain.is_empty() || plain.contains(&0) {
        true => Err(Malformed("a socket has no usable name")),
        false => Ok(plain),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Abstract(name) => write!(f, "@{}", name.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> Address {
        Address::Path(path.into())
    }

    #[test]
    fn sockets_are_found_in_lists() {
        for (list, expected) in [
            ("unix:path=/run/user/1000/bus", vec![path("/run/user/1000/bus")]),
            ("unix:path=/a,guid=00", vec![path("/a")]),
            ("unix:guid=00,path=/a%20b%2C", vec![path("/a b,")]),
            ("unix:abstract=/tmp/x", vec![Address::Abstract(b"/tmp/x".to_vec())]),
            ("tcp:host=localhost,port=1;unix:path=/b;", vec![path("/b")]),
            ("unixexec:path=/bin/ssh;unix:runtime=yes;unix:tmpdir=/tmp", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(Address::parse(list), Ok(expected), "{list}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for list in [
            "/run/bus",
            "unix:path",
            "unix:path=",
            "unix:path=/a%2",
            "unix:path=%zz",
            "unix:abstract=%00",
        ] {
            assert!(Address::parse(list).is_err(), "{list}");
        }
    }
}
