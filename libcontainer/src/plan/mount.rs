//! One entry of `mounts`, as the child will make it.

use super::cgroup_view;
use super::host::Host;
use super::mount_options::{self, MountOptions};
use super::paths::{RootPath, c_path, c_string};
use crate::cgroup::{Layout, Place};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::mount::MountAttr;
use oci_spec::runtime::Mount;
use std::ffi::CString;
use std::fmt;
use std::path::Path;

/// What to make at a mount point that is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TargetKind {
    /// Nothing: it must be there.
    Existing,
    Directory,
    /// A directory or an empty file, as the source is.
    LikeSource,
}

/// Where a bind mount's tree comes from.
#[derive(Debug)]
pub(crate) enum BindSource {
    /// Opened by the child itself in an earlier step: place among its trees.
    Tree(usize),
    /// Opened by the parent: place among the inputs.
    Input(usize),
}

/// A filesystem to be made with fsopen(2).
#[derive(Debug)]
pub(crate) struct Filesystem {
    pub(crate) fstype: CString,
    /// `source` and the filesystem's own parameters.
    pub(crate) parameters: Vec<(CString, Option<CString>)>,
    /// For mount(2), which does in one call what takes fsopen(2) and its like six to ten.
    pub(crate) classic: Option<Classic>,
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

/// What is mounted.
#[derive(Debug)]
pub(crate) enum Source {
    Filesystem(Filesystem),
    Bind(BindSource),
    /// A directory of the host's cgroup file systems, which the child opens itself.
    Cgroup(CString),
    /// Nothing: the mount that is there changes. The parameters are for its superblock.
    Remount(Vec<(CString, Option<CString>)>),
}

/// One mount.
#[derive(Debug)]
pub(crate) struct MountPlan {
    pub(crate) target: RootPath,
    pub(crate) target_kind: TargetKind,
    /// The directory of the target is an empty tmpfs of an earlier step, open at this place, and the
    /// target, of this name, cannot be there yet.
    pub(crate) fresh: Option<(usize, CString)>,
    /// A link at the mount point is refused: procfs and sysfs must be where they are looked for.
    pub(crate) no_follow: bool,
    pub(crate) source: Source,
    /// For messages: what config.json calls the source.
    pub(crate) source_name: String,
    pub(crate) attr: MountAttr,
    pub(crate) recursive_attr: MountAttr,
    pub(crate) propagation: Vec<(u64, bool)>,
    pub(crate) copy_up: bool,
    /// Links to make in a new tmpfs before anything else is: name and target.
    pub(crate) links: Vec<(CString, CString)>,
}

/// What an entry of `mounts` is planned with.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    /// Where relative bind sources begin.
    pub(crate) bundle: &'a Path,
    pub(crate) host: &'a Host,
    pub(crate) own_pid_namespace: bool,
    /// Whether the container's cgroup becomes the root of a new cgroup namespace.
    pub(crate) new_cgroup_namespace: bool,
    /// The container's cgroup, if it is to have one.
    pub(crate) cgroup: Option<&'a Place>,
}

/// An entry of `mounts` before its source is opened.
pub(crate) enum Planned {
    Ready(MountPlan),
    /// Several mounts, the first of which holds the others.
    Several(Vec<MountPlan>),
    /// A bind of a host path: the caller decides who opens it.
    Bind {
        mount: MountPlan,
        path: CString,
        recursive: bool,
    },
}

/// With it, what is not as it was asked for.
pub(crate) type Told = (Planned, Option<String>);

/// Filesystems of which the kernel has one superblock for many mounts: read-only is of the mount alone.
const SHARED_SUPERBLOCK: &[&str] =
    &["proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts", "tmpfs"];

/// fsconfig(2) takes values of up to 255 bytes.
const LONGEST_VALUE: usize = 255;

/// mount(2) copies this much of its data.
const PAGE: usize = 4096;

/// Plans one entry.
pub(crate) fn plan(mount: &Mount, given: &Given) -> Result<Told> {
    let texts = mount.options().iter().flatten().map(String::as_str);
    let options = MountOptions::parse(texts);
    let target = RootPath::new(&mount.destination().to_string_lossy())?;
    let fstype = mount.typ().as_deref().unwrap_or("");
    let source = mount.source().as_ref().map(|path| path.to_string_lossy().into_owned());
    let bind = options.bind.or((fstype == "bind").then_some(false));
    let base = |source, target_kind, name| MountPlan {
        no_follow: bind.is_none() && matches!(fstype, "proc" | "sysfs"),
        ..MountPlan::new(target.clone(), target_kind, source, name, &options)
    };
    if options.remount {
        let parameters = parameters(&options, None)?;
        let mount = base(Source::Remount(parameters), TargetKind::Existing, String::new());
        return Ok((Planned::Ready(mount), None));
    }
    if options.copy_up && (bind.is_some() || fstype != "tmpfs") {
        return Err(invalid("tmpcopyup is for tmpfs; take it out, or make the type tmpfs"));
    }
    if let Some(recursive) = bind {
        let warning = for_binds(&options)?;
        let name = source
            .ok_or_else(|| invalid("a bind mount needs a source; add the path of the host"))?;
        let path = c_path(&given.bundle.join(&name))?;
        let mount = base(Source::Bind(BindSource::Tree(0)), TargetKind::LikeSource, name);
        return Ok((Planned::Bind { mount, path, recursive }, warning));
    }
    if fstype.is_empty() {
        return Err(invalid("type is missing; name a filesystem, or add the option bind"));
    }
    if fstype == "cgroup" && given.host.cgroups.has_v1() {
        return cgroup_view::plan(&target, &options, given);
    }
    let filesystem = filesystem(fstype, source.as_deref(), &options, given)?;
    let name = filesystem.fstype.to_string_lossy().into_owned();
    let mount = base(Source::Filesystem(filesystem), TargetKind::Directory, name);
    Ok((Planned::Ready(mount), None))
}

