//! What is wrong with a bundle, with the text of its config.json, or with the types in it, and
//! what is read otherwise than oci-spec alone would read it.

use std::fs;
use std::path::{Path, PathBuf};

use libcontainer::config::{Bundle, Config, process_from_bytes, resources_from_bytes};
use libcontainer::error::ErrorKind;
use oci_spec::runtime::Spec;
use serde::Deserialize;
use serde_json::{Value, json};

/// A new empty directory.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("config-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn minimal() -> Value {
    json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["sh"], "cwd": "/"},
        "linux": {"namespaces": [{"type": "mount"}]},
    })
}

/// `minimal` with `value` at `pointer`; objects on the way are made.
fn with(pointer: &str, value: Value) -> Value {
    let mut config = minimal();
    let mut place = &mut config;
    for key in pointer.split('/') {
        place = &mut place[key];
    }
    *place = value;
    config
}

fn read(config: &Value) -> Result<Config, String> {
    Config::from_bytes(config.to_string().into_bytes()).map_err(|error| error.to_string())
}

fn error(text: &str) -> String {
    Config::from_bytes(text.as_bytes().to_vec()).unwrap_err().to_string()
}

#[test]
fn a_bundle_has_an_absolute_path() {
    let path = directory("bundle");
    fs::write(path.join("config.json"), minimal().to_string()).unwrap();
    let bundle = Bundle::load(&path.join("../config-bundle/.")).unwrap();
    assert_eq!(bundle.path, path.canonicalize().unwrap());
    assert_eq!(bundle.config.spec().version(), "1.0.2");
}

#[test]
fn bad_bundles_are_named() {
    let path = directory("bad");
    let shown = path.display();
    let error = |path: &Path| {
        let error = Bundle::load(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        error.to_string()
    };
    assert_eq!(error(&path), format!("bundle {shown} has no config.json; `skep spec` writes one"));
    assert_eq!(
        error(&path.join("none")),
        format!("bundle {shown}/none: No such file or directory (ENOENT)")
    );
    fs::write(path.join("file"), "").unwrap();
    assert_eq!(
        error(&path.join("file")),
        format!("bundle {shown}/file: Not a directory (ENOTDIR)")
    );
    let read = Config::read(&path.join("none")).unwrap_err();
    assert_eq!(
        read.to_string(),
        format!("bundle {shown}/none: No such file or directory (ENOENT)")
    );
}

#[test]
fn config_json_must_be_a_file_of_reasonable_size() {
    let path = directory("file");
    let config = path.join("config.json");
    let error = || Config::read(&path).unwrap_err().to_string();

    fs::create_dir(&config).unwrap();
    assert_eq!(error(), format!("{} is not a regular file", config.display()));
    fs::remove_dir(&config).unwrap();

    let mode = nix::sys::stat::Mode::S_IRWXU;
    nix::unistd::mkfifo(&config, mode).unwrap();
    assert_eq!(error(), format!("{} is not a regular file", config.display()));
    fs::remove_file(&config).unwrap();

    let file = fs::File::create(&config).unwrap();
    file.set_len((16 << 20) + 1).unwrap();
    assert_eq!(error(), format!("{} is larger than 16 MiB", config.display()));
    // At the limit it is read, and then it is no JSON: it is all NUL bytes.
    file.set_len(16 << 20).unwrap();
    assert_eq!(error(), "config.json is not JSON at line 1, column 1: expected value");
}

#[test]
fn bad_json_is_placed() {
    let cases = [
        ("", "config.json is cut off at line 1, column 0, inside a value"),
        ("{\n  \"root\": {", "config.json is cut off at line 2, column 11, inside an object"),
        ("{\"root", "config.json is cut off at line 1, column 6, inside a string"),
        ("{\"a\": 1,}", "config.json is not JSON at line 1, column 9: trailing comma"),
        ("{} x", "config.json is not JSON at line 1, column 4: trailing characters"),
        (
            "{\"a\": \"\u{1}\"}",
            "config.json is not JSON at line 1, column 8: control character (\\u0000-\\u001F) found while parsing a string",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), expected, "{text}");
    }
    assert!(error(&"[".repeat(100_000)).contains("recursion limit exceeded"));
}

