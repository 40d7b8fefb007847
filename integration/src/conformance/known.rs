//! Failures that are known, each with the reason, and who else has them. One that does not come is an error,
//! as is one that comes and is not here.

use Runtime::{Crun, Own, Runc};

use crate::cgroups;
use crate::harness::needs::Need;
use crate::options::Peer;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Runtime {
    /// The one that is tested.
    Own,
    Runc,
    Crun,
}

impl Runtime {
    pub(super) fn of(peer: Peer) -> Runtime {
        match peer {
            Peer::Runc => Runtime::Runc,
            Peer::Crun => Runtime::Crun,
        }
    }
}

/// Where a failure comes.
#[derive(Clone, Copy)]
pub(super) enum At {
    Anywhere,
    /// Where the programs find any hierarchy of v1.
    V1,
    /// The same, but this controller is in none.
    V1Without(&'static str),
    V2,
    Lacking(Need),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Times {
    Exactly(usize),
    /// A race between the program and what it starts.
    AtMost(usize),
}

pub(super) struct Known {
    pub(super) program: &'static str,
    pub(super) who: &'static [Runtime],
    pub(super) at: At,
    /// A part of its line.
    pub(super) failure: &'static str,
    pub(super) times: Times,
    pub(super) why: &'static str,
}

impl Known {
    pub(super) fn allows(&self, found: usize) -> bool {
        match self.times {
            Times::Exactly(times) => found == times,
            Times::AtMost(times) => found <= times,
        }
    }

    fn is_here(&self) -> bool {
        match self.at {
            At::Anywhere => true,
            At::V1 => cgroups::has_v1(),
            At::V1Without(name) => cgroups::has_v1() && !cgroups::offers(name),
            At::V2 => !cgroups::has_v1(),
            At::Lacking(need) => need.met().is_err(),
        }
    }

    const fn at(mut self, at: At) -> Known {
        self.at = at;
        self
    }

    const fn times(mut self, times: usize) -> Known {
        self.times = Times::Exactly(times);
        self
    }

    const fn race(mut self, most: usize) -> Known {
        self.times = Times::AtMost(most);
        self
    }
}

/// What a program's result is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Says {
    Points,
    /// It makes no points, but prints an error if there is one.
    Diagnostics,
    /// It prints nothing, if all is well.
    ExitStatus,
}

const LESS: &[(&str, Says)] = &[
    ("hooks", Says::Diagnostics),
    ("poststart", Says::Diagnostics),
    ("poststart_fail", Says::Diagnostics),
    ("poststop", Says::Diagnostics),
    ("poststop_fail", Says::Diagnostics),
    ("prestart", Says::Diagnostics),
    ("prestart_fail", Says::Diagnostics),
    ("process_rlimits_fail", Says::ExitStatus),
];

pub(super) fn says(program: &str) -> Says {
    LESS.iter().find(|(name, _)| *name == program).map_or(Says::Points, |(_, says)| *says)
}

/// Every program that is spoken of here.
pub(super) fn programs() -> impl Iterator<Item = &'static str> {
    LESS.iter().map(|(name, _)| *name).chain(KNOWN.iter().map(|known| known.program))
}

pub(super) fn of(runtime: Runtime, program: &str) -> Vec<&'static Known> {
    let applies = |known: &&Known| known.program == program && known.who.contains(&runtime);
    KNOWN.iter().filter(applies).filter(|known| known.is_here()).collect()
}

const fn known(
    who: &'static [Runtime],
    program: &'static str,
    failure: &'static str,
    why: &'static str,
) -> Known {
    Known { program, who, at: At::Anywhere, failure, times: Times::Exactly(1), why }
}

const EVERY: &[Runtime] = &[Own, Runc, Crun];
const PEERS: &[Runtime] = &[Runc, Crun];
/// crun passes.
const OWN_AND_RUNC: &[Runtime] = &[Own, Runc];
const OWN_AND_CRUN: &[Runtime] = &[Own, Crun];

const REFUSED: &str = "failed to create the container";
const NO_V2: &str = "it knows nothing of cgroup v2";
const NO_CPUSET: &str = "it knows nothing of v2, and the guest's kernel has no cpuset";
const NO_PAGES: &str = "the guest's kernel has no huge pages";
const CFQ: &str = "it wants the disk 8:0, and CFQ's leaf weights, which left Linux with 5.0";
const NO_HUGETLB: &str = "no such controller is mounted; we tell, they refuse";
const NO_NET_CLS: &str = "no such controller is mounted; we tell, they refuse";
const KERNEL_MEMORY: &str = "a limit of it has no effect since Linux 5.16";
const DEVICE_LIST: &str = "it wants v1's list in the config's order; on a hybrid host v2's filter has the \
    rules, and runc's list has another order";
