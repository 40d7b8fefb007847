//! [Namespaces](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#namespaces)

use oci_spec::runtime::{Linux, LinuxNamespace, LinuxNamespaceType, Spec};

use super::{Findings, HostIds};
use crate::config::namespaces::Namespace;

/// Where the container's namespace of one type comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// It is the one of the runtime.
    Host,
    /// It is made for the container.
    New,
    /// It is there already and named by its path.
    Joined,
}

/// Where the namespace of type `typ` comes from.
pub(super) fn origin(linux: Option<&Linux>, typ: LinuxNamespaceType) -> Origin {
    let mut namespaces = linux.iter().flat_map(|linux| linux.namespaces().iter().flatten());
    match namespaces.find(|namespace| namespace.typ() == typ).map(is_joined) {
        None => Origin::Host,
        Some(false) => Origin::New,
        Some(true) => Origin::Joined,
    }
}

/// The specification's word for `typ`; oci-spec prints the kernel's.
pub(super) fn word(typ: LinuxNamespaceType) -> &'static str {
    Namespace::of(typ).name
}

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    let namespaces = linux.namespaces().as_deref().unwrap_or_default();
    for (index, namespace) in namespaces.iter().enumerate() {
        let field = format!("linux.namespaces[{index}]");
        let same = |other: &LinuxNamespace| other.typ() == namespace.typ();
        if let Some(first) = namespaces[..index].iter().position(same) {
            let word = word(namespace.typ());
            let text = format!("{word} is in linux.namespaces[{first}] already");
            findings.add(format!("{field}.type"), text);
        }
        if let Some(path) = namespace.path().as_ref().filter(|_| is_joined(namespace)) {
            let text = format!("{path:?} is relative; it must be an absolute path");
            findings.expect(path.is_absolute(), format!("{field}.path"), text);
        }
    }
}

/// Without privilege there is nothing to be had but through a user namespace.
pub(super) fn check_caller(spec: &Spec, host: &HostIds, findings: &mut Findings) {
    let origin = origin(spec.linux().as_ref(), LinuxNamespaceType::User);
    let text = format!(
        "has no user namespace, which user {} needs; `skep spec --rootless` writes one",
        host.euid
    );
    findings.expect(host.privileged || origin != Origin::Host, "linux.namespaces", text);
}

fn is_joined(namespace: &LinuxNamespace) -> bool {
    namespace.path().as_ref().is_some_and(|path| !path.as_os_str().is_empty())
}
