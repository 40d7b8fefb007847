//! What is stored of a container, beside the raw bytes of its config.json.

#[cfg(any(test, feature = "fuzzing"))]
#[path = "record_fuzz.rs"]
pub(crate) mod fuzz;

use super::covered::Covered;
use crate::cgroup::Place;
use crate::error::{Error, ErrorKind, Result};
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of the stored format; raised when an older skep could not read it.
const VERSION: u32 = 2;

/// state.json. Whether the container is created, running or stopped is not in it: the kernel is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    version: u32,
    pub(super) oci_version: String,
    pub(super) bundle: PathBuf,
    pub(super) rootfs: PathBuf,
    /// RFC 3339.
    pub(super) created: String,
    pub(super) owner: u32,
    /// Missing until the first process is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) init: Option<Init>,
    /// Where its cgroup is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cgroup: Option<Place>,
    /// Where its resctrl group is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) intel_rdt: Option<crate::resctrl::Place>,
    /// What its root filesystem is mounted over, where it uses the mount namespace of who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) covered: Option<Covered>,
    /// Whether the container has a session keyring of its own.
    pub(super) keyring: bool,
    /// Whether it has a pid namespace of its own, whose processes end with the first one.
    pub(super) own_pids: bool,
    /// Whether its config.json has poststop hooks, so that `delete` need not read it to know.
    pub(super) poststop: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// A process, told apart from a later one of the same number by when it started.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Init {
    pub(super) pid: i32,
    /// In clock ticks since boot: field 22 of proc_pid_stat(5).
    pub(super) start_time: u64,
}

impl Record {
    pub(super) fn new(
        spec: &oci_spec::runtime::Spec,
        bundle: PathBuf,
        rootfs: PathBuf,
        keyring: bool,
        owner: u32,
    ) -> Self {
        Self {
            version: VERSION,
            oci_version: spec.version().clone(),
            bundle,
            rootfs,
            created: crate::time::now(),
            owner,
            init: None,
            cgroup: None,
            intel_rdt: None,
            covered: None,
            keyring,
            own_pids: owns_pids(spec),
            poststop: crate::hooks::has_poststop(spec),
            annotations: spec.annotations().clone().unwrap_or_default().into_iter().collect(),
        }
    }

    /// Of a container whose creation was cut short before it had one: nothing is known but that it
    /// is there.
    pub(super) fn lost() -> Self {
        Self {
            version: VERSION,
            oci_version: String::new(),
            bundle: PathBuf::new(),
            rootfs: PathBuf::new(),
            created: String::new(),
            owner: crate::sys::identity::effective_ids().0,
            init: None,
            cgroup: None,
            intel_rdt: None,
            covered: None,
            keyring: false,
            own_pids: false,
            poststop: false,
            annotations: BTreeMap::new(),
        }
    }

    /// Takes the root filesystem away from the mount namespace that it was mounted in.
    pub(super) fn uncover(&self) {
        if let Some(covered) = &self.covered {
            covered.uncover(&self.rootfs);
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let broken = |why: String| {
            Error::new(
                ErrorKind::System,
                format!("state.json: {why}; delete --force removes the container"),
            )
        };
        let record: Self =
            serde_json::from_slice(bytes).map_err(|error| broken(error.to_string()))?;
        if record.version > VERSION {
            let text =
                format!("is of version {}, and this program knows {VERSION}", record.version);
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("state.json: {text}; use the skep that made it"),
            ));
        }
        Ok(record)
    }

    pub(super) fn render(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|error| Error::new(ErrorKind::System, format!("state.json: {error}")))
    }
}

fn owns_pids(spec: &oci_spec::runtime::Spec) -> bool {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    let own = |one: &LinuxNamespace| one.typ() == LinuxNamespaceType::Pid && one.path().is_none();
    namespaces.is_some_and(|list| list.iter().any(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let spec = oci_spec::runtime::Spec::default();
        let mut record = Record::new(&spec, "/b".into(), "/b/rootfs".into(), true, 0);
        record.init = Some(Init { pid: 7, start_time: 99 });
        let read = Record::parse(&record.render().unwrap()).unwrap();
        assert_eq!((read.init, read.bundle), (record.init, "/b".into()));
    }

    #[test]
    fn rubbish_and_newer_formats_are_refused() {
        assert!(Record::parse(b"{").is_err());
        let spec = oci_spec::runtime::Spec::default();
        let mut record = Record::new(&spec, "/b".into(), "/b".into(), true, 0);
        record.version = VERSION + 1;
        let error = Record::parse(&record.render().unwrap()).unwrap_err();
        assert!(error.to_string().contains("version 3"), "{error}");
    }
}
