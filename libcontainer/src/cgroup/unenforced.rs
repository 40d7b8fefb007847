//! What a config asks for and nothing will enforce, and why: one line for the user.

use std::fmt;

/// Why a field is not enforced.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Reason {
    /// The caller chose to use no cgroup.
    NoManager,
    /// The host has no cgroup file system.
    NoCgroups,
    /// cgroup v2 has no such setting.
    NotInV2,
    /// cgroup v1 had such a setting, and Linux has given it up (5.16: limits of kernel memory).
    GivenUp,
    /// What a cgroup is limited to holds for those below it as well; since Linux 5.11 no other way is left.
    AlwaysBelow,
    /// No hierarchy of cgroup v1 with the controller is mounted, or none that can be written to;
    /// which controller.
    NotMounted(String),
    /// The kernel lacks the file that would take it; which one.
    NoFile(String),
    /// The caller may not make a cgroup; what the kernel said.
    NoRights(String),
    /// The caller was not given the controller; which one.
    NoController(String),
    /// The caller may not load a device filter.
    NoDeviceFilter,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoManager => f.write_str("no cgroup wanted"),
            Self::NoCgroups => f.write_str("this host has no cgroups at /sys/fs/cgroup"),
            Self::NotInV2 => f.write_str("cgroup v2 has no such setting"),
            Self::GivenUp => f.write_str("Linux has no such limit since 5.16"),
            Self::AlwaysBelow => f.write_str("limits always hold below since Linux 5.11"),
            Self::NotMounted(name) => {
                write!(f, "cgroup v1 controller {name} is not mounted, or read-only")
            }
            Self::NoFile(file) => write!(f, "this kernel has no {file}"),
            Self::NoRights(what) => write!(f, "no right to a cgroup: {what}"),
            Self::NoController(name) => {
                write!(f, "controller {name} is not delegated to this user")
            }
            Self::NoDeviceFilter => f.write_str("loading a device filter needs root"),
        }
    }
}

/// One field that is not enforced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unenforced {
    /// Path of the field in config.json.
    pub field: String,
    /// Why.
    pub reason: Reason,
}

impl Unenforced {
    pub(super) fn new(field: impl Into<String>, reason: Reason) -> Self {
        Self { field: field.into(), reason }
    }
}

/// All of it in one line, grouped by reason; `None` when there is nothing to say.
pub(super) fn line(unenforced: &[Unenforced]) -> Option<String> {
    let mut reasons: Vec<&Reason> = unenforced.iter().map(|one| &one.reason).collect();
    reasons.sort();
    reasons.dedup();
    let groups: Vec<String> = reasons
        .into_iter()
        .map(|reason| format!("{} ({reason})", fields(unenforced, reason)))
        .collect();
    (!groups.is_empty()).then(|| format!("not enforced: {}", groups.join("; ")))
}

fn fields(unenforced: &[Unenforced], reason: &Reason) -> String {
    let matching = unenforced.iter().filter(|one| one.reason == *reason);
    matching.map(|one| one.field.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_grouped_by_reason() {
        let unenforced = [
            Unenforced::new("a", Reason::GivenUp),
            Unenforced::new("b", Reason::NotInV2),
            Unenforced::new("c", Reason::GivenUp),
        ];
        assert_eq!(
            line(&unenforced).as_deref(),
            Some(
                "not enforced: b (cgroup v2 has no such setting); \
                 a, c (Linux has no such limit since 5.16)"
            )
        );
        assert_eq!(line(&[]), None);
    }
}
