//! System calls that the trampoline makes for the child: those that can only be made behind its execve(2),
//! or by the process that it makes.

use super::attributes::SchedulerAttr;
use super::file::Resolve;
use super::trampoline::Header;
use std::ffi::CStr;
use std::os::fd::RawFd;

/// The call behind which there are two processes.
pub(crate) const CLONE: u32 = libc::SYS_clone as u32;
/// Waits for an answer of the parent's: without one, the process ends.
pub(crate) const AWAIT: u32 = libc::SYS_recvfrom as u32;

/// An argument of a call.
#[derive(Clone, Debug)]
enum Argument {
    Number(u64),
    /// The address of these.
    Bytes(Vec<u8>),
    /// What the last call that [keeps](Call::keeping) its result gave. Only as first argument.
    Kept,
}

/// A call: those behind it are made only if it succeeds.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    number: u32,
    arguments: Vec<Argument>,
    keeps: bool,
    failed: Header,
}

/// A call as the trampoline reads it. One of number 0 ends the list: read(2) cannot be among them.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct CallOrder {
    pub(crate) number: u32,
    pub(crate) flags: u32,
    pub(crate) arguments: [u64; 4],
    pub(crate) failed: Header,
}

impl CallOrder {
    pub(crate) const KEEPS: u32 = 1;
    pub(crate) const TAKES_KEPT: u32 = 2;

    fn bytes(self) -> impl Iterator<Item = u8> {
        [self.number, self.flags]
            .into_iter()
            .flat_map(u32::to_ne_bytes)
            .chain(self.arguments.into_iter().flat_map(u64::to_ne_bytes))
            .chain(self.failed)
    }
}

impl Call {
    fn new(number: libc::c_long, arguments: impl IntoIterator<Item = Argument>) -> Self {
        Self {
            number: number as u32,
            arguments: arguments.into_iter().collect(),
            keeps: false,
            failed: Header::default(),
        }
    }

    fn keeping(self) -> Self {
        Self { keeps: true, ..self }
    }

    /// With the beginning of the message that it failed.
    pub(crate) fn or(self, failed: Header) -> Self {
        Self { failed, ..self }
    }

    /// Makes a sibling, which goes on with the calls behind this one.
    pub(crate) fn spawn() -> Self {
        Self::new(libc::SYS_clone, [Argument::Number(libc::CLONE_PARENT as u64)])
    }

    pub(crate) fn await_answer() -> Self {
        Self::new(libc::SYS_recvfrom, [])
    }

    /// Sends the beginning of a message.
    pub(crate) fn tell(socket: RawFd, message: &[u8; 12]) -> Self {
        let length = Argument::Number(message.len() as u64);
        let text = Argument::Bytes(message.to_vec());
        Self::new(libc::SYS_write, [Argument::Number(socket as u64), text, length])
    }

    pub(crate) fn new_session() -> Self {
        Self::new(libc::SYS_setsid, [])
    }

    /// Standard input becomes the controlling terminal.
    pub(crate) fn controlling_terminal() -> Self {
        Self::new(libc::SYS_ioctl, [0, libc::TIOCSCTTY, 0].map(Argument::Number))
    }

    /// Sets the scheduling of whoever makes the call.
    pub(crate) fn scheduler(attr: &SchedulerAttr) -> Self {
        let arguments =
            [Argument::Number(0), Argument::Bytes(attr.bytes().collect()), Argument::Number(0)];
        Self::new(libc::SYS_sched_setattr, arguments)
    }

    pub(crate) fn close(fd: RawFd) -> Self {
        Self::new(libc::SYS_close, [Argument::Number(fd as u64)])
    }

    /// Writes `text` to the file at `path` below procfs.
    pub(crate) fn write_proc(procfs: RawFd, path: &CStr, text: &CStr) -> [Self; 3] {
        let length = Argument::Number(text.count_bytes() as u64);
        let text = Argument::Bytes(text.to_bytes().to_vec());
        [
            open(procfs, path, libc::O_WRONLY, Resolve::SameMount),
            Self::new(libc::SYS_write, [Argument::Kept, text, length]),
            Self::new(libc::SYS_close, [Argument::Kept]),
        ]
    }

