//! Each thing that can be wrong with a configuration gets its line, whatever else is wrong.

use libcontainer::config::{Config, HostIds, process_from_bytes, validate, validate_process};
use serde_json::{Value, json};

const ROOT: HostIds = HostIds { privileged: true, euid: 0, egid: 0 };

/// What `runc spec` writes.
fn base() -> Value {
    serde_json::from_str(include_str!("samples/runc.config.json")).unwrap()
}

/// The problems of `config` for a privileged caller.
fn problems(config: &Value) -> Vec<String> {
    let problems = match Config::from_bytes(config.to_string().into_bytes()) {
        Ok(config) => validate(config.spec(), &ROOT),
        Err(error) => error.all_problems().to_vec(),
    };
    problems.iter().map(ToString::to_string).collect()
}

/// `base` with `value` at `pointer`; objects on the way are made. Null takes it out.
fn with(pointer: &str, value: Value) -> Value {
    let mut config = base();
    set(&mut config, pointer, value);
    config
}

fn set(config: &mut Value, pointer: &str, value: Value) {
    let mut place = config;
    for key in pointer.split('/') {
        place = &mut place[key];
    }
    *place = value;
}

/// `base` in which each of `changes` is made.
fn all(changes: &[(&str, Value)]) -> Value {
    let mut config = base();
    changes.iter().for_each(|(pointer, value)| set(&mut config, pointer, value.clone()));
    config
}

fn check(cases: &[(&str, Value, &[&str])]) {
    for (pointer, value, expected) in cases {
        assert_eq!(problems(&with(pointer, value.clone())), *expected, "{pointer} {value}");
    }
}

/// A list of the namespace types of `base` without `types`.
fn without(types: &[&str]) -> Value {
    let mut config = base();
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| !types.contains(&namespace["type"].as_str().unwrap()));
    json!(namespaces)
}

/// The namespaces of `base` and `more`.
fn and(more: Value) -> Value {
    let mut namespaces = base()["linux"]["namespaces"].as_array().unwrap().clone();
    namespaces.push(more);
    json!(namespaces)
}

#[test]
fn the_base_is_right() {
    assert!(problems(&base()).is_empty());
}

#[test]
fn version() {
    check(&[
        ("ociVersion", json!(null), &["ociVersion: is missing; write \"1.0.2\" or newer"]),
        ("ociVersion", json!("one"), &["ociVersion: \"one\" is no version of the form 1.0.2"]),
        ("ociVersion", json!("0.9.0"), &["ociVersion: 0.9.0 is not supported; 1.0.0 to 1.3.x are"]),
        ("ociVersion", json!("2.0.0"), &["ociVersion: 2.0.0 is not supported; 1.0.0 to 1.3.x are"]),
        ("ociVersion", json!("1.0.0-rc5"), &[]),
        ("ociVersion", json!("1.3.0"), &[]),
        ("ociVersion", json!("1.99.0"), &[]),
    ]);
}

#[test]
fn root() {
    check(&[
        (
            "root",
            json!(null),
            &["root: is missing; root.path names the container's root filesystem"],
        ),
        ("root", json!({}), &["root.path: is empty; it names the container's root filesystem"]),
        (
            "root/path",
            json!(""),
            &["root.path: is empty; it names the container's root filesystem"],
        ),
        ("root/path", json!("/a\u{0}b"), &["root.path: \"/a\\0b\" has a NUL in it"]),
        ("root/path", json!("/a\\u0000b"), &[]),
    ]);
}

