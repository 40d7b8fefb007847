//! [Devices](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#devices)

use oci_spec::runtime::{Linux, LinuxDevice, LinuxDeviceType};

use super::Findings;

/// A number of a device, and the last one that there is.
type Number = (&'static str, fn(&LinuxDevice) -> i64, i64);

/// The last numbers that a device of the kernel can have: 12 bits and 20 bits.
pub(super) const MAJOR_LAST: i64 = 0xfff;
pub(super) const MINOR_LAST: i64 = 0xf_ffff;

const NUMBERS: &[Number] =
    &[("major", LinuxDevice::major, MAJOR_LAST), ("minor", LinuxDevice::minor, MINOR_LAST)];

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    let devices = linux.devices().as_deref().unwrap_or_default();
    for (index, device) in devices.iter().enumerate() {
        let field = format!("linux.devices[{index}]");
        one(&field, device, findings);
        // The same device twice at the same place is of no harm, and engines do write it.
        let clash = |other: &LinuxDevice| other.path() == device.path() && other != device;
        if let Some(first) = devices[..index].iter().position(clash) {
            let text = format!("{:?} is another device in linux.devices[{first}]", device.path());
            findings.add(format!("{field}.path"), text);
        }
    }
}

fn one(field: &str, device: &LinuxDevice, findings: &mut Findings) {
    let text = format!("{:?} must be an absolute path in the container", device.path());
    findings.expect(device.path().is_absolute(), format!("{field}.path"), text);
    match device.typ() {
        LinuxDeviceType::A => {
            findings.add(format!("{field}.type"), "a is no device; known are c, b, u, p")
        }
        LinuxDeviceType::P => (),
        _ => numbers(field, device, findings),
    }
}

fn numbers(field: &str, device: &LinuxDevice, findings: &mut Findings) {
    for (key, number, last) in NUMBERS {
        let number = number(device);
        let text = format!("{number} is out of range; 0 to {last} is right");
        findings.expect((0..=*last).contains(&number), format!("{field}.{key}"), text);
    }
}