    /// Changes to a directory of the container, from its root directory. Magic links are no way.
    pub(crate) fn change_directory(path: &CStr) -> [Self; 2] {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        [
            open(libc::AT_FDCWD, path, flags, Resolve::InRoot),
            Self::new(libc::SYS_fchdir, [Argument::Kept]),
        ]
    }
}

fn open(directory: RawFd, path: &CStr, flags: i32, resolve: Resolve) -> Call {
    // struct open_how: flags, mode, resolve. What is open ends with the next execve(2) at the latest.
    let how = [(flags | libc::O_CLOEXEC) as u64, 0, resolve.bits()];
    let arguments = [
        Argument::Number(directory as u64),
        Argument::Bytes(path.to_bytes_with_nul().to_vec()),
        Argument::Bytes(how.into_iter().flat_map(u64::to_ne_bytes).collect()),
        Argument::Number(size_of_val(&how) as u64),
    ];
    Call::new(libc::SYS_openat2, arguments).keeping()
}

/// Puts the calls and what they point to at the end of an image that is mapped at `base`; the address of the
/// first.
pub(crate) fn append(calls: &[Call], image: &mut Vec<u8>, base: u64) -> u64 {
    let orders: Vec<CallOrder> = calls.iter().map(|call| order(call, image, base)).collect();
    // The kernel takes numbers at any address; aligned ones are no dearer.
    image.resize(image.len().next_multiple_of(8), 0);
    let address = base + image.len() as u64;
    let end = CallOrder::default();
    image.extend(orders.into_iter().chain([end]).flat_map(CallOrder::bytes));
    address
}

fn order(call: &Call, image: &mut Vec<u8>, base: u64) -> CallOrder {
    let flags = if call.keeps { CallOrder::KEEPS } else { 0 };
    let mut order =
        CallOrder { number: call.number, flags, failed: call.failed, ..Default::default() };
    for (place, argument) in order.arguments.iter_mut().zip(&call.arguments) {
        match argument {
            Argument::Number(number) => *place = *number,
            Argument::Bytes(bytes) => {
                *place = base + image.len() as u64;
                image.extend(bytes);
            }
            Argument::Kept => order.flags |= CallOrder::TAKES_KEPT,
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x1000;

    fn word(image: &[u8], place: usize) -> u64 {
        u64::from_ne_bytes(image[place..place + 8].try_into().unwrap())
    }

    #[test]
    fn what_an_order_says_is_where_the_trampoline_reads_it() {
        let calls = Call::change_directory(c"/proc/self").map(|call| call.or([7; 8]));
        let mut image = vec![0; 3];
        let begin = (append(&calls, &mut image, BASE) - BASE) as usize;
        let at = |call: usize, offset| word(&image, begin + call * size_of::<CallOrder>() + offset);
        let arguments = std::mem::offset_of!(CallOrder, arguments);
        let path = (at(0, arguments + 8) - BASE) as usize;
        assert_eq!(&image[path..path + 11], b"/proc/self\0");
        assert_eq!(at(0, arguments + 24), size_of::<libc::open_how>() as u64);
        assert_eq!(at(0, 0), libc::SYS_openat2 as u64 | u64::from(CallOrder::KEEPS) << 32);
        assert_eq!(at(1, 0), libc::SYS_fchdir as u64 | u64::from(CallOrder::TAKES_KEPT) << 32);
        assert_eq!(at(1, std::mem::offset_of!(CallOrder, failed)), word(&[7; 8], 0));
        assert_eq!(image.len(), begin + 3 * size_of::<CallOrder>());
        assert_eq!(at(2, 0), 0);
    }

    #[test]
    fn scheduling_is_as_long_as_it_is_in_memory() {
        assert_eq!(SchedulerAttr::default().bytes().count(), size_of::<SchedulerAttr>());
    }
}
