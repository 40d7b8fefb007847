//! Numbers of the [Linux section](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md)
//! that oci-spec would read as others.

use serde_json::Value;

use super::walk::{at, each};
use super::{Report, TOP};
use crate::config::validate::Version;
use crate::error::Problem;

/// The first version in which a pids limit is optional, by its minor number.
const PIDS_LIMIT_IS_OPTIONAL: u64 = 3;

/// The lists of `linux.resources` whose elements need these fields. oci-spec reads an absent one as
/// 0 or as empty, and 0 is a device, a rate and a limit too.
const COMPULSORY: &[(&[&str], &[&str])] = &[
    (&["blockIO", "weightDevice"], &["major", "minor"]),
    (&["blockIO", "throttleReadBpsDevice"], THROTTLE),
    (&["blockIO", "throttleWriteBpsDevice"], THROTTLE),
    (&["blockIO", "throttleReadIOPSDevice"], THROTTLE),
    (&["blockIO", "throttleWriteIOPSDevice"], THROTTLE),
    (&["hugepageLimits"], &["pageSize", "limit"]),
    (&["network", "priorities"], &["name", "priority"]),
];

const THROTTLE: &[&str] = &["major", "minor", "rate"];

pub(super) fn mend(config: &mut Value, report: &mut Report) {
    device_numbers(config, report);
    compulsory(config, report);
    pids_limit(config, report);
    hugepage_limits(config);
    obsolete_monitoring(config, report);
}

/// What these two once were was never said clearly; since version 1.3 one field has taken their place.
/// oci-spec looks for them under other names.
fn obsolete_monitoring(config: &mut Value, report: &mut Report) {
    let Some(rdt) = at(config, &["linux", "intelRdt"]) else {
        return;
    };
    for key in ["enableCMT", "enableMBM"] {
        if rdt.get(key).and_then(Value::as_bool) == Some(true) {
            let text = "is obsolete and ignored; enableMonitoring monitors";
            report.warnings.push(format!("linux.intelRdt.{key}: {text}"));
        }
    }
}

/// oci-spec reads an absent device number as 0, which is a device too. A fifo needs none.
fn device_numbers(config: &mut Value, report: &mut Report) {
    let path = ["linux", "devices", "*"];
    each(config, &TOP, &path, &mut |trail, device| {
        if device.get("type").and_then(Value::as_str) == Some("p") {
            return;
        }
        for key in ["major", "minor"] {
            if !device.contains_key(key) {
                let text = "is missing; every type but p needs it";
                report.problems.push(Problem::new(trail.with(key), text));
            }
        }
    });
}

fn compulsory(config: &mut Value, report: &mut Report) {
    for (list, keys) in COMPULSORY {
        let path = [&["linux", "resources"], *list, &["*"]].concat();
        each(config, &TOP, &path, &mut |trail, element| {
            for key in keys.iter().filter(|key| !element.contains_key(**key)) {
                report.problems.push(Problem::new(trail.with(key), "is missing"));
            }
        });
    }
}

/// Up to version 1.2 the limit was compulsory and 0 meant that none is set; since 1.3 it is
/// optional and 0 is a limit. oci-spec reads an absent limit as 0.
fn pids_limit(config: &mut Value, report: &mut Report) {
    let zero_is_none = config
        .get("ociVersion")
        .and_then(Value::as_str)
        .and_then(Version::parse)
        .is_some_and(|version| version.is_before(PIDS_LIMIT_IS_OPTIONAL));
    let Some(resources) = at(config, &["linux", "resources"]) else {
        return;
    };
    let Some(Value::Object(pids)) = resources.get("pids") else {
        return;
    };
    match pids.get("limit").map(Value::as_i64) {
        None => (),
        Some(Some(0)) if zero_is_none => {
            let text = "0 sets no limit before ociVersion 1.3.0; write -1";
            let warning = format!("linux.resources.pids.limit: {text}");
            report.warnings.push(warning);
        }
        Some(_) => return,
    }
    resources.remove("pids");
}

/// oci-spec's limit is signed where the specification's is not. The kernel counts neither so far.
fn hugepage_limits(config: &mut Value) {
    let path = ["linux", "resources", "hugepageLimits", "*"];
    each(config, &TOP, &path, &mut |_, hugepages| {
        let limit = hugepages.get("limit").and_then(Value::as_u64);
        if limit.is_some_and(|limit| i64::try_from(limit).is_err()) {
            hugepages.insert("limit".to_owned(), Value::from(i64::MAX));
        }
    });
}
