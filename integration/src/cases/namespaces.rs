//! Namespaces: new ones, joined ones, and user namespaces in all the ways that callers make them.

use std::fs;

use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};

use super::shell;
use crate::container::Container;
use crate::ctx::{Ctx, own_ids, sub_range, user_name};
use crate::harness::case::{Feature, either, root, user};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "namespaces",
    cases: &[
        either!(new_ones_are_new),
        root!(left_out_ones_are_the_callers),
        root!(cgroup),
        either!(time).needs(&[Need::TimeNs]),
        either!(time_offsets).needs(&[Need::TimeNs]),
        either!(time_offsets_refused).needs(&[Need::TimeNs]).ours("the peers name no field"),
        root!(join_time).needs(&[Need::TimeNs]).only_runc("crun cannot enter one"),
        root!(loopback_is_up),
        root!(join_net),
        root!(join_ipc_and_uts),
        root!(join_pid),
        root!(join_pid_and_net_and_ipc),
        root!(join_user_and_all),
        root!(sysctl_in_the_callers_own_refused).only_runc("crun sets it"),
        root!(other_settings_in_the_callers_own_refused).ours("the peers set them"),
        root!(join_mount).only_runc("crun leaves its cgroup behind"),
        root!(join_pid_of_exited_refused).only_runc("crun leaves its cgroup behind"),
        root!(host_pid),
        root!(user_with_maps),
        root!(user_with_two_maps),
        root!(user_root_may_mount),
        root!(user_other_than_zero),
        user!(rootless_maps_the_caller),
        user!(rootless_setgroups_denied),
        user!(rootless_not_root_inside).only_crun("runc wants uid 0 mapped"),
        user!(rootless_network),
        user!(rootless_join_user_and_net).only_runc("crun joins pid before user"),
        user!(subids_maps).needs(&[Need::SubIds]),
        user!(subids_user_and_groups)
            .needs(&[Need::SubIds])
            .only_crun("runc gives no additional groups without root"),
        user!(subids_files_belong_to_mapped_ids).needs(&[Need::SubIds]),
        user!(caller_in_user_namespace),
        user!(caller_in_user_namespace_makes_another),
        user!(subids_caller_in_user_namespace).needs(&[Need::SubIds]),
        root!(root_caller_in_user_namespace),
    ],
};

/// Name in `/proc/PID/ns` and in config.json.
const KINDS: &[(&str, &str)] =
    &[("mnt", "mount"), ("pid", "pid"), ("net", "network"), ("ipc", "ipc"), ("uts", "uts")];

fn own(kind: &str) -> Res<String> {
    Ok(shown(fs::read_link(format!("/proc/self/ns/{kind}")).doing(kind)?))
}

fn of(container: &Container<'_>, kind: &str) -> Res<String> {
    Ok(shown(fs::read_link(format!("/proc/{}/ns/{kind}", container.pid()?)).doing(kind)?))
}

fn new_ones_are_new(ctx: &Ctx) -> Res {
    let report = ctx.container()?.report()?;
    let kinds =
        ["mnt", "pid", "ipc", "uts"].iter().chain(if ctx.is_root() { &["net"] } else { &["user"] });
    for kind in kinds {
        holds!(report["namespaces"][kind] != own(kind)?, "{kind} is the caller's");
    }
    Ok(())
}

fn left_out_ones_are_the_callers(ctx: &Ctx) -> Res {
    for (kind, name) in [("net", "network"), ("ipc", "ipc"), ("uts", "uts")] {
        let mut container = ctx.container()?;
        container.drop_namespace(name).remove("/hostname");
        if name == "ipc" {
            container.drop_mount("/dev/mqueue");
        }
        let report = container.report()?;
        same!(report["namespaces"][kind], own(kind)?);
    }
    Ok(())
}

