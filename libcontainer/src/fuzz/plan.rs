//! A config.json, a process or resources: read, validated, planned and printed, for several hosts.

use super::hash;
use crate::cgroup::{CgroupPlan, Layout, Manager, Mounted, Update};
use crate::config::{Bundle, Config, process_from_bytes, resources_from_bytes, validate_process};
use crate::plan::{ExecTarget, Host, Plan, for_exec};
use crate::{CreateOptions, ErrorKind, ExecOptions, Terminal};

pub(super) const WORDS: &[&str] = &[
    "scheduler",
    "ioPriority",
    "execCPUAffinity",
    "personality",
    "memoryPolicy",
    "netDevices",
    "intelRdt",
    "timeOffsets",
    "uidMappings",
    "rootfsPropagation",
    "unified",
    "sysctl",
    "net.core.x",
    "org.systemd.property.TimeoutStopUSec",
    "uint64 7",
    "system.slice:a:b",
    "cpuset",
    "0-3,5",
    "rbind",
    "idmap",
    "SCMP_ACT_NOTIFY",
];

/// Whether there is a plan in the end.
pub(super) fn run(bytes: &[u8]) -> bool {
    let choice = hash(bytes);
    [process(bytes), resources(bytes, choice), config(bytes, choice)].contains(&true)
}

fn config(bytes: &[u8], choice: u64) -> bool {
    let config = match Config::from_bytes(bytes.to_vec()) {
        Ok(config) => config,
        Err(error) => return refused(&error),
    };
    assert_eq!(config.raw(), bytes);
    config.warnings().iter().for_each(|line| one_line(line));
    let bundle = Bundle { path: "/nowhere/bundle".into(), config };
    let host = host(choice);
    let managers = [Manager::Cgroupfs, Manager::Systemd, Manager::None];
    let options = CreateOptions {
        terminal: Terminal::Master,
        cgroups: managers[(choice >> 8) as usize % managers.len()],
        no_pivot: choice & 1 << 16 != 0,
        ..CreateOptions::default()
    };
    let cgroup = CgroupPlan::for_create("c1", &bundle, &options, &host);
    let place = cgroup.as_ref().ok().and_then(CgroupPlan::place);
    let printed = |plan: Plan| {
        plan.warnings().iter().for_each(|line| one_line(line));
        plan.to_string()
    };
    let plan = || Plan::for_create("c1", &bundle, &options, &host, place).map(printed);
    match (plan(), &cgroup) {
        (Ok(first), Ok(cgroup)) => {
            assert_eq!(Some(first), plan().ok(), "two plans of one config");
            let _ = cgroup.to_string();
            entered(&bundle, &host)
        }
        (Err(error), _) => refused(&error),
        (_, Err(error)) => refused(error),
    }
}

/// What can be created can be entered with the same process.
fn entered(bundle: &Bundle, host: &Host) -> bool {
    let spec = bundle.config.spec();
    let Some(process) = spec.process() else { return true };
    let namespaces = (libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWUSER) as u64;
    let target = ExecTarget {
        id: "c1",
        spec,
        pidfd: 3,
        namespaces,
        root: None,
        keyring: true,
        awaits_cgroup: false,
    };
    match for_exec(&target, process, &ExecOptions::default(), host) {
        Ok(plan) => plan.warnings().iter().for_each(|line| one_line(line)),
        Err(error) => drop(refused(&error)),
    }
    true
}

fn process(bytes: &[u8]) -> bool {
    match process_from_bytes(bytes) {
        Ok((process, warnings)) => {
            warnings.iter().for_each(|line| one_line(line));
            let problems = validate_process(&process, None);
            problems.iter().for_each(|problem| one_line(&problem.to_string()));
            problems.is_empty()
        }
        Err(error) => refused(&error),
    }
}

fn resources(bytes: &[u8], choice: u64) -> bool {
    let layout = host(choice).cgroups;
    match resources_from_bytes(bytes, "1.0.2") {
        Ok((given, warnings)) => {
            warnings.iter().for_each(|line| one_line(line));
            match Update::new(layout, &given, &given) {
                Ok(_) => true,
                Err(error) => refused(&error),
            }
        }
        Err(error) => refused(&error),
    }
}

/// What is refused is refused in one line, and not because something else went wrong.
fn refused(error: &crate::Error) -> bool {
    one_line(&error.to_string());
    assert_ne!(error.kind(), ErrorKind::System, "{error}");
    false
}

fn one_line(text: &str) {
    assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
}

/// One of several that differ in what plans differ by.
fn host(choice: u64) -> Host {
    let root = choice & 1 == 0;
    let layouts = [Layout::Unified, Layout::Hybrid, Layout::Legacy, Layout::Absent];
    let cgroups = layouts[(choice >> 1) as usize % layouts.len()];
    let at = |name: &str| Mounted::new(name, format!("/sys/fs/cgroup/{name}"), "/user.slice");
    let v1 = ["cpu,cpuacct", "memory", "pids", "devices", "freezer", "name=systemd"].map(at);
    let id = if root { 0 } else { 1000 };
    Host {
        euid: id,
        egid: id,
        capabilities: if root { (1 << 41) - 1 } else { 0 },
        in_user_namespace: root && choice & 1 << 3 != 0,
        owns_mounts: root,
        cgroups,
        hierarchies: if cgroups.has_v1() { v1.into() } else { Vec::new() },
    }
}
