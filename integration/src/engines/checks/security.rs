//! What a container may do: capabilities, seccomp, privileges, limits of processes, namespaces.

use serde_json::{Value, json};

use super::run::report;
use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "security",
    cases: &[
        root!(capabilities_by_default),
        root!(cap_add_and_drop),
        root!(privileged),
        root!(privileged_makes_cgroups).needs(&[Need::Cgroup]),
        root!(seccomp_by_default),
        root!(seccomp_profile),
        root!(seccomp_unconfined),
        root!(no_new_privileges),
        root!(masked_and_read_only_paths),
        root!(ulimits),
        root!(sysctls),
        root!(oom_score),
        root!(namespaces_are_its_own),
        root!(namespaces_of_the_host),
        root!(namespaces_of_another),
    ],
};

fn mask(report: &Value, set: &str) -> u64 {
    report["caps"][set].as_u64().unwrap_or(0)
}

const CHOWN: u64 = 1;
const NET_ADMIN: u64 = 1 << 12;
const NET_RAW: u64 = 1 << 13;
const SYS_ADMIN: u64 = 1 << 21;

fn capabilities_by_default(ctx: &Ctx) -> Res {
    let report = report(&Cli::of(ctx), &[])?;
    for set in ["effective", "permitted", "bounding"] {
        holds!(mask(&report, set) & CHOWN != 0, "no CAP_CHOWN in {set}");
        holds!(mask(&report, set) & (NET_ADMIN | SYS_ADMIN) == 0, "too much in {set}");
    }
    same!((mask(&report, "inheritable"), mask(&report, "ambient")), (0, 0));
    Ok(())
}

fn cap_add_and_drop(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let added = report(&cli, &["--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN"])?;
    holds!(mask(&added, "effective") & NET_ADMIN != 0, "not added");
    holds!(mask(&added, "bounding") & CHOWN == 0, "not dropped");
    let one = report(&cli, &["--cap-drop", "ALL", "--cap-add", "NET_RAW"])?;
    same!((mask(&one, "effective"), mask(&one, "bounding")), (NET_RAW, NET_RAW));
    cli.run(&["--cap-drop", "CHOWN"], &["chown", "1", "/etc/passwd"])?.failed().map(drop)
}

fn privileged(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let report = report(&cli, &["--privileged"])?;
    let own = all_capabilities(ctx)?;
    // An engine may be older than the newest of them.
    let got = mask(&report, "effective");
    holds!(got & !own == 0 && got | 7 << 38 == own | 7 << 38, "{got:x} of {own:x}");
    same!(report["seccomp"], "0");
    let line =
        "mount -t tmpfs tmpfs /tmp && : <>/dev/fuse && echo 1 >/proc/sys/net/ipv4/ip_forward";
    cli.run(&["--privileged"], &["sh", "-c", line])?.is(0).map(drop)
}

/// Those that root has here, who need not have all; an ordinary user's root has all that there are.
fn all_capabilities(ctx: &Ctx) -> Res<u64> {
    let read = |path: &str| std::fs::read_to_string(path).doing(path);
    if !ctx.is_root() {
        let last = read("/proc/sys/kernel/cap_last_cap")?;
        let last: u32 = last.trim().parse().doing("the last capability")?;
        return Ok((1 << (last + 1)) - 1);
    }
    let own = read("/proc/self/status")?;
    let own = crate::text::field(&own, "CapEff").doing("own capabilities")?;
    u64::from_str_radix(own, 16).doing("own capabilities")
}

fn privileged_makes_cgroups(ctx: &Ctx) -> Res {
    let line =
        "cd /sys/fs/cgroup && if [ -e memory ]; then cd memory; fi && mkdir inner && rmdir inner";
    let flags = ["--privileged", "--cgroupns", "private"];
    Cli::of(ctx).run(&flags, &["sh", "-c", line])?.is(0).map(drop)
}

/// A system call that the engine's own profile refuses, and one that it lets through.
fn seccomp_by_default(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    same!(report(&cli, &[])?["seccomp"], "2");
    // iopl with a level that is none, which the kernel itself says of it (EINVAL).
    let calls = ["/bin/probe", "syscall", "getppid", ",", "172", "99"];
    cli.run(&[], &calls)?.is(0)?.prints("0\nEPERM").map(drop)
}

