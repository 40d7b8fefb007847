//! What is listed is taken, and what is taken is listed.

use super::*;
use crate::cgroup::{CgroupPlan, Layout, Manager, Mounted};
use crate::config::{Bundle, Config};
use crate::reflect::words;
use crate::{CreateOptions, Host, Plan};
use oci_spec::runtime as oci;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ROOT: &str = r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"},
    "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["true"]},
    "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}"#;

/// The features as an engine reads them.
fn document() -> Value {
    serde_json::to_value(features()).unwrap()
}

fn listed(pointer: &str) -> BTreeSet<String> {
    let document = document();
    let list = document.pointer(pointer).and_then(Value::as_array).expect(pointer);
    list.iter().map(|word| word.as_str().expect(pointer).to_owned()).collect()
}

/// What is warned of in a configuration with `value` at `pointer`, and its plan.
fn plan(pointer: &str, value: Value) -> (Vec<String>, String) {
    let bundle = bundle(pointer, value);
    let host = Host { capabilities: (1 << 41) - 1, ..Host::for_tests() };
    match Plan::for_create("c1", &bundle, &CreateOptions::default(), &host, None) {
        Ok(plan) => (bundle.config.warnings().to_vec(), plan.to_string()),
        Err(error) => panic!("{error}"),
    }
}

fn bundle(pointer: &str, value: Value) -> Bundle {
    let mut config: Value = serde_json::from_str(ROOT).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    config.pointer_mut(parent).expect(pointer)[key] = value;
    let config = Config::from_bytes(config.to_string().into_bytes());
    Bundle { path: "/nowhere".into(), config: config.unwrap_or_else(|error| panic!("{error}")) }
}

#[test]
fn both_versions_are_accepted_without_a_word() {
    for version in ["ociVersionMin", "ociVersionMax"] {
        assert_eq!(plan("/ociVersion", document()[version].clone()).0, [""; 0]);
    }
}

#[test]
fn every_hook_is_planned_for() {
    let hook = json!([{"path": "/bin/true"}]);
    for name in listed("/hooks") {
        let (warnings, plan) = plan("/hooks", json!({name.clone(): hook}));
        assert_eq!(warnings, [""; 0], "{name}");
        let before_pivot = ["prestart", "createRuntime", "createContainer"];
        let waits = plan.contains("hooks");
        assert_eq!(waits, before_pivot.contains(&name.as_str()), "{name}:\n{plan}");
    }
    let fields = crate::reflect::fields::<oci::Hooks>();
    let kinds = fields.into_iter().filter(|field| !field.contains('.')).collect();
    assert_eq!(listed("/hooks"), kinds);
}

#[test]
fn every_mount_option_is_taken_for_one() {
    for name in listed("/mountOptions") {
        let mappings = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
        let mount = match name.as_str() {
            "bind" | "rbind" => json!({"destination": "/m", "source": "/", "options": [name]}),
            "idmap" | "ridmap" => json!({"destination": "/m", "source": "/",
                "options": ["bind", name], "uidMappings": mappings, "gidMappings": mappings}),
            _ => json!({"destination": "/m", "type": "tmpfs", "options": [name]}),
        };
        let (warnings, plan) = plan("/mounts", json!([mount]));
        assert_eq!(warnings, [""; 0], "{name}");
        assert!(plan.contains(" /m"), "{name}:\n{plan}");
    }
}

#[test]
fn every_namespace_is_made() {
    for name in listed("/linux/namespaces") {
        let mut linux = json!({"namespaces": [{"type": name}]});
        if name != "mount" {
            linux["namespaces"].as_array_mut().unwrap().push(json!({"type": "mount"}));
        }
        if name == "user" {
            let mappings = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
            linux["uidMappings"] = mappings.clone();
            linux["gidMappings"] = mappings;
        }
        let (warnings, plan) = plan("/linux", linux);
        assert_eq!(warnings, [""; 0], "{name}");
        let by_clone =
            |line: &str| line.contains("new namespaces: ") && line.contains(&format!(" {name}"));
        let by_itself = |line: &str| line.contains(&format!("make a {name} namespace"));
        let made = plan.lines().any(|line| by_clone(line) || by_itself(line));
        assert!(made, "{name}:\n{plan}");
    }
    assert_eq!(listed("/linux/namespaces"), words::<LinuxNamespaceType>());
}

