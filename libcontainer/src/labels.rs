//! AppArmor and SELinux: asking for one that the kernel does not have is an error.

use crate::error::{Error, ErrorKind, Result};
use oci_spec::runtime::{Process, Spec};
use std::path::Path;

/// Checks `process` and `linux.mountLabel`.
pub(crate) fn check(spec: &Spec) -> Result<()> {
    spec.process().as_ref().map_or(Ok(()), check_process)
}

/// Checks `process.apparmorProfile` and `process.selinuxLabel`.
pub(crate) fn check_process(process: &Process) -> Result<()> {
    let asked = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if asked(process.apparmor_profile()) && !Path::new("/proc/self/attr/apparmor/exec").exists() {
        return Err(absent("process.apparmorProfile", "AppArmor"));
    }
    if asked(process.selinux_label()) && !Path::new("/sys/fs/selinux/enforce").exists() {
        return Err(absent("process.selinuxLabel", "SELinux"));
    }
    Ok(())
}

fn absent(field: &str, module: &str) -> Error {
    let text =
        format!("{module} is not enabled in this kernel; take the field out, or enable {module}");
    Error::new(ErrorKind::Unsupported, text).field(field)
}