const V1_MEMORY: &str = "it refuses what v2 has no setting for; the others tell";
const UNREAD: &str = "a hook that does not read its stdin may kill it";
const NO_LSM: &str = "this kernel has no such module, which is an error; crun runs without a word";
const NO_RESOURCE: &str = "the tests' root has no CAP_SYS_RESOURCE; we tell, they refuse";
const HOOK_FAILS: &str = "a failing hook fails the command, though a warning is due";
const SELF_RAISED: &str = "Go raises the soft limit of its own process, since 1.19";

pub(super) const KNOWN: &[Known] = &[
    known(
        EVERY,
        "delete",
        "attempting to `delete`",
        "a created container can be deleted: engines do it",
    )
    .times(2),
    known(EVERY, "delete_only_create_resources", "/pids/cgrouptest/tasks: no such file", NO_V2)
        .at(At::V2),
    known(EVERY, "delete_resources", "find pids cgroup", NO_V2).at(At::V2),
    known(EVERY, "hooks", "", "it looks for what they wrote when it has removed the bundle"),
    known(
        OWN_AND_RUNC,
        "hooks_stdin",
        "to \"prestart\" hook",
        "a hook in creation is told `creating`",
    ),
    known(&[Runc], "hooks_stdin", "to \"poststart\" hook", "it runs them before the program"),
    known(
        EVERY,
        "killsig",
        "send the specified signal",
        "a shell may not have set its trap when it comes",
    )
    .race(3),
    known(EVERY, "linux_cgroups_blkio", REFUSED, CFQ),
    known(EVERY, "linux_cgroups_relative_blkio", "not ok 1 - exit status 1", CFQ),
    known(EVERY, "linux_cgroups_cpus", REFUSED, NO_CPUSET).at(At::V2),
    known(EVERY, "linux_cgroups_relative_cpus", "not ok 1 - exit status 1", NO_CPUSET).at(At::V2),
    known(OWN_AND_RUNC, "linux_cgroups_devices", "devices c 10:229 rwm", DEVICE_LIST).at(At::V1),
    known(OWN_AND_RUNC, "linux_cgroups_relative_devices", "devices c 10:229 rwm", DEVICE_LIST)
        .at(At::V1),
    known(EVERY, "linux_cgroups_devices", "find devices", NO_V2).at(At::V2),
    known(EVERY, "linux_cgroups_relative_devices", "find devices", NO_V2).at(At::V2),
    known(EVERY, "linux_cgroups_hugetlb", "exit status 1: ", NO_HUGETLB)
        .at(At::V1Without("hugetlb")),
    known(EVERY, "linux_cgroups_relative_hugetlb", "not ok", NO_HUGETLB)
        .at(At::V1Without("hugetlb"))
        .times(2),
    known(EVERY, "linux_cgroups_hugetlb", "getting hugepage sizes", NO_PAGES).at(At::V2),
    known(EVERY, "linux_cgroups_relative_hugetlb", "getting hugepage sizes", NO_PAGES).at(At::V2),
    known(EVERY, "linux_cgroups_memory", "memory kernel is", KERNEL_MEMORY).at(At::V1).times(6),
    known(EVERY, "linux_cgroups_relative_memory", "memory kernel is", KERNEL_MEMORY).at(At::V1),
    known(&[Runc], "linux_cgroups_memory", "memory kernelTCP is", "it sets none")
        .at(At::V1)
        .times(6),
    known(&[Runc], "linux_cgroups_relative_memory", "memory kernelTCP is", "it sets none")
        .at(At::V1),
    known(OWN_AND_RUNC, "linux_cgroups_memory", "find memory cgroup", NO_V2).at(At::V2).times(6),
    known(OWN_AND_RUNC, "linux_cgroups_relative_memory", "find memory cgroup", NO_V2).at(At::V2),
    known(&[Crun], "linux_cgroups_memory", "exit status 1", V1_MEMORY).at(At::V2).times(6),
    known(&[Crun], "linux_cgroups_relative_memory", "exit status 1", V1_MEMORY).at(At::V2),
    known(&[Own], "linux_cgroups_network", "get network cgroup data", NO_NET_CLS)
        .at(At::V1Without("net_cls"))
        .times(32),
    known(PEERS, "linux_cgroups_network", REFUSED, NO_NET_CLS).at(At::V1Without("net_cls")),
    known(EVERY, "linux_cgroups_network", "find network cgroup", NO_V2).at(At::V2).times(32),
    known(&[Own], "linux_cgroups_relative_network", "get network cgroup data", NO_NET_CLS)
        .at(At::V1Without("net_cls")),
    known(PEERS, "linux_cgroups_relative_network", "not ok 1 - exit status 1", NO_NET_CLS)
        .at(At::V1Without("net_cls")),
    known(OWN_AND_RUNC, "linux_cgroups_relative_network", "find network cgroup", NO_V2).at(At::V2),
    known(
        &[Crun],
        "linux_cgroups_relative_network",
        "not ok 1 - exit status 1",
        "v2 has none, it says",
    )
    .at(At::V2),
    known(EVERY, "linux_cgroups_pids", "find pids cgroup", NO_V2).at(At::V2),
    known(EVERY, "linux_cgroups_relative_pids", "find pids cgroup", NO_V2).at(At::V2),
    known(&[Runc], "linux_devices", REFUSED, "it wants a FIFO to have the numbers of the config"),
    known(OWN_AND_RUNC, "linux_mount_label", REFUSED, NO_LSM),
    known(OWN_AND_RUNC, "linux_process_apparmor_profile", REFUSED, NO_LSM),
    known(
        &[Runc],
        "linux_seccomp",
        "not ok",
        "its own start needs getcwd, which the profile forbids",
    )
    .times(2),
    known(
        EVERY,
        "misc_props",
        "unknown annotation key",
        "it runs /runtimetest without bringing it along",
    ),
    known(OWN_AND_RUNC, "mounts", REFUSED, "options of a tmpfs at a bind mount are an error"),
    known(
        EVERY,
        "pidfile",
        "'--pid-file' option works",
        "it kills `true`, and wants it to run still: runc fails, too, with 0.3 s after `start`",
    )
    .race(1),
    known(
        OWN_AND_CRUN,
        "poststart",
        "MUST be called after the user-specified process is executed",
        "the program is executed before the hook is called, but need not have ended",
    )
    .race(1),
    known(&[Runc], "poststart", "before the `start` operation", "it runs them in `create`"),
    known(PEERS, "poststart_fail", "if any poststart hook fails", HOOK_FAILS),
    known(&[Runc], "poststop_fail", "if any poststop hook fails", HOOK_FAILS),
    known(&[Crun], "poststart", "signal: broken pipe", UNREAD).race(1),
    known(&[Crun], "poststop", "signal: broken pipe", UNREAD).race(1),
    known(&[Crun], "poststop_fail", "if any poststop hook fails", UNREAD).race(1),
    known(
        EVERY,
        "prestart",
        "after the `start` operation",
        "the specification has them in `create`",
    ),
    known(&[Own], "process_capabilities", "CAP_SYS_RESOURCE set", NO_RESOURCE)
        .at(At::Lacking(Need::SysResource))
        .times(5),
    known(PEERS, "process_capabilities", REFUSED, NO_RESOURCE).at(At::Lacking(Need::SysResource)),
    known(
        EVERY,
        "process_capabilities_fail",
        "exit status 1: Any value",
        "an unknown capability is a warning since 1.1 of the specification",
    ),
    known(OWN_AND_CRUN, "process_rlimits", "expected soft RLIMIT_NOFILE", SELF_RAISED),
    known(&[Runc], "process_rlimits", REFUSED, "its own start does not fit into RLIMIT_AS"),
    known(
        OWN_AND_RUNC,
        "start",
        "not ok 7 - exit status 1",
        "no process: `create` refuses, as `start` must; the program wants `start` to succeed",
    ),
];

#[cfg(test)]
mod tests {
    use super::{KNOWN, Runtime};

    /// What runc passes has to be passed.
    #[test]
    fn whatever_fails_fails_on_runc() {
        let fails = |who| {
            move |program: &str| {
                KNOWN.iter().any(|row| row.program == program && row.who.contains(&who))
            }
        };
        let own =
            KNOWN.iter().map(|row| row.program).filter(|program| fails(Runtime::Own)(program));
        let alone: Vec<_> = own.filter(|program| !fails(Runtime::Runc)(program)).collect();
        assert_eq!(alone, [""; 0]);
    }
}
