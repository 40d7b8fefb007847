//! The objects of a configuration and their fields, of all versions up to 1.3.
//!
//! Unknown fields are legal
//! ([extensibility](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#extensibility))
//! and change nothing, which is the last thing that the author of a misspelt one expects: hence a
//! warning. An array in place of an object is not legal, but serde would take it and fill the
//! fields in the order in which oci-spec happens to declare them: hence a problem.

use serde_json::Value;

use super::walk::{Trail, each_value};
use super::{Object, Report};
use crate::error::Problem;

/// An object, `*` standing for each element, and its fields with a space between.
type Shape = (&'static [&'static str], &'static str);

const MAPPING: &str = "containerID hostID size";
const HOOK: &str = "path args env timeout";
const THROTTLE: &str = "major minor rate";

const CONFIG: &[Shape] = &[
    (
        &[],
        "ociVersion root mounts process hostname domainname hooks annotations linux solaris \
         windows vm zos freebsd",
    ),
    (&["root"], "path readonly"),
    (&["mounts", "*"], "destination source type options uidMappings gidMappings"),
    (&["mounts", "*", "uidMappings", "*"], MAPPING),
    (&["mounts", "*", "gidMappings", "*"], MAPPING),
    (&["hooks"], "prestart createRuntime createContainer startContainer poststart poststop"),
    (&["hooks", "*", "*"], HOOK),
    (
        &["linux"],
        "uidMappings gidMappings sysctl resources cgroupsPath namespaces devices netDevices \
         seccomp rootfsPropagation maskedPaths readonlyPaths mountLabel intelRdt memoryPolicy \
         personality timeOffsets",
    ),
    (&["linux", "namespaces", "*"], "type path"),
    (&["linux", "uidMappings", "*"], MAPPING),
    (&["linux", "gidMappings", "*"], MAPPING),
    (&["linux", "timeOffsets", "*"], "secs nanosecs"),
    (&["linux", "devices", "*"], "path type major minor fileMode uid gid"),
    (&["linux", "netDevices", "*"], "name"),
    (
        &["linux", "resources"],
        "devices memory cpu pids blockIO hugepageLimits network rdma unified",
    ),
    (&["linux", "resources", "devices", "*"], "allow type major minor access"),
    (
        &["linux", "resources", "memory"],
        "limit reservation swap kernel kernelTCP swappiness disableOOMKiller useHierarchy \
         checkBeforeUpdate",
    ),
    (
        &["linux", "resources", "cpu"],
        "shares quota burst period realtimeRuntime realtimePeriod cpus mems idle",
    ),
    (&["linux", "resources", "pids"], "limit"),
    (
        &["linux", "resources", "blockIO"],
        "weight leafWeight weightDevice throttleReadBpsDevice throttleWriteBpsDevice \
         throttleReadIOPSDevice throttleWriteIOPSDevice",
    ),
    (&["linux", "resources", "blockIO", "weightDevice", "*"], "major minor weight leafWeight"),
    (&["linux", "resources", "blockIO", "throttleReadBpsDevice", "*"], THROTTLE),
    (&["linux", "resources", "blockIO", "throttleWriteBpsDevice", "*"], THROTTLE),
    (&["linux", "resources", "blockIO", "throttleReadIOPSDevice", "*"], THROTTLE),
    (&["linux", "resources", "blockIO", "throttleWriteIOPSDevice", "*"], THROTTLE),
    (&["linux", "resources", "hugepageLimits", "*"], "pageSize limit"),
    (&["linux", "resources", "network"], "classID priorities"),
    (&["linux", "resources", "network", "priorities", "*"], "name priority"),
    (&["linux", "resources", "rdma", "*"], "hcaHandles hcaObjects"),
    (
        &["linux", "seccomp"],
        "defaultAction defaultErrnoRet architectures flags listenerPath listenerMetadata \
         syscalls",
    ),
    (&["linux", "seccomp", "syscalls", "*"], "names action errnoRet args"),
    (&["linux", "seccomp", "syscalls", "*", "args", "*"], "index value valueTwo op"),
    (
        &["linux", "intelRdt"],
        "closID schemata l3CacheSchema memBwSchema enableCMT enableMBM enableMonitoring",
    ),
    (&["linux", "memoryPolicy"], "mode nodes flags"),
    (&["linux", "personality"], "domain flags"),
];

const PROCESS: &[Shape] = &[
    (
        &[],
        "terminal consoleSize user args commandLine env cwd capabilities rlimits \
         noNewPrivileges apparmorProfile oomScoreAdj scheduler selinuxLabel ioPriority \
         execCPUAffinity",
    ),
    (&["user"], "uid gid umask additionalGids username"),
    (&["consoleSize"], "height width"),
    (&["capabilities"], "bounding effective inheritable permitted ambient"),
    (&["rlimits", "*"], "type soft hard"),
    (&["scheduler"], "policy nice priority flags runtime deadline period"),
    (&["ioPriority"], "class priority"),
    (&["execCPUAffinity"], "initial final"),
];

/// Looks at the objects of a configuration, those of its process excepted.
pub(super) fn config(config: &mut Value, report: &mut Report) {
    look(config, "", CONFIG, report);
}

/// Looks at the objects of a process.
pub(super) fn process(process: &mut Value, report: &mut Report) {
    look(process, "process", PROCESS, report);
}

/// All of them: `process.user.uid`, with `*` for an element or a key.
#[cfg(test)]
pub(crate) fn known_fields() -> std::collections::BTreeSet<String> {
    let shapes = CONFIG.iter().map(|shape| ("", shape));
    let shapes = shapes.chain(PROCESS.iter().map(|shape| ("process", shape)));
    let spelled = shapes.flat_map(|(start, (path, fields))| {
        let object: Vec<_> =
            [start].iter().chain(*path).filter(|part| !part.is_empty()).copied().collect();
        fields.split(' ').map(move |field| [&object[..], &[field]].concat().join("."))
    });
    spelled.collect()
}

fn look(value: &mut Value, start: &str, shapes: &[Shape], report: &mut Report) {
    for (path, fields) in shapes {
        each_value(value, &Trail::Start(start), path, &mut |trail, value| match value {
            Value::Object(object) => unknown(object, trail, fields, &mut report.warnings),
            Value::Array(_) => {
                let text = "expected an object, found an array";
                report.problems.push(Problem::new(trail.field(), text));
                *value = Value::Object(Object::new());
            }
            // A value of any other type is told when it is read.
            _ => (),
        });
    }
}

fn unknown(object: &Object, trail: &Trail<'_>, fields: &str, warnings: &mut Vec<String>) {
    let known = || fields.split(' ');
    for key in object.keys().filter(|key| !known().any(|name| name == *key)) {
        let field = trail.with(key);
        warnings.push(match known().find(|name| name.eq_ignore_ascii_case(key)) {
            Some(meant) => format!("{field}: unknown field, ignored; it is spelled {meant}"),
            None => format!("{field}: unknown field, ignored"),
        });
    }
}
