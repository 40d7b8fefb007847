//! The default config.json, in the form that `runc spec` gives, and ways to edit it.

use serde_json::{Value, json};

use crate::ctx::own_ids;

/// The capabilities of Linux 5.9 and newer.
pub(crate) const ALL_CAPABILITIES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
];

/// For root: five new namespaces. For an ordinary user: a user namespace with his id as root, and the
/// host's network.
pub(crate) fn default(root: bool) -> Value {
    let mut config = base();
    if root {
        push(&mut config, "/linux/namespaces", json!({"type": "network"}));
        set(
            &mut config,
            "/linux/resources",
            json!({"devices": [{"allow": false, "access": "rwm"}]}),
        );
    } else {
        make_rootless(&mut config);
    }
    config
}

/// What an ordinary user cannot have is left out: a network, gid 5 of devpts, a sysfs of his own.
fn make_rootless(config: &mut Value) {
    let (uid, gid) = own_ids();
    push(config, "/linux/namespaces", json!({"type": "user"}));
    set(config, "/linux/uidMappings", json!([{"containerID": 0, "hostID": uid, "size": 1}]));
    set(config, "/linux/gidMappings", json!([{"containerID": 0, "hostID": gid, "size": 1}]));
    let Some(mounts) = config["mounts"].as_array_mut() else {
        return;
    };
    mounts.retain(|mount| mount["type"] != "cgroup");
    for mount in mounts {
        match mount["type"].as_str() {
            Some("devpts") => {
                mount["options"] =
                    json!(["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]);
            }
            Some("sysfs") => {
                *mount = json!({"destination": "/sys", "type": "none", "source": "/sys",
                    "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]});
            }
            _ => (),
        }
    }
}

fn base() -> Value {
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/true"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
                "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
                "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": false},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
             "options": ["nosuid", "noexec", "nodev", "ro"]}
        ],
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

/// Sets the value at a JSON pointer, making the objects on the way.
pub(crate) fn set(config: &mut Value, pointer: &str, value: Value) {
    *place(config, pointer) = value;
}

/// Adds to the array at a JSON pointer, making it.
pub(crate) fn push(config: &mut Value, pointer: &str, value: Value) {
    match place(config, pointer) {
        Value::Array(list) => list.push(value),
        other => *other = json!([value]),
    }
}

pub(crate) fn remove(config: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        return;
    };
    match config.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(map.remove(key)),
        Some(Value::Array(list)) => drop(key.parse().map(|index: usize| list.remove(index))),
        _ => (),
    }
}

fn place<'a>(config: &'a mut Value, pointer: &str) -> &'a mut Value {
    let steps = pointer.split('/').skip(1);
    steps.fold(config, |place, step| match place {
        Value::Array(list) => &mut list[step.parse::<usize>().expect("index of an array")],
        other => &mut other[step],
    })
}
