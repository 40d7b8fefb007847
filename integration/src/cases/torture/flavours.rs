//! Kinds of containers, which end in different ways.

use serde_json::{Value, json};

use crate::config::{self, push, set};

/// A name for failures, and what it makes of the default config.
pub(super) type Flavour = (&'static str, fn(&mut Value));

pub(super) const FLAVOURS: &[Flavour] = &[
    ("waits", |_| ()),
    ("waits without a network", without_network),
    ("ends at once", |config| set(config, "/process/args", json!(["/bin/true"]))),
    ("has children", |config| set(config, "/process/args", json!(["/bin/probe", "fork", "3"]))),
    ("heeds no signal", |config| {
        set(config, "/process/args", json!(["/bin/probe", "ignore-term"]))
    }),
    ("has slow hooks", with_hooks),
    ("has a filter", with_filter),
    ("has no program", |config| set(config, "/process/args", json!(["/bin/nothing"]))),
];

/// The config of a container with this id and root filesystem.
pub(super) fn config(flavour: Flavour, id: &str, rootfs: &str, root: bool) -> Value {
    let mut config = config::default(root);
    set(&mut config, "/root/path", rootfs.into());
    set(&mut config, "/process/args", json!(["/bin/probe", "until-term"]));
    if root && crate::cgroups::has_v1() {
        set(&mut config, "/linux/cgroupsPath", format!("/{id}").into());
    }
    flavour.1(&mut config);
    config
}

/// Most of the time that a container takes to come and go is its network's.
fn without_network(config: &mut Value) {
    if let Some(list) = config["linux"]["namespaces"].as_array_mut() {
        list.retain(|each| each["type"] != "network");
    }
}

/// Long enough for others to find it half made, or half gone.
fn with_hooks(config: &mut Value) {
    for hook in ["createRuntime", "createContainer", "poststart", "poststop"] {
        let sleep = json!({"path": "/bin/sleep", "args": ["sleep", "0.03"]});
        push(config, &format!("/hooks/{hook}"), sleep);
    }
}

fn with_filter(config: &mut Value) {
    let denied = json!([{"names": ["mkdir", "keyctl"], "action": "SCMP_ACT_ERRNO"}]);
    set(config, "/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": denied}));
}
