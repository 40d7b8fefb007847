//! A filesystem to be made: its parameters, for each of the two ways to make one.

use super::{Given, invalid};
use crate::cgroup::Layout;
use crate::error::Result;
use crate::plan::host::Host;
use crate::plan::mount_options::MountOptions;
use crate::plan::paths::c_string;
use std::ffi::CString;

/// A filesystem to be made with fsopen(2).
#[derive(Debug)]
pub(crate) struct Filesystem {
    pub(crate) fstype: CString,
    /// `source` and the filesystem's own parameters.
    pub(crate) parameters: Vec<(CString, Option<CString>)>,
    /// For mount(2), which does in one call what takes fsopen(2) and its like six to ten.
    pub(crate) classic: Option<Classic>,
    /// It cannot be made without that.
    pub(crate) only_classic: bool,
    /// The host's directory to bind, read-only, when the kernel does not allow a new one.
    pub(crate) fallback: Option<CString>,
    /// Made by the parent: place among the inputs.
    pub(crate) made: Option<usize>,
}

/// The arguments of mount(2).
#[derive(Debug)]
pub(crate) struct Classic {
    pub(crate) source: CString,
    pub(crate) flags: u64,
    pub(crate) data: CString,
}

/// Filesystems of which the kernel has one superblock for many mounts: read-only is of the mount alone.
const SHARED_SUPERBLOCK: &[&str] =
    &["proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts", "tmpfs"];

/// fsconfig(2) takes values of up to 255 bytes.
const LONGEST_VALUE: usize = 255;

/// mount(2) copies this much of its data.
const PAGE: usize = 4096;

pub(super) fn filesystem(
    fstype: &str,
    source: Option<&str>,
    options: &MountOptions,
    given: &Given,
) -> Result<Filesystem> {
    let (fstype, fallback) = match fstype {
        "cgroup" | "cgroup2" => (cgroup_type(given.host), Some(c"/sys/fs/cgroup".to_owned())),
        "sysfs" => ("sysfs", Some(c"/sys".to_owned())),
        "proc" if !given.own_pid_namespace => ("proc", Some(c"/proc".to_owned())),
        other => (other, None),
    };
    let filesystem = Filesystem::new(fstype, source, options)?;
    Ok(Filesystem { fallback, ..filesystem })
}

/// On a host without cgroup v2 there is nothing that could be shown.
fn cgroup_type(host: &Host) -> &'static str {
    match host.cgroups {
        Layout::Unified | Layout::Hybrid => "cgroup2",
        Layout::Legacy | Layout::Absent => "tmpfs",
    }
}

impl Filesystem {
    /// A new filesystem, or an error where the kernel allows none.
    pub(in crate::plan) fn new(
        fstype: &str,
        source: Option<&str>,
        options: &MountOptions,
    ) -> Result<Self> {
        let mut parameters = parameters(options, source)?;
        let shared = SHARED_SUPERBLOCK.contains(&fstype);
        if options.is_read_only() && !shared {
            parameters.push((c"ro".to_owned(), None));
        }
        let is_long = |text: &CString| text.count_bytes() > LONGEST_VALUE;
        let long = parameters
            .iter()
            .any(|(key, value)| is_long(key) || value.as_ref().is_some_and(is_long));
        if let Some(name) = options.of_mount2().filter(|_| options.copy_up) {
            return Err(invalid(&format!(
                "{name} does not go with tmpcopyup; take one of them out"
            )));
        }
        // Only a mount that is still detached can be filled, or given more than mount(2) knows of.
        let detached = options.copy_up
            || !options.propagation.is_empty()
            || !options.recursive_attr.is_empty();
        let only_classic = long || options.of_mount2().is_some();
        let classic = if only_classic || !detached { classic(options, source)? } else { None };
        if only_classic && classic.is_none() {
            return Err(invalid(
                "options are longer than the page that mount(2) takes; shorten them",
            ));
        }
        let fstype = c_string(fstype)?;
        Ok(Self { fstype, parameters, classic, only_classic, fallback: None, made: None })
    }
}

pub(super) fn parameters(
    options: &MountOptions,
    source: Option<&str>,
) -> Result<Vec<(CString, Option<CString>)>> {
    let source = source.map(|source| ("source", Some(source)));
    let flags = options.parameters().map(|name| (name, None));
    let data = options.data.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
    let context = options.context.iter().map(|label| ("context", Some(label.as_str())));
    let all = source.into_iter().chain(flags).chain(data).chain(context);
    all.map(|(key, value)| Ok((c_string(key)?, value.map(c_string).transpose()?))).collect()
}

/// `None` when the options do not fit into the page that mount(2) copies.
fn classic(options: &MountOptions, source: Option<&str>) -> Result<Option<Classic>> {
    let text = |(key, value): &(String, Option<String>)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    };
    // The categories of a label have commas between them.
    let context = options.context.iter().map(|label| format!("context=\"{label}\""));
    let data = options.data.iter().map(text).chain(context).collect::<Vec<_>>().join(",");
    if data.len() >= PAGE {
        return Ok(None);
    }
    let source = c_string(source.unwrap_or("none"))?;
    Ok(Some(Classic { source, flags: options.classic_flags(), data: c_string(data)? }))
}