/// A namespace of the caller's that is named by its path: what is set there is set for the caller.
fn refused_in_own(ctx: &Ctx, kind: (&str, &str), pointer: &str, value: Value, set: &str) -> Res {
    let before = fs::read_to_string(set).doing(set)?;
    let mut container = ctx.container()?;
    container.remove("/hostname").set(pointer, value);
    container.namespace(kind.1, Some(&format!("/proc/{}/ns/{}", std::process::id(), kind.0)));
    let field = pointer.split('/').next_back().unwrap_or_default();
    container.run()?.refused(&[field])?;
    same!(fs::read_to_string(set).doing(set)?, before);
    container.gone()
}

fn leave(flags: CloneFlags) -> Res {
    unshare(flags).doing("unshare")
}

fn sysctl_in_the_callers_own_refused(ctx: &Ctx) -> Res {
    leave(CloneFlags::CLONE_NEWNET)?;
    let value = json!({"net.ipv4.ip_default_ttl": "77"});
    let set = "/proc/sys/net/ipv4/ip_default_ttl";
    refused_in_own(ctx, ("net", "network"), "/linux/sysctl", value, set)
}

fn other_settings_in_the_callers_own_refused(ctx: &Ctx) -> Res {
    leave(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)?;
    let uts = ("uts", "uts");
    let hostname = "/proc/sys/kernel/hostname";
    refused_in_own(ctx, uts, "/hostname", "straw".into(), hostname)?;
    let domainname = "/proc/sys/kernel/domainname";
    refused_in_own(ctx, uts, "/domainname", "straw".into(), domainname)?;
    let value = json!({"kernel.domainname": "straw"});
    refused_in_own(ctx, uts, "/linux/sysctl", value, domainname)?;
    let value = json!({"kernel.msgmax": "4000"});
    refused_in_own(ctx, ("ipc", "ipc"), "/linux/sysctl", value, "/proc/sys/kernel/msgmax")
}

fn cgroup(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.namespace("cgroup", None);
    let report = container.report()?;
    holds!(report["namespaces"]["cgroup"] != own("cgroup")?, "cgroup namespace is the caller's");
    Ok(())
}

fn time(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.namespace("time", None);
    let report = container.report()?;
    holds!(report["namespaces"]["time"] != own("time")?, "time namespace is the caller's");
    Ok(())
}

fn time_offsets(ctx: &Ctx) -> Res {
    const DAYS: i64 = 86_400 * 100;
    let before = uptime()?;
    let mut container = ctx.container()?;
    container.namespace("time", None);
    container.set(
        "/linux/timeOffsets",
        json!({"monotonic": {"secs": DAYS, "nanosecs": 7}, "boottime": {"secs": 2 * DAYS, "nanosecs": 0}}),
    );
    let report = container.report()?;
    let clock = |name: &str| report[name].as_i64().unwrap_or(0) - before;
    holds!(
        (DAYS..DAYS + 600).contains(&clock("monotonic")),
        "monotonic is {} s ahead",
        clock("monotonic")
    );
    holds!(
        (2 * DAYS..2 * DAYS + 600).contains(&clock("boottime")),
        "boottime is {} s ahead",
        clock("boottime")
    );
    Ok(())
}

/// The kernel lets no clock be before its beginning.
fn time_offsets_refused(ctx: &Ctx) -> Res {
    let cases = [
        (
            json!({"monotonic": {"secs": -1_000_000_000}}),
            "linux.timeOffsets: make a time namespace",
        ),
        (json!({"realtime": {"secs": 1}}), "linux.timeOffsets.realtime: unknown clock"),
        (json!({"boottime": {"nanosecs": 1_000_000_000}}), "linux.timeOffsets.boottime.nanosecs: "),
        (json!({"boottime": {"nanosecs": -1}}), "linux.timeOffsets.boottime.nanosecs"),
        (json!({"boottime": 7}), "linux.timeOffsets.boottime"),
    ];
    for (offsets, says) in cases {
        let mut container = ctx.container()?;
        container.namespace("time", None).set("/linux/timeOffsets", offsets);
        container.run()?.refused(&[says])?;
        container.gone()?;
    }
    let says = "linux.timeOffsets: needs a time namespace";
    let mut container = ctx.container()?;
    container.set("/linux/timeOffsets", json!({"monotonic": {"secs": 1}}));
    container.run()?.refused(&[says])?;
    container.namespace("time", Some("/proc/self/ns/time"));
    container
        .run()?
        .refused(&["linux.timeOffsets: needs a new time namespace, not a joined one"])?;
    container.gone()
}

