//! The [capability sets](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#linux-process)
//! of a process, as far as the kernel ties them to one another
//! ([capabilities(7)](https://man7.org/linux/man-pages/man7/capabilities.7.html)).

use oci_spec::runtime::{Capabilities, Capability, Process};

use super::Findings;

pub(super) fn check(process: &Process, findings: &mut Findings) {
    let Some(sets) = process.capabilities() else {
        return;
    };
    let empty = Capabilities::new();
    let effective = sets.effective().as_ref().unwrap_or(&empty);
    let permitted = sets.permitted().as_ref().unwrap_or(&empty);
    if let Some(names) = names(effective.difference(permitted)) {
        let text = format!("{names} not in permitted; the kernel wants it there too");
        findings.add("process.capabilities.effective", text);
    }
}

/// `CAP_KILL, CAP_MKNOD`, in the alphabet's order because sets have none; nothing of nothing.
pub(in crate::config) fn names<'a>(
    capabilities: impl Iterator<Item = &'a Capability>,
) -> Option<String> {
    let mut names = capabilities.map(|capability| format!("CAP_{capability}")).collect::<Vec<_>>();
    names.sort_unstable();
    match names.len() {
        0 => None,
        1 => Some(format!("{} is", names[0])),
        _ => Some(format!("{} are", names.join(", "))),
    }
}
