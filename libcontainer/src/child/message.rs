//! What the child tells the parent: messages of a fixed size, made without allocation.

use crate::plan::At;
use crate::sys::Errno;

/// What a message is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// See to it that this process is in the container's cgroup, then answer.
    NeedCgroup,
    /// Write the id maps, then answer.
    NeedIdMaps,
    /// Do what this step does, to this process, then answer.
    NeedAttribute,
    /// Move the network devices here, then answer.
    NeedNetDevices,
    /// The joiner has made the child: `value` is its pid.
    Forked,
    /// Write down the number of the mount that is to become the root, which is in the text, then answer.
    AttachRoot,
    /// Run the hooks that come before pivot_root, then answer.
    Hooks,
    /// The other side of the terminal comes with this message.
    Terminal,
    /// Something asked for could not be done; `value` is the errno.
    Note,
    /// The listener of the seccomp filter comes with this message.
    Listener,
    /// All is set up; answer when it is written down.
    Ready,
    /// The step failed; `value` is the errno.
    Failed,
}

const KINDS: [Kind; 12] = [
    Kind::NeedCgroup,
    Kind::NeedIdMaps,
    Kind::NeedAttribute,
    Kind::NeedNetDevices,
    Kind::Forked,
    Kind::AttachRoot,
    Kind::Hooks,
    Kind::Terminal,
    Kind::Note,
    Kind::Listener,
    Kind::Ready,
    Kind::Failed,
];

/// The size of a message on the socket.
pub(crate) const SIZE: usize = 256;
const HEADER: usize = 12;
const TEXT: usize = SIZE - HEADER;

/// A message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    /// The step that is being taken.
    pub(crate) step: u32,
    pub(crate) in_joiner: bool,
    pub(crate) value: i32,
    text: [u8; TEXT],
    length: usize,
}

impl Message {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, step: 0, in_joiner: false, value: 0, text: [0; TEXT], length: 0 }
    }

    /// One about a step.
    pub(crate) fn at(at: At) -> Self {
        let At { in_joiner, number: step } = at;
        Self { step, in_joiner, ..Self::new(Kind::Failed) }
    }

    /// That the step of this message failed.
    pub(crate) fn failed(&self, errno: Errno) -> Self {
        Self { kind: Kind::Failed, value: errno.0, ..self.clone() }
    }

    /// What the kernel said in words, as much of it as there is room for.
    pub(crate) fn set_text(&mut self, bytes: &[u8]) {
        self.length = bytes.len().min(TEXT);
        for (to, from) in self.text.iter_mut().zip(bytes) {
            *to = *from;
        }
    }

    pub(crate) fn clear_text(&mut self) {
        self.length = 0;
    }

    pub(crate) fn text(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }

    pub(crate) fn encode(&self) -> [u8; SIZE] {
        let kind = KINDS.iter().position(|kind| *kind == self.kind).unwrap_or_default() as u8;
        let header = [kind, u8::from(self.in_joiner), self.length as u8, 0];
        let header =
            header.into_iter().chain(self.step.to_le_bytes()).chain(self.value.to_le_bytes());
        let mut bytes = [0; SIZE];
        for (to, from) in bytes.iter_mut().zip(header.chain(self.text)) {
            *to = from;
        }
        bytes
    }

    /// The first bytes of a message of this kind about this step. Of a failure, the errno follows eight.
    pub(crate) fn begin<const N: usize>(kind: Kind, at: At) -> [u8; N] {
        let bytes = Self { kind, ..Self::at(at) }.encode();
        let mut begin = [0; N];
        begin.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        begin
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, text) = bytes.split_at_checked(HEADER)?;
        let number = |at: usize| header.get(at..at + 4)?.try_into().ok();
        let mut message = Self::new(*KINDS.get(usize::from(*header.first()?))?);
        message.in_joiner = *header.get(1)? != 0;
        message.step = u32::from_le_bytes(number(4)?);
        message.value = i32::from_le_bytes(number(8)?);
        message.set_text(text.get(..usize::from(*header.get(2)?))?);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::super::EXEC_STEP;
    use super::*;
    use crate::plan::At;

    #[test]
    fn what_is_encoded_is_decoded() {
        for kind in KINDS {
            let mut message = Message::new(kind);
            message.step = 70_000;
            message.value = -5;
            message.in_joiner = true;
            message.set_text(b"e proc: no");
            let read = Message::decode(&message.encode()).unwrap();
            assert_eq!(
                (read.kind, read.step, read.value, read.in_joiner),
                (kind, 70_000, -5, true)
            );
            assert_eq!(read.text(), b"e proc: no");
        }
    }

    #[test]
    fn a_header_and_an_errno_are_a_message() {
        let mut bytes = Message::begin::<8>(Kind::Failed, At::EXEC).to_vec();
        bytes.extend(libc::ENOENT.to_le_bytes());
        let read = Message::decode(&bytes).unwrap();
        assert_eq!((read.kind, read.step, read.value), (Kind::Failed, EXEC_STEP, libc::ENOENT));
    }

    #[test]
    fn rubbish_is_none() {
        assert!(Message::decode(&[]).is_none());
        assert!(Message::decode(&[200; SIZE]).is_none());
    }
}