/// Who joins a time namespace has its clocks.
fn join_time(ctx: &Ctx) -> Res {
    const DAYS: i64 = 86_400 * 100;
    let mut holder = ctx.sleeper()?;
    holder.namespace("time", None);
    holder.set("/linux/timeOffsets", json!({"monotonic": {"secs": DAYS}}));
    holder.run_until("ready")?;
    let before = uptime()?;
    let mut guest = ctx.container()?;
    guest.namespace("time", Some(&format!("/proc/{}/ns/time", holder.pid()?)));
    let report = guest.report()?;
    same!(report["namespaces"]["time"], of(&holder, "time")?);
    let ahead = report["monotonic"].as_i64().unwrap_or(0) - before;
    holds!((DAYS..DAYS + 600).contains(&ahead), "monotonic is {ahead} s ahead");
    guest.gone()
}

fn uptime() -> Res<i64> {
    let text = fs::read_to_string("/proc/uptime").doing("uptime")?;
    text.split('.').next().unwrap_or("").parse().doing("uptime")
}

fn loopback_is_up(ctx: &Ctx) -> Res {
    let links = shell(ctx, "ip addr show lo")?;
    holds!(links.contains("LOOPBACK,UP"), "lo is not up: {links}");
    holds!(links.contains("127.0.0.1/8"), "lo has no address: {links}");
    Ok(())
}

/// A running container whose namespaces others join.
fn holder(ctx: &Ctx) -> Res<Container<'_>> {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    Ok(container)
}

/// A container that joins these namespaces of the holder gives a report that says so.
fn join(ctx: &Ctx, kinds: &[&str]) -> Res {
    let holder = holder(ctx)?;
    let pid = holder.pid()?;
    let mut guest = ctx.container()?;
    for (file, name) in KINDS.iter().filter(|(file, _)| kinds.contains(file)) {
        guest.namespace(name, Some(&format!("/proc/{pid}/ns/{file}")));
    }
    if kinds.contains(&"uts") {
        guest.remove("/hostname");
    }
    let report = guest.report()?;
    for (file, _) in KINDS {
        let (theirs, ours) = (of(&holder, file)?, &report["namespaces"][file]);
        holds!(
            (*ours == theirs) == kinds.contains(file),
            "{file} is {ours}, the holder's is {theirs}"
        );
    }
    guest.gone()
}

fn join_net(ctx: &Ctx) -> Res {
    join(ctx, &["net"])
}

fn join_ipc_and_uts(ctx: &Ctx) -> Res {
    join(ctx, &["ipc", "uts"])
}

fn join_pid_and_net_and_ipc(ctx: &Ctx) -> Res {
    join(ctx, &["pid", "net", "ipc"])
}

/// The process is one of the holder's, sees them, can be entered, and dies without taking them along.
fn join_pid(ctx: &Ctx) -> Res {
    let holder = holder(ctx)?;
    let mut guest = ctx.container_of(&[
        "/bin/sh",
        "-c",
        "readlink /proc/1/exe; echo $$; exec /bin/probe until-term",
    ])?;
    guest.namespace("pid", Some(&format!("/proc/{}/ns/pid", holder.pid()?)));
    guest.run_until("ready")?;
    let output = guest.output();
    holds!(!output.contains("\n1\n"), "the process is number 1 in a joined namespace: {output}");
    let seen = guest.exec(&[], &["/bin/sh", "-c", "pidof probe | wc -w"])?.is(0)?;
    same!(seen.text(), "2");
    guest.kill("KILL")?;
    guest.until("stopped")?;
    guest.delete()?;
    guest.gone()?;
    same!(holder.status()?, "running");
    Ok(())
}

