//! What a case may need of the machine, each with a way to tell whether it is there.
//!
//! What belongs to another part of the test run (pure cgroup v2: the guest) leaves a case out; what a
//! machine simply lacks skips it, with the reason.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    /// Pure cgroup v2 with cpu, memory and pids, writable.
    Cgroup2,
    /// The memory controller on cgroup v1, writable.
    CgroupV1,
    /// The cpuset controller on cgroup v1.
    CpusetV1,
    /// A disk, of whatever kind.
    AnyDisk,
    /// A systemd that makes scopes for the caller, on pure cgroup v2: the system's for root, otherwise the
    /// user's own.
    Systemd,
    /// The same for root, with the controllers on cgroup v1.
    SystemdV1,
    /// cgroup v2 with or without controllers, since the freezer is in every cgroup of it, or that of
    /// v1.
    Freezer,
    /// A cgroup controller to limit with, of v2 or v1.
    Controller(&'static str),
    /// The disk [`DISK`], on which nothing is.
    Disk,
    /// Memory to swap to.
    Swap,
    /// `/etc/subuid` and `/etc/subgid` ranges for the caller, and newuidmap.
    SubIds,
    /// Time namespaces.
    TimeNs,
    /// Virtual network devices in pairs.
    Veth,
    /// IPv6.
    Ipv6,
    /// The network device [`SPARE_NIC`], a physical one that is of no use to the machine.
    SpareNic,
    /// A machine without the resctrl filesystem.
    NoResctrl,
    /// The overlay filesystem.
    Overlay,
    /// The program `ps`, which `ps` in table form runs.
    Ps,
    /// CAP_SYS_RESOURCE, to raise hard limits and lower the OOM score.
    SysResource,
    /// An x86_64 machine.
    X86_64,
    /// The entry of 32-bit x86 programs.
    I386,
    /// Linux 6.3: a tmpfs, on which the cases may be, takes id mappings.
    IdMap,
    /// Linux 5.19: a call that an agent has is not interrupted.
    WaitKillable,
    /// Lines of the kernel's log, which tell what a filter was told to log.
    KernelLog,
    /// More than one processor for the caller.
    Processors,
    /// Processes in cgroups may be scheduled by realtime policies.
    Realtime,
    /// NUMA, be it with a single node.
    Numa,
    /// A cgroup in which the caller may make others.
    Cgroup,
    /// A cgroup, of v2, that the caller may write to although it is an ordinary user.
    OwnCgroup,
    /// A process may trace others of its user, not only its own children.
    Ptrace,
    /// AppArmor with the guest's profiles.
    AppArmor,
    /// SELinux with the guest's policy.
    SeLinux,
    /// Docker of this or a later version, where that is the engine: what older ones cannot do or say.
    Docker(u32),
    /// Podman, the same.
    Podman(u32),
    /// containerd, the same.
    Containerd(u32),
    /// A machine that can make thousands of containers in a minute.
    Quick,
}

/// The guest's disk of nothing but memory, with its numbers.
pub(crate) const DISK: (&str, (u32, u32)) = ("/dev/ram0", (1, 0));

/// The guest's network device that leads nowhere.
pub(crate) const SPARE_NIC: &str = "eth7";

