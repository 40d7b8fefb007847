//! Planning is pure: every configuration that a real engine wrote has a plan, for each kind of
//! caller, made without privilege and without a look at the file system. What the plan of the
//! default configuration is, is written down, so that whoever changes it sees what changes.

mod common;

use common::{parse, push, sample};
use libcontainer::cgroup::{Layout, Mounted, Place};
use libcontainer::{Bundle, CreateOptions, Host, Plan};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const fn root(in_user_namespace: bool) -> Host {
    Host {
        euid: 0,
        egid: 0,
        capabilities: (1 << 41) - 1,
        in_user_namespace,
        owns_mounts: true,
        cgroups: Layout::Unified,
        hierarchies: Vec::new(),
    }
}

const ROOT: Host = root(false);

/// "root" of a user namespace, as rootless Podman calls its runtime.
const ROOT_OF_A_NAMESPACE: Host = root(true);

const USER: Host = Host {
    euid: 1000,
    egid: 1000,
    capabilities: 0,
    in_user_namespace: false,
    owns_mounts: false,
    cgroups: Layout::Hybrid,
    hierarchies: Vec::new(),
};

/// Of a bundle that is not there.
fn plan(config: &Value, host: &Host) -> String {
    plan_at("/nowhere/bundle", config, host)
}

fn plan_at(bundle: &str, config: &Value, host: &Host) -> String {
    plan_in(bundle, config, host, None)
}

fn plan_in(bundle: &str, config: &Value, host: &Host, cgroup: Option<&Place>) -> String {
    let bundle = Bundle { path: bundle.into(), config: parse(config) };
    match Plan::for_create("c1", &bundle, &CreateOptions::default(), host, cgroup) {
        Ok(plan) => plan.to_string(),
        Err(error) => panic!("{error}\n{config}"),
    }
}

fn samples() -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let names = fs::read_dir(directory).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        Some(name.strip_suffix(".config.json")?.to_owned())
    });
    let mut samples: Vec<_> = names.map(|name| (sample(&name), name)).collect();
    samples.sort_by(|one, other| one.1.cmp(&other.1));
    samples.into_iter().map(|(config, name)| (name, config)).collect()
}

/// What can be seen of any plan: it ends with the program, after a change of root and a report.
fn looks_right(name: &str, plan: &str) {
    let lines: Vec<_> = plan.lines().collect();
    let Some((exec, steps)) = lines.split_last() else { panic!("{name}: {plan}") };
    assert!(exec.starts_with("exec   ["), "{name}: {exec}");
    // Whatever comes behind that is the filter's.
    let last = steps.iter().rev().find(|line| !line.ends_with("<- linux.seccomp"));
    assert!(last.is_some_and(|line| line.ends_with("report ready")), "{name}: {last:?}");
    for step in ["attach the root filesystem", "pivot_root"] {
        let count = lines.iter().filter(|line| line.contains(step)).count();
        assert_eq!(count, 1, "{name}: {step}:\n{plan}");
    }
}

#[test]
fn every_configuration_has_a_plan_for_root() {
    let samples = samples();
    assert_eq!(samples.len(), 21);
    for (name, config) in samples {
        for host in [ROOT, ROOT_OF_A_NAMESPACE] {
            looks_right(&name, &plan(&config, &host));
        }
    }
}

#[test]
fn every_configuration_with_a_user_namespace_has_a_plan_for_an_ordinary_user() {
    let mut planned = Vec::new();
    for (name, config) in samples() {
        let namespaces = config["linux"]["namespaces"].as_array().unwrap();
        let new = |entry: &&Value| {
            entry["type"] == "user" && entry["path"].as_str().unwrap_or("").is_empty()
        };
        if namespaces.iter().any(|entry| new(&entry)) {
            looks_right(&name, &plan(&config, &USER));
            planned.push(name);
        }
    }
    assert_eq!(planned, ["ctr-userns", "podman-userns", "runc-rootless"]);
}

/// Everything in a plan is in the order of the configuration, or sorted: no order of a hash map.
#[test]
fn the_same_configuration_has_the_same_plan() {
    for (name, mut config) in samples() {
        let sysctls = (0..20).map(|number| (format!("net.core.s{number}"), json!("1")));
        config["linux"]["sysctl"] = Value::Object(sysctls.collect());
        push(&mut config["linux"]["namespaces"], json!({ "type": "time" }));
        config["linux"]["timeOffsets"] =
            json!({ "boottime": { "secs": 1 }, "monotonic": { "secs": 2 } });
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        if !namespaces.iter().any(|entry| entry["type"] == "network") {
            namespaces.push(json!({ "type": "network" }));
        }
        let first = plan(&config, &ROOT);
        (0..5).for_each(|_| assert_eq!(plan(&config, &ROOT), first, "{name}"));
    }
}

