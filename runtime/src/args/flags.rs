//! Every flag, each defined once: commands that share a flag share its meaning.

use super::definition::Flag;
use super::definition::Value::{Choice, Number, Path, Switch, Text, Texts};

// Global flags.

pub(crate) const DEBUG: Flag =
    Flag::new("debug", Switch, "Log what is being done, the plan of a container included");
pub(crate) const LOG: Flag =
    Flag::new("log", Path("FILE"), "Append the log to FILE [default: stderr]");
pub(crate) const LOG_FORMAT: Flag =
    Flag::new("log-format", Choice("FORMAT", &["text", "json"]), "How log lines are written")
        .default("text");
pub(crate) const ROOT: Flag = Flag::new(
    "root",
    Path("DIR"),
    "Keep the state of containers in DIR [default: /run/skep or $XDG_RUNTIME_DIR/skep]",
);
pub(crate) const SYSTEMD_CGROUP: Flag = Flag::new(
    "systemd-cgroup",
    Switch,
    "Let systemd make the cgroup; linux.cgroupsPath is then slice:prefix:name",
);
pub(crate) const CGROUP_MANAGER: Flag = Flag::new(
    "cgroup-manager",
    Choice("MANAGER", &["cgroupfs", "systemd", "disabled"]),
    "Who makes the cgroup; overrides --systemd-cgroup [default: cgroupfs]",
);
pub(crate) const ROOTLESS: Flag = Flag::new(
    "rootless",
    Choice("WHEN", &["auto", "true", "false"]),
    "Whether the caller is taken for an ordinary user",
)
.default("auto");
pub(crate) const CRIU: Flag = Flag::new(
    "criu",
    Path("FILE"),
    "Accepted for callers that always give it; there is no checkpointing",
)
.hidden();

/// The flags before the command.
pub(crate) const GLOBAL: &[Flag] =
    &[DEBUG, LOG, LOG_FORMAT, ROOT, SYSTEMD_CGROUP, CGROUP_MANAGER, ROOTLESS, CRIU];

// Making a process.

pub(crate) const BUNDLE: Flag =
    Flag::new("bundle", Path("DIR"), "The directory that holds config.json")
        .short('b')
        .default(".");
pub(crate) const CONSOLE_SOCKET: Flag = Flag::new(
    "console-socket",
    Path("SOCKET"),
    "AF_UNIX socket that is sent the master end of the process's terminal",
);
pub(crate) const PID_FILE: Flag =
    Flag::new("pid-file", Path("FILE"), "Write the pid of the process to FILE");
pub(crate) const PIDFD_SOCKET: Flag =
    Flag::new("pidfd-socket", Path("SOCKET"), "AF_UNIX socket that is sent a pidfd of the process");
pub(crate) const PRESERVE_FDS: Flag = Flag::new(
    "preserve-fds",
    Number("N"),
    "Give the process N more descriptors, from 3 up after those of $LISTEN_FDS",
)
.default("0");
pub(crate) const DETACH: Flag =
    Flag::new("detach", Switch, "Return once the process is started").short('d');

// create and run.

pub(crate) const NO_PIVOT: Flag = Flag::new(
    "no-pivot",
    Switch,
    "Enter the root filesystem without pivot_root (for an initial ramdisk); weaker",
);
pub(crate) const NO_NEW_KEYRING: Flag =
    Flag::new("no-new-keyring", Switch, "Keep the caller's session keyring");

// run.

pub(crate) const KEEP: Flag =
    Flag::new("keep", Switch, "Keep the container when its process has ended");
pub(crate) const NO_SUBREAPER: Flag =
    Flag::new("no-subreaper", Switch, "Leave orphans of the container to the caller's reaper");

// exec.

pub(crate) const PROCESS: Flag = Flag::new(
    "process",
    Path("FILE"),
    "Take the process from FILE, JSON like config.json's process, not from the flags",
)
.short('p');
pub(crate) const TTY: Flag = Flag::new("tty", Switch, "Give the process a terminal").short('t');
pub(crate) const USER: Flag = Flag::new("user", Text("UID[:GID]"), "Run as this user").short('u');
pub(crate) const ADDITIONAL_GIDS: Flag =
    Flag::new("additional-gids", Texts("GID"), "Add a group; may be repeated").short('g');
pub(crate) const CWD: Flag = Flag::new("cwd", Text("DIR"), "Working directory in the container");
pub(crate) const ENV: Flag =
    Flag::new("env", Texts("NAME=VALUE"), "Set a variable; may be repeated").short('e');
pub(crate) const CAP: Flag =
    Flag::new("cap", Texts("CAP"), "Add a capability, such as CAP_NET_RAW; may be repeated")
        .short('c');
pub(crate) const NO_NEW_PRIVS: Flag =
    Flag::new("no-new-privs", Switch, "Set no_new_privs on the process");
pub(crate) const PROCESS_LABEL: Flag =
    Flag::new("process-label", Text("LABEL"), "SELinux label of the process");
