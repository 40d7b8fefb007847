//! The configuration of a container: reading `config.json` and saying what is wrong with it.
//!
//! Two halves, both without privilege. *Reading* turns bytes into oci-spec's types. It is tolerant
//! where the specification is and oci-spec is not: a pass over the JSON value mends what would
//! otherwise be refused or misread, and leaves a warning wherever that loses something. The bytes
//! themselves are kept, because writing the types back would lose unknown fields. *Validation* is
//! a pure function of the types and reports everything that it finds in one go.
//!
//! Specification: [config.md](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md),
//! [config-linux.md](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md).

#![forbid(unsafe_code)]

mod advice;
pub(crate) mod capabilities;
mod explain;
pub(crate) mod hooks;
mod json;
mod list;
mod locate;
pub(crate) mod namespaces;
mod read;
mod strings;
mod tolerate;
mod typed;
mod validate;

use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxResources, Process, Spec};

use crate::error::{Error, ErrorKind, Problem, Result};

pub(crate) use explain::join as field_of;
pub(crate) use list::List;
#[cfg(test)]
pub(crate) use tolerate::known_fields;
pub(crate) use tolerate::{KEEP_GROUPS, scheduler_flag};
pub use validate::{
    HostIds, NEWEST_VERSION, OLDEST_VERSION, sysctl_path, validate, validate_process,
    validate_resources,
};
pub(crate) use validate::{
    MountIds, MountMappings, device_rule_problem, mounts_are_the_callers, namespace_of_sysctl,
    validate_schemata,
};

/// What `config.json` says
/// ([config.md](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md)).
#[derive(Clone, Debug)]
pub struct Config {
    spec: Box<Spec>,
    raw: Vec<u8>,
    warnings: Vec<String>,
}

impl Config {
    /// Reads the text of a `config.json`. Nothing is validated beyond the types of the fields.
    pub fn from_bytes(raw: Vec<u8>) -> Result<Self> {
        let (spec, mut warnings) = json::read(&raw, "config.json", "", &tolerate::config)?;
        warnings.extend(advice::on_spec(&spec));
        Ok(Self { spec, raw, warnings })
    }

    /// Takes a configuration that a program has built, as if it had been read from a file.
    pub fn from_spec(spec: &Spec) -> Result<Self> {
        let raw = serde_json::to_vec(spec).map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, format!("the configuration is no JSON: {error}"))
        })?;
        Self::from_bytes(raw)
    }

    /// Reads `config.json` of the bundle in the directory `bundle`
    /// ([bundle.md](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/bundle.md)).
    pub fn read(bundle: &Path) -> Result<Self> {
        Self::from_bytes(read::config_json(bundle)?)
    }

    /// The configuration in oci-spec's types.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The bytes that were read, with everything that the types do not know.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// What was ignored or read otherwise than written, each in one line with its field.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Reads a [process](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#process)
/// by itself, as `exec --process` is given it, with the warnings that go with it.
pub fn process_from_bytes(raw: &[u8]) -> Result<(Process, Vec<String>)> {
    let (mut spec, mut warnings) = json::read(raw, "process", "process", &tolerate::process)?;
    let process = spec.process_mut().take().ok_or_else(|| {
        let text = "expected an object, found null";
        Error::problems(vec![Problem::new("process", text)])
    })?;
    warnings.extend(advice::on_process(&process));
    Ok((process, warnings))
}

/// Reads [resources](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#control-groups)
/// by themselves, as `update --resources` is given them, with the warnings that go with them.
/// `version` is the ociVersion by which they are read: what a pids limit of 0 means depends on it.
pub fn resources_from_bytes(raw: &[u8], version: &str) -> Result<(LinuxResources, Vec<String>)> {
    const PART: &str = "linux.resources";
    let mend = |value: &mut _, report: &mut _| tolerate::resources(value, version, report);
    let (spec, warnings) = json::read(raw, "resources", PART, &mend)?;
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().clone());
    let resources = resources.ok_or_else(|| {
        Error::problems(vec![Problem::new(PART, "expected an object, found null")])
    })?;
    Ok((resources, warnings))
}

/// A [bundle](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/bundle.md): a directory
/// with a configuration in it.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Where the bundle is: absolute.
    pub path: PathBuf,
    /// Its `config.json`.
    pub config: Config,
}

impl Bundle {
    /// Reads the bundle in the directory `path`.
    pub fn load(path: &Path) -> Result<Self> {
        let path = read::bundle_directory(path)?;
        let config = Config::read(&path)?;
        Ok(Self { path, config })
    }

    /// Where the root filesystem is: `root.path`, which is relative to the bundle.
    pub fn rootfs(&self) -> PathBuf {
        let root = self.config.spec().root().as_ref();
        root.map_or_else(|| self.path.clone(), |root| self.path.join(root.path()))
    }
}