fn seccomp_profile(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 93 },
            { "names": ["semget"], "action": "SCMP_ACT_KILL_PROCESS" },
        ],
    });
    let flag = format!("seccomp={}", shown(ctx.make_file("profile.json", &profile.to_string())?));
    let flags = ["--security-opt", &flag];
    let out = cli.run(&flags, &["mkdir", "/tmp/new"])?.failed()?;
    out.says_one_of(&["protocol not supported"])?;
    // SIGSYS: a first process dies of it as any other.
    cli.run(&flags, &["/bin/probe", "syscall", "semget", "0", "1", "0"])?.is(159)?;
    cli.run(&flags, &["true"])?.is(0).map(drop)
}

fn seccomp_unconfined(ctx: &Ctx) -> Res {
    same!(report(&Cli::of(ctx), &["--security-opt", "seccomp=unconfined"])?["seccomp"], "0");
    Ok(())
}

fn no_new_privileges(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    same!(report(&cli, &["--user", "alice"])?["no_new_privs"], "0");
    let flags = ["--security-opt", "no-new-privileges", "--user", "alice"];
    same!(report(&cli, &flags)?["no_new_privs"], "1");
    let container = cli.sleeper(&flags)?;
    let line = ["grep", "NoNewPrivs", "/proc/self/status"];
    container.exec(&[], &line)?.is(0)?.prints("NoNewPrivs:\t1").map(drop)
}

fn masked_and_read_only_paths(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let line = "wc -c </proc/keys; ls /sys/firmware | wc -l; grep -c ' /proc/keys ' /proc/mounts; \
                echo x >/proc/sys/kernel/domainname || echo refused";
    same!(cli.shell(&[], line)?, "0\n0\n1\nrefused");
    let flags = ["--security-opt", "systempaths=unconfined"];
    same!(cli.shell(&flags, "grep -c ' /proc/' /proc/mounts || true")?, "0");
    Ok(())
}

fn ulimits(ctx: &Ctx) -> Res {
    let flags = ["--ulimit", "nofile=321:654", "--ulimit", "core=0", "--ulimit", "cpu=100"];
    let report = report(&Cli::of(ctx), &flags)?;
    let limits = &report["limits"];
    same!(limits["Max open files"], json!(["321", "654"]));
    same!(limits["Max core file size"], json!(["0", "0"]));
    same!(limits["Max cpu time"], json!(["100", "100"]));
    Ok(())
}

fn sysctls(ctx: &Ctx) -> Res {
    let flags =
        ["--sysctl", "net.ipv4.ip_unprivileged_port_start=7", "--sysctl", "kernel.shmmni=77"];
    let line = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmni";
    same!(Cli::of(ctx).shell(&flags, line)?, "7\n77");
    Ok(())
}

fn oom_score(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    same!(report(&cli, &["--oom-score-adj", "432"])?["oom_score_adj"], "432");
    Ok(())
}

/// Of the kinds, those that are not the host's.
fn differ(report: &Value) -> Res<Vec<&str>> {
    let own = |kind: &&str| {
        let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap_or_default();
        report["namespaces"][*kind].as_str() != link.to_str()
    };
    Ok(["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"].into_iter().filter(own).collect())
}

fn namespaces_are_its_own(ctx: &Ctx) -> Res {
    let report = report(&Cli::of(ctx), &["--cgroupns", "private"])?;
    let user: &[&str] = if ctx.is_root() { &[] } else { &["user"] };
    same!(differ(&report)?, [&["cgroup", "ipc", "mnt", "net", "pid"], user, &["uts"]].concat());
    Ok(())
}

fn namespaces_of_the_host(ctx: &Ctx) -> Res {
    let flags = [
        "--pid",
        "host",
        "--ipc",
        "host",
        "--uts",
        "host",
        "--network",
        "host",
        "--cgroupns",
        "host",
    ];
    let report = report(&Cli::of(ctx), &flags)?;
    // An ordinary user's is that of all his containers.
    same!(differ(&report)?, if ctx.is_root() { &["mnt"][..] } else { &["mnt", "user"] });
    Ok(())
}

fn namespaces_of_another(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let first = cli.sleeper(&["--ipc", "shareable"])?;
    let of = format!("container:{}", first.name);
    let joined = report(&cli, &["--pid", &of, "--ipc", &of, "--network", &of])?;
    for kind in ["pid", "ipc", "net"] {
        let link = std::fs::read_link(format!("/proc/{}/ns/{kind}", first.pid()?));
        let link = link.doing("its namespace")?;
        same!(joined["namespaces"][kind].as_str(), link.to_str());
    }
    holds!(joined["pid"] != 1, "it is the first process of its pid namespace");
    // It ends alone, and the other one goes on.
    same!(first.is("{{.State.Running}}")?, "true");
    Ok(())
}
