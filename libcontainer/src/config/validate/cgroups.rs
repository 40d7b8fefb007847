//! [Cgroups path](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#cgroups-path):
//! it may not climb out of the hierarchy that it is relative to.

use std::path::Component;

use oci_spec::runtime::Linux;

use super::Findings;

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    let Some(path) = linux.cgroups_path() else {
        return;
    };
    let climbs = path.components().any(|part| part == Component::ParentDir);
    let text = format!("{path:?} has `..` in it; write where it leads");
    findings.expect(!climbs, "linux.cgroupsPath", text);
}
