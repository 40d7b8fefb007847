//! What happens to a system call: seccomp(2), `SECCOMP_RET_*`.

use nix::errno::Errno;
use oci_spec::runtime::LinuxSeccompAction;
use std::fmt;

/// An action of a filter.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// The thread ends, as if by SIGSYS.
    KillThread,
    /// The process ends by SIGSYS.
    KillProcess,
    /// The thread gets SIGSYS, which it may catch.
    Trap,
    /// The call is not made and returns this errno.
    Errno(u16),
    /// A tracer is told, with this value; without one the call returns ENOSYS.
    Trace(u16),
    /// The call is made, and logged.
    Log,
    /// The call is made.
    Allow,
    /// The call waits for what the listener says.
    Notify,
}

/// Takes the value that an action may return.
type WithValue = fn(u16) -> Action;

/// The actions of config.json.
const OCI: &[(LinuxSeccompAction, WithValue)] = &[
    (LinuxSeccompAction::ScmpActAllow, |_| Action::Allow),
    (LinuxSeccompAction::ScmpActErrno, Action::Errno),
    (LinuxSeccompAction::ScmpActKill, |_| Action::KillThread),
    (LinuxSeccompAction::ScmpActKillProcess, |_| Action::KillProcess),
    (LinuxSeccompAction::ScmpActKillThread, |_| Action::KillThread),
    (LinuxSeccompAction::ScmpActLog, |_| Action::Log),
    (LinuxSeccompAction::ScmpActNotify, |_| Action::Notify),
    (LinuxSeccompAction::ScmpActTrace, Action::Trace),
    (LinuxSeccompAction::ScmpActTrap, |_| Action::Trap),
];

impl Action {
    /// What happens to calls of architectures that a profile is not for.
    pub(crate) const BAD_ARCH: Self = Self::KillThread;

    /// Those that a profile can name.
    pub fn all_of_oci() -> impl Iterator<Item = LinuxSeccompAction> {
        OCI.iter().map(|row| row.0)
    }

    /// That of config.json, with its `errnoRet` or `defaultErrnoRet`: EPERM when there is none.
    /// Only [`Errno`](Self::Errno) and [`Trace`](Self::Trace) look at it; it is cut to 16 bits.
    #[must_use]
    pub fn of_oci(action: LinuxSeccompAction, errno: Option<u32>) -> Self {
        let value = errno.unwrap_or(libc::EPERM as u32) as u16;
        let row = OCI.iter().find(|row| row.0 == action);
        row.map_or(Self::KillProcess, |row| row.1(value))
    }

    /// The value that the filter returns to the kernel.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::KillThread => libc::SECCOMP_RET_KILL_THREAD,
            Self::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
            Self::Trap => libc::SECCOMP_RET_TRAP,
            Self::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
            Self::Trace(value) => libc::SECCOMP_RET_TRACE | u32::from(value),
            Self::Log => libc::SECCOMP_RET_LOG,
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Notify => libc::SECCOMP_RET_USER_NOTIF,
        }
    }

    /// The action of such a value; `None` when it is none of these.
    #[must_use]
    pub fn of_code(code: u32) -> Option<Self> {
        let value = (code & libc::SECCOMP_RET_DATA) as u16;
        Some(match code & libc::SECCOMP_RET_ACTION_FULL {
            libc::SECCOMP_RET_KILL_THREAD => Self::KillThread,
            libc::SECCOMP_RET_KILL_PROCESS => Self::KillProcess,
            libc::SECCOMP_RET_TRAP => Self::Trap,
            libc::SECCOMP_RET_ERRNO => Self::Errno(value),
            libc::SECCOMP_RET_TRACE => Self::Trace(value),
            libc::SECCOMP_RET_LOG => Self::Log,
            libc::SECCOMP_RET_ALLOW => Self::Allow,
            libc::SECCOMP_RET_USER_NOTIF => Self::Notify,
            _ => return None,
        })
    }

    /// Whether the call is made.
    #[must_use]
    pub fn lets_through(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }
}

/// As config.json spells it, with the errno by name: `SCMP_ACT_ERRNO(EPERM)`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillThread => "SCMP_ACT_KILL_THREAD",
            Self::KillProcess => "SCMP_ACT_KILL_PROCESS",
            Self::Trap => "SCMP_ACT_TRAP",
            Self::Errno(errno) => {
                return match Errno::from_raw(i32::from(*errno)) {
                    Errno::UnknownErrno => write!(f, "SCMP_ACT_ERRNO({errno})"),
                    name => write!(f, "SCMP_ACT_ERRNO({name:?})"),
                };
            }
            Self::Trace(value) => return write!(f, "SCMP_ACT_TRACE({value})"),
            Self::Log => "SCMP_ACT_LOG",
            Self::Allow => "SCMP_ACT_ALLOW",
            Self::Notify => "SCMP_ACT_NOTIFY",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_config_json() {
        assert_eq!(Action::Errno(38).to_string(), "SCMP_ACT_ERRNO(ENOSYS)");
        assert_eq!(Action::Errno(4000).to_string(), "SCMP_ACT_ERRNO(4000)");
        assert_eq!(Action::KillProcess.to_string(), "SCMP_ACT_KILL_PROCESS");
    }

    #[test]
    fn codes_are_read_back() {
        for action in [
            Action::KillThread,
            Action::KillProcess,
            Action::Trap,
            Action::Errno(1),
            Action::Trace(7),
            Action::Log,
            Action::Allow,
            Action::Notify,
        ] {
            assert_eq!(Action::of_code(action.code()), Some(action));
        }
        assert_eq!(Action::of_code(0x1234_0000), None);
    }

    #[test]
    fn errno_is_eperm_when_nothing_else_is_asked_for() {
        let of = Action::of_oci;
        assert_eq!(of(LinuxSeccompAction::ScmpActErrno, None).code(), 0x0005_0001);
        assert_eq!(of(LinuxSeccompAction::ScmpActErrno, Some(38)).code(), 0x0005_0026);
        assert_eq!(of(LinuxSeccompAction::ScmpActAllow, Some(38)).code(), 0x7fff_0000);
    }
}