/// In the order of their names, and before anything that may be about one of them.
#[test]
fn network_devices_come_before_sysctls() {
    let mut config = sample("runc");
    config["linux"]["netDevices"] =
        json!({ "eth9": {}, "eth1.100": { "name": "lan%d" }, "eth1": { "name": "lan0" } });
    config["linux"]["sysctl"] = json!({ "net.ipv4.conf.lan0.forwarding": "1" });
    let text = plan(&config, &ROOT);
    let moves: Vec<_> = text.lines().filter(|line| line.starts_with("move ")).collect();
    assert_eq!(
        moves,
        [
            "move   network device eth1 as lan0  <- linux.netDevices.eth1",
            "move   network device eth1.100 as lan%d  <- linux.netDevices[\"eth1.100\"]",
            "move   network device eth9  <- linux.netDevices.eth9",
        ]
    );
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}:\n{text}"));
    assert!(place("wait for the network devices") < place("lan0/forwarding"));
    assert!(place("bring lo up") < place("wait for the network devices"));
}

#[test]
fn who_may_move_no_network_device_is_told_at_once() {
    let mut config = sample("runc-rootless");
    config["linux"]["netDevices"] = json!({ "eth0": {} });
    push(&mut config["linux"]["namespaces"], json!({ "type": "network" }));
    config["linux"]["uidMappings"] = common::map(1000, 1);
    config["linux"]["gidMappings"] = common::map(1000, 1);
    let bundle = Bundle { path: "/nowhere/bundle".into(), config: parse(&config) };
    let plan = Plan::for_create("c1", &bundle, &CreateOptions::default(), &USER, None);
    assert_eq!(
        plan.unwrap_err().to_string(),
        "linux.netDevices: to move a network device takes CAP_NET_ADMIN, which user 1000 does not \
         have here; leave it out, or run as root"
    );
}

#[test]
fn what_is_not_asked_for_takes_no_step() {
    let text = plan(&sample("runc"), &ROOT);
    assert!(!text.contains("network device") && !text.contains("resctrl"), "{text}");
    let mut config = sample("runc");
    config["linux"]["intelRdt"] = json!({});
    let with = plan(&config, &ROOT);
    let more: Vec<_> = with.lines().filter(|line| !text.lines().any(|old| old == *line)).collect();
    assert_eq!(
        more,
        ["enter  resctrl group c1, made and removed with the container  <- linux.intelRdt"]
    );
}

/// Neither what is there nor what it is changes a plan: links, files in the place of directories,
/// namespaces, sources.
#[test]
fn a_plan_is_made_without_a_look_at_the_file_system() {
    let directory = std::env::temp_dir().join(format!("skep-plans-{}", std::process::id()));
    let bundle = directory.join("bundle");
    let mut config = sample("runc");
    push(
        &mut config["mounts"],
        json!({ "destination": "/a/b", "source": "link", "options": ["bind"] }),
    );
    let source = directory.join("tree");
    push(
        &mut config["mounts"],
        json!({ "destination": "/link/c", "source": source, "options": ["rbind"] }),
    );
    config["process"]["cwd"] = json!("/link/d");
    let namespace = json!({ "type": "uts", "path": directory.join("namespace") });
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|entry| entry["type"] != "uts");
    namespaces.push(namespace);
    config.as_object_mut().unwrap().remove("hostname");
    let plan = || plan_at(bundle.to_str().unwrap(), &config, &ROOT);
    let before = plan();
    fs::create_dir_all(bundle.join("rootfs/proc")).unwrap();
    fs::write(&source, "a file").unwrap();
    fs::write(directory.join("namespace"), "none").unwrap();
    std::os::unix::fs::symlink("/etc", bundle.join("rootfs/link")).unwrap();
    std::os::unix::fs::symlink("rootfs", bundle.join("link")).unwrap();
    let after = plan();
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(after, before);
}

