//! Limits on cgroup v1, read back on the host, and felt in the container.

use std::fs;

use serde_json::json;

use super::{CGROUP_V1, container_of, dir, running, sleeper, value};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "cgroup_v1.limits",
    cases: &[
        root!(memory).needs(CGROUP_V1),
        root!(memory_kills).needs(CGROUP_V1),
        root!(cpu).needs(CGROUP_V1),
        root!(cpu_throttles).needs(CGROUP_V1),
        root!(cpuset)
            .needs(&[Need::CgroupV1, Need::CpusetV1])
            .ours("where runc 1.1 works, cpuset is not mounted"),
        root!(pids).needs(CGROUP_V1),
        root!(pids_refuse_forks).needs(CGROUP_V1),
        root!(blkio_throttles).needs(&[Need::CgroupV1, Need::AnyDisk]),
        root!(devices_are_denied_by_default).needs(CGROUP_V1).only_runc("crun 1.8 then allows all"),
        root!(devices_allowed_by_a_rule).needs(CGROUP_V1),
        root!(hold_before_the_process_runs).needs(CGROUP_V1),
        root!(updated_while_it_runs).needs(CGROUP_V1),
        root!(update_bites).needs(CGROUP_V1),
        root!(all_of_them_given_again)
            .needs(CGROUP_V1)
            .ours("runc makes no container with a limit that nothing enforces"),
        root!(hold_beside_a_read_only_v2).needs(CGROUP_V1).ours("the peers read the mount table"),
    ],
};

fn memory(ctx: &Ctx) -> Res {
    let limits = json!({"limit": 64 << 20, "reservation": 32 << 20});
    let container = running(ctx, json!({"memory": limits}))?;
    same!(value(&container, "memory.limit_in_bytes")?, (64 << 20).to_string());
    same!(value(&container, "memory.soft_limit_in_bytes")?, (32 << 20).to_string());
    Ok(())
}

fn memory_kills(ctx: &Ctx) -> Res {
    let mut container = container_of(ctx, &["/bin/probe", "eat", "200"])?;
    container.set("/linux/resources", json!({"memory": {"limit": 32 << 20}}));
    container.run()?.is(128 + 9)?.prints("")?;
    container.gone()
}

fn cpu(ctx: &Ctx) -> Res {
    let limits = json!({"quota": 30_000, "period": 60_000, "shares": 512});
    let container = running(ctx, json!({"cpu": limits}))?;
    same!(value(&container, "cpu.cfs_quota_us")?, "30000");
    same!(value(&container, "cpu.cfs_period_us")?, "60000");
    same!(value(&container, "cpu.shares")?, "512");
    Ok(())
}

/// In a mount namespace in which `unified`, where there is one, can only be looked at.
fn hold_beside_a_read_only_v2(ctx: &Ctx) -> Res {
    let mut container = container_of(ctx, &["/bin/probe", "fork", "20"])?;
    container.set("/linux/resources", json!({"pids": {"limit": 8}}));
    let line = "cd /sys/fs/cgroup && { [ ! -d unified ] || { mount --bind unified unified && \
        mount -o remount,bind,ro unified; }; } && cd / && exec \"$0\" \"$@\"";
    let call = container.run_call(&[])?.through(&["unshare", "-m", "sh", "-c", line]);
    let out = call.done()?.is(0)?;
    let started: i32 = out.text().parse().doing("number of children")?;
    holds!((3..8).contains(&started) && out.err.is_empty(), "{started} children, {:?}", out.err);
    container.gone()
}

/// A tenth of a processor is not enough for an endless loop.
fn cpu_throttles(ctx: &Ctx) -> Res {
    let mut container = container_of(ctx, &["/bin/sh", "-c", "echo ready; while :; do :; done"])?;
    container.set("/linux/resources", json!({"cpu": {"quota": 10_000, "period": 100_000}}));
    container.run_until("ready")?;
    ctx.eventually("it is throttled", || {
        let stat = value(&container, "cpu.stat").ok()?;
        let count = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "))?;
        count.parse::<u64>().ok().filter(|count| *count > 2).map(drop)
    })
}

fn cpuset(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"cpu": {"cpus": "0", "mems": "0"}}))?;
    same!(value(&container, "cpuset.cpus")?, "0");
    let status =
        fs::read_to_string(format!("/proc/{}/status", container.pid()?)).doing("its status")?;
    same!(crate::text::field(&status, "Cpus_allowed_list"), Some("0"));
    Ok(())
}

fn pids(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"pids": {"limit": 77}}))?;
    same!(value(&container, "pids.max")?, "77");
    Ok(())
}

fn pids_refuse_forks(ctx: &Ctx) -> Res {
    let mut container = container_of(ctx, &["/bin/probe", "fork", "20"])?;
    container.set("/linux/resources", json!({"pids": {"limit": 8}}));
    let out = container.run()?.is(0)?;
    let started: i32 = out.text().parse().doing("number of children")?;
    holds!((3..8).contains(&started), "{started} children started");
    Ok(())
}

