//! Pods: what the sandbox holds, and what containers share through it.

use std::fs;

use serde_json::{Value, json};

use crate::ctx::Ctx;
use crate::engines::containerd::has_systemd;
use crate::engines::cri::{Cri, Pod};
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::harness::procs;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "cri_pod",
    cases: &[
        root!(life),
        root!(containers_share_its_namespaces),
        root!(one_pid_namespace),
        root!(one_pid_namespace_is_cleared),
        root!(pid_namespace_of_a_container),
        root!(namespaces_of_the_node),
        root!(network_between_pods),
        root!(shared_memory),
        root!(hostname_and_names),
        root!(sysctls),
        root!(user_namespace).needs(&[Need::Containerd(2), Need::IdMap]),
        root!(user_namespace_with_mounts).needs(&[Need::Containerd(2), Need::IdMap]),
        root!(sandbox_as_a_user),
        root!(privileged),
        root!(cgroup_parent).needs(&[Need::Controller("memory")]),
        root!(stop_ends_the_containers),
        root!(many_at_the_same_time),
    ],
};

/// `linux.security_context` with these.
fn security(context: Value) -> Value {
    json!({"linux": {"security_context": context}})
}

fn namespaces(options: Value) -> Value {
    security(json!({"namespace_options": options}))
}

fn life(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({"annotations": {"straw": "gold"}}))?;
    let (status, info) = pod.status()?;
    same!(status["state"], "SANDBOX_READY");
    same!(status["annotations"]["straw"], "gold");
    holds!(status["network"]["ip"].as_str().unwrap_or_default().starts_with("10.88."), "{status}");
    let pid = info["pid"].as_i64().doing("its pid")? as i32;
    holds!(procs::alive(pid), "{pid} does not run");
    pod.call("StopPodSandbox")?;
    same!(pod.status()?.0["state"], "SANDBOX_NOTREADY");
    holds!(!procs::alive(pid), "{pid} still runs");
    pod.call("StopPodSandbox")?;
    pod.call("RemovePodSandbox")?;
    holds!(pod.status().is_err(), "it is still known");
    Ok(())
}

fn links(report: &Value, kinds: &[&str]) -> Vec<Value> {
    kinds.iter().map(|kind| report["namespaces"][*kind].clone()).collect()
}

/// Of a process of this machine.
fn link(pid: i64, kind: &str) -> Res<Value> {
    let path = format!("/proc/{pid}/ns/{kind}");
    Ok(json!(shown(fs::read_link(&path).doing(&path)?)))
}

fn containers_share_its_namespaces(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    // Both live, since a namespace that is gone leaves its number to others.
    let (one, other) = (pod.sleeper(&json!({}))?, pod.sleeper(&json!({}))?);
    let held_by = pod.status()?.1["pid"].as_i64().doing("its pid")?;
    let (one, other) = (i64::from(one.pid()?), i64::from(other.pid()?));
    for kind in ["net", "ipc", "uts"] {
        same!((kind, link(one, kind)?), (kind, link(held_by, kind)?));
        same!((kind, link(other, kind)?), (kind, link(held_by, kind)?));
    }
    for kind in ["pid", "mnt"] {
        holds!(link(one, kind)? != link(other, kind)?, "{kind} is shared");
        holds!(link(one, kind)? != link(held_by, kind)?, "{kind} is that of the sandbox");
    }
    same!(pod.report(&json!({}))?["pid"], 1);
    Ok(())
}

fn sharing_pids<'a>(ctx: &'a Ctx) -> Res<(Pod<'a>, Value)> {
    let shared = namespaces(json!({"pid": "POD"}));
    Ok((Cri::of(ctx).pod(&shared)?, shared))
}

/// `shareProcessNamespace`: the sandbox's process is number 1.
fn one_pid_namespace(ctx: &Ctx) -> Res {
    let (pod, shared) = sharing_pids(ctx)?;
    let container = pod.sleeper(&shared)?;
    same!(container.shell("tr '\\0' ' ' </proc/1/cmdline")?, "/bin/probe until-term");
    let report = pod.report(&shared)?;
    holds!(report["pid"] != 1, "it is the first process");
    let pid = pod.status()?.1["pid"].as_i64().doing("its pid")?;
    same!(report["namespaces"]["pid"], link(pid, "pid")?);
    Ok(())
}