#[test]
fn process() {
    let program = "is empty; it must name the program to run";
    let args = format!("process.args: {program}");
    let first = "process.args[0]: exec: \"\": executable file not found in $PATH; it must name the program to run";
    check(&[
        ("process", json!(null), &["process: is missing; it says what to run"]),
        ("process/args", json!(null), &[&args]),
        ("process/args", json!([]), &[&args]),
        ("process/args", json!([""]), &[first]),
        ("process/args", json!(["sh", ""]), &[]),
        ("process/args", json!(["sh", "a\u{0}"]), &["process.args[1]: \"a\\0\" has a NUL in it"]),
        ("process/env", json!(["A=", "B=c=d"]), &[]),
        (
            "process/env",
            json!(["A=1", "B\nC", "=x"]),
            &[
                "process.env[1]: \"B\\nC\" has no `=`; the form is NAME=value",
                "process.env[2]: \"=x\" has no name; the form is NAME=value",
            ],
        ),
        (
            "process/cwd",
            json!(null),
            &["process.cwd: is missing; it must be an absolute path, such as /"],
        ),
        (
            "process/cwd",
            json!("tmp"),
            &["process.cwd: \"tmp\" is relative; it must be an absolute path"],
        ),
        ("process/user/umask", json!(0o777), &[]),
        (
            "process/user/umask",
            json!(0o1000),
            &["process.user.umask: 512 is out of range; 0 to 511 (0777) is right"],
        ),
        (
            "process/user/additionalGids",
            json!(vec![1; 65537]),
            &["process.user.additionalGids: has 65537 groups; the kernel takes 65536"],
        ),
        ("process/oomScoreAdj", json!(-1000), &[]),
        (
            "process/oomScoreAdj",
            json!(-1001),
            &["process.oomScoreAdj: -1001 is out of range; -1000 to 1000 is right"],
        ),
        (
            "process/oomScoreAdj",
            json!(1001),
            &["process.oomScoreAdj: 1001 is out of range; -1000 to 1000 is right"],
        ),
        (
            "process/consoleSize",
            json!({"height": 65535, "width": 65536}),
            &["process.consoleSize.width: 65536 is out of range; 0 to 65535 is right"],
        ),
        (
            "process/rlimits",
            json!([
                {"type": "RLIMIT_CORE", "soft": 2, "hard": 1},
                {"type": "RLIMIT_CPU", "soft": 1, "hard": 1},
                {"type": "RLIMIT_CORE", "soft": 1, "hard": 1},
            ]),
            &[
                "process.rlimits[0].soft: 2 of RLIMIT_CORE is over its hard limit 1",
                "process.rlimits[2].type: RLIMIT_CORE is in process.rlimits[0] already",
            ],
        ),
        (
            "process/capabilities",
            json!({"effective": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL"]}),
            &[
                "process.capabilities.effective: CAP_CHOWN is not in permitted; the kernel wants it there too",
            ],
        ),
        (
            "process/capabilities",
            json!({"effective": ["CAP_MKNOD", "CAP_CHOWN"]}),
            &[
                "process.capabilities.effective: CAP_CHOWN, CAP_MKNOD are not in permitted; the kernel wants it there too",
            ],
        ),
        ("process/capabilities", json!(null), &[]),
    ]);
}

#[test]
fn names_of_the_container() {
    let long = "x".repeat(65);
    check(&[
        ("hostname", json!("x".repeat(64)), &[]),
        ("hostname", json!(long), &["hostname: has 65 bytes; the kernel takes 64"]),
        ("domainname", json!(long), &["domainname: has 65 bytes; the kernel takes 64"]),
        (
            "linux/namespaces",
            without(&["uts"]),
            &["hostname: needs a uts namespace in linux.namespaces"],
        ),
    ]);
    let joined = all(&[
        ("linux/namespaces", without(&["uts"])),
        ("hostname", json!(null)),
        ("domainname", json!("example.org")),
    ]);
    assert_eq!(problems(&joined), ["domainname: needs a uts namespace in linux.namespaces"]);
}

#[test]
fn mounts() {
    check(&[
        (
            "mounts",
            json!([{"type": "tmpfs"}]),
            &["mounts[0].destination: is missing; it must be an absolute path in the container"],
        ),
        (
            "mounts",
            json!([{"destination": "/a"}]),
            &[
                "mounts[0].type: is missing (/a); it must be a filesystem's name, or options have bind or rbind",
            ],
        ),
        (
            "mounts",
            json!([{"destination": "/a", "type": "none", "source": "/b"}]),
            &[
                "mounts[0].type: is none (/a); it must be a filesystem's name, or options have bind or rbind",
            ],
        ),
        (
            "mounts",
            json!([{"destination": "/a", "type": "none", "options": ["rbind"]}]),
            &["mounts[0].source: is missing (/a); it must name what is bound"],
        ),
        (
            "mounts",
            json!([{"destination": "/a", "type": "bind"}]),
            &["mounts[0].source: is missing (/a); it must name what is bound"],
        ),
        ("mounts", json!([{"destination": "/a", "options": ["bind"], "source": "b"}]), &[]),
        ("mounts", json!([{"destination": "/a", "options": ["remount", "ro"]}]), &[]),
        ("mounts", json!([{"destination": "a", "type": "tmpfs"}]), &[]),
        ("linux/rootfsPropagation", json!("rshared"), &[]),
        (
            "linux/rootfsPropagation",
            json!("none"),
            &[
                "linux.rootfsPropagation: unknown value \"none\"; known are shared, slave, private, unbindable, rshared, rslave, rprivate, runbindable",
            ],
        ),
        (
            "linux/maskedPaths",
            json!(["/a", "b", ""]),
            &[
                "linux.maskedPaths[1]: \"b\" must be an absolute path in the container",
                "linux.maskedPaths[2]: \"\" must be an absolute path in the container",
            ],
        ),
        (
            "linux/readonlyPaths",
            json!(["b"]),
            &["linux.readonlyPaths[0]: \"b\" must be an absolute path in the container"],
        ),
    ]);
    let config = all(&[
        ("linux/namespaces", without(&["mount"])),
        ("linux/rootfsPropagation", json!("slave")),
    ]);
    assert_eq!(problems(&config), [""; 0]);
    let mut namespaces = without(&["mount"]);
    namespaces.as_array_mut().unwrap().push(json!({"type": "user"}));
    let config = all(&[
        ("linux/namespaces", namespaces),
        ("linux/rootfsPropagation", json!("slave")),
        ("linux/uidMappings", json!([{"containerID": 0, "hostID": 0, "size": 1}])),
        ("linux/gidMappings", json!([{"containerID": 0, "hostID": 0, "size": 1}])),
    ]);
    let expected = [
        "root.readonly",
        "mounts",
        "linux.maskedPaths",
        "linux.readonlyPaths",
        "linux.rootfsPropagation",
    ]
    .map(|field| {
        format!("{field}: needs a mount namespace in linux.namespaces, beside that of users")
    });
    assert_eq!(problems(&config), expected);
}

#[test]
fn namespaces() {
    check(&[
        (
            "linux/namespaces",
            and(json!({"type": "pid", "path": "/proc/1/ns/pid"})),
            &["linux.namespaces[5].type: pid is in linux.namespaces[0] already"],
        ),
        (
            "linux/namespaces",
            and(json!({"type": "time", "path": "proc/1/ns/time"})),
            &[
                "linux.namespaces[5].path: \"proc/1/ns/time\" is relative; it must be an absolute path",
            ],
        ),
        ("linux/namespaces", and(json!({"type": "time"})), &[]),
    ]);
    let user = HostIds { privileged: false, euid: 1000, egid: 1000 };
    let config = Config::from_bytes(base().to_string().into_bytes()).unwrap();
    assert_eq!(
        validate(config.spec(), &user)[0].to_string(),
        "linux.namespaces: has no user namespace, which user 1000 needs; `skep spec --rootless` writes one"
    );
    let joined = with("linux/namespaces", and(json!({"type": "user", "path": "/run/x"})));
    let config = Config::from_bytes(joined.to_string().into_bytes()).unwrap();
    assert_eq!(validate(config.spec(), &user), []);
}

/// `base` in a new user namespace, with these mappings for users and `0..=65535` for groups.
fn mapped(uids: Value) -> Value {
    all(&[
        ("linux/namespaces", and(json!({"type": "user"}))),
        ("linux/uidMappings", uids),
        ("linux/gidMappings", json!([{"containerID": 0, "hostID": 100000, "size": 65536}])),
    ])
}

#[test]
fn mappings() {
    let cases: &[(Value, &[&str])] = &[
        (json!([{"containerID": 0, "hostID": 1000, "size": 1}]), &[]),
        (json!([{"containerID": 0, "hostID": 0, "size": 4294967295u32}]), &[]),
        (
            json!([]),
            &["linux.uidMappings: is empty; a new user namespace needs at least one mapping"],
        ),
        (
            json!([{"containerID": 1, "hostID": 1, "size": 9}]),
            &["process.user.uid: 0 is not mapped in linux.uidMappings; mapped are 1..9"],
        ),
        (
            json!([{"containerID": 0, "hostID": 1000, "size": 1}, {"containerID": 1, "hostID": 5000, "size": 0}]),
            &["linux.uidMappings[1].size: is 0; a range has one id or more"],
        ),
        (
            json!([{"containerID": 0, "hostID": 4294967290u32, "size": 6}]),
            &[
                "linux.uidMappings[0].hostID: 4294967290 and size 6 go beyond the last id 4294967294",
            ],
        ),
        (
            json!([{"containerID": 5, "hostID": 1, "size": 5}, {"containerID": 0, "hostID": 11, "size": 6}]),
            &["linux.uidMappings[1].containerID: overlaps the range of linux.uidMappings[0]"],
        ),
        (
            json!([{"containerID": 0, "hostID": 10, "size": 5}, {"containerID": 5, "hostID": 14, "size": 5}]),
            &["linux.uidMappings[1].hostID: overlaps the range of linux.uidMappings[0]"],
        ),
        (
            json!(
                (0..341)
                    .map(|id| json!({"containerID": id, "hostID": id, "size": 1}))
                    .collect::<Vec<_>>()
            ),
            &["linux.uidMappings: has 341 entries; the kernel takes 340"],
        ),
    ];
    for (uids, expected) in cases {
        assert_eq!(problems(&mapped(uids.clone())), *expected, "{uids}");
    }
}

#[test]
fn mappings_and_namespace_go_together() {
    let range = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
    check(&[
        (
            "linux/namespaces",
            and(json!({"type": "user"})),
            &[
                "linux.uidMappings: is empty; a new user namespace needs at least one mapping",
                "linux.gidMappings: is empty; a new user namespace needs at least one mapping",
            ],
        ),
        ("linux/namespaces", and(json!({"type": "user", "path": "/run/x"})), &[]),
        (
            "linux/gidMappings",
            range.clone(),
            &["linux.gidMappings: needs a user namespace in linux.namespaces"],
        ),
    ]);
    let mut joined = mapped(range);
    joined["linux"]["namespaces"][5]["path"] = json!("/proc/7/ns/user");
    assert!(problems(&joined).is_empty());
}

#[test]
fn ids_of_the_process_are_mapped() {
    let mut config = mapped(json!([
        {"containerID": 0, "hostID": 1000, "size": 1},
        {"containerID": 1, "hostID": 100000, "size": 9},
    ]));
    config["process"]["user"] = json!({"uid": 1000, "gid": 65536, "additionalGids": [5, 70000]});
    assert_eq!(
        problems(&config),
        [
            "process.user.uid: 1000 is not mapped in linux.uidMappings; mapped are 0..0, 1..9",
            "process.user.gid: 65536 is not mapped in linux.gidMappings; mapped are 0..65535",
            "process.user.additionalGids[1]: 70000 is not mapped in linux.gidMappings; mapped are 0..65535",
        ]
    );
    config["process"]["user"] = json!({"uid": 9, "gid": 65535, "additionalGids": [5]});
    assert!(problems(&config).is_empty());
}

#[test]
fn time_offsets() {
    let offsets = json!({"monotonic": {"secs": -5, "nanosecs": 999999999}});
    check(&[
        (
            "linux/timeOffsets",
            offsets.clone(),
            &["linux.timeOffsets: needs a time namespace in linux.namespaces"],
        ),
        ("linux/timeOffsets", json!({}), &[]),
    ]);
    let new = |offsets: Value| {
        all(&[("linux/namespaces", and(json!({"type": "time"}))), ("linux/timeOffsets", offsets)])
    };
    assert!(problems(&new(offsets.clone())).is_empty());
    assert_eq!(
        problems(&new(json!({"boottime": {"nanosecs": 1000000000}, "realtime": {}}))),
        [
            "linux.timeOffsets.boottime.nanosecs: 1000000000 is out of range; 0 to 999999999 is right",
            "linux.timeOffsets.realtime: unknown clock; known are monotonic, boottime",
        ]
    );
    let mut joined = new(offsets);
    joined["linux"]["namespaces"][5]["path"] = json!("/proc/7/ns/time");
    assert_eq!(
        problems(&joined),
        ["linux.timeOffsets: needs a new time namespace, not a joined one"]
    );
}

#[test]
fn sysctls() {
    let sysctl = |name: &str| json!({name: "1"});
    check(&[
        (
            "linux/sysctl",
            json!({"net.core.somaxconn": "1", "kernel.shmmax": "1", "fs.mqueue.msg_max": "1", "kernel.domainname": "x", "net/ipv4/ip_forward": "1"}),
            &[],
        ),
        (
            "linux/sysctl",
            sysctl("vm.swappiness"),
            &[
                "linux.sysctl[\"vm.swappiness\"]: belongs to the whole machine; only sysctls of a namespace can be set",
            ],
        ),
        (
            "linux/sysctl",
            sysctl("kernel.hostname"),
            &["linux.sysctl[\"kernel.hostname\"]: is set by the field hostname; use that"],
        ),
        (
            "linux/sysctl",
            sysctl("user.max_net_namespaces"),
            &[
                "linux.sysctl[\"user.max_net_namespaces\"]: needs a namespace of type user in linux.namespaces",
            ],
        ),
        (
            "linux/sysctl",
            sysctl("net/../kernel/panic"),
            &[
                "linux.sysctl[\"net/../kernel/panic\"]: is no name of a sysctl, such as net.core.somaxconn",
            ],
        ),
        (
            "linux/sysctl",
            sysctl("net"),
            &[
                "linux.sysctl.net: belongs to the whole machine; only sysctls of a namespace can be set",
            ],
        ),
        (
            "linux/sysctl",
            sysctl("kernel.shmmaxx"),
            &[
                "linux.sysctl[\"kernel.shmmaxx\"]: belongs to the whole machine; only sysctls of a namespace can be set",
            ],
        ),
    ]);
    let hosts = all(&[
        ("linux/namespaces", without(&["network", "ipc", "uts"])),
        ("hostname", json!(null)),
        (
            "linux/sysctl",
            json!({"net.core.somaxconn": "1", "kernel.msgmax": "1", "kernel.domainname": "x"}),
        ),
    ]);
    assert_eq!(
        problems(&hosts),
        [
            "linux.sysctl[\"kernel.domainname\"]: needs a namespace of type uts in linux.namespaces",
            "linux.sysctl[\"kernel.msgmax\"]: needs a namespace of type ipc in linux.namespaces",
            "linux.sysctl[\"net.core.somaxconn\"]: needs a namespace of type network in linux.namespaces",
        ]
    );
    let both =
        all(&[("domainname", json!("a")), ("linux/sysctl", json!({"kernel.domainname": "b"}))]);
    assert_eq!(
        problems(&both),
        [
            "linux.sysctl[\"kernel.domainname\"]: is set by the field domainname too; use one of them"
        ]
    );
}

#[test]
fn cgroups_path() {
    let field = "linux/cgroupsPath";
    let climbing =
        |path: &str| format!("linux.cgroupsPath: {path:?} has `..` in it; write where it leads");
    check(&[
        (field, json!("/a/b"), &[]),
        (field, json!("system.slice:docker:a..b"), &[]),
        (field, json!("/a/../../b"), &[&climbing("/a/../../b")]),
        (field, json!(".."), &[&climbing("..")]),
    ]);
}

#[test]
fn devices() {
    let device =
        |path: &str, minor: i64| json!({"path": path, "type": "c", "major": 1, "minor": minor});
    check(&[
        (
            "linux/devices",
            json!([device("/dev/a", 1), device("/dev/a", 1), {"path": "/dev/p", "type": "p"}]),
            &[],
        ),
        (
            "linux/devices",
            json!([device("/dev/a", 1), device("/dev/a", 2)]),
            &["linux.devices[1].path: \"/dev/a\" is another device in linux.devices[0]"],
        ),
        (
            "linux/devices",
            json!([device("a", 1)]),
            &["linux.devices[0].path: \"a\" must be an absolute path in the container"],
        ),
        (
            "linux/devices",
            json!([device("/a", 1048576)]),
            &["linux.devices[0].minor: 1048576 is out of range; 0 to 1048575 is right"],
        ),
        (
            "linux/devices",
            json!([{"path": "/a", "type": "b", "major": -1, "minor": 0}]),
            &["linux.devices[0].major: -1 is out of range; 0 to 4095 is right"],
        ),
    ]);
}

#[test]
fn hooks() {
    check(&[
        (
            "hooks/prestart",
            json!([{"path": "/bin/true", "args": [], "env": ["A=1"], "timeout": 1}]),
            &[],
        ),
        (
            "hooks/poststop",
            json!([{}]),
            &["hooks.poststop[0].path: is missing; it must name the program to run"],
        ),
        (
            "hooks/createRuntime",
            json!([{"path": "true"}]),
            &["hooks.createRuntime[0].path: \"true\" is relative; it must be an absolute path"],
        ),
        (
            "hooks/poststart",
            json!([{"path": "/a", "timeout": 0}]),
            &["hooks.poststart[0].timeout: 0 must be greater than 0; leave it out for no limit"],
        ),
        (
            "hooks/startContainer",
            json!([{"path": "/a", "env": ["A"]}]),
            &["hooks.startContainer[0].env[0]: \"A\" has no `=`; the form is NAME=value"],
        ),
        (
            "hooks/createContainer",
            json!([{"path": "/a", "args": ["\u{0}"]}]),
            &["hooks.createContainer[0].args[0]: \"\\0\" has a NUL in it"],
        ),
    ]);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let cases = [("vm", json!({"kernel": {"path": "/k"}, "hwConfig": {}}))];
    for (pointer, value) in cases {
        let field = pointer.replace('/', ".");
        let expected =
            format!("{field}: is not supported by this version; leave it out to run without it");
        assert_eq!(problems(&with(pointer, value)), [expected]);
    }
    check(&[
        ("linux/seccomp", json!(null), &[]),
        ("annotations", json!({"org.example": "x"}), &[]),
        ("linux/mountLabel", json!("u:r:t:s0:c1,c2"), &[]),
        (
            "linux/mountLabel",
            json!("u\",uid=0"),
            &["linux.mountLabel: has a quotation mark, which no label has"],
        ),
    ]);
}

#[test]
fn mappings_of_mounts() {
    let mount = |fields: Value| {
        let mut mount = json!({"destination": "/a", "type": "bind", "source": "/b"});
        mount.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!([mount])
    };
    let map = |size: u32| json!([{"containerID": 0, "hostID": 4294967290u32, "size": size}]);
    check(&[
        ("mounts", mount(json!({"uidMappings": map(1), "gidMappings": map(1)})), &[]),
        ("mounts", mount(json!({"options": ["rbind", "idmap=uids=0-1-2;gids=0-1-2"]})), &[]),
        (
            "mounts",
            mount(json!({"uidMappings": map(1)})),
            &[
                "mounts[0].gidMappings: is missing; uidMappings and gidMappings of a mount go together",
            ],
        ),
        (
            "mounts",
            mount(json!({"uidMappings": map(0), "gidMappings": map(6)})),
            &[
                "mounts[0].uidMappings[0].size: is 0; a range has one id or more",
                "mounts[0].gidMappings[0].hostID: 4294967290 and size 6 go beyond the last id 4294967294",
            ],
        ),
        (
            "mounts",
            mount(json!({"options": ["rbind", "ridmap"]})),
            &[
                "mounts[0].options: idmap without uidMappings and gidMappings takes the container's user namespace, and there is none; add the mappings to the mount",
            ],
        ),
        (
            "mounts",
            mount(json!({"options": ["idmap=uids=0-1"]})),
            &[
                "mounts[0].options: idmap: \"0-1\" is no range; one is FILESYSTEM-HOST-COUNT or @FILESYSTEM-CONTAINER-COUNT",
            ],
        ),
        (
            "mounts",
            mount(json!({"options": ["idmap=uids=0-1-2"]})),
            &[
                "mounts[0].gidMappings: is missing; uidMappings and gidMappings of a mount go together",
            ],
        ),
        (
            "mounts",
            mount(
                json!({"options": ["idmap=uids=0-1-1;gids=0-1-1"], "uidMappings": map(1), "gidMappings": map(1)}),
            ),
            &["mounts[0].options: idmap: has a value, and the mount has mappings; take one away"],
        ),
        (
            "mounts",
            mount(
                json!({"options": ["remount", "idmap"], "uidMappings": map(1), "gidMappings": map(1)}),
            ),
            &["mounts[0].options: idmap is for a new mount; one that is there keeps its ids"],
        ),
    ]);
}

#[test]
fn schedulers() {
    let scheduler = |value: Value| ("process/scheduler", value);
    let right = [
        json!({"policy": "SCHED_OTHER", "nice": -20}),
        json!({"policy": "SCHED_BATCH", "nice": 19, "priority": 0, "runtime": 0, "flags": []}),
        json!({"policy": "SCHED_IDLE"}),
        json!({"policy": "SCHED_FIFO", "priority": 1}),
        json!({"policy": "SCHED_RR", "priority": 99, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}),
        json!({"policy": "SCHED_FIFO", "flags": ["SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS"]}),
        json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024}),
        json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 2000, "period": 2000}),
    ];
    check(
        &right
            .map(|value| (scheduler(value), &[][..]))
            .map(|((pointer, value), says)| (pointer, value, says)),
    );
    check(&[
        (
            "process/scheduler",
            json!({"policy": "SCHED_ISO"}),
            &[
                "process.scheduler.policy: SCHED_ISO is a number that Linux keeps free, no policy that it has; choose another",
            ],
        ),
        (
            "process/scheduler",
            json!({"policy": "SCHED_OTHER", "nice": 20, "priority": 1, "period": 5}),
            &[
                "process.scheduler.nice: 20 is out of range; -20 to 19 is right",
                "process.scheduler.priority: 1 goes with SCHED_FIFO and SCHED_RR, SCHED_OTHER has none",
                "process.scheduler.period: 5 goes with SCHED_DEADLINE, SCHED_OTHER has none",
            ],
        ),
        (
            "process/scheduler",
            json!({"policy": "SCHED_FIFO"}),
            &["process.scheduler.priority: is missing; SCHED_FIFO takes 1 to 99"],
        ),
        (
            "process/scheduler",
            json!({"policy": "SCHED_RR", "priority": 100}),
            &["process.scheduler.priority: 100 is out of range; SCHED_RR takes 1 to 99"],
        ),
        (
            "process/scheduler",
            json!({"policy": "SCHED_DEADLINE", "priority": 3}),
            &[
                "process.scheduler.priority: 3 goes with SCHED_FIFO and SCHED_RR, SCHED_DEADLINE has none",
                "process.scheduler.runtime: is missing; SCHED_DEADLINE takes 1024 nanoseconds or more",
                "process.scheduler.deadline: is missing; SCHED_DEADLINE takes runtime or more",
            ],
        ),
        (
            "process/scheduler",
            json!({"policy": "SCHED_DEADLINE", "runtime": 1000, "deadline": 900, "period": 800}),
            &[
                "process.scheduler.runtime: 1000 is too short; SCHED_DEADLINE takes 1024 nanoseconds or more",
                "process.scheduler.deadline: 900 is shorter than process.scheduler.runtime, 1000",
                "process.scheduler.period: 800 is shorter than process.scheduler.deadline, 900",
            ],
        ),
        (
            "process/scheduler",
            json!({"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 3000, "period": u64::MAX}),
            &[
                "process.scheduler.period: 18446744073709551615 is out of range; the kernel takes up to 9223372036854775807",
            ],
        ),
    ]);
}

#[test]
fn priorities_of_input_and_output_and_affinities() {
    check(&[
        ("process/ioPriority", json!({"class": "IOPRIO_CLASS_IDLE", "priority": 7}), &[]),
        (
            "process/ioPriority",
            json!({"class": "IOPRIO_CLASS_BE", "priority": -1}),
            &[
                "process.ioPriority.priority: -1 is out of range; 0 (highest) to 7 (lowest) is right",
            ],
        ),
        ("process/execCPUAffinity", json!({"initial": "", "final": "0-3,7"}), &[]),
        (
            "process/execCPUAffinity",
            json!({"initial": "0-", "final": "3-1"}),
            &[
                "process.execCPUAffinity.initial: \"0-\" is no list of CPUs such as 0-3,7",
                "process.execCPUAffinity.final: 3-1 in \"3-1\" runs backwards; the lower CPU comes first",
            ],
        ),
    ]);
}

#[test]
fn memory_policies_and_personalities() {
    check(&[
        ("linux/memoryPolicy", json!({"mode": "MPOL_DEFAULT", "nodes": ""}), &[]),
        ("linux/memoryPolicy", json!({"mode": "MPOL_PREFERRED"}), &[]),
        (
            "linux/memoryPolicy",
            json!({"mode": "MPOL_BIND", "nodes": "0,2-3", "flags": ["MPOL_F_NUMA_BALANCING", "MPOL_F_STATIC_NODES"]}),
            &[],
        ),
        (
            "linux/memoryPolicy",
            json!({"mode": "MPOL_INTERLEAVE"}),
            &["linux.memoryPolicy.nodes: is missing; MPOL_INTERLEAVE takes a list such as 0-3,7"],
        ),
        (
            "linux/memoryPolicy",
            json!({"mode": "MPOL_LOCAL", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}),
            &[
                "linux.memoryPolicy.nodes: \"0\" goes with another mode, MPOL_LOCAL takes no nodes",
                "linux.memoryPolicy.flags: MPOL_F_NUMA_BALANCING goes with MPOL_BIND and MPOL_PREFERRED_MANY, not with MPOL_LOCAL",
            ],
        ),
        (
            "linux/memoryPolicy",
            json!({"mode": "MPOL_BIND", "nodes": "1024", "flags": ["MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"]}),
            &[
                "linux.memoryPolicy.nodes: 1024 in \"1024\" is more than Linux has; the last memory node is 1023",
                "linux.memoryPolicy.flags: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other",
            ],
        ),
        ("linux/personality", json!({"domain": "LINUX32", "flags": []}), &[]),
        (
            "linux/personality",
            json!({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}),
            &["linux.personality.flags: the specification has no flags yet; leave it out"],
        ),
    ]);
}

#[test]
fn network_devices() {
    check(&[
        ("linux/netDevices", json!({}), &[]),
        ("linux/netDevices", json!({"eth0": {"name": "lan0"}, "eth1": {}, "eth0.100": {}}), &[]),
        // The kernel makes a name of each.
        ("linux/netDevices", json!({"a": {"name": "eth%d"}, "b": {"name": "eth%d"}}), &[]),
        // Each other's names: they meet in different namespaces.
        ("linux/netDevices", json!({"a": {"name": "b"}, "b": {"name": "a"}}), &[]),
        (
            "linux/netDevices",
            json!({"": {}, "lo": {}, "sixteen-bytes-16": {}, "a/b": {}, "c": {"name": "fifteen-bytes15"}}),
            &[
                "linux.netDevices[\"\"]: has no name; the key is what the host calls the device",
                "linux.netDevices[\"a/b\"]: \"a/b\" may have no space, / or : in it, or %",
                "linux.netDevices.lo: lo is in every network namespace, and none can be moved",
                "linux.netDevices[\"sixteen-bytes-16\"]: \"sixteen-bytes-16\" is of 16 bytes; 15 is the most",
            ],
        ),
        (
            "linux/netDevices",
            json!({"a": {"name": ""}, "b": {"name": "lo"}, "c": {"name": ".."}, "d": {"name": "x y"},
                "e": {"name": "%d%d"}, "f%d": {"name": "eth%s"}}),
            &[
                "linux.netDevices.b.name: lo is in every network namespace, and none can be moved",
                "linux.netDevices.c.name: \"..\" is no name of a network device",
                "linux.netDevices.d.name: \"x y\" may have no space, / or : in it, nor % but in one %d",
                "linux.netDevices.e.name: \"%d%d\" may have no space, / or : in it, nor % but in one %d",
                "linux.netDevices[\"f%d\"]: \"f%d\" may have no space, / or : in it, or %",
                "linux.netDevices[\"f%d\"].name: \"eth%s\" may have no space, / or : in it, nor % but in one %d",
            ],
        ),
        (
            "linux/netDevices",
            json!({"a": {"name": "x"}, "b": {"name": "x"}, "c": {"name": "d"}, "d": {}}),
            &[
                "linux.netDevices.b.name: \"x\" is the name of linux.netDevices.a already",
                "linux.netDevices.d.name: \"d\" is the name of linux.netDevices.c already",
            ],
        ),
    ]);
    let mut config = with("linux/netDevices", json!({"eth0": {}}));
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "network");
    assert_eq!(
        problems(&config),
        ["linux.netDevices: needs a network namespace in linux.namespaces, new or joined"]
    );
}

