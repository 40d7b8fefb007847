//! A program of about a thousand bytes whose only act is to execute another one, at once or when `start` says so.
//!
//! A process that enters a container is, until it executes its program, an image of the host's
//! binary: `/proc/self/exe`, and with it an entrypoint, a `#!` line or an ELF interpreter of that
//! name, would lead the container to the host's file (CVE-2019-5736). So the last thing that the
//! child executes is this program, from a memory file of its own, and it executes the container's.
//! All that the container can ever see or overwrite is that memory file.
//!
//! It costs five system calls and no second start of ourselves, and serves a program that embeds
//! the library as well. A container that waits for `start` waits in it: with none of its maker's
//! memory, and open to whoever owns its user namespace, as a process that was executed there is.
//!
//! It is also what loads the container's seccomp filter: as late as that can be, so that the profile
//! need permit as little as possible for our sake. The order is
//!
//! 1. fcntl(2): what it holds open becomes close-on-exec.
//! 2. The [calls](super::calls) that its maker could not make in its place. A label of AppArmor or SELinux is
//!    for the next execve(2), and that must be the program's: were it ours, the label would have to permit
//!    execution of our memory file, and of the program. procfs is the host's, and closed then.
//!    Where the process enters a container that runs, clone(2) is among them: this program makes the process
//!    that the container sees, as a sibling, and ends. So nothing of its maker is ever seen there: no file to
//!    overwrite, no memory, no command line, and no descriptor but the one for reports.
//! 3. capset(2) or prctl(2), only if CAP_SYS_ADMIN was carried here to load the filter with, as an
//!    ambient capability: it is ambient no more, so that the program cannot get it whatever the filter
//!    does to what follows.
//! 4. clone(2), only if there will be a listener: a thread that the filter is not for, and that hands
//!    the listener to the parent. Whatever we called ourselves for that might be notified, and then
//!    wait for an agent that has no listener.
//! 5. seccomp(2). From here on the filter has a say.
//! 6. capset(2), only if the filter permits it: gives CAP_SYS_ADMIN up for the time of waiting.
//! 7. read(2), only if the container waits for `start`.
//! 8. execve(2). `argv[0]` is the path to execute, the rest its arguments.
//!
//! A failure is reported as the twelve bytes of a [`Message`](crate::child::Message) without text.
//! What fails before `start` has come, with nobody there to hear of it, is told to `start`.

use super::Result;
use super::calls::Call;
#[cfg(target_arch = "x86_64")]
use super::calls::{AWAIT, CLONE, CallOrder};
#[cfg(target_arch = "x86_64")]
use super::{check, identity::ADMIN};
use skep_seccomp::Instruction;
#[cfg(target_arch = "x86_64")]
use std::mem::offset_of;
#[cfg(target_arch = "x86_64")]
use std::os::fd::{AsRawFd, RawFd};
use std::os::fd::{FromRawFd, OwnedFd};

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    include_str!("trampoline.s"),
    FD = const offset_of!(Orders, fd),
    WAITS = const offset_of!(Orders, waits),
    SOCKET = const offset_of!(Orders, socket),
    FLAGS = const offset_of!(Orders, flags),
    ADMIN = const offset_of!(Orders, admin),
    NUMBER = const ADMIN,
    OTHERS = const !(1u32 << ADMIN),
    INHERITABLE = const Admin::INHERITABLE,
    GIVEN_UP = const Admin::GIVEN_UP,
    YIELDS = const offset_of!(Orders, yields),
    KEEP = const offset_of!(Orders, keep),
    PROGRAM = const offset_of!(Orders, program),
    EXEC = const offset_of!(Orders, exec),
    LOAD = const offset_of!(Orders, load),
    SEND = const offset_of!(Orders, send),
    GIVE_UP = const offset_of!(Orders, give_up),
    WAIT = const offset_of!(Orders, wait),
    LISTENER = const offset_of!(Orders, listener),
    LISTENS = const offset_of!(Orders, listens),
    CALLS = const offset_of!(Orders, calls),
    FORKED = const offset_of!(Orders, forked),
    CALL_NUMBER = const offset_of!(CallOrder, number),
    CALL_FLAGS = const offset_of!(CallOrder, flags),
    CALL_ARGUMENTS = const offset_of!(CallOrder, arguments),
    CALL_FAILED = const offset_of!(CallOrder, failed),
    CALL_SIZE = const size_of::<CallOrder>(),
    CALL_KEEPS = const CallOrder::KEEPS,
    CALL_TAKES_KEPT = const CallOrder::TAKES_KEPT,
    CLONE = const CLONE,
    AWAIT = const AWAIT,
);

/// The first eight bytes of a message.
pub(crate) type Header = [u8; 8];

