//! [Mounts](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#mounts) and what
//! else changes the mount table.

use oci_spec::runtime::{Linux, LinuxNamespaceType, Mount, Spec};

use super::namespaces::{Origin, origin};
use super::{Findings, idmap};

/// [Rootfs mount propagation](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#rootfs-mount-propagation),
/// and the recursive forms that other runtimes take as well.
const PROPAGATIONS: &[&str] =
    &["shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"];

/// Options of a mount that needs no filesystem type.
const UNTYPED: &[&str] = &["bind", "rbind", "remount"];

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    for (index, mount) in mounts.iter().enumerate() {
        one(index, mount, findings);
        idmap::check(index, mount, spec.linux().as_ref(), findings);
    }
    if let Some(linux) = spec.linux() {
        paths(linux, findings);
        propagation(linux, findings);
        label(linux, findings);
    }
    // The caller's mounts belong to the caller's user namespace.
    if has_none(spec) && origin(spec.linux().as_ref(), LinuxNamespaceType::User) != Origin::Host {
        for field in changes(spec) {
            findings
                .add(field, "needs a mount namespace in linux.namespaces, beside that of users");
        }
    }
}

fn has_none(spec: &Spec) -> bool {
    origin(spec.linux().as_ref(), LinuxNamespaceType::Mount) == Origin::Host
}

/// Whether the container is mounted in the mount namespace of the runtime.
pub(crate) fn are_the_callers(spec: &Spec) -> bool {
    has_none(spec) && !changes(spec).is_empty()
}

fn one(index: usize, mount: &Mount, findings: &mut Findings) {
    let field = format!("mounts[{index}]");
    let destination = mount.destination();
    let text = "is missing; it must be an absolute path in the container";
    findings.expect(!destination.as_os_str().is_empty(), format!("{field}.destination"), text);

    let typ = mount.typ().as_deref().unwrap_or_default();
    let untyped = UNTYPED.iter().any(|option| has(mount, option));
    let text = format!(
        "{} ({}); it must be a filesystem's name, or options have bind or rbind",
        if typ.is_empty() { "is missing" } else { "is none" },
        destination.display()
    );
    findings.expect(untyped || !matches!(typ, "" | "none"), format!("{field}.type"), text);

    let bind = typ == "bind" || has(mount, "bind") || has(mount, "rbind");
    let source = mount.source().as_ref().is_some_and(|source| !source.as_os_str().is_empty());
    let text = format!("is missing ({}); it must name what is bound", destination.display());
    findings.expect(!bind || source || has(mount, "remount"), format!("{field}.source"), text);
}

fn has(mount: &Mount, wanted: &str) -> bool {
    mount.options().iter().flatten().any(|option| option == wanted)
}

/// [Masked](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#masked-paths) and
/// [read-only paths](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#readonly-paths)
fn paths(linux: &Linux, findings: &mut Findings) {
    let lists = [("maskedPaths", linux.masked_paths()), ("readonlyPaths", linux.readonly_paths())];
    for (list, paths) in lists {
        for (index, path) in paths.iter().flatten().enumerate() {
            let text = format!("{path:?} must be an absolute path in the container");
            findings.expect(path.starts_with('/'), format!("linux.{list}[{index}]"), text);
        }
    }
}

fn propagation(linux: &Linux, findings: &mut Findings) {
    let Some(word) = linux.rootfs_propagation().as_ref().filter(|word| !word.is_empty()) else {
        return;
    };
    let text = format!("unknown value {word:?}; known are {}", PROPAGATIONS.join(", "));
    findings.expect(PROPAGATIONS.contains(&word.as_str()), "linux.rootfsPropagation", text);
}

/// The label is a mount option, in quotation marks.
fn label(linux: &Linux, findings: &mut Findings) {
    let quoted = linux.mount_label().as_ref().is_some_and(|label| label.contains('"'));
    findings.expect(!quoted, "linux.mountLabel", "has a quotation mark, which no label has");
}

/// The fields of `spec` that change the mount table.
fn changes(spec: &Spec) -> Vec<&'static str> {
    fn filled<T>(list: &Option<Vec<T>>) -> bool {
        list.as_ref().is_some_and(|list| !list.is_empty())
    }
    let linux = spec.linux().as_ref();
    let readonly = spec.root().as_ref().is_some_and(|root| root.readonly() == Some(true));
    let propagation = |linux: &Linux| linux.rootfs_propagation().is_some();
    let all = [
        ("root.readonly", readonly),
        ("mounts", filled(spec.mounts())),
        ("linux.maskedPaths", linux.is_some_and(|linux| filled(linux.masked_paths()))),
        ("linux.readonlyPaths", linux.is_some_and(|linux| filled(linux.readonly_paths()))),
        ("linux.rootfsPropagation", linux.is_some_and(propagation)),
    ];
    all.iter().filter(|(_, set)| *set).map(|(field, _)| *field).collect()
}
