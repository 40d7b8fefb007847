//! Resources: the limits that are asked for hold, can be changed, and are measured.

use std::fs;

use crate::ctx::Ctx;
use crate::engines::cli::{Cli, Started};
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "limits",
    cases: &[
        root!(memory_is_enforced).needs(&[Need::Controller("memory")]),
        root!(oom_is_told).needs(&[Need::Controller("memory"), Need::Podman(5)]),
        root!(cpus_are_enforced).needs(&[Need::Controller("cpu")]),
        root!(pids_are_enforced).needs(&[Need::Controller("pids")]),
        root!(cpuset).needs(&[Need::Controller("cpuset")]),
        root!(quota_and_swap).needs(&[Need::Controller("cpu"), Need::Controller("memory")]),
        root!(oom_is_an_event).needs(&[Need::Controller("memory")]),
        root!(shares_and_reservation).needs(&[Need::Controller("cpu"), Need::Controller("memory")]),
        root!(update).needs(&[Need::Controller("memory")]),
        root!(update_of_pids).needs(&[Need::Controller("pids"), Need::Podman(5)]),
        root!(update_of_created).needs(&[Need::Controller("memory"), Need::Podman(5)]),
        root!(stats).needs(&[Need::Controller("memory"), Need::Controller("pids")]),
    ],
};

const MIB: u64 = 1 << 20;

/// A file of the container's cgroup, by its name in v1 or in v2.
fn cgroup_file(container: &Started<'_>, controller: &str, v1: &str, v2: &str) -> Res<String> {
    super::cgroup_file(container.pid()?, controller, v1, v2)
}

fn memory_is_enforced(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let flags = ["--memory", "32m", "--memory-swap", "32m"];
    cli.run(&flags, &["/bin/probe", "eat", "16"])?.is(0)?.prints("ate")?;
    cli.run(&flags, &["/bin/probe", "eat", "64"])?.is(137).map(drop)
}

/// With any runtime the word of it is lost when the cgroup is removed before the engine looks, and it may come later
/// than that of the end: so it is of a container that lives on. Podman tells it when that has ended.
fn oom_is_told(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&["--memory", "32m", "--memory-swap", "32m"])?;
    container.exec(&[], &["/bin/probe", "eat", "64"])?.is(137)?;
    container.call(&["stop"]).ok()?;
    container.until_is("{{.State.OOMKilled}}", "true")
}

/// A fifth of one processor, measured while it wants all of it.
fn cpus_are_enforced(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).detached(&["--cpus", "0.2"], &["/bin/probe", "spin"])?;
    container.until_log("ready")?;
    let throttled = || {
        let stat = cgroup_file(&container, "cpu", "cpu.stat", "cpu.stat").ok()?;
        let times = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "))?;
        (times.parse::<u64>().ok()? > 3).then_some(())
    };
    ctx.eventually("it is throttled", throttled)?;
    let ticks = || -> Res<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", container.pid()?)).doing("stat")?;
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_whitespace().nth(11).doing("time")?.parse().doing("time")
    };
    let (before, begin) = (ticks()?, std::time::Instant::now());
    std::thread::sleep(std::time::Duration::from_secs(2));
    // A tick is 10 ms.
    let percent = u128::from(ticks()? - before) * 1000 / begin.elapsed().as_millis();
    holds!(percent < 30, "it had {percent} % of a processor");
    Ok(())
}

fn pids_are_enforced(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let out = cli.run(&["--pids-limit", "10"], &["/bin/probe", "fork", "30"])?.is(0)?;
    let started: u32 = out.text().parse().doing("the number of processes")?;
    holds!(started < 10, "it started {started}");
    cli.run(&["--pids-limit", "100"], &["/bin/probe", "fork", "30"])?.is(0)?.prints("30").map(drop)
}

fn cpuset(ctx: &Ctx) -> Res {
    let flags = ["--cpuset-cpus", "0"];
    same!(super::run::report(&Cli::of(ctx), &flags)?["processors"], "0");
    Ok(())
}

