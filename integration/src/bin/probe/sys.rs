//! The probe's unsafe code: system calls as the kernel is given them, and what it says in a SIGSYS.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// What a system call gave: a value or the number of an error.
pub(crate) type Returned = Result<i64, i32>;

/// A system call through the machine's own entry; a `number` with bit 30 is an x32 call.
pub(crate) fn native(number: u64, args: [u64; 6]) -> Returned {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller chooses number and arguments, as this program's user did: whatever the kernel
    // does with them is what is to be found out. [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html)
    let returned = unsafe { libc::syscall(number as libc::c_long, a, b, c, d, e, f) };
    Errno::result(returned).map_err(|_known_ones_only| Errno::last_raw())
}

/// A call through the entry of 32-bit programs. It has room for five arguments here: the sixth is in the
/// frame pointer, and nobody asks for it.
#[cfg(target_arch = "x86_64")]
pub(crate) fn int80(number: u32, args: [u32; 5]) -> Returned {
    let [a, b, c, d, e] = args.map(u64::from);
    let returned: u64;
    // SAFETY: as above. Only rax is changed, and before Linux 6.8 r8 to r11. LLVM keeps rbx for itself, so
    // it is exchanged before and after. [int 0x80](https://man7.org/linux/man-pages/man2/syscall.2.html)
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) a => _,
            inlateout("rax") u64::from(number) => returned,
            in("rcx") b, in("rdx") c, in("rsi") d, in("rdi") e,
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    match returned as u32 as i32 {
        error @ -4095..=-1 => Err(-error),
        value => Ok(i64::from(value)),
    }
}

/// A processor without such an entry.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn int80(_number: u32, _args: [u32; 5]) -> Returned {
    Err(libc::ENOSYS)
}

/// The part of a `siginfo_t` that the kernel fills for SIGSYS (`asm-generic/siginfo.h`).
#[repr(C)]
struct Sigsys {
    signal: i32,
    errno: i32,
    code: i32,
    call_address: *mut libc::c_void,
    syscall: i32,
    arch: u32,
}

/// A SIGSYS that came.
pub(crate) struct Trapped {
    pub(crate) syscall: i32,
    pub(crate) errno: i32,
    pub(crate) arch: u32,
}

static SYSCALL: AtomicI32 = AtomicI32::new(NONE);
static ERRNO: AtomicI32 = AtomicI32::new(0);
static ARCH: AtomicU32 = AtomicU32::new(0);
const NONE: i32 = -1;

extern "C" fn note(_signal: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel gives a SA_SIGINFO handler a siginfo_t, which for SIGSYS has these fields.
    let info = unsafe { &*info.cast::<Sigsys>() };
    SYSCALL.store(info.syscall, Ordering::Relaxed);
    ERRNO.store(info.errno, Ordering::Relaxed);
    ARCH.store(info.arch, Ordering::Relaxed);
}

/// From now on SIGSYS is noted.
pub(crate) fn catch_sigsys() {
    let action = SigAction::new(SigHandler::SigAction(note), SaFlags::SA_SIGINFO, SigSet::empty());
    // SAFETY: the handler only stores to atomics. [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html)
    unsafe { sigaction(Signal::SIGSYS, &action) }.expect("catch SIGSYS");
}

/// The SIGSYS that came since the last time this was asked.
pub(crate) fn trapped() -> Option<Trapped> {
    let syscall = SYSCALL.swap(NONE, Ordering::Relaxed);
    let (errno, arch) = (ERRNO.load(Ordering::Relaxed), ARCH.load(Ordering::Relaxed));
    (syscall != NONE).then_some(Trapped { syscall, errno, arch })
}