/// What the trampoline is to do. It reads this behind its own instructions.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Orders {
    /// Where it reports, and waits.
    pub(crate) fd: i32,
    /// Not 0: it reads a byte first.
    pub(crate) waits: u32,
    /// Where the listener goes, and failures of the calls and before it has gone; -1 where there is neither.
    pub(crate) socket: i32,
    /// For seccomp(2).
    pub(crate) flags: u32,
    /// What becomes of a CAP_SYS_ADMIN that is only there to load the filter with.
    pub(crate) admin: Admin,
    /// Not 0: the filter permits sched_yield(2).
    pub(crate) yields: u32,
    /// Not 0: the filter has a listener.
    pub(crate) listens: u32,
    pub(crate) unused: u32,
    /// The address of the calls that it makes first.
    pub(crate) calls: u64,
    /// `struct sock_fprog`. Length 0: there is no filter.
    pub(crate) program: [u64; 2],
    /// Begin the messages that these failed: execve, what comes before seccomp, seccomp itself, sendmsg,
    /// capset and read.
    pub(crate) exec: Header,
    pub(crate) keep: Header,
    pub(crate) load: Header,
    pub(crate) send: Header,
    pub(crate) give_up: Header,
    pub(crate) wait: Header,
    /// The message with which the listener goes.
    pub(crate) listener: [u8; 16],
    /// Begins the message that says which process was made.
    pub(crate) forked: Header,
}

/// A set of bits. Empty: there is no CAP_SYS_ADMIN that is not to be there.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub(crate) struct Admin(pub(crate) u32);

impl Admin {
    /// It is ambient.
    pub(crate) const AMBIENT: u32 = 1;
    /// And not to stay inheritable.
    pub(crate) const INHERITABLE: u32 = 2;
    /// And to be given up behind the load, not only by execve(2).
    pub(crate) const GIVEN_UP: u32 = 4;
}

#[cfg(target_arch = "x86_64")]
impl Orders {
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let words = [
            self.fd as u32,
            self.waits,
            self.socket as u32,
            self.flags,
            self.admin.0,
            self.yields,
            self.listens,
            self.unused,
        ];
        let words = words.into_iter().flat_map(u32::to_ne_bytes);
        let headers = [self.exec, self.keep, self.load, self.send, self.give_up, self.wait];
        words
            .chain(self.calls.to_ne_bytes())
            .chain(self.program.into_iter().flat_map(u64::to_ne_bytes))
            .chain(headers.into_iter().flatten())
            .chain(self.listener)
            .chain(self.forked)
    }
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    static skep_trampoline_begin: u8;
    static skep_trampoline_end: u8;
}

/// The program as it is in our image.
#[cfg(target_arch = "x86_64")]
fn program() -> &'static [u8] {
    let (begin, end) = (&raw const skep_trampoline_begin, &raw const skep_trampoline_end);
    // SAFETY: the assembler puts the bytes between the two symbols into read-only data.
    unsafe { std::slice::from_raw_parts(begin, end as usize - begin as usize) }
}

/// Where the program is mapped.
#[cfg(target_arch = "x86_64")]
const ADDRESS: u64 = 0x40_0000;
/// Where the only segment's size in the file and in memory stand: elf(5), `p_filesz` and `p_memsz`.
#[cfg(target_arch = "x86_64")]
const SIZES: [usize; 2] = [64 + 32, 64 + 40];

/// The program in a memory file, with its orders, a filter and calls. `None` on architectures for which it
/// has not been written.
///
/// Who executes an `unreadable` one, and cannot read it by a capability, is not dumpable then, and
/// belongs to the nearest user namespace to which the file does (fs/exec.c, `would_dump`).
#[cfg(target_arch = "x86_64")]
pub(crate) fn open(
    orders: Orders,
    filter: &[Instruction],
    calls: &[Call],
    unreadable: bool,
) -> Result<Option<OwnedFd>> {
    let mut image = program().to_vec();
    let begin = image.len();
    let end = begin + size_of::<Orders>();
    image.resize(end, 0);
    image.extend(filter.iter().flat_map(|instruction| instruction.bytes()));
    let program = [filter.len() as u64, ADDRESS + end as u64];
    let calls = super::calls::append(calls, &mut image, ADDRESS);
    let orders = Orders { program, calls, ..orders };
    for (to, from) in image.iter_mut().skip(begin).zip(orders.bytes()) {
        *to = from;
    }
    let size = (image.len() as u64).to_ne_bytes();
    for at in SIZES {
        if let Some(place) = image.get_mut(at..at + size.len()) {
            place.copy_from_slice(&size);
        }
    }
    let file = memory_file()?;
    super::file::write_all(file.as_raw_fd(), &image)?;
    if unreadable {
        super::file::fchmod(file.as_raw_fd(), 0o111)?;
    }
    Ok(Some(file))
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn open(_: Orders, _: &[Instruction], _: &[Call], _: bool) -> Result<Option<OwnedFd>> {
    Ok(None)
}

/// Kernels before 6.3 have no MFD_EXEC, and let every memory file be executed.
#[cfg(target_arch = "x86_64")]
fn memory_file() -> Result<OwnedFd> {
    const MFD_EXEC: u32 = 0x10;
    let make = |flags: u32| {
        // SAFETY: the name is a valid C string.
        check(unsafe { libc::syscall(libc::SYS_memfd_create, c"skep".as_ptr(), flags) })
    };
    let fd = match make(libc::MFD_CLOEXEC | MFD_EXEC) {
        Err(super::Errno(libc::EINVAL)) => make(libc::MFD_CLOEXEC)?,
        made => made?,
    };
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
