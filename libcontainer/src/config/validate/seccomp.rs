//! [Seccomp](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#seccomp)

use oci_spec::runtime::Linux;
use skep_seccomp::{Problem, Profile};

use super::Findings;

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    let Some(seccomp) = linux.seccomp() else { return };
    if let Err(problems) = Profile::new(seccomp) {
        problems.0.into_iter().for_each(|Problem { field, text }| findings.add(field, text));
    }
}
