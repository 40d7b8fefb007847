//! Asking, and reading what comes back.

use super::message::{self, Damaged, Message, Request};
use crate::error::{Error, ErrorKind, describe};
use crate::sys::{self, Errno, netlink};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The kernel fills its datagrams to 32 KiB at most when it lists; one device takes about 2 KiB.
const ROOM: usize = 64 << 10;

/// More datagrams than any host's addresses take: some 400 addresses are in one.
const MOST_DATAGRAMS: usize = 16 << 10;

/// A list that changed while it was read is read again, so often.
const TRIES: usize = 10;

/// Messages of linux/netlink.h, and the bit of their flags that says that a list has changed.
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;
const LIST_CHANGED: u16 = libc::NLM_F_DUMP_INTR as u16;

/// `NLMSGERR_ATTR_MSG` of linux/netlink.h: the kernel's words.
const WORDS: u16 = 1;

/// A connection to the kernel's configuration of one network namespace.
pub(crate) struct Rtnetlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

/// What the kernel said no with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) errno: i32,
    /// Its own words, where it has any.
    words: Option<String>,
}

impl Refusal {
    /// The error of `doing` something.
    pub(crate) fn error(&self, doing: &str) -> Error {
        let source = io::Error::from_raw_os_error(self.errno);
        let words = self.words.iter().map(|words| format!(": {words}")).collect::<String>();
        let text = format!("{doing}: {}{words}", describe(&source));
        Error::new(ErrorKind::Setup, text).hide(source)
    }

    /// The same, with what to make of it.
    pub(crate) fn hinted(&self, doing: &str, hint: &str) -> Error {
        let text = format!("{}; {hint}", self.error(doing));
        Error::new(ErrorKind::Setup, text).hide(io::Error::from_raw_os_error(self.errno))
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno: errno.0, words: None }
    }
}

impl From<Damaged> for Refusal {
    fn from(_: Damaged) -> Self {
        Self { errno: libc::EBADMSG, words: None }
    }
}

pub(super) type Result<T> = std::result::Result<T, Refusal>;

impl Rtnetlink {
    /// In the caller's network namespace.
    pub(crate) fn open() -> Result<Self> {
        netlink::open().map(Self::new).map_err(Refusal::from)
    }

    /// Over a socket that is open, in whatever network namespace it is.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, sequence: 0, buffer: vec![0; ROOM] }
    }

    /// Makes a request. Gives the body of the message that came before the kernel's "done", if any.
    pub(super) fn call(&mut self, request: Request) -> Result<Option<Vec<u8>>> {
        let sequence = self.send(request)?;
        let mut answer = None;
        for _ in 0..MOST_DATAGRAMS {
            let length = netlink::receive(self.socket.as_raw_fd(), &mut self.buffer)?;
            let mut datagram = self.buffer.get(..length).unwrap_or_default();
            while let Some(message) = message::next(&mut datagram)? {
                match message {
                    _ if message.sequence != sequence => {}
                    Message { kind: ERROR, .. } => return verdict(&message).map(|()| answer),
                    Message { body, .. } => answer = Some(body.to_vec()),
                }
            }
        }
        Err(Errno(libc::EMSGSIZE).into())
    }

    /// Lists. `read` is given the body of each message.
    pub(super) fn list<T>(
        &mut self,
        request: impl Fn() -> Request,
        read: impl Fn(&[u8]) -> std::result::Result<Option<T>, Damaged>,
    ) -> Result<Vec<T>> {
        for _ in 0..TRIES {
            if let Some(list) = self.list_once(request(), &read)? {
                return Ok(list);
            }
        }
        Err(Errno(libc::EAGAIN).into())
    }

    /// `None` when the list has changed meanwhile.
    fn list_once<T>(
        &mut self,
        request: Request,
        read: impl Fn(&[u8]) -> std::result::Result<Option<T>, Damaged>,
    ) -> Result<Option<Vec<T>>> {
        let sequence = self.send(request)?;
        let (mut list, mut whole) = (Vec::new(), true);
        for _ in 0..MOST_DATAGRAMS {
            let length = netlink::receive(self.socket.as_raw_fd(), &mut self.buffer)?;
            let mut datagram = self.buffer.get(..length).unwrap_or_default();
            while let Some(message) = message::next(&mut datagram)? {
                if message.sequence != sequence {
                    continue;
                }
                whole &= message.flags & LIST_CHANGED == 0;
                match message.kind {
                    ERROR | DONE => return verdict(&message).map(|()| whole.then_some(list)),
                    _ => list.extend(read(message.body)?),
                }
            }
        }
        Err(Errno(libc::EMSGSIZE).into())
    }

    fn send(&mut self, request: Request) -> sys::Result<u32> {
        self.sequence += 1;
        netlink::send(self.socket.as_raw_fd(), &request.finish(self.sequence))?;
        Ok(self.sequence)
    }
}

/// What an error or the end of a list says: a negative errno or 0, the header of what was asked, and words.
fn verdict(message: &Message) -> Result<()> {
    const REQUEST_HEADER: usize = 16;
    let errno = message::i32_at(message.body, 0)?.wrapping_neg();
    if errno == 0 {
        return Ok(());
    }
    let start = 4 + if message.kind == ERROR { REQUEST_HEADER } else { 0 };
    let attributes = message::attributes(message.body, start).unwrap_or_default();
    let words = attributes.into_iter().find(|(kind, _)| *kind == WORDS);
    let words = words.map(|(_, words)| message::text(words)).filter(|words| !words.is_empty());
    Err(Refusal { errno, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: u16, body: &[u8]) -> Result<()> {
        verdict(&Message { kind, flags: 0, sequence: 1, body })
    }

    #[test]
    fn a_verdict_is_an_errno_and_words() {
        let no = (-libc::EBUSY).to_ne_bytes();
        let words = [&[10, 0, 1, 0][..], b"in us\0", &[0, 0]].concat();
        assert_eq!(told(ERROR, &[&[0; 4][..], &[1; 16]].concat()), Ok(()));
        assert_eq!(told(DONE, &[0; 4]), Ok(()));
        let said = |words: Option<&str>| {
            Err(Refusal { errno: libc::EBUSY, words: words.map(str::to_owned) })
        };
        assert_eq!(told(ERROR, &[&no[..], &[1; 16]].concat()), said(None));
        assert_eq!(told(ERROR, &[&no[..], &[1; 16], &words].concat()), said(Some("in us")));
        assert_eq!(told(DONE, &[&no[..], &words].concat()), said(Some("in us")));
    }

    #[test]
    fn a_verdict_that_is_cut_short_is_none() {
        let damaged = Err(Refusal::from(Damaged));
        assert_eq!(told(ERROR, &[]), damaged);
        assert_eq!(told(DONE, &[1, 2, 3]), damaged);
        // Words that are damaged are no words; the errno counts.
        let no = (-libc::EPERM).to_ne_bytes();
        let refused = told(ERROR, &[&no[..], &[0; 16], &[200, 0, 1, 0]].concat()).unwrap_err();
        assert_eq!(refused, Refusal { errno: libc::EPERM, words: None });
    }

    #[test]
    fn lo_is_there_and_a_name_that_nobody_has_is_not() {
        let mut here = Rtnetlink::open().unwrap();
        let lo = here.link_named("lo").unwrap().unwrap();
        assert!(lo.is_loopback);
        assert_eq!(here.link_at(lo.index).unwrap().unwrap(), lo);
        assert_eq!(here.link_named("skep-none").unwrap(), None);
    }
}