fn join_user_and_all(ctx: &Ctx) -> Res {
    let mut holder = ctx.sleeper()?;
    holder.map_ids(100_000, 65_536);
    holder.run_until("ready")?;
    let pid = holder.pid()?;
    let mut guest = ctx.container()?;
    guest.namespace("user", Some(&format!("/proc/{pid}/ns/user")));
    for (file, name) in KINDS.iter().filter(|(file, _)| *file != "mnt") {
        guest.namespace(name, Some(&format!("/proc/{pid}/ns/{file}")));
    }
    guest.remove("/hostname");
    let report = guest.report()?;
    for file in ["user", "pid", "net", "ipc", "uts"] {
        same!(report["namespaces"][file], of(&holder, file)?);
    }
    same!(report["ids"]["uid"], json!([0, 0, 0, 0]));
    Ok(())
}

/// The rootfs of the guest is that of the namespace it joins.
fn join_mount(ctx: &Ctx) -> Res {
    let holder = holder(ctx)?;
    let mut guest = ctx.container()?;
    guest.namespace("mount", Some(&format!("/proc/{}/ns/mnt", holder.pid()?)));
    guest.set("/mounts", json!([])).remove("/linux/maskedPaths").remove("/linux/readonlyPaths");
    guest.save()?;
    let out = guest.run()?;
    holds!(out.code == 0 || !out.err.is_empty(), "neither joined nor refused");
    guest.gone()
}

fn join_pid_of_exited_refused(ctx: &Ctx) -> Res {
    let mut guest = ctx.container()?;
    guest.namespace("pid", Some("/proc/4194303/ns/pid"));
    guest.run()?.refused(&["no such file", "namespace"])?;
    guest.gone()
}

fn host_pid(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "report"])?;
    container.drop_namespace("pid");
    let report = container.run()?.is(0)?.json()?;
    same!(report["namespaces"]["pid"], own("pid")?);
    holds!(report["pid"].as_i64() > Some(1), "pid is {}", report["pid"]);
    container.gone()
}

fn user_with_maps(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/sh", "-c", "cat /proc/self/uid_map; id -u"])?;
    container.map_ids(100_000, 65_536);
    let out = container.run()?.is(0)?;
    let words: Vec<&str> = out.text().split_whitespace().collect();
    same!(words, ["0", "100000", "65536", "0"]);
    Ok(())
}

fn user_with_two_maps(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/sh", "-c", "cat /proc/self/gid_map"])?;
    container.map_ids(100_000, 1000);
    for map in ["uidMappings", "gidMappings"] {
        container.push(
            &format!("/linux/{map}"),
            json!({"containerID": 1000, "hostID": 300_000, "size": 5}),
        );
    }
    let out = container.run()?.is(0)?;
    let words: Vec<&str> = out.text().split_whitespace().collect();
    same!(words, ["0", "100000", "1000", "1000", "300000", "5"]);
    Ok(())
}

fn user_root_may_mount(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&[
        "/bin/sh",
        "-c",
        "mount -t tmpfs x /tmp && grep -c ' /tmp ' /proc/mounts",
    ])?;
    container.map_ids(100_000, 65_536).all_capabilities();
    container.run()?.is(0)?.prints("1")?;
    Ok(())
}

fn user_other_than_zero(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.map_ids(100_000, 65_536).user(1000, 1000);
    let report = container.report()?;
    same!(report["ids"]["uid"], json!([1000, 1000, 1000, 1000]));
    same!(report["env"]["HOME"], "/home/alice");
    Ok(())
}

