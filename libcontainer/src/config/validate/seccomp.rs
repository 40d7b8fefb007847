//! [Seccomp](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#seccomp):
//! a profile is a promise about security, so it is refused as long as it cannot be kept.

use oci_spec::runtime::Linux;

use super::Findings;

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    findings.expect(
        linux.seccomp().is_none(),
        "linux.seccomp",
        "seccomp is not supported by this version; leave the profile out to run without one",
    );
}