/// Two names change places. [renameat2(2)](https://man7.org/linux/man-pages/man2/renameat2.2.html)
pub(crate) fn exchange(a: &std::ffi::CStr, b: &std::ffi::CStr) -> Returned {
    let (here, flag) = (libc::AT_FDCWD as u64, u64::from(libc::RENAME_EXCHANGE));
    let args = [here, a.as_ptr() as u64, here, b.as_ptr() as u64, flag, 0];
    native(libc::SYS_renameat2 as u64, args)
}

/// Leaves the processor to everybody else. [setpriority(2)](https://man7.org/linux/man-pages/man2/setpriority.2.html)
pub(crate) fn be_nice() {
    const NICEST: u64 = 19;
    let args = [libc::PRIO_PROCESS as u64, 0, NICEST, 0, 0, 0];
    native(libc::SYS_setpriority as u64, args).expect("setpriority");
}

/// The session keyring's id, or the negative error number; 0 ids do not exist.
pub(crate) fn session_keyring() -> i64 {
    const KEYCTL_GET_KEYRING_ID: u64 = 0;
    const KEY_SPEC_SESSION_KEYRING: u64 = -3_i64 as u64;
    let args = [KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0, 0];
    native(libc::SYS_keyctl as u64, args).unwrap_or_else(|errno| -i64::from(errno))
}

/// What SELinux calls the session keyring; empty without SELinux.
pub(crate) fn session_keyring_label() -> String {
    const KEYCTL_GET_SECURITY: u64 = 17;
    const KEY_SPEC_SESSION_KEYRING: u64 = -3_i64 as u64;
    let mut label = [0u8; 256];
    let (place, size) = (label.as_mut_ptr() as u64, label.len() as u64);
    let args = [KEYCTL_GET_SECURITY, KEY_SPEC_SESSION_KEYRING, place, size, 0, 0];
    let _empty_if_it_fails = native(libc::SYS_keyctl as u64, args);
    let end = label.iter().position(|byte| *byte == 0).unwrap_or(label.len());
    String::from_utf8_lossy(&label[..end]).into_owned()
}

/// How the kernel treats this process's capabilities when it changes its user or program.
pub(crate) fn securebits() -> i64 {
    let args = [libc::PR_GET_SECUREBITS as u64, 0, 0, 0, 0, 0];
    native(libc::SYS_prctl as u64, args).unwrap_or(-1)
}

/// How this process is scheduled: the fields of `struct sched_attr` from the policy on, in their order.
pub(crate) fn scheduler() -> [i64; 7] {
    // size and policy, flags, nice and priority, runtime, deadline, period.
    let mut attr = [0u64; 6];
    let args = [0, attr.as_mut_ptr() as u64, size_of_val(&attr) as u64, 0, 0, 0];
    let _zeroes_tell = native(libc::SYS_sched_getattr as u64, args);
    let [head, flags, fair, runtime, deadline, period] = attr.map(u64::cast_signed);
    let (nice, priority) = (i64::from(fair as i32), fair >> 32);
    [head >> 32, flags, nice, priority, runtime, deadline, period]
}

/// Class and level of its input and output.
pub(crate) fn io_priority() -> [i64; 2] {
    const WHO_PROCESS: u64 = 1;
    let both = native(libc::SYS_ioprio_get as u64, [WHO_PROCESS, 0, 0, 0, 0, 0]).unwrap_or(-1);
    [both >> 13, both & 0x1fff]
}

/// Mode, with its flags, and the first 64 nodes of its memory policy; the negative number of the error
/// without.
pub(crate) fn memory_policy() -> [i64; 2] {
    let (mut mode, mut nodes) = (0i32, [0u64; 16]);
    let (to_mode, to_nodes) = (&raw mut mode as u64, nodes.as_mut_ptr() as u64);
    let args = [to_mode, to_nodes, u64::from(u64::BITS) * nodes.len() as u64, 0, 0, 0];
    match native(libc::SYS_get_mempolicy as u64, args) {
        Ok(_zero) => [i64::from(mode), nodes[0].cast_signed()],
        Err(errno) => [-i64::from(errno), 0],
    }
}