/// The kernel passes over what a bind says to its file system: what is the file system's own is wrong, of
/// flags that all have the warning is told.
fn for_binds(options: &MountOptions) -> Result<Option<String>> {
    if let Some((key, _)) = options.data.first() {
        let text = format!(
            "{key:?} is no option of a bind mount, whose file system is mounted already; take it out"
        );
        return Err(invalid(&text));
    }
    let flags: Vec<&str> = options.parameters().collect();
    let text = || format!("{}: stays as it is on the host, as with every bind", flags.join(", "));
    Ok((!flags.is_empty()).then(text))
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, text)
}

fn filesystem(
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
    pub(super) fn new(fstype: &str, source: Option<&str>, options: &MountOptions) -> Result<Self> {
        let mut parameters = parameters(options, source)?;
        let shared = SHARED_SUPERBLOCK.contains(&fstype);
        if options.is_read_only() && !shared {
            parameters.push((c"ro".to_owned(), None));
        }
        let is_long = |value: &CString| value.count_bytes() > LONGEST_VALUE;
        let long = parameters.iter().any(|(_, value)| value.as_ref().is_some_and(is_long));
        // Only a mount that is still detached can be filled, or given more than mount(2) knows of.
        let detached = options.copy_up
            || !options.propagation.is_empty()
            || !options.recursive_attr.is_empty();
        let by_flags = options.needs_mount2() && !options.copy_up;
        let classic = if long || by_flags || !detached { classic(options, source)? } else { None };
        if long && classic.is_none() {
            return Err(invalid(
                "options are longer than the page that mount(2) takes; shorten them",
            ));
        }
        Ok(Self { fstype: c_string(fstype)?, parameters, classic, fallback: None, made: None })
    }
}

fn parameters(
    options: &MountOptions,
    source: Option<&str>,
) -> Result<Vec<(CString, Option<CString>)>> {
    let source = source.map(|source| ("source", Some(source)));
    let flags = options.parameters().map(|name| (name, None));
    let data = options.data.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
    let all = source.into_iter().chain(flags).chain(data);
    all.map(|(key, value)| Ok((c_string(key)?, value.map(c_string).transpose()?))).collect()
}

/// `None` when the options do not fit into the page that mount(2) copies.
fn classic(options: &MountOptions, source: Option<&str>) -> Result<Option<Classic>> {
    let text = |(key, value): &(String, Option<String>)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    };
    let data = options.data.iter().map(text).collect::<Vec<_>>().join(",");
    if data.len() >= PAGE {
        return Ok(None);
    }
    let source = c_string(source.unwrap_or("none"))?;
    Ok(Some(Classic { source, flags: options.classic_flags(), data: c_string(data)? }))
}

impl MountPlan {
    pub(super) fn new(
        target: RootPath,
        target_kind: TargetKind,
        source: Source,
        source_name: String,
        options: &MountOptions,
    ) -> Self {
        Self {
            target,
            target_kind,
            fresh: None,
            no_follow: false,
            source,
            source_name,
            attr: options.attr,
            recursive_attr: options.recursive_attr,
            propagation: options.propagation.clone(),
            copy_up: options.copy_up,
            links: Vec::new(),
        }
    }

    /// A mount that is there becomes read-only.
    pub(crate) fn read_only(target: RootPath) -> Self {
        let source = Source::Remount(Vec::new());
        let options = MountOptions { attr: mount_options::read_only(), ..Default::default() };
        Self::new(target, TargetKind::Existing, source, "read-only".to_owned(), &options)
    }

    pub(crate) fn is_tmpfs(&self) -> bool {
        matches!(&self.source, Source::Filesystem(fs) if fs.fstype.as_c_str() == c"tmpfs")
    }

    /// Whether nothing is in it when it is new.
    pub(crate) fn is_empty_tmpfs(&self) -> bool {
        self.is_tmpfs() && !self.copy_up
    }

    /// The file system comes from the parent, as this input.
    pub(super) fn made_by_parent(&mut self, input: usize) {
        if let Source::Filesystem(filesystem) = &mut self.source {
            filesystem.classic = None;
            filesystem.made = Some(input);
        }
    }

