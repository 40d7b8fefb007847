//! AppArmor and SELinux: asking for one that the kernel does not have is an error. Engines ask only where
//! it is enabled. (runc then mounts with an option that the kernel refuses; crun passes over a mount label.)

use crate::error::{Error, ErrorKind, Result};
use oci_spec::runtime::{Process, Spec};
use std::path::Path;

/// Checks `process` and `linux.mountLabel`.
pub(crate) fn check(spec: &Spec) -> Result<()> {
    let label = spec.linux().as_ref().and_then(|linux| linux.mount_label().as_deref());
    if label.is_some_and(|label| !label.is_empty()) {
        check_selinux("linux.mountLabel")?;
    }
    spec.process().as_ref().map_or(Ok(()), check_process)
}

/// Checks `process.apparmorProfile` and `process.selinuxLabel`.
pub(crate) fn check_process(process: &Process) -> Result<()> {
    let asked = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if asked(process.apparmor_profile()) && !has_apparmor() {
        return Err(absent("process.apparmorProfile", "AppArmor"));
    }
    if asked(process.selinux_label()) {
        check_selinux("process.selinuxLabel")?;
    }
    Ok(())
}

/// A kernel that is built with it and does not use it has its files in procfs all the same.
fn has_apparmor() -> bool {
    match std::fs::read("/sys/module/apparmor/parameters/enabled") {
        Ok(enabled) => enabled.starts_with(b"Y"),
        // No sysfs here.
        Err(_) => Path::new("/proc/self/attr/apparmor/exec").exists(),
    }
}

fn check_selinux(field: &str) -> Result<()> {
    match Path::new("/sys/fs/selinux/enforce").exists() {
        true => Ok(()),
        false => Err(absent(field, "SELinux")),
    }
}

fn absent(field: &str, module: &str) -> Error {
    let text =
        format!("{module} is not enabled in this kernel; take the field out, or enable {module}");
    Error::new(ErrorKind::Unsupported, text).field(field)
}
