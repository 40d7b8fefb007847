//! One entry of `mounts`, as the child will make it.

mod filesystem;

pub(crate) use filesystem::{Classic, Filesystem};

use super::cgroup_view;
use super::host::Host;
use super::mount_label::{self, Way};
use super::mount_options::{self, MountOptions};
use super::paths::{RootPath, c_path};
use crate::cgroup::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::mount::MountAttr;
use filesystem::{filesystem, parameters};
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
    /// It is on `/proc`, where programs of the container trust in what they find: nothing but a procfs may be
    /// bound there (CVE-2019-19921).
    pub(crate) on_proc: bool,
    /// The destination is not on `/proc` by its name, but a link could lead there: the same holds for that.
    pub(crate) may_stray: bool,
    pub(crate) source: Source,
    /// For messages: what config.json calls the source.
    pub(crate) source_name: String,
    pub(crate) attr: MountAttr,
    pub(crate) recursive_attr: MountAttr,
    pub(crate) propagation: Vec<(u64, bool)>,
    pub(crate) copy_up: Option<CopyUp>,
    /// Links to make in a new tmpfs before anything else is: name and target.
    pub(crate) links: Vec<(CString, CString)>,
    /// Its root directory is given the plan's label.
    pub(crate) label_root: bool,
}

/// What of the directory at the mount point goes to the root of the tmpfs: what its options do not name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyUp {
    pub(crate) mode: bool,
    pub(crate) uid: bool,
    pub(crate) gid: bool,
}

impl CopyUp {
    fn of(options: &MountOptions) -> Self {
        let unnamed = |name: &str| !options.data.iter().any(|(key, _)| key == name);
        Self { mode: unnamed("mode"), uid: unnamed("uid"), gid: unnamed("gid") }
    }
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
    /// The process has CAP_SYS_ADMIN on the host.
    pub(crate) privileged: bool,
    /// `linux.mountLabel`
    pub(crate) label: Option<&'a str>,
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

/// Plans one entry.
pub(crate) fn plan(mount: &Mount, given: &Given) -> Result<Told> {
    let texts = mount.options().iter().flatten().map(String::as_str);
    let mut options = MountOptions::parse(texts);
    let target = RootPath::new(&mount.destination().to_string_lossy())?;
    let fstype = mount.typ().as_deref().unwrap_or("");
    let source = mount.source().as_ref().map(|path| path.to_string_lossy().into_owned());
    let bind = options.bind.or((fstype == "bind").then_some(false));
    let label = label(&options, bind.is_some() || options.remount, fstype, given);
    options.context = label.filter(|label| label.0 == Way::Option).map(|label| label.1.to_owned());
    let label_root = label.is_some_and(|label| label.0 == Way::Attribute);
    // The host's cgroups are mounted below its /sys, and an ordinary user's own are his to write to
    // (CVE-2023-25809). Nobody is kept out who may mount it all again; what the engine gives him to write to
    // is below that, too (/sys/fs/bpf).
    if bind == Some(true) && target.lexical() == "sys" && !given.privileged {
        options.read_only_throughout();
    }
    let base = |source, target_kind, name| {
        let mut plan = MountPlan::new(target.clone(), target_kind, source, name, &options);
        plan.no_follow = bind.is_none() && matches!(fstype, "proc" | "sysfs");
        plan.may_stray &= fstype != "proc";
        plan.label_root = label_root;
        plan
    };
    if options.remount {
        if let Some(name) = options.of_mount2() {
            return Err(invalid(&format!("{name} is for a new mount; take it out")));
        }
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
    if fstype != "proc" && target.lexical() == "proc" {
        return Err(invalid("only a procfs goes onto /proc; mount this somewhere else"));
    }
    if fstype == "cgroup" && given.host.cgroups.has_v1() {
        return cgroup_view::plan(&target, &options, given);
    }
    let mut filesystem = filesystem(fstype, source.as_deref(), &options, given)?;
    if label_root && filesystem.only_classic {
        return Err(invalid(
            "linux.mountLabel does not go with options of more than 255 bytes, iversion or silent here; take the option out",
        ));
    }
    // The label goes onto what is not attached yet.
    filesystem.classic = filesystem.classic.filter(|_| !label_root);
    let name = filesystem.fstype.to_string_lossy().into_owned();
    let mount = base(Source::Filesystem(filesystem), TargetKind::Directory, name);
    Ok((Planned::Ready(mount), None))
}

/// What is new has the label of `linux.mountLabel`, unless its own options have one.
fn label<'a>(
    options: &MountOptions,
    is_old: bool,
    fstype: &str,
    given: &Given<'a>,
) -> Option<(Way, &'a str)> {
    let own = options.data.iter().any(|(key, _)| key == "context");
    let label = given.label.filter(|_| !own && !is_old)?;
    Some((mount_label::way(fstype), label))
}

/// The kernel passes over what a bind says to its file system: what is the file system's own is wrong, of
/// flags that all have the warning is told.
fn for_binds(options: &MountOptions) -> Result<Option<String>> {
    // What engines see to themselves, and Buildah and Podman hand on all the same: labels, owners, overlays, what
    // is copied into a new volume.
    const ENGINES: &[&str] = &["z", "Z", "U", "O", "copy", "nocopy"];
    let engines = |key: &str| ENGINES.contains(&key);
    if let Some((key, _)) = options.data.iter().find(|(key, _)| !engines(key)) {
        let text = format!(
            "{key:?} is no option of a bind mount, whose file system is mounted already; take it out"
        );
        return Err(invalid(&text));
    }
    let flags = &options.superblock;
    let flags = (!flags.is_empty())
        .then(|| format!("{}: stays as it is on the host, as with every bind", flags.join(", ")));
    let words: Vec<&str> = options.data.iter().map(|(key, _)| key.as_str()).collect();
    let words = (!words.is_empty())
        .then(|| format!("{}: is for engines, nothing is done about it here", words.join(", ")));
    let all: Vec<String> = flags.into_iter().chain(words).collect();
    Ok((!all.is_empty()).then(|| all.join("; ")))
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, text)
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
            target_kind,
            fresh: None,
            no_follow: false,
            on_proc: target.lexical() == "proc",
            may_stray: !matches!(source, Source::Remount(_)) && !target.is_named_below("proc"),
            target,
            source,
            source_name,
            attr: options.attr,
            recursive_attr: options.recursive_attr,
            propagation: options.propagation.clone(),
            copy_up: options.copy_up.then(|| CopyUp::of(options)),
            links: Vec::new(),
            label_root: false,
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
        self.is_tmpfs() && self.copy_up.is_none()
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
        if self.label_root {
            f.write_str(" labelled")?;
        }
        mount_options::describe(f, "", &self.attr)?;
        mount_options::describe(f, "recursively ", &self.recursive_attr)
    }
}

#[cfg(test)]
mod tests;