/// `SKEP_WRITE_GOLDEN=1 cargo test --test plans` writes the plans down anew.
fn is_as_written(name: &str, plan: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("SKEP_WRITE_GOLDEN").is_some() {
        fs::write(&path, format!("{plan}\n")).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    let lines = plan.lines().zip(written.lines());
    let differ =
        lines.filter(|(new, old)| new != old).map(|(new, old)| format!("- {old}\n+ {new}\n"));
    let first: String = differ.take(3).collect();
    assert!(first.is_empty(), "tests/golden/{name} says otherwise, first here:\n{first}");
    assert_eq!(plan.lines().count(), written.lines().count(), "tests/golden/{name}: lines");
}

#[test]
fn the_plan_of_the_default_configuration() {
    is_as_written("runc.plan", &plan(&sample("runc"), &ROOT));
}

#[test]
fn the_plan_of_the_default_configuration_of_an_ordinary_user() {
    let mut config = sample("runc-rootless");
    config["linux"]["uidMappings"] = common::map(1000, 1);
    config["linux"]["gidMappings"] = common::map(1000, 1);
    let host = Host { hierarchies: hierarchies(), ..USER };
    is_as_written("runc-rootless.plan", &plan(&config, &host));
}

/// No new privileges are not forbidden, so CAP_SYS_ADMIN is carried to where the filter is loaded.
#[test]
fn the_plan_of_a_container_with_a_seccomp_profile() {
    is_as_written("docker.plan", &plan(&sample("docker"), &ROOT));
}

#[test]
fn the_plan_of_a_container_in_a_pod() {
    is_as_written("cri.plan", &plan(&sample("cri"), &ROOT));
}

/// In a user namespace, where the parent is asked for what the process may not do itself.
#[test]
fn the_plan_of_a_process_with_every_attribute() {
    let mut config = sample("ctr-userns");
    config["process"]["scheduler"] = json!({ "policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 3000, "flags": ["SCHED_FLAG_RECLAIM"] });
    config["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_RT", "priority": 2 });
    config["process"]["execCPUAffinity"] = json!({ "initial": "0", "final": "1" });
    config["linux"]["personality"] = json!({ "domain": "LINUX32" });
    config["linux"]["memoryPolicy"] =
        json!({ "mode": "MPOL_BIND", "nodes": "0,2-3", "flags": ["MPOL_F_STATIC_NODES"] });
    is_as_written("attributes.plan", &plan(&config, &ROOT));
}

/// As containerd writes it, and what it does not: the host's root maps, whatever the container is.
#[test]
fn the_plan_of_a_container_in_a_pod_with_a_user_namespace() {
    is_as_written("cri-userns.plan", &plan(&sample("cri-userns"), &ROOT));
}

#[test]
fn the_plan_of_mounts_with_ids_of_their_own() {
    let mut config = sample("runc");
    push(&mut config["linux"]["namespaces"], json!({ "type": "user" }));
    for list in ["uidMappings", "gidMappings"] {
        config["linux"][list] = common::map(100_000, 1000);
    }
    let own = common::map(100_007, 1);
    let mounts = [
        json!({"destination": "/a", "source": "/a", "options": ["rbind", "idmap"]}),
        json!({"destination": "/b", "source": "/b", "options": ["rbind", "ridmap", "ro"],
            "uidMappings": own, "gidMappings": own}),
        json!({"destination": "/c", "type": "tmpfs", "options": ["idmap"]}),
        json!({"destination": "/d", "type": "tmpfs", "options": ["ro", "size=1m"],
            "uidMappings": own, "gidMappings": own}),
    ];
    mounts.into_iter().for_each(|mount| push(&mut config["mounts"], mount));
    is_as_written("idmap.plan", &plan(&config, &ROOT));
}

#[test]
fn an_ordinary_user_maps_no_mount_of_the_host() {
    let mut config = sample("runc-rootless");
    push(
        &mut config["mounts"],
        json!({"destination": "/a", "source": "/a", "options": ["rbind", "idmap"]}),
    );
    let bundle = Bundle { path: "/nowhere".into(), config: parse(&config) };
    for host in [USER, Host { owns_mounts: false, ..ROOT }] {
        let planned = Plan::for_create("c1", &bundle, &CreateOptions::default(), &host, None);
        let error = planned.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("(/a): an id mapping takes CAP_SYS_ADMIN"), "{error}");
    }
}

/// As Podman writes it on a host with SELinux.
#[test]
fn the_plan_of_mounts_with_a_label() {
    let mut config = sample("runc");
    config["linux"]["mountLabel"] = json!("system_u:object_r:container_file_t:s0:c1,c2");
    is_as_written("label.plan", &plan(&config, &ROOT));
    config["linux"]["mountLabel"] = json!("");
    assert_eq!(plan(&config, &ROOT), plan(&sample("runc"), &ROOT));
}

/// Each is a mount of its own; `cpu` and `cpuacct` share one.
fn hierarchies() -> Vec<Mounted> {
    let at = |name| format!("/sys/fs/cgroup/{name}");
    vec![
        Mounted::new("cpu,cpuacct", at("cpu,cpuacct"), "/"),
        Mounted::new("memory", at("memory"), "/"),
        Mounted::new("name=systemd", at("systemd"), "/user.slice"),
        Mounted::new("", at("unified"), "/user.slice"),
    ]
}

#[test]
fn the_plan_of_a_container_that_sees_cgroup_v1() {
    let hierarchies = hierarchies();
    let mut place = Place::default();
    place.unified = Some("/sys/fs/cgroup/unified/c1".into());
    let v1 = hierarchies.iter().filter(|one| !one.name.is_empty());
    place.v1 = v1.map(|one| (one.name.clone(), one.mount.join("c1"))).collect();
    let host = Host { cgroups: Layout::Hybrid, hierarchies, ..ROOT };
    let mut config = sample("runc");
    let plan = |config: &Value| plan_in("/nowhere/bundle", config, &host, Some(&place));
    is_as_written("runc-hybrid.plan", &plan(&config));
    push(&mut config["linux"]["namespaces"], json!({ "type": "cgroup" }));
    is_as_written("runc-hybrid-cgroupns.plan", &plan(&config));
}
