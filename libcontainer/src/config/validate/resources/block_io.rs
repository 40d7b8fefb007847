//! [Block IO](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#block-io)

use oci_spec::runtime::{LinuxBlockIo, LinuxWeightDevice};

use super::super::devices::{MAJOR_LAST, MINOR_LAST};
use super::Findings;

const LEAST_WEIGHT: u16 = 10;
const MOST_WEIGHT: u16 = 1000;

pub(super) fn check(io: &LinuxBlockIo, findings: &mut Findings) {
    weight("linux.resources.blockIO.weight", io.weight(), findings);
    weight("linux.resources.blockIO.leafWeight", io.leaf_weight(), findings);
    for (index, device) in io.weight_device().iter().flatten().enumerate() {
        let field = format!("linux.resources.blockIO.weightDevice[{index}]");
        numbers(&field, device.major(), device.minor(), findings);
        weights(&field, device, findings);
    }
    let lists = [
        ("throttleReadBpsDevice", io.throttle_read_bps_device()),
        ("throttleWriteBpsDevice", io.throttle_write_bps_device()),
        ("throttleReadIOPSDevice", io.throttle_read_iops_device()),
        ("throttleWriteIOPSDevice", io.throttle_write_iops_device()),
    ];
    for (name, list) in lists {
        for (index, device) in list.iter().flatten().enumerate() {
            let field = format!("linux.resources.blockIO.{name}[{index}]");
            numbers(&field, device.major(), device.minor(), findings);
        }
    }
}

fn weights(field: &str, device: &LinuxWeightDevice, findings: &mut Findings) {
    let given = device.weight().is_some() || device.leaf_weight().is_some();
    findings.expect(given, field, "needs weight, leafWeight or both");
    weight(&format!("{field}.weight"), device.weight(), findings);
    weight(&format!("{field}.leafWeight"), device.leaf_weight(), findings);
}

fn weight(field: &str, value: Option<u16>, findings: &mut Findings) {
    let value = value.unwrap_or(0);
    let text = format!("{value} is out of range; {LEAST_WEIGHT} to {MOST_WEIGHT} is right");
    let right = value == 0 || (LEAST_WEIGHT..=MOST_WEIGHT).contains(&value);
    findings.expect(right, field, text);
}

fn numbers(field: &str, major: i64, minor: i64, findings: &mut Findings) {
    for (name, number, last) in [("major", major, MAJOR_LAST), ("minor", minor, MINOR_LAST)] {
        let text = format!("{number} is out of range; 0 to {last} is right");
        findings.expect((0..=last).contains(&number), format!("{field}.{name}"), text);
    }
}
