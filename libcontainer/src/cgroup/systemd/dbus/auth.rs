//! Saying who we are, before the first message: the mechanism EXTERNAL of SASL.
//!
//! The kernel tells the other side our user id (SO_PEERCRED). We name none of our own: the id that we
//! know may be one of a user namespace, 0 for a rootless engine's, and would be taken for another's.
//! An identity that is left out stands for what the kernel says. `AUTH` without one is answered by a
//! question (`DATA`), to which the empty `DATA` is the answer; since all of this is known in advance,
//! it is sent at once, as systemd's own library does.

use super::Malformed;

/// What is sent. The zero byte is where some systems carry credentials.
pub(super) const REQUEST: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

/// No answer has as many bytes.
const LONGEST: usize = 1024;

/// How long the answer is, once there is all of it; what follows are messages.
pub(super) fn answer(received: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut at = 0;
    while let Some(line) = line(received.get(at..).unwrap_or_default()) {
        at += line.len() + 2;
        match line {
            b"DATA" | b"DATA " => {}
            [b'O', b'K', ..] => return Ok(Some(at)),
            [b'R', b'E', b'J', ..] => return Err(Malformed("it does not accept this user")),
            _ => return Err(Malformed("it does not speak D-Bus")),
        }
    }
    match received.len() {
        ..LONGEST => Ok(None),
        _ => Err(Malformed("it does not speak D-Bus")),
    }
}

fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    bytes.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_ok() {
        let whole = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n";
        for end in 0..whole.len() {
            assert_eq!(answer(&whole[..end]), Ok(None), "{end}");
        }
        let followed = [&whole[..], b"l\x02\x01\x01"].concat();
        assert_eq!(answer(&followed), Ok(Some(whole.len())));
        assert_eq!(answer(b"OK 01\r\nl"), Ok(Some(7)));
    }

    #[test]
    fn anything_else_is_an_error() {
        for received in [&b"REJECTED EXTERNAL\r\n"[..], b"HTTP/1.1 400\r\n", b"\r\n", &[b'x'; 1024]]
        {
            assert!(answer(received).is_err(), "{received:?}");
        }
    }
}