#[test]
fn wrong_types_are_named_by_path() {
    let cases = [
        ("process/args", json!(["sh", 5]), "process.args[1]: expected a string, found 5"),
        ("process/args", json!("sh"), "process.args: expected an array, found \"sh\""),
        (
            "process/terminal",
            json!("yes"),
            "process.terminal: expected true or false, found \"yes\"",
        ),
        (
            "process/user/uid",
            json!(-1),
            "process.user.uid: expected a whole number from 0 to 4294967295, found -1",
        ),
        (
            "process/user/uid",
            json!(4294967296u64),
            "process.user.uid: expected a whole number from 0 to 4294967295, found 4294967296",
        ),
        (
            "process/user/gid",
            json!(1.5),
            "process.user.gid: expected a whole number from 0 to 4294967295, found 1.5",
        ),
        ("process/env", json!(["A=1", null]), "process.env[1]: expected a string, found null"),
        ("process", json!([]), "process: expected an object, found an array"),
        ("process/user", json!([0, 0]), "process.user: expected an object, found an array"),
        ("mounts", json!([["/a"]]), "mounts[0]: expected an object, found an array"),
        (
            "linux/timeOffsets",
            json!({"monotonic": []}),
            "linux.timeOffsets.monotonic: expected an object, found an array",
        ),
        ("process/args", json!([{}]), "process.args[0]: expected a string, found an object"),
        ("mounts", json!({}), "mounts: expected an array, found an object"),
        (
            "mounts",
            json!([{"destination": "/a", "options": "ro"}]),
            "mounts[0].options: expected an array, found \"ro\"",
        ),
        (
            "linux/sysctl",
            json!({"net.core.somaxconn": 1}),
            "linux.sysctl[\"net.core.somaxconn\"]: expected a string, found 1",
        ),
        ("annotations", json!({"a\nb": 1}), "annotations[\"a\\nb\"]: expected a string, found 1"),
        (
            "linux/resources/memory/limit",
            json!("1g"),
            "linux.resources.memory.limit: expected a whole number from -9223372036854775808 to 9223372036854775807, found \"1g\"",
        ),
        ("linux/seccomp", json!({}), "linux.seccomp.defaultAction: is missing"),
        (
            "linux/seccomp/defaultAction",
            json!("SCMP_ACT_X"),
            "linux.seccomp.defaultAction: unknown value SCMP_ACT_X; known are SCMP_ACT_KILL, SCMP_ACT_KILL_THREAD, SCMP_ACT_KILL_PROCESS, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_NOTIFY, SCMP_ACT_TRACE, SCMP_ACT_LOG, SCMP_ACT_ALLOW",
        ),
        (
            "linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG"}, {"names": ["a"]}]}),
            "linux.seccomp.syscalls[1].action: is missing",
        ),
        (
            "linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 1}]}]}),
            "linux.seccomp.syscalls[0].args[1].op: is missing",
        ),
        (
            "process/execCPUAffinity",
            json!({"initial": 3}),
            "process.execCPUAffinity.initial: expected a string, found 3",
        ),
        (
            "process/scheduler",
            json!({"policy": "SCHED_FAIR"}),
            "process.scheduler.policy: unknown value \"SCHED_FAIR\"; known are SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE",
        ),
        (
            "process/ioPriority",
            json!({"class": "IOPRIO_CLASS_BE"}),
            "process.ioPriority.priority: is missing; 0 (highest) to 7 (lowest) is right",
        ),
        (
            "linux/memoryPolicy",
            json!({"nodes": "0"}),
            "linux.memoryPolicy.mode: is missing; known are MPOL_DEFAULT, MPOL_BIND, MPOL_INTERLEAVE, MPOL_WEIGHTED_INTERLEAVE, MPOL_PREFERRED, MPOL_PREFERRED_MANY, MPOL_LOCAL",
        ),
        (
            "linux/memoryPolicy",
            json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_X"]}),
            "linux.memoryPolicy.flags[1]: unknown value \"MPOL_F_X\"; known are MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES",
        ),
        (
            "linux/personality",
            json!({"domain": "BSD"}),
            "linux.personality.domain: unknown value \"BSD\"; known are LINUX, LINUX32",
        ),
        (
            "linux/namespaces",
            json!([{"type": "mount"}, {"type": "net"}]),
            "linux.namespaces[1].type: unknown value \"net\"; known are pid, network, mount, ipc, uts, user, cgroup, time",
        ),
        (
            "linux/namespaces",
            json!([{}]),
            "linux.namespaces[0].type: is missing; known are pid, network, mount, ipc, uts, user, cgroup, time",
        ),
        (
            "linux/devices",
            json!([{"path": "/dev/x", "type": "c", "major": 1}]),
            "linux.devices[0].minor: is missing; every type but p needs it",
        ),
        (
            "linux/devices",
            json!([{"path": "/dev/x", "type": "x", "major": 1, "minor": 1}]),
            "linux.devices[0].type: unknown value \"x\"; known are c, b, u, p",
        ),
    ];
    for (pointer, value, expected) in cases {
        assert_eq!(read(&with(pointer, value.clone())).unwrap_err(), expected, "{pointer} {value}");
    }
    assert_eq!(error("[]"), "expected an object, found an array");
    assert_eq!(error("7"), "expected an object, found 7");
}

