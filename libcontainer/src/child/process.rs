//! Who the process is, what it may use, and its execve(2).

use super::Context;
use crate::plan::RootPath;
use crate::sys::file::{self, Resolve};
use crate::sys::identity::CapabilitySets;
use crate::sys::{Errno, Result, identity, process, signal};
use std::ffi::CStr;

/// Becomes the user with which the container is set up: root of its user namespace.
pub(super) fn become_user(uid: u32, gid: u32) -> Result<()> {
    identity::setresgid(gid)?;
    identity::setresuid(uid)
}

/// Supplementary groups. Where setgroups(2) is denied (a user namespace of an ordinary user's own,
/// user_namespaces(7)) there are none to drop.
pub(super) fn set_groups(groups: &[u32]) -> Result<()> {
    match identity::setgroups(groups) {
        Err(Errno(libc::EPERM)) if groups.is_empty() => Ok(()),
        set => set,
    }
}

/// Stops at the first number that the kernel does not know.
pub(super) fn drop_bounding(capabilities: &[u32]) -> Result<()> {
    for capability in capabilities {
        match identity::drop_bounding(*capability) {
            Err(Errno(libc::EINVAL)) => return Ok(()),
            dropped => dropped?,
        }
    }
    Ok(())
}

/// Changing from uid 0 to another empties the capability sets, unless they are kept for capset(2).
pub(super) fn set_ids(uid: u32, gid: u32, keep_capabilities: bool) -> Result<()> {
    identity::setresgid(gid)?;
    if keep_capabilities {
        identity::keep_capabilities(true)?;
    }
    identity::setresuid(uid)?;
    if keep_capabilities {
        identity::keep_capabilities(false)?;
    }
    Ok(())
}

pub(super) fn lower_effective() -> Result<()> {
    identity::capset(&CapabilitySets { effective: 0, ..identity::capabilities()? })
}

/// The ambient set becomes these; the caller may have had others.
pub(super) fn set_ambient(capabilities: &[u32]) -> Result<()> {
    identity::clear_ambient()?;
    capabilities.iter().try_for_each(|capability| identity::raise_ambient(*capability))
}

/// Lets the process open `/dev/stdout` again. What refuses to change hands stays as it is.
pub(super) fn own_stdio(uid: u32) -> Result<()> {
    for fd in 0..3 {
        let Ok(stat) = file::fstat(fd) else { continue };
        let null =
            stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == libc::makedev(1, 3);
        if stat.st_uid == uid || null {
            continue;
        }
        match file::fchown(fd, uid, u32::MAX) {
            Err(Errno(libc::EINVAL | libc::EPERM | libc::EROFS)) => {}
            changed => changed?,
        }
    }
    Ok(())
}

/// A mask stays over execve(2) as well.
pub(super) fn unblock_signals() {
    signal::unblock_all();
}

/// What the caller ignores (SIGPIPE, as Rust programs do; SIGHUP under nohup(1)) stays so over clone3(2) and
/// execve(2), and would be ignored by the container. The parent has looked up which these are: none, mostly.
pub(super) fn heed_signals(ignored: u32) -> Result<()> {
    for signal in 1..32 {
        if ignored & 1 << (signal - 1) != 0 {
            signal::reset(signal)?;
        }
    }
    Ok(())
}

impl<'a> Context<'a> {
    /// Kernels without keyrings have none to share.
    pub(super) fn session_keyring(&mut self, name: &CStr) -> Result<()> {
        match identity::join_session_keyring(name) {
            Err(Errno(libc::ENOSYS)) => Ok(()),
            joined => joined,
        }
    }

    /// Lowering the score needs CAP_SYS_RESOURCE; a caller without it gets a note instead.
    pub(super) fn oom_score_adj(&mut self, value: &CStr, strict: bool) -> Result<()> {
        match self.write_proc(c"self/oom_score_adj", value.to_bytes()) {
            Err(errno @ Errno(libc::EACCES | libc::EPERM)) if !strict => self.note(errno),
            written => written,
        }
    }

    /// A hard limit above the caller's own needs CAP_SYS_RESOURCE: then the caller's is the limit, and said so.
    pub(super) fn rlimit(&mut self, resource: u32, soft: u64, hard: u64) -> Result<()> {
        match process::setrlimit(resource, soft, hard) {
            Err(errno @ Errno(libc::EPERM)) => {
                let most = process::hard_limit(resource)?;
                process::setrlimit(resource, soft.min(most), hard.min(most))?;
                self.note(errno)
            }
            set => set,
        }
    }

    /// Tried with the rights of the setup user first, then with the process's own: either may be
    /// the one that may enter (a directory of the user's on a filesystem that squashes root).
    ///
    /// Magic links such as `/proc/self/fd/7` are refused, and what is entered must be reachable
    /// from the root (CVE-2024-21626).
    pub(super) fn change_directory(&mut self, path: &RootPath, last_try: bool) -> Result<()> {
        if last_try && !self.state.cwd_pending {
            return Ok(());
        }
        let root = self.root()?;
        if path.is_root() {
            return file::fchdir(root);
        }
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let entered =
            file::openat2(root, path.as_c_str(), flags, Resolve::InRoot).and_then(|directory| {
                self.state.scratch.push(directory);
                file::fchdir(directory)
            });
        match entered {
            Err(Errno(libc::EACCES | libc::EPERM)) if !last_try => {
                self.state.cwd_pending = true;
                return Ok(());
            }
            entered => entered?,
        }
        if file::cwd_is_reachable()? { Ok(()) } else { Err(Errno(libc::ENOENT)) }
    }

    /// The first candidate that may be executed.
    pub(super) fn find_executable(&mut self, as_root: bool) -> Result<()> {
        let candidates = &self.plan.process.candidates;
        let mut found = Err(Errno(libc::ENOENT));
        for path in candidates {
            found = is_executable(path, as_root);
            if found.is_ok() {
                self.state.executable = Some(path);
                break;
            }
        }
        // Of a PATH with nothing in it, the last directory's answer says little.
        if candidates.len() > 1 { found.or(Err(Errno(libc::ENOENT))) } else { found }
    }

    pub(super) fn take_executable(&mut self) -> Result<()> {
        self.state.executable = self.plan.process.candidates.first().map(|path| path.as_c_str());
        Ok(())
    }

    pub(super) fn execute(&mut self) -> Errno {
        let process = &self.plan.process;
        match self.state.executable {
            Some(path) if self.trampoline >= 0 => {
                // Where the trampoline waits for `start`, it has been given the FIFO instead.
                let labels = self.plan.has_labels();
                if (self.start_fifo < 0 || self.plan.listens() || labels)
                    && let Err(errno) = file::keep_on_exec(self.socket)
                {
                    return errno;
                }
                if labels && let Err(errno) = file::keep_on_exec(self.procfs) {
                    return errno;
                }
                process::execve_through(self.trampoline, path, &process.argv, &process.envp)
            }
            Some(path) => process::execve(path, &process.argv, &process.envp),
            None => Errno(libc::ENOENT),
        }
    }
}

fn is_executable(path: &CStr, as_root: bool) -> Result<()> {
    let mode = file::mode_of(path)?;
    if mode & libc::S_IFMT == libc::S_IFDIR {
        return Err(Errno(libc::EISDIR));
    }
    if mode & 0o111 == 0 {
        return Err(Errno(libc::EACCES));
    }
    if as_root { Ok(()) } else { file::may_execute(path) }
}