/// What a container leaves running ends with it.
fn one_pid_namespace_is_cleared(ctx: &Ctx) -> Res {
    let (pod, shared) = sharing_pids(ctx)?;
    let line =
        "setsid sleep 1234 & setsid sleep 1234 & echo ready; read a </dev/zero; exec sleep 1000";
    let container = pod.started(&["sh", "-c", line], &shared)?;
    container.until_log("ready")?;
    let place = crate::cgroups::places(container.pid()?)?;
    let members = place.first().doing("its cgroup")?.dir.join("cgroup.procs");
    let pids = || -> Vec<i32> {
        let text = fs::read_to_string(&members).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    ctx.eventually("both run", || (pids().len() == 3).then_some(()))?;
    let all = pids();
    container.stop(0)?;
    same!(container.wait()?, 137);
    let gone = || all.iter().all(|pid| !procs::alive(*pid)).then_some(());
    ctx.eventually("what it left running ends", gone)
}

/// As `kubectl debug --target` has it.
fn pid_namespace_of_a_container(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let target = pod.sleeper(&json!({}))?;
    let joined = namespaces(json!({"pid": "TARGET", "target_id": target.id}));
    same!(pod.shell("tr '\\0' ' ' </proc/1/cmdline", &joined)?, "/bin/probe until-term");
    Ok(())
}

fn namespaces_of_the_node(ctx: &Ctx) -> Res {
    let node = namespaces(json!({"network": "NODE", "pid": "NODE", "ipc": "NODE"}));
    // The hostname is the node's own then.
    let pod = Cri::of(ctx).pod(&json!({"hostname": "", "linux": node["linux"]}))?;
    let report = pod.report(&node)?;
    let kinds = ["net", "pid", "ipc", "uts"];
    let own = kinds
        .iter()
        .map(|kind| link(i64::from(std::process::id()), kind))
        .collect::<Res<Vec<_>>>()?;
    same!(links(&report, &kinds), own);
    Ok(())
}

fn network_between_pods(ctx: &Ctx) -> Res {
    let cri = Cri::of(ctx);
    let (server, client) = (cri.pod(&json!({}))?, cri.pod(&json!({}))?);
    let address = server.status()?.0["network"]["ip"].as_str().doing("its address")?.to_string();
    let line = "echo gold | nc -l -p 8080; echo served";
    let serving = server.started(&["sh", "-c", line], &json!({}))?;
    // It may not listen yet.
    let line = format!("until nc {address} 8080; do sleep 0.05; done");
    same!(client.shell(&line, &json!({}))?, "gold");
    // Within a pod, localhost is shared.
    same!(serving.wait()?, 0);
    let serving = server.started(&["sh", "-c", "echo local | nc -l -p 8081"], &json!({}))?;
    let line = "until nc 127.0.0.1 8081; do sleep 0.05; done";
    same!(server.shell(line, &json!({}))?, "local");
    same!(serving.wait()?, 0);
    Ok(())
}

fn shared_memory(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    pod.shell("echo straw >/dev/shm/it", &json!({}))?;
    same!(pod.shell("cat /dev/shm/it", &json!({}))?, "straw");
    Ok(())
}

fn hostname_and_names(ctx: &Ctx) -> Res {
    let names =
        json!({"servers": ["10.0.0.53"], "searches": ["straw.example"], "options": ["ndots:5"]});
    let pod = Cri::of(ctx).pod(&json!({"hostname": "haystack", "dns_config": names}))?;
    let said = pod.shell("hostname; cat /etc/hostname; cat /etc/resolv.conf", &json!({}))?;
    let lines: Vec<&str> = said.lines().collect();
    same!(lines[..2], ["haystack", "haystack"]);
    for wanted in ["search straw.example", "nameserver 10.0.0.53", "options ndots:5"] {
        holds!(lines.contains(&wanted), "no {wanted} in {said}");
    }
    Ok(())
}

fn sysctls(ctx: &Ctx) -> Res {
    let set = json!({"kernel.shm_rmid_forced": "1", "net.ipv4.ip_unprivileged_port_start": "81"});
    let pod = Cri::of(ctx).pod(&json!({"linux": {"sysctls": set}}))?;
    let line = "sysctl -n kernel.shm_rmid_forced net.ipv4.ip_unprivileged_port_start";
    same!(pod.shell(line, &json!({}))?, "1\n81");
    let bad = Cri::of(ctx).pod(&json!({"linux": {"sysctls": {"net.ipv4.straw": "1"}}}));
    match bad {
        Err(words) if words.contains("net.ipv4.straw") || words.contains("net/ipv4/straw") => {
            Ok(())
        }
        Err(words) => Err(format!("it says: {words}")),
        Ok(_) => Err("an unknown one was not refused".into()),
    }
}

const HOST_ID: u64 = 300_000;

/// `hostUsers: false`.
fn mapped() -> Value {
    let map = json!([{"host_id": HOST_ID, "container_id": 0, "length": 65536}]);
    namespaces(json!({"userns_options": {"mode": "POD", "uids": map, "gids": map}}))
}

fn user_namespace(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&mapped())?;
    let line =
        "cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /bin /etc/passwd; touch /new";
    let said = pod.shell(line, &mapped())?;
    let words: Vec<String> = said.split_whitespace().map(str::to_string).collect();
    let (zero, first, count) = ("0".to_string(), HOST_ID.to_string(), "65536".to_string());
    same!(words[..3], [zero, first, count]);
    same!(words[3..6], words[..3]);
    same!(words[6..], ["0:0", "0:0"]);
    let container = pod.sleeper(&mapped())?;
    let status =
        fs::read_to_string(format!("/proc/{}/status", container.pid()?)).doing("its status")?;
    let uids = crate::text::field(&status, "Uid").unwrap_or_default();
    holds!(uids.starts_with(&HOST_ID.to_string()), "its ids on the host are {uids}");
    // Both are in the pod's user namespace.
    let pid = pod.status()?.1["pid"].as_i64().doing("its pid")?;
    same!(link(pid, "user")?, link(container.pid()?.into(), "user")?);
    same!(container.shell("id -u")?, "0");
    Ok(())
}

