//! features: what a runtime says of itself, in the form in which engines read it.

use serde_json::Value;

use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "features",
    cases: &[
        either!(has_the_types_that_engines_read),
        either!(has_what_every_runtime_has),
        either!(needs_no_state_and_no_bundle),
        either!(is_the_same_each_time),
        either!(has_what_engines_ask_for).only_runc("crun leaves out rro and the time namespace"),
        either!(has_all_of_the_newest_version).ours("they know an older version"),
        either!(lists_what_config_json_may_have).ours("they read on over what they do not know"),
    ],
};

fn features(ctx: &Ctx) -> Res<Value> {
    ctx.runtime().arg("features").ok()?.json()
}

/// What is at a place of the document, if there is anything.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Bool,
    Texts,
    TextByText,
    Object,
}

use Kind::{Bool, Object, Text, TextByText, Texts};

/// The fields of `features.Features` of the specification's Go package, into which containerd, Docker
/// and Podman read the document: a value of another type is an error to them.
const FIELDS: &[(&str, Kind)] = &[
    ("/ociVersionMin", Text),
    ("/ociVersionMax", Text),
    ("/hooks", Texts),
    ("/mountOptions", Texts),
    ("/linux", Object),
    ("/linux/namespaces", Texts),
    ("/linux/capabilities", Texts),
    ("/linux/cgroup", Object),
    ("/linux/cgroup/v1", Bool),
    ("/linux/cgroup/v2", Bool),
    ("/linux/cgroup/systemd", Bool),
    ("/linux/cgroup/systemdUser", Bool),
    ("/linux/cgroup/rdma", Bool),
    ("/linux/seccomp", Object),
    ("/linux/seccomp/enabled", Bool),
    ("/linux/seccomp/actions", Texts),
    ("/linux/seccomp/operators", Texts),
    ("/linux/seccomp/archs", Texts),
    ("/linux/seccomp/knownFlags", Texts),
    ("/linux/seccomp/supportedFlags", Texts),
    ("/linux/apparmor", Object),
    ("/linux/apparmor/enabled", Bool),
    ("/linux/selinux", Object),
    ("/linux/selinux/enabled", Bool),
    ("/linux/intelRdt", Object),
    ("/linux/intelRdt/enabled", Bool),
    ("/linux/intelRdt/schemata", Bool),
    ("/linux/intelRdt/monitoring", Bool),
    ("/linux/memoryPolicy", Object),
    ("/linux/memoryPolicy/modes", Texts),
    ("/linux/memoryPolicy/flags", Texts),
    ("/linux/mountExtensions", Object),
    ("/linux/mountExtensions/idmap", Object),
    ("/linux/mountExtensions/idmap/enabled", Bool),
    ("/linux/netDevices", Object),
    ("/linux/netDevices/enabled", Bool),
    ("/annotations", TextByText),
    ("/potentiallyUnsafeConfigAnnotations", Texts),
];

impl Kind {
    fn fits(self, value: &Value) -> bool {
        let texts =
            |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        match self {
            Text => value.is_string(),
            Bool => value.is_boolean(),
            Texts => texts(value),
            TextByText => value.as_object().is_some_and(|map| map.values().all(Value::is_string)),
            Object => value.is_object(),
        }
    }
}

fn has_the_types_that_engines_read(ctx: &Ctx) -> Res {
    let document = features(ctx)?;
    for (field, kind) in FIELDS {
        if let Some(value) = document.pointer(field).filter(|value| !value.is_null()) {
            holds!(kind.fits(value), "{field} is {value}, wanted {kind:?}");
        }
    }
    each_key(&document, "", &mut |field| {
        let known = FIELDS.iter().any(|(known, _)| *known == field);
        holds!(known, "{field} is no field of the specification");
        Ok(())
    })
}

/// Calls `look` for every key of the document, but for those of free maps.
fn each_key(value: &Value, path: &str, look: &mut impl FnMut(&str) -> Res) -> Res {
    for (key, value) in value.as_object().into_iter().flatten() {
        let field = format!("{path}/{key}");
        look(&field)?;
        if field != "/annotations" {
            each_key(value, &field, look)?;
        }
    }
    Ok(())
}

fn texts(document: &Value, field: &str) -> Vec<String> {
    let list = document.pointer(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_string())).collect()
}

fn has(document: &Value, field: &str, wanted: &str) -> Res {
    let list = texts(document, field);
    for word in wanted.split_whitespace() {
        holds!(list.iter().any(|text| text == word), "no {word} in {field}: {list:?}");
    }
    let mut once = list.clone();
    once.sort();
    once.dedup();
    holds!(once.len() == list.len(), "{field} has a word twice: {list:?}");
    Ok(())
}

