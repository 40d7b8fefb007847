//! A connection to a bus, or to systemd itself: calls, their answers, and the signals in between.

use super::address::Address;
use super::message::{self, Call, Kind, Message};
use super::value::Value;
use super::{Malformed, auth};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Signals that are kept until somebody asks for them.
const SIGNALS: usize = 4096;

/// Why a call has no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum Fault {
    /// The connection failed.
    #[error("{}", crate::error::describe(.0))]
    Io(#[from] io::Error),
    /// Nothing came in time.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The other side does not keep to the protocol.
    #[error("its message is not understood: {0}")]
    Malformed(#[from] Malformed),
    /// The answer is well-formed, but not what was asked for.
    #[error("{0}")]
    Unexpected(&'static str),
    /// The other side answered with an error: its name, and a text for people.
    #[error("{text}")]
    Refused { name: String, text: String },
}

impl Fault {
    /// Whether the answer was the error `name`.
    pub(in super::super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { name, .. } if name == wanted)
    }
}

/// A connection that is authenticated.
#[derive(Debug)]
pub(in super::super) struct Connection {
    stream: UnixStream,
    patience: Duration,
    deadline: Instant,
    serial: u32,
    received: Vec<u8>,
    /// The member of the signals that are kept; others are dropped.
    awaited: Option<&'static str>,
    signals: VecDeque<Message>,
}

impl Connection {
    /// Connects. All that is ever waited for on this connection is waited for `patience` in all.
    pub(in super::super) fn open(address: &Address, patience: Duration) -> Result<Self, Fault> {
        let mut connection = Self {
            stream: connect_to(address, patience)?,
            patience,
            deadline: Instant::now() + patience,
            serial: 0,
            received: Vec::new(),
            awaited: None,
            signals: VecDeque::new(),
        };
        connection.send(auth::REQUEST)?;
        let answer = connection.receive(auth::answer)?;
        connection.received.drain(..answer);
        Ok(connection)
    }

    /// From now on keeps the signals that are called `member`.
    pub(in super::super) fn keep_signals(&mut self, member: &'static str) {
        self.awaited = Some(member);
    }

    /// Calls a method and waits for its answer.
    pub(in super::super) fn call(&mut self, call: &Call<'_>) -> Result<Message, Fault> {
        self.serial = self.serial.wrapping_add(1).max(1);
        let bytes = call.bytes(self.serial)?;
        self.send(&bytes)?;
        loop {
            let message = self.next()?;
            match message.kind {
                Kind::Reply if message.reply_serial == Some(self.serial) => return Ok(message),
                Kind::Error if message.reply_serial == Some(self.serial) => {
                    return Err(refusal(message));
                }
                Kind::Signal => self.keep(message),
                _ => {}
            }
        }
    }

    /// The next signal that is kept.
    pub(in super::super) fn signal(&mut self) -> Result<Message, Fault> {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                return Ok(signal);
            }
            let message = self.next()?;
            self.keep(message);
        }
    }

    fn keep(&mut self, message: Message) {
        let wanted = message.kind == Kind::Signal && message.member.as_deref() == self.awaited;
        if wanted && self.awaited.is_some() && self.signals.len() < SIGNALS {
            self.signals.push_back(message);
        }
    }

    fn next(&mut self) -> Result<Message, Fault> {
        loop {
            let length = self.receive(whole)?;
            let bytes: Vec<u8> = self.received.drain(..length).collect();
            if let Some(message) = message::parse(&bytes)? {
                return Ok(message);
            }
        }
    }

    /// Reads until `complete` knows how many bytes of what was received belong together.
    fn receive(
        &mut self,
        complete: fn(&[u8]) -> Result<Option<usize>, Malformed>,
    ) -> Result<usize, Fault> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(length) = complete(&self.received)? {
                return Ok(length);
            }
            let left = self.left()?;
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(read) => self.received.extend_from_slice(buffer.get(..read).unwrap_or_default()),
                Err(error) => self.forgive(error)?,
            }
        }
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let left = self.left()?;
            self.stream.set_write_timeout(Some(left))?;
            match self.stream.write(bytes) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) => self.forgive(error)?,
            }
        }
        Ok(())
    }

    /// A signal that interrupts is no failure.
    fn forgive(&self, error: io::Error) -> Result<(), Fault> {
        match error.kind() {
            ErrorKind::Interrupted => Ok(()),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(Fault::Late(self.patience)),
            _ => Err(error.into()),
        }
    }

    fn left(&self) -> Result<Duration, Fault> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(Fault::Late(self.patience)),
            false => Ok(left),
        }
    }
}

/// The length of the message that `received` begins with, once all of it is there.
fn whole(received: &[u8]) -> Result<Option<usize>, Malformed> {
    Ok(message::length(received)?.filter(|length| *length <= received.len()))
}

/// std has no connect(2) that ends in time: it waits for as long as the other side's queue is full.
fn connect_to(address: &Address, patience: Duration) -> Result<UnixStream, Fault> {
    let name = match address {
        Address::Path(path) => UnixAddr::new(path),
        Address::Abstract(name) => UnixAddr::new_abstract(name),
    };
    let failed = |errno| Fault::Io(io::Error::from(errno));
    let name = name.map_err(failed)?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket: OwnedFd =
        socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed)?;
    let limit = TimeVal::new(patience.as_secs().try_into().unwrap_or(i64::MAX), 0);
    setsockopt(&socket, sockopt::SendTimeout, &limit).map_err(failed)?;
    loop {
        match connect(socket.as_raw_fd(), &name) {
            Ok(()) => return Ok(socket.into()),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Err(Fault::Late(patience)),
            Err(errno) => return Err(failed(errno)),
        }
    }
}

/// The name of the error and its text, which goes into a line of ours.
fn refusal(message: Message) -> Fault {
    let name = message.error_name.clone().unwrap_or_default();
    let values = message.values().unwrap_or_default();
    let text = values.first().and_then(Value::text).unwrap_or(&name);
    let line: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    Fault::Refused { text: line.trim().chars().take(500).collect(), name }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