    /// Takes away that it is read-only; whether it was.
    pub(crate) fn make_writable(&mut self) -> bool {
        let read_only = mount_options::read_only().attr_set;
        let was = (self.attr.attr_set | self.recursive_attr.attr_set) & read_only != 0;
        self.attr.attr_set &= !read_only;
        self.recursive_attr.attr_set &= !read_only;
        if let Source::Filesystem(Filesystem { classic: Some(classic), .. }) = &mut self.source {
            classic.flags &= !libc::MS_RDONLY;
        }
        was
    }

    /// A fallback's attributes: whatever was asked for, and read-only.
    pub(crate) fn fallback_attr(&self) -> MountAttr {
        let harmless = mount_options::harmless();
        MountAttr { attr_set: harmless.attr_set | self.attr.attr_set, ..self.attr }
    }
}

/// In a plan (`{:#}`) with all its options.
impl fmt::Display for MountPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match &self.source {
            Source::Filesystem(_) => "mount",
            Source::Bind(_) | Source::Cgroup(_) => "bind",
            Source::Remount(_) => "remount",
        };
        write!(f, "{verb} {}", self.source_name)?;
        write!(f, " at {}", self.target)?;
        if !f.alternate() {
            return Ok(());
        }
        if let Source::Filesystem(filesystem) = &self.source {
            for (key, value) in &filesystem.parameters {
                let value = value.as_ref().map(|value| format!("={}", value.to_string_lossy()));
                write!(f, " {}{}", key.to_string_lossy(), value.unwrap_or_default())?;
            }
        }
        mount_options::describe(f, "", &self.attr)?;
        mount_options::describe(f, "recursively ", &self.recursive_attr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(json: &str) -> Result<Told> {
        let mount: Mount = serde_json::from_str(json).unwrap();
        let given = Given {
            bundle: Path::new("/bundle"),
            host: &Host::for_tests(),
            own_pid_namespace: true,
            new_cgroup_namespace: true,
            cgroup: None,
        };
        plan(&mount, &given)
    }

    #[test]
    fn tmpfs_has_its_parameters_in_order() {
        let json = r#"{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755"]}"#;
        let Ok((Planned::Ready(mount), None)) = mount(json) else { panic!("planned") };
        let Source::Filesystem(filesystem) = &mount.source else { panic!("filesystem") };
        let keys: Vec<_> =
            filesystem.parameters.iter().map(|(key, _)| key.to_str().unwrap()).collect();
        assert_eq!(keys, ["source", "mode"]);
        assert_eq!(mount.to_string(), "mount tmpfs at /dev");
        assert_eq!(format!("{mount:#}"), "mount tmpfs at /dev source=tmpfs mode=755 nosuid");
    }

    #[test]
    fn relative_bind_sources_begin_at_the_bundle() {
        let json = r#"{"destination":"/data","source":"data","options":["rbind","ro"]}"#;
        let Ok((Planned::Bind { path, recursive, .. }, None)) = mount(json) else { panic!("bind") };
        assert_eq!((path.to_str().unwrap(), recursive), ("/bundle/data", true));
    }

    #[test]
    fn long_values_go_through_the_classic_call() {
        let lower = format!("lowerdir={}", "/l:".repeat(100));
        let json = format!(
            r#"{{"destination":"/o","type":"overlay","source":"o","options":["{lower}","nosuid"]}}"#
        );
        let Ok((Planned::Ready(mount), None)) = mount(&json) else { panic!("planned") };
        let Source::Filesystem(Filesystem { classic: Some(classic), .. }) = mount.source else {
            panic!("classic")
        };
        assert_eq!(classic.flags, libc::MS_NOSUID);
        assert_eq!(classic.data.to_str().unwrap(), lower);
    }

    #[test]
    fn a_bind_without_a_source_is_refused() {
        assert!(mount(r#"{"destination":"/data","options":["bind"]}"#).is_err());
        assert!(mount(r#"{"destination":"/data"}"#).is_err());
    }

    #[test]
    fn what_a_bind_cannot_change_is_refused_or_told() {
        let bind = |option: &str| {
            mount(&format!(r#"{{"destination":"/d","source":"/d","options":["bind","{option}"]}}"#))
        };
        let Ok((Planned::Bind { .. }, warning)) = bind("sync") else { panic!("bind") };
        assert!(warning.is_some_and(|text| text.starts_with("sync: ")));
        let Ok((Planned::Bind { .. }, None)) = bind("noatime") else { panic!("bind") };
        for option in ["size=1m", "tmpcopyup", "no-such-option"] {
            assert!(bind(option).is_err(), "{option}");
        }
    }

    #[test]
    fn iversion_is_a_flag_of_mount2() {
        let json = r#"{"destination":"/d","type":"tmpfs","options":["iversion","rprivate"]}"#;
        let Ok((Planned::Ready(mount), None)) = mount(json) else { panic!("planned") };
        let Source::Filesystem(filesystem) = mount.source else { panic!("filesystem") };
        assert!(filesystem.parameters.is_empty());
        assert_eq!(filesystem.classic.map(|classic| classic.flags), Some(libc::MS_I_VERSION));
    }
}