pub(crate) const APPARMOR: Flag =
    Flag::new("apparmor", Text("PROFILE"), "AppArmor profile of the process");
pub(crate) const CGROUP: Flag =
    Flag::new("cgroup", Texts("PATH"), "Put the process in this cgroup below the container's");
pub(crate) const IGNORE_PAUSED: Flag = Flag::new(
    "ignore-paused",
    Switch,
    "Enter a paused container; the process waits until it is resumed",
);

// events.

pub(crate) const INTERVAL: Flag = Flag::new(
    "interval",
    Text("DURATION"),
    "Print statistics this often; a number and ns, us, ms, s, m or h, once or more",
)
.default("5s");
pub(crate) const STATS: Flag = Flag::new("stats", Switch, "Print statistics once, and exit");

// update.

pub(crate) const RESOURCES: Flag =
    Flag::new("resources", Path("FILE"), "Take the limits from FILE, or - for stdin").short('r');
pub(crate) const BLKIO_WEIGHT: Flag =
    Flag::new("blkio-weight", Text("N"), "Weight of block io, from 10 to 1000");
pub(crate) const CPU_PERIOD: Flag =
    Flag::new("cpu-period", Text("USEC"), "Period of the CPU quota; 0: the kernel's default");
pub(crate) const CPU_QUOTA: Flag =
    Flag::new("cpu-quota", Text("USEC"), "CPU time in each period; -1: no limit");
pub(crate) const CPU_BURST: Flag =
    Flag::new("cpu-burst", Text("USEC"), "CPU time that may be saved up beyond the quota");
pub(crate) const CPU_SHARE: Flag =
    Flag::new("cpu-share", Text("N"), "CPU weight, from 2 to 262144 (1024 is the normal one)");
pub(crate) const CPU_RT_PERIOD: Flag =
    Flag::new("cpu-rt-period", Text("USEC"), "Period of the realtime CPU time");
pub(crate) const CPU_RT_RUNTIME: Flag =
    Flag::new("cpu-rt-runtime", Text("USEC"), "Realtime CPU time in each period");
pub(crate) const CPU_IDLE: Flag =
    Flag::new("cpu-idle", Text("N"), "1: run only when nobody else would; 0: normally");
pub(crate) const CPUSET_CPUS: Flag =
    Flag::new("cpuset-cpus", Text("LIST"), "The CPUs to run on, such as 0-3,7");
pub(crate) const CPUSET_MEMS: Flag =
    Flag::new("cpuset-mems", Text("LIST"), "The memory nodes to use, such as 0-1");
pub(crate) const MEMORY: Flag = Flag::new("memory", Text("SIZE"), "Limit of memory");
pub(crate) const MEMORY_RESERVATION: Flag =
    Flag::new("memory-reservation", Text("SIZE"), "Memory to be left alone if others have more");
pub(crate) const MEMORY_SWAP: Flag =
    Flag::new("memory-swap", Text("SIZE"), "Limit of memory and swap together");
pub(crate) const PIDS_LIMIT: Flag =
    Flag::new("pids-limit", Text("N"), "Limit of processes and threads; -1: none");
pub(crate) const KERNEL_MEMORY: Flag =
    Flag::new("kernel-memory", Text("SIZE"), "Ignored: obsolete").hidden();
pub(crate) const KERNEL_MEMORY_TCP: Flag =
    Flag::new("kernel-memory-tcp", Text("SIZE"), "Ignored: obsolete").hidden();
pub(crate) const L3_CACHE_SCHEMA: Flag =
    Flag::new("l3-cache-schema", Text("SCHEMA"), "Share of the L3 cache: L3:0=f;1=f");
pub(crate) const MEM_BW_SCHEMA: Flag =
    Flag::new("mem-bw-schema", Text("SCHEMA"), "Share of the memory bandwidth: MB:0=20;1=70");

// Others.

pub(crate) const ALL: Flag =
    Flag::new("all", Switch, "Send the signal to every process of the container").short('a');
pub(crate) const FORCE: Flag = Flag::new(
    "force",
    Switch,
    "Kill it if it runs (SIGKILL); no error if there is no such container",
)
.short('f');
pub(crate) const FORMAT: Flag =
    Flag::new("format", Choice("FORMAT", &["table", "json"]), "How it is printed")
        .short('f')
        .default("table");
pub(crate) const QUIET: Flag = Flag::new("quiet", Switch, "Print the ids only").short('q');
pub(crate) const ARCH: Flag = Flag::new(
    "arch",
    Text("ARCH"),
    "An architecture, such as x86 or SCMP_ARCH_X86 [default: all, and this machine's for CALL]",
);
pub(crate) const BPF: Flag = Flag::new(
    "bpf",
    Choice("FORM", &["text", "raw"]),
    "Print the filter's program, a line for each instruction or as it is loaded",
);
pub(crate) const ROOTLESS_SPEC: Flag =
    Flag::new("rootless", Switch, "Make it one that an ordinary user can run");