#[test]
fn every_wrong_type_is_in_one_error() {
    let mut config = with("process/args", json!(["sh", 5]));
    config["process"]["rlimits"] = json!([{"type": "RLIMIT_X", "soft": 1, "hard": 1}]);
    config["linux"]["cgroupsPath"] = json!(1);
    config["process"]["cwd"] = json!(false);
    let error = Config::from_bytes(config.to_string().into_bytes()).unwrap_err();
    let fields = error.all_problems().iter().map(|problem| problem.field.as_str());
    assert_eq!(
        fields.collect::<Vec<_>>(),
        ["process.rlimits[0].type", "linux.cgroupsPath", "process.args[1]", "process.cwd"]
    );
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[test]
fn equal_errors_are_told_apart() {
    let mut config = with("process/args", json!(["5", 5, 5]));
    config["process"]["cwd"] = json!(5);
    config["hostname"] = json!(5);
    config["annotations"] = json!({"5": "5", "a.b": 5});
    config["linux"]["sysctl"] = json!({"kernel.x": "5", "net.x": 5});
    let error = Config::from_bytes(config.to_string().into_bytes()).unwrap_err();
    let problems = error.all_problems().iter().map(ToString::to_string);
    assert_eq!(
        problems.collect::<Vec<_>>(),
        [
            "annotations[\"a.b\"]",
            "hostname",
            "linux.sysctl[\"net.x\"]",
            "process.args[1]",
            "process.cwd",
        ]
        .map(|field| format!("{field}: expected a string, found 5"))
    );
}

#[test]
fn a_wrong_type_is_found_in_a_huge_configuration() {
    let mut env = vec![json!("NAME=value"); 200_000];
    env[199_998] = json!(7);
    assert_eq!(
        read(&with("process/env", json!(env))).unwrap_err(),
        "process.env[199998]: expected a string, found 7"
    );
}

/// The outermost two objects are read by fields of our own, which may miss none of oci-spec's.
#[test]
fn every_field_is_read_as_oci_spec_reads_it() {
    let config = json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [{"destination": "/a", "type": "tmpfs", "source": "a", "options": ["ro"]}],
        "process": {
            "terminal": true,
            "consoleSize": {"height": 1, "width": 2},
            "user": {"uid": 1, "gid": 2, "umask": 3, "additionalGids": [4], "username": "u"},
            "args": ["sh"],
            "commandLine": "sh",
            "env": ["A=1"],
            "cwd": "/c",
            "capabilities": {"bounding": ["CAP_KILL"], "effective": [], "inheritable": [], "permitted": [], "ambient": []},
            "rlimits": [{"type": "RLIMIT_CORE", "soft": 1, "hard": 2}],
            "noNewPrivileges": false,
            "apparmorProfile": "a",
            "oomScoreAdj": -5,
            "selinuxLabel": "s",
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
            "scheduler": {"policy": "SCHED_BATCH", "nice": 1, "priority": 0, "flags": [], "runtime": 0, "deadline": 0, "period": 0},
            "execCPUAffinity": {"initial": "0-3,7", "final": "1"},
        },
        "hostname": "h",
        "domainname": "d",
        "hooks": {"poststop": [{"path": "/h"}]},
        "annotations": {"a": "b"},
        "linux": {"rootfsPropagation": "slave"},
        "vm": {"kernel": {"path": "/k"}},
    });
    let theirs = |config: &Value| Spec::deserialize(config).unwrap();
    assert_eq!(*read(&config).unwrap().spec(), theirs(&config));

    let least = json!({"process": {"user": {}, "cwd": ""}});
    assert_eq!(*read(&least).unwrap().spec(), theirs(&least));

    // A field that a newer oci-spec knows, and neither of us has, shows here.
    let spec = format!("{:#?}", theirs(&config));
    let depth = |line: &str| line.len() - line.trim_start().len();
    let unset = spec
        .lines()
        .filter(|line| depth(line) == 4)
        .filter_map(|line| line.trim().strip_suffix(": None,"))
        .collect::<Vec<_>>();
    let others = ["solaris", "windows", "zos", "uid_mappings", "gid_mappings"];
    assert_eq!(unset, others);
    let process = format!("{:#?}", theirs(&config).process().as_ref().unwrap());
    assert!(!process.contains("None"), "{process}");
}