fn shares_and_reservation(ctx: &Ctx) -> Res {
    let flags = ["--cpu-shares", "2048", "--memory", "64m", "--memory-reservation", "24m"];
    let container = Cli::of(ctx).sleeper(&flags)?;
    let shares = cgroup_file(&container, "cpu", "cpu.shares", "cpu.weight")?;
    // What 2048 is as a weight depends on the age of the runtime's formula.
    holds!(["2048", "79", "174"].contains(&shares.as_str()), "the shares are {shares}");
    let soft = cgroup_file(&container, "memory", "memory.soft_limit_in_bytes", "memory.low")?;
    same!(soft, (24 * MIB).to_string());
    Ok(())
}

fn memory_limit(container: &Started<'_>) -> Res<String> {
    cgroup_file(container, "memory", "memory.limit_in_bytes", "memory.max")
}

fn update(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&["--memory", "64m", "--memory-swap", "64m"])?;
    same!(memory_limit(&container)?, (64 * MIB).to_string());
    container.call(&["update", "--memory", "96m", "--memory-swap", "128m"]).ok()?;
    same!(memory_limit(&container)?, (96 * MIB).to_string());
    Ok(())
}

/// And of what is the engine's own affair, which leaves the rest as it is.
fn update_of_pids(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&["--pids-limit", "100"])?;
    container.call(&["update", "--pids-limit", "20"]).ok()?;
    same!(cgroup_file(&container, "pids", "pids.max", "pids.max")?, "20");
    let out = container.exec(&[], &["/bin/probe", "fork", "40"])?.is(0)?;
    let started: u32 = out.text().parse().doing("the number of processes")?;
    holds!(started < 20, "it started {started}");
    container.call(&["update", "--restart", "on-failure"]).ok()?;
    same!(container.is("{{.HostConfig.RestartPolicy.Name}}")?, "on-failure");
    Ok(())
}

fn update_of_created(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let container = cli.sleeper(&["--memory", "64m"])?;
    container.call(&["stop"]).ok()?;
    container.call(&["update", "--memory", "48m", "--memory-swap", "96m"]).ok()?;
    container.call(&["start"]).ok()?;
    same!(memory_limit(&container)?, (48 * MIB).to_string());
    Ok(())
}

fn stats(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let line = "/bin/probe eat 1; setsid sleep 1000 & exec /bin/probe spin";
    let container = cli.detached(&["--memory", "64m"], &["sh", "-c", line])?;
    container.until_log("ready")?;
    let right = || {
        let format = "{{.CPUPerc}} {{.PIDs}} {{.MemUsage}}";
        let out = container.call(&["stats", "--no-stream", "--format", format]).ok().ok()?;
        let (cpu, others) = out.text().split_once("% ")?;
        // Podman counts in powers of ten.
        let limit = ["64MiB", "67.11MB"].iter().any(|limit| others.ends_with(limit));
        let right = cpu.parse::<f64>().ok()? > 10.0 && others.starts_with("2 ") && limit;
        right.then_some(())
    };
    ctx.eventually("processor, memory and processes", right)
}

fn quota_and_swap(ctx: &Ctx) -> Res {
    let flags =
        ["--cpu-period", "50000", "--cpu-quota", "30000", "--memory", "32m", "--memory-swap", "-1"];
    let container = Cli::of(ctx).sleeper(&flags)?;
    let quota = cgroup_file(&container, "cpu", "cpu.cfs_quota_us", "cpu.max")?;
    holds!(["30000", "30000 50000"].contains(&quota.as_str()), "the quota is {quota}");
    same!(memory_limit(&container)?, (32 * MIB).to_string());
    Ok(())
}

/// Of a process that is not the first one, which goes on.
fn oom_is_an_event(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let container = cli.sleeper(&["--memory", "32m", "--memory-swap", "32m"])?;
    container.exec(&[], &["/bin/probe", "eat", "64"])?.is(137)?;
    same!(container.is("{{.State.Running}}")?, "true");
    let filter = format!("container={}", container.name);
    let call =
        ["events", "--since", "10m", "--until", "0s", "--filter", &filter, "--filter", "event=oom"];
    ctx.eventually("an oom event", || {
        cli.call(&call).ok().ok().filter(|out| out.out.contains("oom")).map(drop)
    })
}
