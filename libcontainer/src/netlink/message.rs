//! Messages and attributes as bytes: a header with the length, a body, and a fill up to four bytes.
//! Both kinds of header, and all numbers, are in the machine's own byte order.

/// What is cut short, or longer than what it is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Damaged;

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;

/// The high bits of an attribute's type: that it has attributes in it, and the order of its bytes.
const TYPE_MASK: u16 = 0x3fff;

/// A request in the making.
pub(super) struct Request(Vec<u8>);

impl Request {
    pub(super) fn new(kind: u16, flags: i32, body: &[u8]) -> Self {
        let flags = (flags | libc::NLM_F_REQUEST) as u16;
        // The length and the sequence number come last; a sender of 0 leaves it to the kernel.
        let header = [&[0; 4][..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8]].concat();
        let mut bytes = [&header, body].concat();
        fill(&mut bytes);
        Self(bytes)
    }

    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = (ATTRIBUTE_HEADER + value.len()) as u16;
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        fill(&mut self.0);
        self
    }

    /// A string, with the NUL byte that the kernel counts.
    pub(super) fn text(self, kind: u16, text: &str) -> Self {
        self.attribute(kind, &[text.as_bytes(), &[0]].concat())
    }

    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = (self.0.len() as u32).to_ne_bytes();
        let numbers = length.into_iter().enumerate();
        let numbers = numbers
            .chain(sequence.to_ne_bytes().into_iter().enumerate().map(|(at, b)| (at + 8, b)));
        for (at, byte) in numbers {
            if let Some(place) = self.0.get_mut(at) {
                *place = byte;
            }
        }
        self.0
    }
}

fn fill(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

/// Takes the next message off a datagram; `None` at its end.
pub(super) fn next<'a>(datagram: &mut &'a [u8]) -> Result<Option<Message<'a>>, Damaged> {
    if datagram.is_empty() {
        return Ok(None);
    }
    let length = u32_at(datagram, 0)? as usize;
    let body = datagram.get(HEADER..length).ok_or(Damaged)?;
    let message = Message {
        kind: u16_at(datagram, 4)?,
        flags: u16_at(datagram, 6)?,
        sequence: u32_at(datagram, 8)?,
        body,
    };
    *datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    Ok(Some(message))
}

/// The attributes from `start` on in the body of a message.
pub(super) fn attributes(body: &[u8], start: usize) -> Result<Vec<(u16, &[u8])>, Damaged> {
    let mut rest = body.get(start..).ok_or(Damaged)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & TYPE_MASK;
        found.push((kind, rest.get(ATTRIBUTE_HEADER..length).ok_or(Damaged)?));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

/// A text up to its NUL byte.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Damaged> {
    array(bytes, at).map(u16::from_ne_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Damaged> {
    array(bytes, at).map(u32::from_ne_bytes)
}

pub(super) fn i32_at(bytes: &[u8], at: usize) -> Result<i32, Damaged> {
    array(bytes, at).map(i32::from_ne_bytes)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Damaged> {
    let part = bytes.get(at..).and_then(|rest| rest.get(..N)).ok_or(Damaged)?;
    part.try_into().map_err(|_| Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request() -> Vec<u8> {
        Request::new(7, 0, &[9; 8]).text(3, "eth0").attribute(5, &[1, 2]).finish(42)
    }

    #[test]
    fn what_is_made_is_read() {
        let bytes = request();
        let mut rest = &bytes[..];
        let message = next(&mut rest).unwrap().unwrap();
        assert_eq!((message.kind, message.sequence), (7, 42));
        assert_eq!(i32::from(message.flags), libc::NLM_F_REQUEST);
        let found = attributes(message.body, 8).unwrap();
        assert_eq!(found, [(3, &b"eth0\0"[..]), (5, &[1, 2][..])]);
        assert_eq!(text(found[0].1), "eth0");
        assert_eq!(next(&mut rest), Ok(None));
    }

    #[test]
    fn several_messages_come_one_after_the_other() {
        let bytes = [request(), request()].concat();
        let mut rest = &bytes[..];
        let (first, second) = (next(&mut rest), next(&mut rest));
        assert_eq!(first, second);
        assert_eq!(next(&mut rest), Ok(None));
    }

    #[test]
    fn what_is_cut_short_is_damaged() {
        let bytes = request();
        for length in 1..bytes.len() {
            assert_eq!(next(&mut &bytes[..length]), Err(Damaged), "{length} bytes");
        }
    }

    /// A length of 0 would be read for ever, one of 3 has no room for itself.
    #[test]
    fn lengths_that_are_none_are_damaged() {
        for length in [0u32, 3, 15, 400, u32::MAX] {
            let mut bytes = request();
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(next(&mut &bytes[..]), Err(Damaged), "{length}");
        }
        for length in [0u16, 3, 9, u16::MAX] {
            let bytes = [&length.to_ne_bytes()[..], &[1, 0, 5, 5, 5, 5]].concat();
            assert_eq!(attributes(&bytes, 0), Err(Damaged), "{length}");
        }
        assert_eq!(attributes(&[1, 2, 3], 4), Err(Damaged));
    }

    proptest! {
        /// Whatever comes, reading ends, and what is read is of the datagram.
        #[test]
        fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut rest = &bytes[..];
            let mut seen = 0;
            while let Ok(Some(message)) = next(&mut rest) {
                seen += HEADER + message.body.len();
                let _ = attributes(message.body, 0);
            }
            prop_assert!(seen <= bytes.len());
        }
    }
}