fn has_what_every_runtime_has(ctx: &Ctx) -> Res {
    let document = features(ctx)?;
    let version = |field: &str| document[field].as_str().is_some_and(|text| text.starts_with("1."));
    holds!(version("ociVersionMin") && version("ociVersionMax"), "the versions are not 1.x");
    let hooks = "prestart createRuntime createContainer startContainer poststart poststop";
    has(&document, "/hooks", hooks)?;
    has(
        &document,
        "/mountOptions",
        "ro rw bind rbind nosuid nodev noexec rprivate rslave rshared remount",
    )?;
    has(&document, "/linux/namespaces", "cgroup ipc mount network pid user uts")?;
    has(&document, "/linux/capabilities", "CAP_CHOWN CAP_SYS_ADMIN CAP_CHECKPOINT_RESTORE")?;
    has(&document, "/linux/seccomp/actions", "SCMP_ACT_ALLOW SCMP_ACT_ERRNO SCMP_ACT_NOTIFY")?;
    has(&document, "/linux/seccomp/operators", "SCMP_CMP_EQ SCMP_CMP_MASKED_EQ")?;
    for field in
        ["cgroup/v1", "cgroup/v2", "cgroup/systemd", "cgroup/systemdUser", "seccomp/enabled"]
    {
        same!(document.pointer(&format!("/linux/{field}")), Some(&Value::Bool(true)));
    }
    Ok(())
}

/// An engine asks when it starts, from anywhere, before there is any container.
fn needs_no_state_and_no_bundle(ctx: &Ctx) -> Res {
    let program = ctx.runtime.to_string_lossy();
    let out = ctx
        .program(&program)
        .args(["--root", "/nowhere/at/all", "features"])
        .cwd(std::path::Path::new("/"))
        .ok()?;
    same!(out.err, "");
    out.json()?;
    holds!(!std::path::Path::new("/nowhere").exists(), "/nowhere was made");
    Ok(())
}

fn is_the_same_each_time(ctx: &Ctx) -> Res {
    let text = || Ok::<_, String>(ctx.runtime().arg("features").ok()?.out);
    let first = text()?;
    for _ in 0..5 {
        same!(text()?, first);
    }
    Ok(())
}

/// Those of the specification's config.md but for id mappings, and the recursive form of each that has one.
const MOUNT_OPTIONS: &str = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime \
    nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime \
    rbind rdev rdiratime relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid \
    rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared \
    silent slave strictatime suid symfollow sync tmpcopyup unbindable";

/// containerd offers recursive read-only mounts where `rro` is listed; Docker, too.
fn has_what_engines_ask_for(ctx: &Ctx) -> Res {
    let document = features(ctx)?;
    has(&document, "/mountOptions", MOUNT_OPTIONS)?;
    has(&document, "/linux/namespaces", "time")?;
    has(
        &document,
        "/linux/seccomp/archs",
        "SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32 SCMP_ARCH_AARCH64",
    )?;
    has(&document, "/linux/seccomp/supportedFlags", "SECCOMP_FILTER_FLAG_LOG")?;
    has(&document, "/potentiallyUnsafeConfigAnnotations", "org.systemd.property.")
}

fn has_all_of_the_newest_version(ctx: &Ctx) -> Res {
    let document = features(ctx)?;
    same!(document["ociVersionMin"], "1.0.0");
    same!(document["ociVersionMax"], "1.3.0");
    for (field, _) in FIELDS {
        holds!(document.pointer(field).is_some(), "no {field}");
    }
    has(&document, "/mountOptions", "idmap ridmap")?;
    let version = ctx.program(&ctx.runtime.to_string_lossy()).arg("--version").ok()?;
    let own = document["annotations"]["skep.version"].as_str().unwrap_or("none");
    version.has(&format!("skep version {own}\n"))?.has("spec: 1.3.0")?;
    Ok(())
}

/// `plan` reads and checks config.json, and warns of what it does not know.
fn lists_what_config_json_may_have(ctx: &Ctx) -> Res {
    let document = features(ctx)?;
    let mut container = ctx.container()?;
    let capabilities = texts(&document, "/linux/capabilities");
    holds!(capabilities.len() > 40, "{capabilities:?}");
    container.set("/process/capabilities", serde_json::json!({"bounding": capabilities}));
    for option in texts(&document, "/mountOptions") {
        let place = format!("/m/{option}");
        match option.as_str() {
            // These need mappings as well.
            "idmap" | "ridmap" => continue,
            "bind" | "rbind" => container.mount(&place, "", "/", &[&option]),
            _ => container.mount(&place, "tmpfs", "tmpfs", &[&option]),
        };
    }
    container.save()?;
    let out =
        container.command("plan", &[]).cwd(container.rootfs().parent().doing("bundle")?).ok()?;
    holds!(!out.err.contains("unknown"), "{}", out.err);
    Ok(())
}