fn rootless_maps_the_caller(ctx: &Ctx) -> Res {
    let (uid, gid) = own_ids();
    let out = shell(ctx, "cat /proc/self/uid_map /proc/self/gid_map; id -u")?;
    let words: Vec<&str> = out.split_whitespace().collect();
    same!(words, ["0", &uid.to_string(), "1", "0", &gid.to_string(), "1", "0"]);
    Ok(())
}

/// CVE-2014-8989: who may not drop groups in the kernel's eyes must not be able to in a namespace.
fn rootless_setgroups_denied(ctx: &Ctx) -> Res {
    same!(shell(ctx, "cat /proc/self/setgroups")?, "deny");
    Ok(())
}

fn rootless_not_root_inside(ctx: &Ctx) -> Res {
    let (uid, gid) = own_ids();
    let mut container = ctx.container()?;
    container.set("/linux/uidMappings", json!([{"containerID": 1000, "hostID": uid, "size": 1}]));
    container.set("/linux/gidMappings", json!([{"containerID": 1000, "hostID": gid, "size": 1}]));
    container.user(1000, 1000);
    let report = container.report()?;
    same!(report["ids"]["uid"], json!([1000, 1000, 1000, 1000]));
    Ok(())
}

fn rootless_network(ctx: &Ctx) -> Res {
    let mut container =
        ctx.container_of(&["/bin/sh", "-c", "ip link show lo; mount | grep sysfs"])?;
    container.namespace("network", None);
    container.mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
    container.run()?.is(0)?.has("LOOPBACK,UP")?.has("sysfs on /sys")?;
    Ok(())
}

fn rootless_join_user_and_net(ctx: &Ctx) -> Res {
    let mut holder = ctx.sleeper()?;
    holder.namespace("network", None);
    holder.run_until("ready")?;
    let pid = holder.pid()?;
    let mut guest = ctx.container()?;
    for (file, name) in [("user", "user"), ("net", "network"), ("pid", "pid")] {
        guest.namespace(name, Some(&format!("/proc/{pid}/ns/{file}")));
    }
    guest.remove("/linux/uidMappings").remove("/linux/gidMappings");
    let report = guest.report()?;
    for file in ["user", "net", "pid"] {
        same!(report["namespaces"][file], of(&holder, file)?);
    }
    Ok(())
}

/// The caller as root, and his subordinate ids from 1 on.
fn map_subids(container: &mut Container<'_>) -> Res<(u32, u32)> {
    let (uid, gid) = own_ids();
    let user = user_name();
    let ids = sub_range("/etc/subuid", &user).doing("range in /etc/subuid")?;
    let groups = sub_range("/etc/subgid", &user).doing("range in /etc/subgid")?;
    for (map, own, range) in [("uidMappings", uid, ids), ("gidMappings", gid, groups)] {
        container.set(
            &format!("/linux/{map}"),
            json!([
                {"containerID": 0, "hostID": own, "size": 1},
                {"containerID": 1, "hostID": range.0, "size": range.1},
            ]),
        );
    }
    Ok((ids.0, groups.0))
}

fn subids_maps(ctx: &Ctx) -> Res {
    let mut container =
        ctx.container_of(&["/bin/sh", "-c", "cat /proc/self/uid_map; cat /proc/self/setgroups"])?;
    let (first, _) = map_subids(&mut container)?;
    let out = container.run()?.is(0)?;
    let words: Vec<&str> = out.text().split_whitespace().collect();
    same!(words[..2], ["0", &own_ids().0.to_string()]);
    same!(words[3..5], ["1", &first.to_string()]);
    same!(words.last(), Some(&"allow"));
    Ok(())
}

fn subids_user_and_groups(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    map_subids(&mut container)?;
    container.user(1000, 50).set("/process/user/additionalGids", json!([5, 77]));
    let report = container.report()?;
    same!(report["ids"]["uid"], json!([1000, 1000, 1000, 1000]));
    same!(report["ids"]["gid"], json!([50, 50, 50, 50]));
    let groups = report["ids"]["groups"].as_array().cloned().unwrap_or_default();
    holds!(groups.contains(&json!(5)) && groups.contains(&json!(77)), "groups are {groups:?}");
    Ok(())
}