#[test]
fn what_go_writes_for_nothing_is_nothing() {
    let mut config = minimal();
    config["hostname"] = json!("");
    config["mounts"] = json!(null);
    config["hooks"] = json!({"prestart": null, "poststop": []});
    config["process"]["terminal"] = json!(null);
    config["process"]["capabilities"] = json!({"bounding": null, "effective": ["CAP_KILL"]});
    config["process"]["apparmorProfile"] = json!("");
    config["process"]["user"]["additionalGids"] = json!(null);
    config["linux"]["namespaces"] = json!([{"type": "pid", "path": ""}]);
    config["linux"]["seccomp"] = json!(null);
    config["linux"]["resources"] = json!({"memory": null, "pids": {}, "devices": [{"allow": false, "type": "", "access": "rwm"}]});
    let config = read(&config).unwrap();
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());

    let spec = config.spec();
    assert_eq!(spec.hostname(), &None);
    let process = spec.process().as_ref().unwrap();
    assert_eq!(process.apparmor_profile(), &None);
    assert_eq!(process.terminal(), None);
    let linux = spec.linux().as_ref().unwrap();
    assert!(linux.seccomp().is_none());
    assert_eq!(linux.namespaces().as_ref().unwrap()[0].path(), &None);
    let resources = linux.resources().as_ref().unwrap();
    assert!(resources.memory().is_none());
    assert!(resources.pids().is_none());
    assert_eq!(resources.devices().as_ref().unwrap()[0].typ(), None);
}

