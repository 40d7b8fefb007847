//! `spec`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::{getegid, geteuid};

use crate::args::{CommandLine, flags};
use crate::failure::{Failure, Result};

const TEMPLATE: &str = include_str!("spec.json");

/// What is different for an ordinary user, who has no network, no device filter and no group 5.
const ROOTLESS: [(&str, &str); 4] = [
    (",\n\t\t\t\t\"gid=5\"", ""),
    (
        "\"type\": \"sysfs\",\n\t\t\t\"source\": \"sysfs\",\n\t\t\t\"options\": [\n",
        "\"type\": \"none\",\n\t\t\t\"source\": \"/sys\",\n\t\t\t\"options\": [\n\t\t\t\t\"rbind\",\n",
    ),
    (
        "\t\t\"resources\": {\n\t\t\t\"devices\": [\n\t\t\t\t{\n\t\t\t\t\t\"allow\": false,\n\t\t\t\t\t\"access\": \"rwm\"\n\t\t\t\t}\n\t\t\t]\n\t\t},\n",
        "\t\t\"uidMappings\": [\n\t\t\t{\n\t\t\t\t\"containerID\": 0,\n\t\t\t\t\"hostID\": UID,\n\t\t\t\t\"size\": 1\n\t\t\t}\n\t\t],\n\
         \t\t\"gidMappings\": [\n\t\t\t{\n\t\t\t\t\"containerID\": 0,\n\t\t\t\t\"hostID\": GID,\n\t\t\t\t\"size\": 1\n\t\t\t}\n\t\t],\n",
    ),
    ("\"type\": \"network\"", "\"type\": \"user\""),
];

/// What is different where cgroup v2 is not at /sys/fs/cgroup.
const NO_CGROUP_NAMESPACE: (&str, &str) = (",\n\t\t\t{\n\t\t\t\t\"type\": \"cgroup\"\n\t\t\t}", "");

/// Writes a config.json.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let rootless = line.args.switch(&flags::ROOTLESS_SPEC);
    let directory = line.args.path(&flags::BUNDLE).unwrap_or(Path::new("."));
    let is_v2 =
        statfs("/sys/fs/cgroup").is_ok_and(|found| found.filesystem_type() == CGROUP2_SUPER_MAGIC);
    let ids = rootless.then(|| (geteuid().as_raw(), getegid().as_raw()));
    write(&directory.join("config.json"), &text(ids, is_v2))?;
    Ok(0)
}

fn text(rootless_ids: Option<(u32, u32)>, cgroup_namespace: bool) -> String {
    let mut text = TEMPLATE.to_owned();
    let edit = |text: &mut String, (from, to): (&str, &str)| *text = text.replacen(from, to, 1);
    if let Some((uid, gid)) = rootless_ids {
        ROOTLESS.into_iter().for_each(|change| edit(&mut text, change));
        text = text.replacen("UID", &uid.to_string(), 1).replacen("GID", &gid.to_string(), 1);
    }
    if !cgroup_namespace {
        edit(&mut text, NO_CGROUP_NAMESPACE);
    }
    text
}

fn write(path: &Path, text: &str) -> Result<()> {
    let wrong = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::new(format!("{} exists already; remove it first", path.display()))
        }
        _ => Failure::system(path.display(), error),
    };
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::runtime::{LinuxNamespaceType, Spec};

    fn parsed(rootless_ids: Option<(u32, u32)>, cgroup_namespace: bool) -> Spec {
        serde_json::from_str(&text(rootless_ids, cgroup_namespace)).unwrap()
    }

    fn namespaces(spec: &Spec) -> Vec<LinuxNamespaceType> {
        let linux = spec.linux().as_ref().unwrap();
        linux.namespaces().as_ref().unwrap().iter().map(|namespace| namespace.typ()).collect()
    }

    #[test]
    fn every_change_finds_its_place_once() {
        for (from, _) in ROOTLESS.into_iter().chain([NO_CGROUP_NAMESPACE]) {
            assert_eq!(TEMPLATE.matches(from).count(), 1, "{from}");
        }
    }

    #[test]
    fn default_is_what_the_field_knows() {
        let spec = parsed(None, true);
        assert_eq!(spec.mounts().as_ref().unwrap().len(), 7);
        assert_eq!(namespaces(&spec).len(), 6);
        assert_eq!(namespaces(&parsed(None, false)).len(), 5);
        let process = spec.process().as_ref().unwrap();
        assert_eq!(process.args().as_deref(), Some(["sh".to_owned()].as_slice()));
        assert!(spec.linux().as_ref().unwrap().resources().is_some());
    }

    #[test]
    fn rootless_has_a_user_namespace_and_asks_for_nothing_that_needs_root() {
        let spec = parsed(Some((1000, 100)), false);
        let linux = spec.linux().as_ref().unwrap();
        assert!(namespaces(&spec).contains(&LinuxNamespaceType::User));
        assert!(!namespaces(&spec).contains(&LinuxNamespaceType::Network));
        assert!(linux.resources().is_none());
        assert_eq!(linux.uid_mappings().as_ref().unwrap()[0].host_id(), 1000);
        assert_eq!(linux.gid_mappings().as_ref().unwrap()[0].host_id(), 100);
        let text = text(Some((1000, 100)), false);
        assert!(text.contains("\"rbind\"") && !text.contains("gid=5"), "{text}");
    }

    #[test]
    fn existing_file_is_not_overwritten() {
        let path = std::env::temp_dir().join(format!("skep-spec-{}", std::process::id()));
        write(&path, "first").unwrap();
        let text = write(&path, "second").unwrap_err().to_string();
        assert!(text.ends_with("exists already; remove it first"), "{text}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        std::fs::remove_file(path).unwrap();
    }
}
