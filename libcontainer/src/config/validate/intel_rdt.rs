//! [IntelRdt](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#intelrdt)

use oci_spec::runtime::{Linux, LinuxIntelRdt};

use super::Findings;
use crate::error::Problem;

/// Directories that resctrl has of its own.
const RESERVED: &[&str] = &[".", "..", "info", "mon_data", "mon_groups"];

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    if let Some(rdt) = linux.intel_rdt() {
        clos_id(rdt.clos_id().as_deref().unwrap_or_default(), findings);
        findings.list.extend(validate_schemata(rdt));
    }
}

fn clos_id(name: &str, findings: &mut Findings) {
    const FIELD: &str = "linux.intelRdt.closID";
    let is_default = name == "/";
    let text = format!("{name:?} is no name of a group; give one without /, or / for the default");
    findings.expect(is_default || !name.contains(['/', '\n']), FIELD, text);
    let text = format!("{name:?} is a directory of resctrl's own; give another name");
    findings.expect(!RESERVED.contains(&name), FIELD, text);
}

/// What is wrong with the schemata: of a configuration, and of an update.
pub(crate) fn validate_schemata(rdt: &LinuxIntelRdt) -> Vec<Problem> {
    let mut findings = Findings::default();
    let l3 = rdt.l3_cache_schema().as_deref().unwrap_or_default();
    let text = format!("{l3:?} is no schema of a cache; L3:0=f;1=f is one");
    // A line of bandwidth may be there: see `resctrl/schemata.rs`.
    let is_line = |line: &str| line.starts_with("L3") || line.starts_with("MB:");
    let is_schema = l3.lines().all(|line| is_line(line) && line.contains(':'));
    findings.expect(is_schema, "linux.intelRdt.l3CacheSchema", text);
    let bandwidth = rdt.mem_bw_schema().as_deref().unwrap_or_default();
    let text = format!("{bandwidth:?} is no schema of memory bandwidth; MB:0=20;1=70 is one");
    let is_schema = bandwidth.is_empty() || bandwidth.starts_with("MB:");
    findings.expect(is_schema && !bandwidth.contains('\n'), "linux.intelRdt.memBwSchema", text);
    for (index, line) in rdt.schemata().iter().flatten().enumerate() {
        let text = format!("{line:?} is no line of schemata; L2:0=f;1=f is one");
        let is_line = line.contains(':') && !line.contains('\n');
        findings.expect(is_line, format!("linux.intelRdt.schemata[{index}]"), text);
    }
    findings.list
}