#[test]
fn what_is_read_otherwise_than_written_is_told() {
    let cases = [
        (
            "process/capabilities",
            json!({"bounding": ["CAP_KILL", "CAP_FLY", "kill", "SYS_ADMIN"]}),
            vec![
                "process.capabilities.bounding: unknown capability \"CAP_FLY\", ignored",
                "process.capabilities.bounding: unknown capability \"kill\", ignored",
                "process.capabilities.bounding: unknown capability \"SYS_ADMIN\", ignored",
            ],
        ),
        (
            "process/capabilities",
            json!({"ambient": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_KILL"]}),
            vec![
                "process.capabilities.ambient: CAP_CHOWN is not in both inheritable and permitted, ignored",
            ],
        ),
        (
            "process",
            json!({"args": ["sh"], "cwd": "/"}),
            vec!["process.user: is missing, taken as uid 0 and gid 0"],
        ),
        (
            "linux/resources/pids/limit",
            json!(0),
            vec!["linux.resources.pids.limit: 0 sets no limit before ociVersion 1.3.0; write -1"],
        ),
        (
            "ociVersion",
            json!("1.4.0"),
            vec!["ociVersion: 1.4.0 is newer than 1.3, what it adds is ignored"],
        ),
        (
            "mounts",
            json!([{"destination": "data", "type": "tmpfs"}]),
            vec!["mounts[0].destination: \"data\" is taken as relative to /"],
        ),
        (
            "linux/devices",
            json!([{"path": "/dev/x", "type": "c", "major": 1, "minor": 1, "fileMode": 69206454}]),
            vec!["linux.devices[0].fileMode: 69206454 is no file mode, taken as 0o666"],
        ),
        // The type in the mode is what podman writes.
        (
            "linux/devices",
            json!([{"path": "/dev/x", "type": "c", "major": 1, "minor": 1, "fileMode": 0o20666}]),
            vec![],
        ),
        ("windows", json!({"layerFolders": 5}), vec!["windows: ignored, it is for another system"]),
        (
            "process/user/username",
            json!("ContainerUser"),
            vec!["process.user.username: ignored, it is for another system"],
        ),
        (
            "process/commandLine",
            json!("cmd.exe"),
            vec!["process.commandLine: ignored, it is for another system"],
        ),
        ("process/commandLine", json!(""), vec![]),
        ("Hostname", json!("x"), vec!["Hostname: unknown field, ignored; it is spelled hostname"]),
        (
            "process/ARGS",
            json!(["x"]),
            vec!["process.ARGS: unknown field, ignored; it is spelled args"],
        ),
        ("linux/new", json!({"x": [1, 2]}), vec!["linux.new: unknown field, ignored"]),
        ("uidMappings", json!(5), vec!["uidMappings: unknown field, ignored; it belongs in linux"]),
    ];
    for (pointer, value, expected) in cases {
        let text = with(pointer, value);
        let config = read(&text).unwrap();
        assert_eq!(config.warnings(), expected, "{pointer}");
        assert_eq!(config.raw(), text.to_string().as_bytes());
    }
}

#[test]
fn pids_limits_mean_what_their_version_says() {
    let limit = |version: &str, pids: Value| {
        let mut config = with("ociVersion", json!(version));
        config["linux"]["resources"]["pids"] = pids;
        let config = read(&config).unwrap();
        let linux = config.spec().linux().as_ref().unwrap();
        let resources = linux.resources().as_ref().unwrap();
        resources.pids().map(|pids| pids.limit())
    };
    assert_eq!(limit("1.0.2", json!({"limit": 0})), None);
    assert_eq!(limit("1.2.1", json!({"limit": 0})), None);
    assert_eq!(limit("1.3.0", json!({"limit": 0})), Some(0));
    assert_eq!(limit("1.3.0", json!({})), None);
    assert_eq!(limit("1.2.1", json!({"limit": -1})), Some(-1));
    assert_eq!(limit("1.2.1", json!({"limit": 7})), Some(7));
}

#[test]
fn numbers_beyond_oci_spec_s_types_are_taken() {
    let mut config = minimal();
    config["linux"]["resources"]["hugepageLimits"] =
        json!([{"pageSize": "2MB", "limit": u64::MAX}]);
    config["process"]["rlimits"] =
        json!([{"type": "RLIMIT_CORE", "soft": u64::MAX, "hard": u64::MAX}]);
    let config = read(&config).unwrap();
    let linux = config.spec().linux().as_ref().unwrap();
    let resources = linux.resources().as_ref().unwrap();
    assert_eq!(resources.hugepage_limits().as_ref().unwrap()[0].limit(), i64::MAX);
    let process = config.spec().process().as_ref().unwrap();
    assert_eq!(process.rlimits().as_ref().unwrap()[0].hard(), u64::MAX);
}

#[test]
fn scheduler_flags_are_read_as_the_specification_spells_them() {
    use oci_spec::runtime::LinuxSchedulerFlag::*;
    let config = read(&with(
        "process/scheduler",
        json!({"policy": "SCHED_DEADLINE", "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"]}),
    ))
    .unwrap();
    let process = config.spec().process().as_ref().unwrap();
    let flags = process.scheduler().as_ref().unwrap().flags();
    assert_eq!(
        flags.as_deref(),
        Some(&[SchedResetOnFork, SchedFlagReclaim, SchedFlagDLOverrun][..])
    );
    // As oci-spec writes what it has read, too.
    let again = Config::from_spec(config.spec()).unwrap();
    assert_eq!(again.spec(), config.spec());
}

#[test]
fn what_a_scheduler_will_not_heed_is_a_warning() {
    let config = read(&with(
        "process/scheduler",
        json!({"policy": "SCHED_FIFO", "priority": 1, "nice": 5, "flags": ["SCHED_FLAG_UTIL_CLAMP_MAX"]}),
    ))
    .unwrap();
    assert_eq!(
        config.warnings(),
        [
            "process.scheduler.nice: ignored, SCHED_FIFO has no nice value",
            "process.scheduler.flags: SCHED_FLAG_UTIL_CLAMP_MAX has no field for its value, which is 0",
        ]
    );
}

#[test]
fn a_process_by_itself_is_named_as_in_a_configuration() {
    let (_, warnings) = process_from_bytes(br#"{"args": ["sh"], "cwd": "/", "env_": []}"#).unwrap();
    assert_eq!(
        warnings,
        [
            "process.env_: unknown field, ignored",
            "process.user: is missing, taken as uid 0 and gid 0"
        ]
    );
    let error = process_from_bytes(br#"{"args": ["sh", 5], "rlimits": [{"type": "x"}]}"#);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("process.rlimits[0].type: unknown value \"x\"; known are RLIMIT_AS, ")
    );
    let error = process_from_bytes(b"{").unwrap_err();
    assert_eq!(error.to_string(), "process is cut off at line 1, column 1, inside an object");
    let error = process_from_bytes(b"null").unwrap_err();
    assert_eq!(error.to_string(), "process: expected an object, found null");
}

#[test]
fn resources_by_themselves_are_read_as_in_a_config() {
    let read = |text: &str, version| {
        resources_from_bytes(text.as_bytes(), version).map_err(|error| error.to_string())
    };
    let text = r#"{"memory":{"limit":5,"limmit":6},"cpu":{"cpus":""},"blockIO":null,"x":1}"#;
    let (resources, warnings) = read(text, "1.2.0").unwrap();
    assert_eq!(resources.memory().unwrap().limit(), Some(5));
    assert_eq!(resources.cpu().as_ref().unwrap().cpus(), &None);
    let expected = [
        "linux.resources.x: unknown field, ignored",
        "linux.resources.memory.limmit: unknown field, ignored",
    ];
    assert_eq!(warnings, expected);

    let zero = r#"{"pids":{"limit":0}}"#;
    assert_eq!(read(zero, "1.2.0").unwrap().0.pids(), &None);
    assert_eq!(read(zero, "1.3.0").unwrap().0.pids().unwrap().limit(), 0);

    for (text, says) in [
        ("", "resources is cut off"),
        ("null", "linux.resources: expected an object"),
        ("[]", "linux.resources: expected an object, found an array"),
        (r#"{"pids":{"limit":"x"}}"#, "linux.resources.pids.limit: "),
        (r#"{"memory":[]}"#, "linux.resources.memory: expected an object, found an array"),
    ] {
        let error = read(text, "1.2.0").unwrap_err();
        assert!(error.starts_with(says), "{text}: {error}");
    }
}
