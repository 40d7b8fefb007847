//! `linux.resources` as writes into the files of a cgroup v2 directory.
//!
//! The values are valid in themselves ([`validate_resources`]). As with runc and crun, a 0 in most
//! fields means "unset", and `unified` is written last, so that it wins.
//!
//! [`validate_resources`]: crate::config::validate_resources

mod block_io;
mod cpu;
mod memory;
#[cfg(test)]
mod tests;

use super::super::unenforced::Reason;
use super::super::write::{IfMissing, Limits, Write};
use super::{convert, unified};
use oci_spec::runtime::{LinuxHugepageLimit, LinuxNetwork, LinuxRdma, LinuxResources};
use std::collections::HashMap;

/// The writes that `resources` comes to, in order, and what cgroup v2 has no file for.
pub(in super::super) fn of(resources: &LinuxResources) -> Limits {
    let mut limits = Limits::default();
    if let Some(wanted) = resources.memory() {
        memory::add(wanted, &mut limits);
    }
    if let Some(wanted) = resources.cpu() {
        cpu::add(wanted, &mut limits);
    }
    if let Some(pids) = resources.pids() {
        let value = convert::pids_max(pids.limit());
        limits.limit("linux.resources.pids.limit", "pids.max", value);
    }
    if let Some(wanted) = resources.block_io() {
        block_io::add(wanted, &mut limits);
    }
    hugepages(resources.hugepage_limits().as_deref().unwrap_or_default(), &mut limits);
    if let Some(devices) = resources.rdma() {
        rdma(devices, &mut limits);
    }
    if let Some(wanted) = resources.network() {
        network(wanted, &mut limits);
    }
    if let Some(files) = resources.unified() {
        unified::add(files, &mut limits);
    }
    limits
}

/// A page counts when it is used (`max`) and, since Linux 5.7, when it is reserved (`rsvd.max`).
fn hugepages(wanted: &[LinuxHugepageLimit], limits: &mut Limits) {
    for (index, one) in wanted.iter().enumerate() {
        let field = format!("linux.resources.hugepageLimits[{index}]");
        let (size, limit) = (one.page_size(), one.limit().to_string());
        limits.write(&field, &format!("hugetlb.{size}.max"), &limit);
        let reserved = Write::new(&field, &format!("hugetlb.{size}.rsvd.max"), limit);
        limits.writes.push(reserved.if_missing(IfMissing::Fine));
    }
}

fn rdma(devices: &HashMap<String, LinuxRdma>, limits: &mut Limits) {
    let mut names: Vec<&String> = devices.keys().collect();
    names.sort();
    for name in names {
        let field = format!("linux.resources.rdma.{name}");
        let one = &devices[name];
        let line = convert::rdma_max(name, one.hca_handles(), one.hca_objects());
        limits.write(&field, "rdma.max", line);
    }
}

/// Packets are marked and given priorities by eBPF and tc on cgroup v2, not by a file.
fn network(wanted: &LinuxNetwork, limits: &mut Limits) {
    if wanted.class_id().is_some_and(|class| class != 0) {
        limits.unenforced("linux.resources.network.classID", Reason::NotInV2);
    }
    if wanted.priorities().as_ref().is_some_and(|list| !list.is_empty()) {
        limits.unenforced("linux.resources.network.priorities", Reason::NotInV2);
    }
}
