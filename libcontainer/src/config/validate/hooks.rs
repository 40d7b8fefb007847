//! [POSIX-platform hooks](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#posix-platform-hooks)

use oci_spec::runtime::{Hook, Spec};

use super::{Findings, process};
use crate::config::hooks;

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    for kind in hooks::ALL {
        for (index, hook) in kind.of(spec).iter().enumerate() {
            one(&format!("hooks.{}[{index}]", kind.name), hook, findings);
        }
    }
}

fn one(field: &str, hook: &Hook, findings: &mut Findings) {
    let path = hook.path();
    if path.as_os_str().is_empty() {
        findings.add(format!("{field}.path"), "is missing; it must name the program to run");
    } else {
        let text = format!("{path:?} is relative; it must be an absolute path");
        findings.expect(path.is_absolute(), format!("{field}.path"), text);
    }
    if let Some(timeout) = hook.timeout().filter(|timeout| *timeout <= 0) {
        let text = format!("{timeout} must be greater than 0; leave it out for no limit");
        findings.add(format!("{field}.timeout"), text);
    }
    process::env(&format!("{field}.env"), hook.env().as_deref().unwrap_or_default(), findings);
}