#[test]
fn intel_rdt() {
    check(&[
        ("linux/intelRdt", json!({}), &[]),
        ("linux/intelRdt", json!({"closID": "/", "enableMonitoring": true}), &[]),
        (
            "linux/intelRdt",
            json!({"closID": "gold", "l3CacheSchema": "L3:0=f;1=f", "memBwSchema": "MB:0=20",
                "schemata": ["L2:0=1"]}),
            &[],
        ),
        ("linux/intelRdt", json!({"l3CacheSchema": "L3CODE:0=f\nL3DATA:0=3"}), &[]),
        (
            "linux/intelRdt",
            json!({"closID": "a/b"}),
            &[
                "linux.intelRdt.closID: \"a/b\" is no name of a group; give one without /, or / for the default",
            ],
        ),
        (
            "linux/intelRdt",
            json!({"closID": "mon_groups"}),
            &[
                "linux.intelRdt.closID: \"mon_groups\" is a directory of resctrl's own; give another name",
            ],
        ),
        (
            "linux/intelRdt",
            json!({"closID": "..", "l3CacheSchema": "0=f", "memBwSchema": "MB:0=20\nL3:0=f",
                "schemata": ["L3:0=f", "", "MB:0=1\nMB:1=1"]}),
            &[
                "linux.intelRdt.closID: \"..\" is a directory of resctrl's own; give another name",
                "linux.intelRdt.l3CacheSchema: \"0=f\" is no schema of a cache; L3:0=f;1=f is one",
                "linux.intelRdt.memBwSchema: \"MB:0=20\\nL3:0=f\" is no schema of memory bandwidth; MB:0=20;1=70 is one",
                "linux.intelRdt.schemata[1]: \"\" is no line of schemata; L2:0=f;1=f is one",
                "linux.intelRdt.schemata[2]: \"MB:0=1\\nMB:1=1\" is no line of schemata; L2:0=f;1=f is one",
            ],
        ),
    ]);
    let obsolete = with("linux/intelRdt", json!({"enableCMT": true, "enableMBM": false}));
    let config = Config::from_bytes(obsolete.to_string().into_bytes()).unwrap();
    let warnings: Vec<_> =
        config.warnings().iter().filter(|line| line.starts_with("linux.intelRdt")).collect();
    assert_eq!(
        warnings,
        ["linux.intelRdt.enableCMT: is obsolete and ignored; enableMonitoring monitors"]
    );
}

