//! What AppArmor and SELinux are asked for, each by a file of the process's own in procfs.
//!
//! A program is labelled by the execve(2) that starts it, and the label is set as late as that can be:
//! behind it the process may do only what it itself may, and the program what the label permits. A
//! keyring is labelled as it is made. The label for keyrings ends with the next execve(2), by itself.

use super::op::{Op, Step};
use super::paths::c_string;
use crate::error::Result;
use oci_spec::runtime::Process;
use std::ffi::{CStr, CString};
use std::fmt;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Labelled {
    /// The program, by AppArmor.
    Profile,
    /// The program, by SELinux.
    Program,
    /// A session keyring, by SELinux.
    Keyring,
}

impl Labelled {
    /// Below procfs.
    pub(crate) fn attribute(self) -> &'static CStr {
        match self {
            Self::Profile => c"self/attr/apparmor/exec",
            Self::Program => c"self/attr/exec",
            Self::Keyring => c"self/attr/keycreate",
        }
    }

    pub(super) fn describe(self, value: &CStr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = value.to_string_lossy();
        match self {
            Self::Profile => {
                let profile = value.strip_prefix(ON_EXEC).unwrap_or(&value);
                write!(f, "set AppArmor profile {profile:?} for the program")
            }
            Self::Program => write!(f, "set SELinux label {value:?} for the program"),
            Self::Keyring => write!(f, "set SELinux label {value:?} for the session keyring"),
        }
    }
}

/// Before the name of a profile: with the next execve(2), not now.
const ON_EXEC: &str = "exec ";

/// The steps that label the program.
pub(super) fn of_program(process: &Process) -> Result<Vec<Step>> {
    let profile = given(process.apparmor_profile()).map(|profile| {
        let value = c_string(format!("{ON_EXEC}{profile}"))?;
        Ok(step(Labelled::Profile, value, "process.apparmorProfile"))
    });
    let label = given(process.selinux_label())
        .map(|label| Ok(step(Labelled::Program, c_string(label)?, "process.selinuxLabel")));
    profile.into_iter().chain(label).collect()
}

/// The step that labels the keyring which is made next.
pub(super) fn of_keyring(process: &Process) -> Result<Option<Step>> {
    let step = |label| Ok(step(Labelled::Keyring, c_string(label)?, "process.selinuxLabel"));
    given(process.selinux_label()).map(step).transpose()
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn step(labelled: Labelled, value: CString, field: &str) -> Step {
    Step { op: Op::Label { labelled, value }, field: field.to_owned() }
}