#[test]
fn every_capability_is_given() {
    for (bit, name) in
        features().linux().as_ref().unwrap().capabilities().iter().flatten().enumerate()
    {
        let sets = json!({"bounding": [name], "permitted": [name], "effective": [name]});
        let (warnings, plan) = plan("/process/capabilities", sets);
        assert_eq!(warnings, [""; 0], "{name}");
        let mask = format!("{:x}", 1_u64 << bit);
        assert!(plan.contains(&mask), "{name} {mask}:\n{plan}");
    }
    let other = plan("/process/capabilities", json!({"bounding": ["CAP_FLY"]})).0;
    assert_eq!(other.len(), 1, "{other:?}");
}

#[test]
fn every_word_of_seccomp_is_compiled() {
    let profile = |what: Value| {
        let mut seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW"});
        seccomp.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        seccomp
    };
    let rule = |rule: Value| profile(json!({"listenerPath": "/s", "syscalls": [rule]}));
    for action in listed("/linux/seccomp/actions") {
        plan("/linux/seccomp", rule(json!({"names": ["reboot"], "action": action})));
    }
    for op in listed("/linux/seccomp/operators") {
        let arg = json!({"index": 0, "value": 1, "valueTwo": 1, "op": op});
        let rule = rule(json!({"names": ["reboot"], "action": "SCMP_ACT_ERRNO", "args": [arg]}));
        plan("/linux/seccomp", rule);
    }
    for flag in listed("/linux/seccomp/knownFlags") {
        plan("/linux/seccomp", profile(json!({"flags": [flag]})));
    }
    for arch in Arch::all() {
        // What has another byte order is known, and can be of use on another machine.
        let oci = profile(json!({"architectures": [arch.to_oci()]}));
        let oci: oci::LinuxSeccomp = serde_json::from_value(oci).unwrap();
        let profile = skep_seccomp::Profile::for_machine(&oci, Some(arch)).unwrap();
        assert_eq!(profile.architectures(), [arch]);
    }
}

#[test]
fn every_word_that_seccomp_takes_is_listed() {
    assert_eq!(listed("/linux/seccomp/actions"), words::<oci::LinuxSeccompAction>());
    assert_eq!(listed("/linux/seccomp/operators"), words::<oci::LinuxSeccompOperator>());
    assert_eq!(listed("/linux/seccomp/knownFlags"), words::<oci::LinuxSeccompFilterFlag>());
    assert!(
        listed("/linux/seccomp/supportedFlags").is_subset(&listed("/linux/seccomp/knownFlags"))
    );
    let mut arches = listed("/linux/seccomp/archs");
    // No architecture, but a word of libseccomp's for the one that there is.
    assert!(arches.insert("SCMP_ARCH_NATIVE".to_owned()));
    assert_eq!(arches, words::<oci::Arch>());
}

#[test]
fn both_cgroup_versions_and_managers_have_a_plan() {
    let resources = json!({"pids": {"limit": 5}, "rdma": {"mlx5_1": {"hcaHandles": 3}}});
    let bundle = bundle("/linux/resources", resources);
    let v1 = |name: &str| Mounted::new(name, format!("/sys/fs/cgroup/{name}"), "/");
    let hierarchies = vec![v1("pids"), v1("rdma"), v1("devices"), v1("name=systemd")];
    for (layout, hierarchies) in [(Layout::Unified, vec![]), (Layout::Legacy, hierarchies)] {
        for (manager, euid) in
            [(Manager::Cgroupfs, 0), (Manager::Systemd, 0), (Manager::Systemd, 1000)]
        {
            // An ordinary user's manager has no say in cgroup v1.
            if layout == Layout::Legacy && euid != 0 {
                continue;
            }
            let host = Host {
                cgroups: layout,
                hierarchies: hierarchies.clone(),
                euid,
                ..Host::for_tests()
            };
            let options = CreateOptions { cgroups: manager, ..CreateOptions::default() };
            let plan = CgroupPlan::for_create("c1", &bundle, &options, &host);
            let plan =
                plan.unwrap_or_else(|error| panic!("{layout:?} {manager}: {error}")).to_string();
            assert!(
                plan.contains("pids.max") && plan.contains("rdma.max"),
                "{layout:?} {manager}:\n{plan}"
            );
            let scope = plan.contains("TasksMax");
            assert_eq!(scope, manager == Manager::Systemd, "{layout:?} {manager}:\n{plan}");
        }
    }
}