#[test]
fn orders_to_crun_are_told() {
    let annotations = json!({"run.oci.handler": "krun", "run.oci.keep_original_groups": "1",
        "module.wasm.image/variant": "compat", "org.example": "1"});
    let config = with("annotations", annotations);
    let config = Config::from_bytes(config.to_string().into_bytes()).unwrap();
    let warnings: Vec<_> =
        config.warnings().iter().filter(|line| line.starts_with("annotations")).collect();
    assert_eq!(
        warnings,
        [
            "annotations[module.wasm.image/variant]: is an order to crun; nothing is done about it here",
            "annotations[run.oci.handler]: is an order to crun; nothing is done about it here",
        ]
    );
}

#[test]
fn seccomp_profiles() {
    let profile =
        |syscall: Value| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [syscall]});
    check(&[
        ("linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}), &[]),
        (
            "linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/agent"}),
            &[
                "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default; name the calls in syscalls",
            ],
        ),
        (
            "linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}),
            &["linux.seccomp.defaultErrnoRet: 4096 is out of range; it goes from 0 to 4095"],
        ),
        (
            "linux/seccomp",
            profile(json!({"names": [], "action": "SCMP_ACT_ERRNO", "errnoRet": 70000})),
            &[
                "linux.seccomp.syscalls[0].names: is empty; name the system calls that the rule is about",
                "linux.seccomp.syscalls[0].errnoRet: 70000 is out of range; it goes from 0 to 4095",
            ],
        ),
        (
            "linux/seccomp",
            profile(json!({"names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": 1})),
            &[
                "linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_KILL_THREAD returns no errno; leave it out",
            ],
        ),
        (
            "linux/seccomp",
            profile(json!({"names": ["read"], "action": "SCMP_ACT_NOTIFY"})),
            &[
                "linux.seccomp.listenerPath: is missing; SCMP_ACT_NOTIFY needs the socket of whoever answers",
            ],
        ),
        (
            "linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}),
            &[
                "linux.seccomp.listenerMetadata: is for whoever listens at listenerPath, which is missing",
            ],
        ),
        (
            "linux/seccomp",
            profile(json!({
                "names": ["read"],
                "action": "SCMP_ACT_ERRNO",
                "args": [
                    {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"},
                    {"index": 6, "value": 0, "op": "SCMP_CMP_EQ"},
                ],
            })),
            &["linux.seccomp.syscalls[0].args[1].index: 6 is no argument; they go from 0 to 5"],
        ),
    ]);
}