impl Need {
    /// `Err` says why the machine cannot give it.
    pub(crate) fn met(self) -> Result<(), String> {
        match self {
            Need::Cgroup2 => cgroup2(),
            Need::Systemd => systemd().and_then(|()| pure_v2()),
            Need::SystemdV1 => systemd().and_then(|()| memory_v1()),
            Need::CgroupV1 => cgroup_v1(),
            Need::CpusetV1 => {
                exists("/sys/fs/cgroup/cpuset/cpuset.cpus", "no cpuset on cgroup v1 here")
            }
            Need::AnyDisk => any_disk(),
            Need::Freezer => freezer(),
            Need::Controller(name) => controller(name),
            Need::Disk => exists(DISK.0, "no such disk as the guest has"),
            Need::Swap => swap(),
            Need::SubIds => sub_ids(),
            Need::TimeNs => exists("/proc/self/ns/time", "no time namespaces in this kernel"),
            Need::Veth => veth(),
            Need::Ipv6 => exists("/proc/net/if_inet6", "no IPv6 in this kernel"),
            Need::SpareNic => spare_nic(),
            Need::NoResctrl => no_resctrl(),
            Need::Overlay => overlay(),
            Need::Ps => ps(),
            Need::SysResource => sys_resource(),
            Need::X86_64 => x86_64(),
            Need::I386 => i386(),
            Need::IdMap => linux(6, 3),
            Need::WaitKillable => linux(5, 19),
            Need::KernelLog => kernel_log(),
            Need::Processors => processors(),
            Need::Realtime => REALTIME.get_or_init(realtime).clone(),
            Need::Numa => exists("/proc/self/numa_maps", "no NUMA in this kernel"),
            Need::Cgroup => match nix::unistd::geteuid().is_root() {
                true => Ok(()),
                false => own_cgroup(),
            },
            Need::OwnCgroup => own_cgroup(),
            Need::Ptrace => ptrace(),
            Need::AppArmor => apparmor(),
            Need::SeLinux => exists("/sys/fs/selinux/enforce", "no SELinux here"),
            Need::Docker(wanted) => at_least("docker", wanted),
            Need::Podman(wanted) => at_least("podman", wanted),
            Need::Containerd(wanted) => at_least("containerd", wanted),
            Need::Quick => {
                if is_slow() {
                    Err("too slow a machine".into())
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Whether it has to be met where this is the engine: the others share the check, and their versions
    /// have other numbers.
    pub(crate) fn concerns(self, engine: &str) -> bool {
        match self {
            Need::Docker(_) => engine == "docker",
            Need::Podman(_) => engine.starts_with("podman"),
            _ => true,
        }
    }

    /// Left to another part of the test run rather than skipped.
    pub(crate) fn elsewhere(self) -> bool {
        use Need::{AppArmor, Cgroup2, Controller, OwnCgroup, Quick, SeLinux, Systemd, SystemdV1};
        matches!(
            self,
            AppArmor | Cgroup2 | Controller(_) | OwnCgroup | Quick | SeLinux | Systemd | SystemdV1
        )
    }
}

/// In a guest of user-mode-linux each call of the kernel takes ten times as long.
pub(crate) fn is_slow() -> bool {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu.contains("User Mode Linux")
}

fn exists(path: &str, otherwise: &str) -> Result<(), String> {
    if Path::new(path).exists() { Ok(()) } else { Err(otherwise.into()) }
}

fn cgroup2() -> Result<(), String> {
    let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let has = |name| controllers.split_whitespace().any(|each| each == name);
    let root = nix::unistd::geteuid().is_root();
    if root && has("cpu") && has("memory") && has("pids") {
        Ok(())
    } else {
        Err("no pure cgroup v2 with rights to it here".into())
    }
}

fn cgroup_v1() -> Result<(), String> {
    memory_v1()?;
    let memory = "/sys/fs/cgroup/memory";
    match nix::unistd::access(memory, nix::unistd::AccessFlags::W_OK) {
        Ok(()) if nix::unistd::geteuid().is_root() => Ok(()),
        _ => Err("no right to make a cgroup of v1 here".into()),
    }
}

fn any_disk() -> Result<(), String> {
    let any = fs::read_dir("/sys/block").is_ok_and(|mut disks| disks.next().is_some());
    if any { Ok(()) } else { Err("no disk here".into()) }
}

fn systemd() -> Result<(), String> {
    let run = match nix::unistd::geteuid().is_root() {
        true => Some("/run".into()),
        false => std::env::var_os("XDG_RUNTIME_DIR"),
    };
    let reached =
        run.is_some_and(|run| UnixStream::connect(Path::new(&run).join("systemd/private")).is_ok());
    if reached { Ok(()) } else { Err("no systemd that the caller may ask here".into()) }
}

fn pure_v2() -> Result<(), String> {
    exists("/sys/fs/cgroup/cgroup.controllers", "no pure cgroup v2 here")
}

fn memory_v1() -> Result<(), String> {
    exists("/sys/fs/cgroup/memory/cgroup.procs", "no cgroup v1 here")
}

fn freezer() -> Result<(), String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let is_cgroup2 = |line: &str| line.split(' ').nth(2) == Some("cgroup2");
    let v1 = Path::new("/sys/fs/cgroup/freezer/cgroup.procs").exists();
    let there = v1 || mounts.lines().any(is_cgroup2);
    if there { Ok(()) } else { Err("no cgroup with a freezer here".into()) }
}

fn controller(name: &str) -> Result<(), String> {
    let root = nix::unistd::geteuid().is_root();
    let offered = if root { crate::cgroups::offers(name) } else { delegated(name) };
    if offered { Ok(()) } else { Err(format!("no cgroup controller {name} here")) }
}

fn swap() -> Result<(), String> {
    let table = fs::read_to_string("/proc/swaps").unwrap_or_default();
    if table.lines().count() > 1 { Ok(()) } else { Err("nothing to swap to".into()) }
}

fn sub_ids() -> Result<(), String> {
    let user = crate::ctx::user_name();
    for file in ["/etc/subuid", "/etc/subgid"] {
        if crate::ctx::sub_range(file, &user).is_none() {
            return Err(format!("{user} has no range in {file}"));
        }
    }
    exists("/usr/bin/newuidmap", "no newuidmap (Debian's package uidmap)")
}

/// Tried in a network namespace that ends with the trial.
fn veth() -> Result<(), String> {
    let mut command = std::process::Command::new("/usr/bin/unshare");
    command.args(["--net", "/bin/busybox", "ip", "link", "add", "type", "veth"]);
    command.stderr(std::process::Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("no veth network devices in this kernel".into()),
    }
}

/// The guest's kernel was told to make it; on any other machine a device of that name is somebody's.
fn spare_nic() -> Result<(), String> {
    let none = "no physical network device to spare, as the guest has";
    let told = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if !told.contains(&format!("{SPARE_NIC}=")) {
        return Err(none.into());
    }
    exists(&format!("/sys/class/net/{SPARE_NIC}"), none)?;
    // It needs a socket of the machine that the guest is on, which may have no network.
    let ip = |state| {
        let mut command = std::process::Command::new("/bin/busybox");
        command.args(["ip", "link", "set", SPARE_NIC, state]).stderr(std::process::Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if ip("up") && ip("down") {
        Ok(())
    } else {
        Err("the guest's device cannot be used here".into())
    }
}

fn no_resctrl() -> Result<(), String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if mounts.contains(" - resctrl ") { Err("resctrl is mounted here".into()) } else { Ok(()) }
}

fn overlay() -> Result<(), String> {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known.lines().any(|line| line.ends_with("\toverlay")) {
        Ok(())
    } else {
        Err("no overlay filesystem in this kernel".into())
    }
}

fn sys_resource() -> Result<(), String> {
    const CAP_SYS_RESOURCE: u32 = 24;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = crate::text::field(&status, "CapEff").unwrap_or("0");
    let mask = u64::from_str_radix(effective, 16).unwrap_or(0);
    if mask & (1 << CAP_SYS_RESOURCE) != 0 {
        Ok(())
    } else {
        Err("no CAP_SYS_RESOURCE here".into())
    }
}

/// It must work too: in a guest without a boot time it does not.
fn ps() -> Result<(), String> {
    let mut command = std::process::Command::new("ps");
    let status = command
        .arg("-ef")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err("no working ps (Debian's package procps)".into()),
    }
}

fn x86_64() -> Result<(), String> {
    if cfg!(target_arch = "x86_64") { Ok(()) } else { Err("no x86_64 machine".into()) }
}

/// Where there is no such entry, the number is taken for another call.
fn i386() -> Result<(), String> {
    let mut command = std::process::Command::new(crate::options::default_probe()?);
    let output = command.args(["syscall", "getppid", ",", "i386:getppid"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match text.unwrap_or_default().split_once('\n') {
        Some((native, i386)) if native == i386.trim_end() => Ok(()),
        _ => Err("no system calls of 32-bit x86 in this kernel".into()),
    }
}

/// Audit writes there what filters log, as long as no daemon takes it.
fn kernel_log() -> Result<(), String> {
    exists("/proc/self/loginuid", "no audit in this kernel")?;
    match fs::File::open("/dev/kmsg") {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("/dev/kmsg: {error}")),
    }
}

fn processors() -> Result<(), String> {
    match std::thread::available_parallelism() {
        Ok(count) if count.get() > 1 => Ok(()),
        _ => Err("one processor here".into()),
    }
}

static REALTIME: OnceLock<Result<(), String>> = OnceLock::new();

/// A kernel that shares realtime out among cgroups (CONFIG_RT_GROUP_SCHED) has none to give to those of
/// v2, and only who tries finds out.
fn realtime() -> Result<(), String> {
    const ROOT: &str = "/sys/fs/cgroup";
    let offered = fs::read_to_string(format!("{ROOT}/cgroup.controllers")).unwrap_or_default();
    if !offered.split_whitespace().any(|name| name == "cpu") {
        return Ok(());
    }
    let group = format!("{ROOT}/skepit-realtime-{}", std::process::id());
    fs::create_dir(&group).map_err(|error| format!("{group}: {error}"))?;
    let _on_already = fs::write(format!("{ROOT}/cgroup.subtree_control"), "+cpu");
    let line = "echo 0 >$0/cgroup.procs && exec chrt --fifo 1 true";
    let tried = std::process::Command::new("sh").args(["-c", line, &group]).output();
    let _empty = fs::remove_dir(&group);
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err("no realtime for cgroups of v2 here".into()),
    }
}

fn own_cgroup() -> Result<(), String> {
    let places = crate::cgroups::places(std::process::id() as i32).unwrap_or_default();
    let mine = places
        .iter()
        .filter(|place| place.controllers.is_empty())
        .any(|place| nix::unistd::access(&place.dir, nix::unistd::AccessFlags::W_OK).is_ok());
    if mine { Ok(()) } else { Err("the caller has no cgroup of its own here".into()) }
}

/// Whether the caller's cgroups, from the topmost that he may write to, have the controller.
fn delegated(controller: &str) -> bool {
    let places = crate::cgroups::places(std::process::id() as i32).unwrap_or_default();
    let Some(place) = places.into_iter().find(|place| place.controllers.is_empty()) else {
        return false;
    };
    let is_mine = |dir: &&Path| nix::unistd::access(*dir, nix::unistd::AccessFlags::W_OK).is_ok();
    let top = place.dir.ancestors().take_while(is_mine).last();
    let has = |dir: &Path| fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
    top.is_some_and(|top| has(top).split_whitespace().any(|each| each == controller))
}

fn ptrace() -> Result<(), String> {
    match fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").as_deref().map(str::trim) {
        Ok("0") | Err(_) => Ok(()),
        Ok(scope) => Err(format!("kernel.yama.ptrace_scope is {scope}")),
    }
}

fn apparmor() -> Result<(), String> {
    exists("/sys/kernel/security/apparmor/policy/profiles", "no AppArmor here")?;
    let loaded = fs::read_dir("/sys/kernel/security/apparmor/policy/profiles");
    let is_straw = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("straw.");
    let straw = loaded
        .is_ok_and(|mut each| each.any(|each| each.is_ok_and(|each| is_straw(&each.file_name()))));
    if straw { Ok(()) } else { Err("the guest's AppArmor profiles are not loaded here".into()) }
}

/// Where there is no such program, nothing is too old.
fn at_least(program: &str, wanted: u32) -> Result<(), String> {
    let Ok(output) = std::process::Command::new(program).arg("--version").output() else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().nth(2).unwrap_or_default();
    match version.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major < wanted => Err(format!("{program} {version} is older than {wanted}")),
        _ => Ok(()),
    }
}

fn linux(major: u32, minor: u32) -> Result<(), String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split('.').map_while(|part| part.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) >= (Some(major), Some(minor)) {
        Ok(())
    } else {
        Err(format!("Linux before {major}.{minor}"))
    }
}
