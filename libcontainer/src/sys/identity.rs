//! Who a process is: user, groups, capabilities, session, labels of the kernel's keyring.

use super::{Result, check, done};
use std::ffi::CStr;

/// Sets the real, effective and saved user id of this process, of this thread only: the raw call
/// does not go round the other threads as libc's does, and the callers have none.
///
/// <https://man7.org/linux/man-pages/man2/setresuid.2.html>
pub(crate) fn setresuid(uid: u32) -> Result<()> {
    // SAFETY: takes no pointer.
    check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// The same for the group id.
pub(crate) fn setresgid(gid: u32) -> Result<()> {
    // SAFETY: takes no pointer.
    check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// <https://man7.org/linux/man-pages/man2/setgroups.2.html>
pub(crate) fn setgroups(groups: &[u32]) -> Result<()> {
    // SAFETY: `groups` is valid for the count given.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// The number of CAP_SYS_ADMIN.
pub(crate) const ADMIN: u32 = caps::Capability::CAP_SYS_ADMIN as u32;

/// The capability sets that capset(2) sets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct CapabilitySets {
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
}

const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The capabilities of this thread, bit N for capability N.
///
/// <https://man7.org/linux/man-pages/man2/capget.2.html>
pub(crate) fn capabilities() -> Result<CapabilitySets> {
    let mut header = CapHeader { version: LINUX_CAPABILITY_VERSION_3, pid: 0 };
    let mut data = [CapData { effective: 0, permitted: 0, inheritable: 0 }; 2];
    // SAFETY: version 3 takes a header and two data elements.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
    let whole =
        |half: fn(&CapData) -> u32| u64::from(half(&data[0])) | u64::from(half(&data[1])) << 32;
    Ok(CapabilitySets {
        effective: whole(|data| data.effective),
        permitted: whole(|data| data.permitted),
        inheritable: whole(|data| data.inheritable),
    })
}

/// <https://man7.org/linux/man-pages/man2/capset.2.html>
pub(crate) fn capset(sets: &CapabilitySets) -> Result<()> {
    let half = |shift: u32| CapData {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let mut header = CapHeader { version: LINUX_CAPABILITY_VERSION_3, pid: 0 };
    let data = [half(0), half(32)];
    // SAFETY: version 3 takes a header and two data elements.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) }).map(drop)
}

fn prctl(option: i32, argument: u64, second: u64) -> Result<i32> {
    // SAFETY: the options used below take numbers, no pointer.
    let value = unsafe { libc::prctl(option, argument, second, 0u64, 0u64) };
    super::check_int(value)
}

/// Takes a capability out of the bounding set. <https://man7.org/linux/man-pages/man2/PR_CAPBSET_DROP.2const.html>
pub(crate) fn drop_bounding(capability: u32) -> Result<()> {
    prctl(libc::PR_CAPBSET_DROP, u64::from(capability), 0).map(drop)
}

/// <https://man7.org/linux/man-pages/man2/PR_CAP_AMBIENT.2const.html>
pub(crate) fn raise_ambient(capability: u32) -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, u64::from(capability)).map(drop)
}

/// Takes a capability out of the ambient set.
pub(crate) fn lower_ambient(capability: u32) -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_LOWER as u64, u64::from(capability)).map(drop)
}

/// Empties the ambient set.
pub(crate) fn clear_ambient() -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0).map(drop)
}

/// Whether permitted capabilities survive a change of user id.
pub(crate) fn keep_capabilities(keep: bool) -> Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, u64::from(keep), 0).map(drop)
}

/// <https://man7.org/linux/man-pages/man2/PR_SET_NO_NEW_PRIVS.2const.html>
pub(crate) fn set_no_new_privs() -> Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// Whether others of the same user may look into this process (ptrace, `/proc/PID/exe`, `fd` ...).
pub(crate) fn set_dumpable(dumpable: bool) -> Result<()> {
    prctl(libc::PR_SET_DUMPABLE, u64::from(dumpable), 0).map(drop)
}

/// <https://man7.org/linux/man-pages/man2/setsid.2.html>
pub(crate) fn setsid() -> Result<()> {
    // SAFETY: takes no pointer.
    super::check_int(unsafe { libc::setsid() }).map(drop)
}

const KEYCTL_JOIN_SESSION_KEYRING: u64 = 1;

/// A session keyring of its own. <https://man7.org/linux/man-pages/man3/keyctl_join_session_keyring.3.html>
pub(crate) fn join_session_keyring(name: &CStr) -> Result<()> {
    // SAFETY: `name` is a valid C string.
    let key =
        unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) };
    check(key).map(drop)
}

/// <https://man7.org/linux/man-pages/man2/sethostname.2.html>
pub(crate) fn sethostname(name: &CStr) -> Result<()> {
    // SAFETY: `name` is valid for the length given.
    done(unsafe { libc::sethostname(name.as_ptr(), name.count_bytes()) })
}

/// <https://man7.org/linux/man-pages/man2/setdomainname.2.html>
pub(crate) fn setdomainname(name: &CStr) -> Result<()> {
    // SAFETY: `name` is valid for the length given.
    done(unsafe { libc::setdomainname(name.as_ptr(), name.count_bytes()) })
}

pub(crate) fn effective_ids() -> (u32, u32) {
    // SAFETY: takes nothing and cannot fail.
    let uid = unsafe { libc::geteuid() };
    // SAFETY: as above.
    (uid, unsafe { libc::getegid() })
}