fn subids_files_belong_to_mapped_ids(ctx: &Ctx) -> Res {
    use std::os::unix::fs::MetadataExt;
    let mut container =
        ctx.container_of(&["/bin/sh", "-c", "touch /tmp/file; chown 1000:50 /tmp/file"])?;
    let (uids, gids) = map_subids(&mut container)?;
    container.all_capabilities();
    container.run()?.is(0)?;
    let file = fs::metadata(container.inside("/tmp/file")).doing("the file")?;
    same!((file.uid(), file.gid()), (uids + 999, gids + 49));
    Ok(())
}

/// As rootless Podman calls: uid 0 of a user namespace of its own, and no user namespace in the config.
fn in_user_namespace(ctx: &Ctx, unshare: &[&str]) -> Res {
    let mut container = ctx.container()?;
    container.drop_namespace("user").remove("/linux/uidMappings").remove("/linux/gidMappings");
    container.args(&["/bin/probe", "report"]);
    let report = container.run_call(&[])?.through(unshare).ok()?.json()?;
    same!(report["ids"]["uid"], json!([0, 0, 0, 0]));
    same!(report["pid"], 1);
    container.gone()
}

fn caller_in_user_namespace(ctx: &Ctx) -> Res {
    in_user_namespace(ctx, &["/usr/bin/unshare", "--user", "--map-root-user", "--mount"])
}

fn root_caller_in_user_namespace(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/id", "-u"])?;
    container.remove("/linux/resources/devices");
    container.mount(
        "/dev/pts",
        "devpts",
        "devpts",
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666"],
    );
    let unshare = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount"];
    container.run_call(&[])?.through(&unshare).ok()?.prints("0")?;
    container.gone()
}

fn caller_in_user_namespace_makes_another(ctx: &Ctx) -> Res {
    let mut container =
        ctx.container_of(&["/bin/sh", "-c", "id -u; readlink /proc/self/ns/user"])?;
    let map = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
    container.set("/linux/uidMappings", map.clone()).set("/linux/gidMappings", map);
    let unshare = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount"];
    let out = container.run_call(&[])?.through(&unshare).ok()?;
    holds!(out.text().starts_with("0\n"), "{}", out.text());
    container.gone()
}

fn subids_caller_in_user_namespace(ctx: &Ctx) -> Res {
    let script = "echo ready; read line; exec \"$@\"";
    let unshare = ["/usr/bin/unshare", "--user", "--mount", "/bin/sh", "-c", script, "sh"];
    let mut container = ctx.container_of(&["/bin/id", "-G"])?;
    container.drop_namespace("user").remove("/linux/uidMappings").remove("/linux/gidMappings");
    container.user(1000, 50).set("/process/user/additionalGids", json!([77]));
    let call = container.run_call(&[])?.through(&unshare).stdin(std::process::Stdio::piped());
    let mut running = call.spawn()?;
    ctx.eventually("shell is ready", || running.out_now().contains("ready").then_some(()))?;
    map_from_outside(ctx, running.pid())?;
    running.child().stdin.take();
    let out = running.wait()?.is(0)?;
    holds!(out.text().ends_with("50 77"), "groups are {}", out.text());
    container.gone()
}

/// newuidmap and newgidmap as an engine calls them for its own user namespace.
pub(super) fn map_from_outside(ctx: &Ctx, pid: i32) -> Res {
    let (uid, gid) = own_ids();
    let user = user_name();
    let tools = [("newuidmap", uid, "/etc/subuid"), ("newgidmap", gid, "/etc/subgid")];
    for (tool, own, file) in tools {
        let (first, count) = sub_range(file, &user).doing(file)?;
        let words = [pid as u32, 0, own, 1, 1, first, count];
        ctx.program(tool).args(words.map(|word| word.to_string())).ok()?;
    }
    Ok(())
}
