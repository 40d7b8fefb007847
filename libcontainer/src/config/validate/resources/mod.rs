//! [Control groups](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#control-groups):
//! values of `linux.resources` that mean nothing to any kernel, in whichever version of cgroups. As
//! for runc and crun, a 0 means "unset" wherever it would be no limit.

mod block_io;
mod cpu;
mod devices;
mod memory;
mod unified;

pub(crate) use devices::device_rule_problem;

use oci_spec::runtime::{LinuxHugepageLimit, LinuxNetwork, LinuxRdma, LinuxResources};
use std::collections::HashMap;

use super::Findings;
use crate::config::explain::join;
use crate::error::Problem;

/// Everything that is wrong with `linux.resources`, each with its field. A list of resources that
/// changes another, as `update` is given one, is to be looked at after it was merged into the other:
/// some values are right only beside others.
pub fn validate_resources(resources: &LinuxResources) -> Vec<Problem> {
    let mut findings = Findings::default();
    check(resources, &mut findings);
    findings.list
}

pub(super) fn check(resources: &LinuxResources, findings: &mut Findings) {
    devices::check(resources.devices().as_deref().unwrap_or_default(), findings);
    if let Some(wanted) = resources.memory() {
        memory::check(wanted, findings);
    }
    if let Some(wanted) = resources.cpu() {
        cpu::check(wanted, findings);
    }
    let pids = resources.pids().map(|pids| pids.limit());
    limit("linux.resources.pids.limit", pids, findings);
    if let Some(wanted) = resources.block_io() {
        block_io::check(wanted, findings);
    }
    hugepages(resources.hugepage_limits().as_deref().unwrap_or_default(), findings);
    if let Some(network) = resources.network() {
        priorities(network, findings);
    }
    if let Some(devices) = resources.rdma() {
        rdma(devices, findings);
    }
    if let Some(files) = resources.unified() {
        unified::check(files, findings);
    }
}

/// A limit of which -1 is "none".
fn limit(field: &str, value: Option<i64>, findings: &mut Findings) {
    let value = value.unwrap_or_default();
    let text = format!("{value} is negative; of those only -1, no limit, means something");
    findings.expect(value >= -1, field, text);
}

fn hugepages(limits: &[LinuxHugepageLimit], findings: &mut Findings) {
    for (index, one) in limits.iter().enumerate() {
        let field = format!("linux.resources.hugepageLimits[{index}]");
        let size = one.page_size();
        let text = format!("{size:?} is no page size such as 64KB, 2MB or 1GB");
        findings.expect(is_page_size(size), format!("{field}.pageSize"), text);
        let text = format!("{} is negative; write a number of bytes", one.limit());
        findings.expect(one.limit() >= 0, format!("{field}.limit"), text);
    }
}

/// `^[1-9][0-9]*[KMG]B$`, which becomes a part of a file's name.
fn is_page_size(text: &str) -> bool {
    let number = ["KB", "MB", "GB"].iter().find_map(|unit| text.strip_suffix(unit));
    number.is_some_and(|number| {
        number.bytes().all(|byte| byte.is_ascii_digit())
            && number.bytes().next().is_some_and(|first| first != b'0')
    })
}

fn priorities(network: &LinuxNetwork, findings: &mut Findings) {
    for (index, one) in network.priorities().iter().flatten().enumerate() {
        let field = format!("linux.resources.network.priorities[{index}].name");
        let text = format!("{:?} is no name of a network interface", one.name());
        findings.expect(is_word(one.name()), field, text);
    }
}

fn rdma(devices: &HashMap<String, LinuxRdma>, findings: &mut Findings) {
    let mut names: Vec<&String> = devices.keys().collect();
    names.sort();
    for name in names {
        let field = join("linux.resources.rdma", name);
        findings.expect(is_word(name), &*field, "is no name of an RDMA device");
        let one = &devices[name];
        let given = one.hca_handles().is_some() || one.hca_objects().is_some();
        findings.expect(given, field, "is empty; it needs hcaHandles, hcaObjects or both");
    }
}

/// What can stand in a line of words without changing where they end.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|char: char| char.is_whitespace() || char.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_are_a_number_and_a_unit() {
        for right in ["64KB", "2MB", "1GB", "16384MB"] {
            assert!(is_page_size(right), "{right}");
        }
        for wrong in
            ["", "MB", "02MB", "2M", "2mb", "2TB", "-2MB", "2 MB", "2MB\n", "../2MB", "2MBMB"]
        {
            assert!(!is_page_size(wrong), "{wrong}");
        }
    }
}