#[test]
fn everything_is_said_at_once() {
    let config = all(&[
        ("ociVersion", json!("3")),
        ("root/path", json!("")),
        ("process/args", json!([])),
        ("process/cwd", json!("x")),
        ("mounts", json!([{}])),
        ("hooks/poststop", json!([{}])),
        ("linux/namespaces", without(&["mount", "uts"])),
        ("linux/sysctl", json!({"vm.x": "1"})),
    ]);
    let config = Config::from_bytes(config.to_string().into_bytes()).unwrap();
    let fields = validate(config.spec(), &HostIds { privileged: false, euid: 1, egid: 1 })
        .into_iter()
        .map(|problem| problem.field)
        .collect::<Vec<_>>();
    assert_eq!(
        fields,
        [
            "ociVersion",
            "root.path",
            "process.args",
            "process.cwd",
            "hostname",
            "mounts[0].destination",
            "mounts[0].type",
            "hooks.poststop[0].path",
            "linux.sysctl[\"vm.x\"]",
            "linux.namespaces",
        ]
    );
}

#[test]
fn a_process_by_itself_follows_the_same_rules() {
    let text = br#"{"user": {"uid": 7, "gid": 0}, "args": [], "cwd": "x", "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 9}}"#;
    let (process, _) = process_from_bytes(text).unwrap();
    let container = mapped(json!([{"containerID": 0, "hostID": 1000, "size": 1}]));
    let container = Config::from_bytes(container.to_string().into_bytes()).unwrap();
    let problems = validate_process(&process, container.spec().linux().as_ref());
    let problems = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        problems,
        [
            "process.args: is empty; it must name the program to run",
            "process.cwd: \"x\" is relative; it must be an absolute path",
            "process.ioPriority.priority: 9 is out of range; 0 (highest) to 7 (lowest) is right",
            "process.user.uid: 7 is not mapped in linux.uidMappings; mapped are 0..0",
        ]
    );
    let text = br#"{"user": {"uid": 0, "gid": 0}, "args": ["x\u0000"], "cwd": "/"}"#;
    let error = process_from_bytes(text).unwrap_err();
    assert_eq!(error.to_string(), "process.args[0]: \"x\\0\" has a NUL in it");
}

