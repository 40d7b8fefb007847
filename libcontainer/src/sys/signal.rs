//! Signal masks and dispositions.

use super::{Result, done};

/// Unblocks every signal for this thread.
pub(crate) fn unblock_all() {
    let none = empty_set();
    // SAFETY: the set is valid; with a valid `how` the call cannot fail.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// Lets a program that std starts begin with no signal blocked and with nothing open but stdin,
/// stdout and stderr, whatever its starter has blocked and open.
pub(crate) fn begin_clean(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    let clean = || {
        unblock_all();
        super::file::cloexec_from(3).map_err(Into::into)
    };
    // SAFETY: after the fork, the closure makes two system calls and allocates nothing.
    unsafe { command.pre_exec(clean) };
}

/// Default action for a signal that the caller's process may have ignored.
pub(crate) fn reset(signal: i32) -> Result<()> {
    // SAFETY: sigaction is plain numbers; all zero is SIG_DFL without flags.
    let action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: `action` is valid.
    done(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) })
}

/// Whether the kernel keeps the exit status of children that execute a program: not for who ignores SIGCHLD.
///
/// <https://man7.org/linux/man-pages/man2/wait.2.html>
pub(crate) fn keeps_exit_status() -> bool {
    // SAFETY: sigaction is plain numbers.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: `action` is valid for writing; nothing is changed.
    let asked = done(unsafe { libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action) });
    asked.is_err()
        || (action.sa_sigaction != libc::SIG_IGN && action.sa_flags & libc::SA_NOCLDWAIT == 0)
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: sigset_t is plain numbers; all zero is the empty set on Linux.
    unsafe { std::mem::zeroed() }
}