/// Of any disk that there is.
fn blkio_throttles(ctx: &Ctx) -> Res {
    let (major, minor) = any_disk().doing("a disk")?;
    let rate = json!([{"major": major, "minor": minor, "rate": 1_048_576}]);
    let limits = json!({"throttleReadBpsDevice": rate, "throttleWriteIOPSDevice": rate});
    let container = running(ctx, json!({"blockIO": limits}))?;
    let expected = format!("{major}:{minor} 1048576");
    same!(value(&container, "blkio.throttle.read_bps_device")?, expected);
    same!(value(&container, "blkio.throttle.write_iops_device")?, expected);
    Ok(())
}

fn any_disk() -> Option<(u64, u64)> {
    let disks = fs::read_dir("/sys/block").ok()?.flatten();
    let mut numbers = disks.filter_map(|disk| fs::read_to_string(disk.path().join("dev")).ok());
    let number = numbers.next()?;
    let (major, minor) = number.trim_end().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A node that no driver is behind: opening it is ENXIO for who may, EPERM for who may not.
const READ_ODD: &str = "mknod /tmp/odd c 240 240; cat /tmp/odd 2>&1";

/// GHSA-g54h-m393-cpwq: no rules at all is no device but the default ones.
fn devices_are_denied_by_default(ctx: &Ctx) -> Res {
    let mut container = container_of(ctx, &["/bin/sh", "-c", READ_ODD])?;
    container.all_capabilities().remove("/linux/resources");
    container.run()?.failed()?.has("not permitted")?;
    container.sh("echo x >/dev/null && head -c 1 /dev/zero | wc -c").run()?.is(0)?.prints("1")?;
    Ok(())
}

fn devices_allowed_by_a_rule(ctx: &Ctx) -> Res {
    let line = format!("{READ_ODD}; echo; {{ echo x >/tmp/odd; }} 2>&1");
    let mut container = container_of(ctx, &["/bin/sh", "-c", &line])?;
    let rules = json!([{"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 240, "minor": 240, "access": "rm"}]);
    container.all_capabilities().set("/linux/resources/devices", rules);
    container.run()?.failed()?.has("No such device or address")?.has("not permitted")?;
    Ok(())
}

fn hold_before_the_process_runs(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    container.set("/linux/resources", json!({"pids": {"limit": 33}}));
    container.create()?;
    same!(value(&container, "pids.max")?, "33");
    let pid = container.pid()?.to_string();
    let procs = fs::read_to_string(dir(&container, "pids")?.join("cgroup.procs")).doing("procs")?;
    holds!(procs.lines().any(|line| line == pid), "{pid} is not among {procs}");
    Ok(())
}

fn updated_while_it_runs(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"memory": {"limit": 64 << 20}}))?;
    for (flags, file, expected) in [
        (&["--memory", "100663296"][..], "memory.limit_in_bytes", "100663296"),
        (&["--pids-limit", "55"], "pids.max", "55"),
        (&["--cpu-share", "2048"], "cpu.shares", "2048"),
        (&["--cpu-period=60000", "--cpu-quota=30000"], "cpu.cfs_quota_us", "30000"),
    ] {
        container.command("update", flags).ok()?;
        same!(value(&container, file)?, expected);
    }
    same!(value(&container, "memory.limit_in_bytes")?, "100663296");
    Ok(())
}

/// As containerd's CRI does to change one of them. That of huge pages was never enforced where the controller is not
/// mounted, and the rules for devices cannot be changed.
fn all_of_them_given_again(ctx: &Ctx) -> Res {
    let mut limits = json!({
        "memory": { "limit": 64 << 20 },
        "hugepageLimits": [{ "pageSize": "2MB", "limit": 4 << 20 }],
        "devices": [
            { "allow": false, "access": "rwm" },
            { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm" },
        ],
    });
    let container = running(ctx, limits.clone())?;
    limits["memory"]["limit"] = json!(96 << 20);
    let file = ctx.make_file("limits.json", &limits.to_string())?;
    container.command("update", &["--resources", &crate::text::shown(file)]).ok()?;
    same!(value(&container, "memory.limit_in_bytes")?, (96u64 << 20).to_string());
    Ok(())
}

fn update_bites(ctx: &Ctx) -> Res {
    let container = running(ctx, json!({"memory": {"limit": 256 << 20}}))?;
    container.exec(&[], &["/bin/probe", "eat", "60"])?.is(0)?.prints("ate")?;
    container.command("update", &["--memory", "33554432"]).ok()?;
    container.exec(&[], &["/bin/probe", "eat", "60"])?.is(128 + 9)?.prints("")?;
    same!(container.status()?, "running");
    Ok(())
}
