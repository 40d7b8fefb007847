//! Keeps this program from being overwritten by those who can look into it (CVE-2019-5736).
//!
//! A container that joins a pid namespace is made before the eyes of whoever is there: for that time there is a
//! process that executes this program. It is closed to ptrace, and so is its `/proc/PID/exe`, but not to who
//! has CAP_SYS_PTRACE in the user namespace in which we were executed. That one can keep the file open, and
//! open it again for writing when nobody executes it any more: root of the container is root of the host, and
//! the file is root's.
//!
//! So there we execute ourselves again from a mount of this file that is read-only and attached nowhere: what is
//! opened through `/proc/PID/exe` is on that mount. That takes half a millisecond, which nobody else has to
//! pay. In `exec` and in hooks inside the container nothing of ours is ever seen (`libcontainer`'s trampoline).

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

use oci_spec::runtime::{LinuxNamespaceType, Spec};

use crate::sys;

/// What they may do whose pid namespace it joins is not known.
pub(crate) fn protect_from_pod(spec: &Spec) {
    if !has_user_namespace(spec) && joins_processes(spec) {
        protect();
    }
}

fn namespaces(spec: &Spec, kind: LinuxNamespaceType) -> impl Iterator<Item = bool> + '_ {
    let linux = spec.linux().as_ref();
    let all = linux.into_iter().flat_map(|linux| linux.namespaces().iter().flatten());
    all.filter(move |namespace| namespace.typ() == kind).map(|each| each.path().is_some())
}

fn has_user_namespace(spec: &Spec) -> bool {
    namespaces(spec, LinuxNamespaceType::User).next().is_some()
}

fn joins_processes(spec: &Spec) -> bool {
    namespaces(spec, LinuxNamespaceType::Pid).any(|joined| joined)
}

/// Returns where nothing is to be done, or nothing can be: on a kernel or in a sandbox that forbids the mount.
fn protect() {
    const SELF: &std::ffi::CStr = c"/proc/self/exe";
    if sys::is_read_only_copy(SELF) {
        return;
    }
    let args = std::env::args_os().map(|arg| CString::new(arg.into_vec()));
    let Ok(args) = args.collect::<Result<Vec<_>, _>>() else { return };
    let failed = match sys::read_only_copy(SELF) {
        Ok(copy) => sys::execute(&copy, &args),
        Err(error) => error,
    };
    log::warn!("this program is not protected from the container's CAP_SYS_PTRACE: {failed}");
}
