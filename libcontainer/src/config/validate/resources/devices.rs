//! [Allowed device list](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#allowed-device-list)

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use super::Findings;
use crate::error::Problem;

pub(super) fn check(rules: &[LinuxDeviceCgroup], findings: &mut Findings) {
    let problems = rules.iter().enumerate().filter_map(|(at, rule)| device_rule_problem(at, rule));
    findings.list.extend(problems);
}

/// What is wrong with the rule that is `linux.resources.devices[index]`.
pub(crate) fn device_rule_problem(index: usize, rule: &LinuxDeviceCgroup) -> Option<Problem> {
    let right = |number: Option<i64>| {
        number.is_none_or(|number| number == -1 || u32::try_from(number).is_ok())
    };
    let (name, text) = match rule {
        // A fifo has no device behind it.
        _ if rule.typ() == Some(LinuxDeviceType::P) => ("type", "must be a, b or c"),
        _ if !right(rule.major()) => ("major", "must be -1 (any) or a device number"),
        _ if !right(rule.minor()) => ("minor", "must be -1 (any) or a device number"),
        _ if !is_access(rule.access()) => ("access", "must be made of r, w and m"),
        _ => return None,
    };
    Some(Problem::new(format!("linux.resources.devices[{index}].{name}"), text))
}

/// None at all is ambiguous: nothing to one reader, everything to another.
fn is_access(access: &Option<String>) -> bool {
    let made_of = |text: &String| text.bytes().all(|byte| b"rwm".contains(&byte));
    access.as_ref().is_some_and(|text| !text.is_empty() && made_of(text))
}
