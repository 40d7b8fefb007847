//! What is legal and will be done, but hardly as its author thinks: warnings.

use oci_spec::runtime::{
    Capabilities, LinuxCapabilities, LinuxSchedulerFlag, LinuxSchedulerPolicy, Mount, Process,
    Scheduler, Spec,
};

use super::validate::{Version, capability_names};

/// Warnings about a configuration.
pub(super) fn on_spec(spec: &Spec) -> Vec<String> {
    let mut warnings = version(spec.version());
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        warnings.extend(relative(index, mount));
    }
    let devices = spec.linux().as_ref().and_then(|linux| linux.devices().as_ref());
    for (index, device) in devices.into_iter().flatten().enumerate() {
        warnings.extend(device.file_mode().and_then(|mode| file_mode(index, mode)));
    }
    warnings.extend(spec.process().iter().flat_map(on_process));
    warnings
}

/// Warnings about a process.
pub(super) fn on_process(process: &Process) -> Vec<String> {
    let scheduling = process.scheduler().iter().flat_map(scheduling);
    let ambient = process.capabilities().iter().filter_map(ambient);
    ambient.chain(scheduling).chain(of_another_system(process)).collect()
}

/// The kernel takes a nice value for two policies and leaves it aside for the others; of the clamps of
/// utilization, the specification has the flags and no fields for the values.
fn scheduling(scheduler: &Scheduler) -> Vec<String> {
    use LinuxSchedulerFlag::{SchedFlagUtilClampMax, SchedFlagUtilClampMin};
    use LinuxSchedulerPolicy::{SchedBatch, SchedOther};
    let mut warnings = Vec::new();
    let policy = scheduler.policy();
    if scheduler.nice().is_some_and(|nice| nice != 0) && !matches!(policy, SchedOther | SchedBatch)
    {
        warnings.push(format!("process.scheduler.nice: ignored, {policy} has no nice value"));
    }
    let flags = scheduler.flags().as_deref().unwrap_or_default();
    let clamps =
        flags.iter().filter(|flag| matches!(flag, SchedFlagUtilClampMin | SchedFlagUtilClampMax));
    warnings.extend(clamps.map(|flag| {
        format!("process.scheduler.flags: {flag} has no field for its value, which is 0")
    }));
    warnings
}

/// Versions of the same major number are compatible: what a newer one adds is unknown fields.
fn version(text: &str) -> Vec<String> {
    match Version::parse(text) {
        Some(version) if version.is_newer() => {
            vec![format!("ociVersion: {text} is newer than 1.3, what it adds is ignored")]
        }
        _ => Vec::new(),
    }
}

/// The specification wants an absolute path and lets a relative one pass for old configurations.
fn relative(index: usize, mount: &Mount) -> Option<String> {
    let path = mount.destination();
    let relative = path.is_relative() && !path.as_os_str().is_empty();
    relative.then(|| format!("mounts[{index}].destination: {path:?} is taken as relative to /"))
}

/// Programs written in Go put the type of the device into the same number.
fn file_mode(index: usize, mode: u32) -> Option<String> {
    let beyond = mode & !(libc::S_IFMT | 0o7777) != 0;
    beyond.then(|| {
        let kept = mode & 0o7777;
        format!("linux.devices[{index}].fileMode: {mode} is no file mode, taken as {kept:#o}")
    })
}

/// The kernel raises an ambient capability only when it is permitted and inheritable.
fn ambient(sets: &LinuxCapabilities) -> Option<String> {
    let empty = Capabilities::new();
    let [ambient, inheritable, permitted] = [sets.ambient(), sets.inheritable(), sets.permitted()]
        .map(|set| set.as_ref().unwrap_or(&empty));
    let lost = ambient
        .iter()
        .filter(|capability| !inheritable.contains(capability) || !permitted.contains(capability));
    let names = capability_names(lost)?;
    Some(format!(
        "process.capabilities.ambient: {names} not in both inheritable and permitted, ignored"
    ))
}

/// Fields of a process on Windows.
fn of_another_system(process: &Process) -> impl Iterator<Item = String> {
    let fields = [
        ("process.commandLine", process.command_line()),
        ("process.user.username", process.user().username()),
    ];
    let set = fields.into_iter().filter(|(_, text)| text.as_ref().is_some_and(|it| !it.is_empty()));
    set.map(|(field, _)| format!("{field}: ignored, it is for another system"))
}
