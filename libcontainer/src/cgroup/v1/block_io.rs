//! `linux.resources.blockIO` as writes into the files of v1's `blkio`.

use super::super::write::{IfMissing, Limits, Write};
use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice, LinuxWeightDevice};

const FIELD: &str = "linux.resources.blockIO";

pub(super) fn add(limits: &mut Limits, io: &LinuxBlockIo) {
    weight(limits, "weight", "blkio.weight", "", io.weight());
    weight(limits, "leafWeight", "blkio.leaf_weight", "", io.leaf_weight());
    for (index, device) in io.weight_device().iter().flatten().enumerate() {
        weight_device(limits, index, device);
    }
    let throttles = [
        ("throttleReadBpsDevice", "read_bps", io.throttle_read_bps_device()),
        ("throttleWriteBpsDevice", "write_bps", io.throttle_write_bps_device()),
        ("throttleReadIOPSDevice", "read_iops", io.throttle_read_iops_device()),
        ("throttleWriteIOPSDevice", "write_iops", io.throttle_write_iops_device()),
    ];
    for (name, what, list) in throttles {
        for (index, device) in list.iter().flatten().enumerate() {
            throttle(limits, &format!("{name}[{index}]"), what, device);
        }
    }
}

/// `prefix` is the device, where it is one's.
fn weight(limits: &mut Limits, name: &str, file: &str, prefix: &str, weight: Option<u16>) {
    let field = format!("{FIELD}.{name}");
    match weight {
        None | Some(0) => {}
        Some(weight @ 10..=1000) => {
            let value = format!("{prefix}{weight}");
            // What a kernel with the BFQ scheduler calls it; CFQ, which had the plain name, went
            // with 5.0.
            let bfq = file.replacen("blkio.", "blkio.bfq.", 1);
            let bfq = Write::new(&field, &bfq, &value).if_missing(IfMissing::Unenforced);
            let write = Write::new(&field, file, value);
            limits.writes.push(write.if_missing(IfMissing::Instead(Box::new(bfq))));
        }
        Some(_) => limits.problem(&field, "must be 10 to 1000"),
    }
}

fn weight_device(limits: &mut Limits, index: usize, device: &LinuxWeightDevice) {
    let name = format!("weightDevice[{index}]");
    let Some(prefix) = number(limits, &name, device.major(), device.minor()) else {
        return;
    };
    let rows = [
        ("weight", "blkio.weight_device", device.weight()),
        ("leafWeight", "blkio.leaf_weight_device", device.leaf_weight()),
    ];
    for (key, file, value) in rows {
        weight(limits, &format!("{name}.{key}"), file, &prefix, value);
    }
}

/// A rate of 0 takes the limit away, as the kernel has it.
fn throttle(limits: &mut Limits, name: &str, what: &str, device: &LinuxThrottleDevice) {
    if let Some(prefix) = number(limits, name, device.major(), device.minor()) {
        let file = format!("blkio.throttle.{what}_device");
        let value = format!("{prefix}{}", device.rate());
        limits.write(&format!("{FIELD}.{name}"), &file, value);
    }
}

/// `MAJOR:MINOR `, with what follows to be written behind.
fn number(limits: &mut Limits, name: &str, major: i64, minor: i64) -> Option<String> {
    match (u32::try_from(major), u32::try_from(minor)) {
        (Ok(major), Ok(minor)) => Some(format!("{major}:{minor} ")),
        _ => {
            limits.problem(&format!("{FIELD}.{name}"), "major and minor must be device numbers");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(json: &str) -> Limits {
        let mut limits = Limits::default();
        add(&mut limits, &serde_json::from_str(json).expect("blockIO"));
        limits
    }

    #[test]
    fn every_field() {
        let all = r#"{"weight":10,"leafWeight":1000,
            "weightDevice":[{"major":8,"minor":0,"weight":500,"leafWeight":300},
                {"major":8,"minor":16,"weight":0}],
            "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],
            "throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":0}],
            "throttleReadIOPSDevice":[{"major":8,"minor":1,"rate":1}],
            "throttleWriteIOPSDevice":[{"major":254,"minor":0,"rate":18446744073709551615}]}"#;
        let limits = limits(all);
        assert_eq!(limits.problems, []);
        let lines: Vec<String> =
            limits.writes.iter().map(|write| format!("{}={}", write.file, write.value)).collect();
        let expected = [
            "blkio.weight=10",
            "blkio.leaf_weight=1000",
            "blkio.weight_device=8:0 500",
            "blkio.leaf_weight_device=8:0 300",
            "blkio.throttle.read_bps_device=8:0 600",
            "blkio.throttle.write_bps_device=8:0 0",
            "blkio.throttle.read_iops_device=8:1 1",
            "blkio.throttle.write_iops_device=254:0 18446744073709551615",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn wrong_values_are_named() {
        let wrong = r#"{"weight":9,"leafWeight":1001,"weightDevice":[{"major":-1,"minor":0,"weight":10}],
            "throttleReadBpsDevice":[{"major":8,"minor":4294967296,"rate":1}]}"#;
        let problems = limits(wrong).problems;
        let fields: Vec<&str> = problems.iter().map(|one| one.field.as_str()).collect();
        let expected = [
            "linux.resources.blockIO.weight",
            "linux.resources.blockIO.leafWeight",
            "linux.resources.blockIO.weightDevice[0]",
            "linux.resources.blockIO.throttleReadBpsDevice[0]",
        ];
        assert_eq!(fields, expected);
    }
}
