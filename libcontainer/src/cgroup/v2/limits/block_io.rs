//! `linux.resources.blockIO`.
//!
//! Weights are for a scheduler of disks to heed. BFQ has a file of its own, with the range of cgroup
//! v1; without it the `io.weight` of io.cost takes them. A kernel that has neither cannot weigh, and
//! says so in the plan's line of what is not enforced.

use super::super::super::unenforced::Reason;
use super::super::super::write::{IfMissing, Limits, Write};
use super::super::convert;
use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

pub(super) fn add(io: &LinuxBlockIo, limits: &mut Limits) {
    if let Some(weight) = set(io.weight()) {
        limits.writes.push(weigh("linux.resources.blockIO.weight", "", weight));
    }
    if set(io.leaf_weight()).is_some() {
        limits.unenforced("linux.resources.blockIO.leafWeight", Reason::NotInV2);
    }
    for (index, device) in io.weight_device().iter().flatten().enumerate() {
        let field = format!("linux.resources.blockIO.weightDevice[{index}]");
        if let Some(weight) = set(device.weight()) {
            let number = format!("{}:{} ", device.major(), device.minor());
            limits.writes.push(weigh(&format!("{field}.weight"), &number, weight));
        }
        if set(device.leaf_weight()).is_some() {
            limits.unenforced(format!("{field}.leafWeight"), Reason::NotInV2);
        }
    }
    throttle("throttleReadBpsDevice", "rbps", io.throttle_read_bps_device(), limits);
    throttle("throttleWriteBpsDevice", "wbps", io.throttle_write_bps_device(), limits);
    throttle("throttleReadIOPSDevice", "riops", io.throttle_read_iops_device(), limits);
    throttle("throttleWriteIOPSDevice", "wiops", io.throttle_write_iops_device(), limits);
}

/// A weight of 0 is none.
fn set(weight: Option<u16>) -> Option<u16> {
    weight.filter(|weight| *weight != 0)
}

/// `device` is `MAJOR:MINOR `, or nothing for all of them.
fn weigh(field: &str, device: &str, weight: u16) -> Write {
    let io_weight = format!("{device}{}", convert::io_weight(weight));
    let other = Write::new(field, "io.weight", io_weight).if_missing(IfMissing::Unenforced);
    let bfq = Write::new(field, "io.bfq.weight", format!("{device}{weight}"));
    bfq.if_missing(IfMissing::Instead(Box::new(other)))
}

/// The kernel keeps the rates of a device that a line leaves out.
fn throttle(name: &str, key: &str, list: &Option<Vec<LinuxThrottleDevice>>, limits: &mut Limits) {
    for (index, device) in list.iter().flatten().enumerate() {
        let field = format!("linux.resources.blockIO.{name}[{index}]");
        let rate = convert::io_rate(device.rate());
        let line = format!("{}:{} {key}={rate}", device.major(), device.minor());
        limits.write(&field, "io.max", line);
    }
}