#[test]
fn labels_are_steps_of_the_plan() {
    for (feature, field) in [("apparmor", "apparmorProfile"), ("selinux", "selinuxLabel")] {
        let (warnings, plan) = plan(&format!("/process/{field}"), json!("a:b:c:s0"));
        assert_eq!(warnings, [""; 0], "{field}");
        let done = plan.lines().any(|line| line.ends_with(&format!("<- process.{field}")));
        let enabled = format!("/linux/{feature}/enabled");
        assert_eq!(document().pointer(&enabled), Some(&json!(done)), "{field}:\n{plan}");
    }
}

/// One key that begins with what is listed changes what systemd is asked for, or the steps; one that does
/// not, nothing.
#[test]
fn annotations_that_are_listed_are_acted_upon() {
    let asked = |key: &str| {
        let bundle = bundle("/annotations", json!({key: "uint64 7000000"}));
        let options = CreateOptions { cgroups: Manager::Systemd, ..CreateOptions::default() };
        CgroupPlan::for_create("c1", &bundle, &options, &Host::for_tests()).unwrap().to_string()
    };
    let nothing = asked("org.example.key");
    let steps = |key: &str| plan("/annotations", json!({key: "1"})).1;
    let (prefixes, keys): (Vec<_>, Vec<_>) = listed("/potentiallyUnsafeConfigAnnotations")
        .into_iter()
        .partition(|listed| listed.ends_with('.'));
    for key in keys {
        assert_ne!(steps(&key), steps("org.example.key"), "{key}");
    }
    for prefix in prefixes {
        assert_ne!(asked(&format!("{prefix}TimeoutStopUSec")), nothing, "{prefix}");
    }
}

#[test]
fn every_word_of_a_memory_policy_is_planned() {
    let policy = |mode: &str, flags: Value| {
        // These two have the kernel choose the nodes.
        let nodes = if matches!(mode, "MPOL_DEFAULT" | "MPOL_LOCAL") { "" } else { "0" };
        plan("/linux/memoryPolicy", json!({"mode": mode, "nodes": nodes, "flags": flags})).1
    };
    for mode in listed("/linux/memoryPolicy/modes") {
        assert!(policy(&mode, json!([])).contains(&mode), "{mode}");
    }
    for flag in listed("/linux/memoryPolicy/flags") {
        assert!(policy("MPOL_BIND", json!([flag])).contains(&flag), "{flag}");
    }
    assert_eq!(listed("/linux/memoryPolicy/modes"), words::<oci::MemoryPolicyModeType>());
    assert_eq!(listed("/linux/memoryPolicy/flags"), words::<oci::MemoryPolicyFlagType>());
}

/// A feature is on if and only if a configuration that asks for it is not refused.
#[test]
fn what_is_off_is_refused_and_what_is_on_is_not() {
    for (feature, pointer, value) in [
        ("/linux/netDevices/enabled", "/linux/netDevices", json!({"eth0": {}})),
        ("/linux/intelRdt/enabled", "/linux/intelRdt", json!({"closID": "c"})),
        ("/linux/intelRdt/schemata", "/linux/intelRdt", json!({"schemata": ["L3:0=f"]})),
        ("/linux/intelRdt/monitoring", "/linux/intelRdt", json!({"enableMonitoring": true})),
    ] {
        let bundle = bundle(pointer, value);
        let host = crate::config::HostIds { privileged: true, euid: 0, egid: 0 };
        let problems = crate::config::validate(bundle.config.spec(), &host);
        let text = "not supported by this version";
        let refused = problems.iter().any(|problem| problem.to_string().contains(text));
        assert_eq!(document().pointer(feature), Some(&json!(!refused)), "{feature}: {problems:?}");
    }
}