#[test]
fn ids_of_the_caller_can_be_had() {
    let host = HostIds::current().unwrap();
    assert_eq!(host.euid, nix::unistd::geteuid().as_raw());
    assert_eq!(host.egid, nix::unistd::getegid().as_raw());
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("CapEff:")).unwrap();
    let effective = u64::from_str_radix(line["CapEff:".len()..].trim(), 16).unwrap();
    assert_eq!(host.privileged, effective & 1 << 21 != 0);
}

/// The problems of resources, without the beginning that all of them have.
fn resource_problems(value: &Value) -> Vec<String> {
    let lines = problems(&with("linux/resources", value.clone()));
    lines.iter().map(|line| line.replacen("linux.resources.", "", 1)).collect()
}

#[test]
fn limits_have_a_sign_and_an_order() {
    let cases: &[(Value, &[&str])] = &[
        (json!({"memory": {"limit": -1, "reservation": -1, "swap": -1, "kernel": -1}}), &[]),
        (json!({"memory": {"limit": 0, "swap": 0}, "cpu": {"quota": 0, "period": 0}}), &[]),
        (json!({"memory": {"limit": 5, "swap": 5}}), &[]),
        (json!({"memory": {"limit": -1, "swap": 5}}), &[]),
        (
            json!({"memory": {"limit": -2}}),
            &["memory.limit: -2 is negative; of those only -1, no limit, means something"],
        ),
        (
            json!({"memory": {"swap": 9}}),
            &[
                "memory.swap: 9 is memory and swap together, and so needs linux.resources.memory.limit as well",
            ],
        ),
        (
            json!({"memory": {"limit": 10, "swap": 9}}),
            &[
                "memory.swap: 9 is memory and swap together, and so cannot be below linux.resources.memory.limit, 10",
            ],
        ),
        (
            json!({"memory": {"swappiness": 101}}),
            &["memory.swappiness: 101 is out of range; 0 to 100 is right"],
        ),
        (
            json!({"cpu": {"quota": 999, "period": 1000001, "idle": 2}}),
            &[
                "cpu.quota: 999 is too little; the kernel takes 1000 microseconds or more",
                "cpu.period: 1000001 is out of range; 1000 to 1000000 microseconds is right",
                "cpu.idle: 2 is neither 0 nor 1",
            ],
        ),
        (
            json!({"cpu": {"quota": 2000, "burst": 2001}}),
            &["cpu.burst: 2001 is above linux.resources.cpu.quota, 2000"],
        ),
        (json!({"cpu": {"quota": 2000, "burst": 2000, "cpus": "0-3,7", "mems": "0"}}), &[]),
        (json!({"cpu": {"quota": -1, "burst": 2000}}), &[]),
        (json!({"cpu": {"cpus": "a-b"}}), &["cpu.cpus: \"a-b\" is no list such as 0-3,7"]),
        (
            json!({"pids": {"limit": -7}}),
            &["pids.limit: -7 is negative; of those only -1, no limit, means something"],
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(resource_problems(value), *expected, "{value}");
    }
}

#[test]
fn devices_pages_and_names_of_resources() {
    let cases: &[(Value, &[&str])] = &[
        (
            json!({"blockIO": {"weight": 9, "leafWeight": 1001, "weightDevice": [
                {"major": 8, "minor": 0}, {"major": -1, "minor": 1048576, "weight": 5}]}}),
            &[
                "blockIO.weight: 9 is out of range; 10 to 1000 is right",
                "blockIO.leafWeight: 1001 is out of range; 10 to 1000 is right",
                "blockIO.weightDevice[0]: needs weight, leafWeight or both",
                "blockIO.weightDevice[1].major: -1 is out of range; 0 to 4095 is right",
                "blockIO.weightDevice[1].minor: 1048576 is out of range; 0 to 1048575 is right",
                "blockIO.weightDevice[1].weight: 5 is out of range; 10 to 1000 is right",
            ],
        ),
        (
            json!({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0}],
                "throttleWriteIOPSDevice": [{"minor": 0, "rate": 5}]}}),
            &[
                "blockIO.throttleReadBpsDevice[0].rate: is missing",
                "blockIO.throttleWriteIOPSDevice[0].major: is missing",
            ],
        ),
        (
            json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 1}, {"pageSize": "../2MB", "limit": -1}, {}]}),
            &[
                "hugepageLimits[2].pageSize: is missing",
                "hugepageLimits[2].limit: is missing",
                "hugepageLimits[1].pageSize: \"../2MB\" is no page size such as 64KB, 2MB or 1GB",
                "hugepageLimits[1].limit: -1 is negative; write a number of bytes",
            ],
        ),
        (
            json!({"rdma": {"mlx5_1": {}, "a b": {"hcaHandles": 1}}}),
            &[
                "rdma[\"a b\"]: is no name of an RDMA device",
                "rdma.mlx5_1: is empty; it needs hcaHandles, hcaObjects or both",
            ],
        ),
        (
            json!({"network": {"priorities": [{"name": "", "priority": 1}]}}),
            &["network.priorities[0].name: \"\" is no name of a network interface"],
        ),
        (
            json!({"unified": {"a/b": "1", "memory": "1", "cgroup.procs": "1", "memory.high": " "}}),
            &[
                "unified[a/b]: must be the name of a file, without `/`",
                "unified[cgroup.procs]: is not a setting; of these may be set: cgroup.max.depth, cgroup.max.descendants, cgroup.pressure",
                "unified[memory]: must be CONTROLLER.PARAMETER, such as memory.high",
                "unified[memory.high]: has an empty value",
            ],
        ),
        (
            json!({"devices": [{"allow": true, "type": "x", "access": "r"}, {"allow": true, "type": "c", "major": -2, "access": "r"},
                {"allow": true, "type": "b", "access": "rx"}, {"allow": true, "type": "c"}]}),
            &[
                "devices[0].type: unknown value \"x\"; known are a, b, c, u",
                "devices[1].major: must be -1 (any) or a device number",
                "devices[2].access: must be made of r, w and m",
                "devices[3].access: must be made of r, w and m",
            ],
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(resource_problems(value), *expected, "{value}");
    }
}

#[test]
fn what_is_wrong_with_resources_is_told_with_all_the_rest() {
    let lines = problems(&all(&[
        ("linux/resources", json!({"memory": {"limit": -5}, "pids": {"limit": -5}})),
        ("process/cwd", json!("relative")),
    ]));
    assert_eq!(lines.len(), 3, "{lines:?}");
}
