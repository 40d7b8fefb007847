//! [Sysctl](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#sysctl):
//! only what the kernel keeps for each namespace may be set, and only in a namespace that is not
//! the host's, for everything else would be set for the whole machine.

use std::collections::HashMap;

use oci_spec::runtime::{Linux, LinuxNamespaceType, Spec};

use super::Findings;
use super::namespaces::{Origin, origin, word};
use crate::config::explain::join;

const FIELD: &str = "linux.sysctl";

/// What the kernel keeps for each namespace, by the path below /proc/sys. A `/` at the end makes
/// it everything below.
const NAMESPACED: &[(&str, LinuxNamespaceType)] = &[
    ("net/", LinuxNamespaceType::Network),
    ("fs/mqueue/", LinuxNamespaceType::Ipc),
    ("kernel/msgmax", LinuxNamespaceType::Ipc),
    ("kernel/msgmnb", LinuxNamespaceType::Ipc),
    ("kernel/msgmni", LinuxNamespaceType::Ipc),
    ("kernel/sem", LinuxNamespaceType::Ipc),
    ("kernel/shmall", LinuxNamespaceType::Ipc),
    ("kernel/shmmax", LinuxNamespaceType::Ipc),
    ("kernel/shmmni", LinuxNamespaceType::Ipc),
    ("kernel/shm_rmid_forced", LinuxNamespaceType::Ipc),
    ("kernel/domainname", LinuxNamespaceType::Uts),
    ("user/", LinuxNamespaceType::User),
];

/// The path below /proc/sys of a [sysctl](https://man7.org/linux/man-pages/man5/sysctl.d.5.html)
/// by its name: `kernel.shmmax` or `kernel/shmmax`. Whichever of `.` and `/` comes first
/// separates, and the other one stands for the separator inside a part:
/// `net.ipv4.conf.eth0/1.forwarding`. `None` for a name that would lead elsewhere.
pub fn sysctl_path(name: &str) -> Option<String> {
    let path = match name.find(['.', '/']).map(|first| &name[first..=first]) {
        Some(".") => name.chars().map(swapped).collect(),
        _ => name.to_owned(),
    };
    let sound = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    sound.then_some(path)
}

fn swapped(character: char) -> char {
    match character {
        '.' => '/',
        '/' => '.',
        other => other,
    }
}

/// The kind of namespace for which the kernel keeps the sysctl of this path; `None` for the whole machine.
pub(crate) fn namespace_of_sysctl(path: &str) -> Option<LinuxNamespaceType> {
    let keeps = |known: &str| known == path || (known.ends_with('/') && path.starts_with(known));
    NAMESPACED.iter().find(|(known, _)| keeps(known)).map(|row| row.1)
}

pub(super) fn check(spec: &Spec, linux: &Linux, findings: &mut Findings) {
    // In the order of the names, since a hash map has none and messages should not change places.
    let mut names = linux.sysctl().iter().flat_map(HashMap::keys).collect::<Vec<_>>();
    names.sort_unstable();
    for name in names {
        if let Err(text) = one(name, spec, linux) {
            findings.add(join(FIELD, name), text);
        }
    }
}

fn one(name: &str, spec: &Spec, linux: &Linux) -> Result<(), String> {
    let path = sysctl_path(name).ok_or("is no name of a sysctl, such as net.core.somaxconn")?;
    match path.as_str() {
        "kernel/hostname" => return Err("is set by the field hostname; use that".to_owned()),
        "kernel/domainname" if spec.domainname().is_some() => {
            return Err("is set by the field domainname too; use one of them".to_owned());
        }
        _ => (),
    }
    let namespace = namespace_of_sysctl(&path)
        .ok_or("belongs to the whole machine; only sysctls of a namespace can be set")?;
    match origin(Some(linux), namespace) {
        Origin::Host => {
            Err(format!("needs a namespace of type {} in linux.namespaces", word(namespace)))
        }
        Origin::New | Origin::Joined => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths() {
        let cases = [
            ("kernel.shmmax", Some("kernel/shmmax")),
            ("net/ipv4/ip_forward", Some("net/ipv4/ip_forward")),
            ("net.ipv4.conf.eth0/1.forwarding", Some("net/ipv4/conf/eth0.1/forwarding")),
            ("net/ipv4/conf/eth0.1/forwarding", Some("net/ipv4/conf/eth0.1/forwarding")),
            ("", None),
            ("/net/core/somaxconn", None),
            ("net/../kernel/panic", None),
            ("net.//.kernel.panic", None),
            ("net..core", None),
            ("net/core/", None),
            ("..", None),
        ];
        for (name, path) in cases {
            assert_eq!(sysctl_path(name).as_deref(), path, "{name}");
        }
    }
}