/// Volumes are mounted with mapped ids: who owns them on the host does so in there.
fn user_namespace_with_mounts(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&mapped())?;
    let volume = ctx.make_dir("volume")?;
    ctx.make_file("volume/file", "straw\n")?;
    let map = json!([{"host_id": HOST_ID, "container_id": 0, "length": 65536}]);
    let mut changes = mapped();
    changes["mounts"] = json!([{
        "container_path": "/volume", "host_path": volume, "uidMappings": map, "gidMappings": map,
    }]);
    let line = "stat -c %u:%g /volume/file; echo new >/volume/new; cat /volume/file";
    same!(pod.shell(line, &changes)?, "0:0\nstraw");
    let owner =
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(volume.join("new")).doing("new")?);
    same!(owner, 0);
    Ok(())
}

fn sandbox_as_a_user(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&security(json!({"run_as_user": 1000, "run_as_group": 50})))?;
    let pid = pod.status()?.1["pid"].as_i64().doing("its pid")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).doing("its status")?;
    let ids = |key| crate::text::field(&status, key).unwrap_or_default().split_whitespace().next();
    same!((ids("Uid"), ids("Gid")), (Some("1000"), Some("50")));
    Ok(())
}

fn privileged(ctx: &Ctx) -> Res {
    let all = security(json!({"privileged": true}));
    let pod = Cri::of(ctx).pod(&all)?;
    let line =
        "mkdir -p /mnt && mount -t tmpfs tmpfs /mnt && echo mounted; ls /dev/full /dev/net/tun";
    same!(pod.shell(line, &all)?, "mounted\n/dev/full\n/dev/net/tun");
    // A container in it need not be.
    let container = pod.started(&["mount", "-t", "tmpfs", "tmpfs", "/tmp"], &json!({}))?;
    holds!(container.wait()? != 0, "an ordinary container can mount");
    Ok(())
}

/// kubelet makes a cgroup for the pod, and the engine has to put all its containers there.
fn cgroup_parent(ctx: &Ctx) -> Res {
    let name = format!("{}pod{}", ctx.id_prefix(), if has_systemd() { ".slice" } else { "" });
    let pod = Cri::of(ctx).pod(&json!({"linux": {"cgroup_parent": format!("/{name}")}}))?;
    let container = pod.sleeper(&json!({}))?;
    let place = crate::cgroups::place_of(container.pid()?, "memory")?;
    let shown = shown(&place.dir);
    holds!(shown.contains(&container.id), "it is in {shown}");
    holds!(place.dir.parent().is_some_and(|dir| dir.ends_with(&name)), "it is in {shown}");
    let stats = pod.call("PodSandboxStats")?;
    let used = &stats["stats"]["linux"]["memory"];
    holds!(used["working_set_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "stats: {stats}");
    pod.call("StopPodSandbox")?;
    pod.call("RemovePodSandbox")?;
    // It is the caller's, who removes it when nothing is in it any more.
    let left = crate::harness::leaks::cgroups(&name);
    left.iter().try_for_each(fs::remove_dir).doing("remove the pod's cgroup")
}

fn stop_ends_the_containers(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let container = pod.sleeper(&json!({}))?;
    let pid = container.pid()?;
    pod.call("StopPodSandbox")?;
    same!(container.status()?["state"], "CONTAINER_EXITED");
    holds!(!procs::alive(pid), "{pid} still runs");
    pod.call("RemovePodSandbox")?;
    holds!(container.status().is_err(), "the container is still known");
    Ok(())
}

fn many_at_the_same_time(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let start = |number: i64| {
        let line = format!("echo {number}; exit {number}");
        pod.started(&["sh", "-c", &line], &json!({}))
    };
    let containers = (1..=5).map(start).collect::<Res<Vec<_>>>()?;
    for (container, number) in containers.iter().zip(1..) {
        same!(container.wait()?, number);
        let line = format!("{number}\n");
        container.until_said(&line, |log| log.out == line)?;
    }
    Ok(())
}
