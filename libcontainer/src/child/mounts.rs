//! Mounts, each made detached and then attached to the descriptor of its mount point.
//!
//! The order for one mount: the source first (a copy of a host's tree, or a new filesystem), then
//! the mount point, then move_mount(2) onto that very descriptor. Nothing looks the mount point up
//! a second time, so it cannot be exchanged in between (CVE-2021-30465).

use super::filesystem::{Make, make, make_new};
use super::{Context, Kind};
use crate::plan::{BindSource, Classic, Filesystem, MountPlan, Source, TargetKind, read_only};
use crate::sys::file::{self, PROC_SUPER_MAGIC, Resolve};
use crate::sys::mount::{self, MountAttr};
use crate::sys::{Errno, Result};
use std::ffi::{CStr, CString};
use std::os::fd::RawFd;

/// Changes the propagation of the root directory's mount, or of all mounts.
pub(super) fn propagate(attr: &MountAttr, recursive: bool) -> Result<()> {
    mount::mount_setattr(libc::AT_FDCWD, c"/", recursive, attr)
}

impl Context<'_> {
    pub(super) fn open_tree(&mut self, place: usize, path: &CStr, recursive: bool) -> Result<()> {
        let fd = mount::open_tree(libc::AT_FDCWD, path, recursive)?;
        let slot = self.trees.get_mut(place).ok_or(Errno(libc::EBADF))?;
        *slot = fd;
        Ok(())
    }

    fn tree(&self, source: &BindSource) -> Result<RawFd> {
        match source {
            BindSource::Tree(place) => self.trees.get(*place).copied().ok_or(Errno(libc::EBADF)),
            BindSource::Input(place) => self.input(*place),
        }
    }

    /// The root filesystem is mounted over its own directory or, when this user cannot reach that,
    /// over `/`: this process's root directory stays below it, so host paths are not lost.
    pub(super) fn attach_root(
        &mut self,
        source: &BindSource,
        path: &CStr,
        private: bool,
    ) -> Result<()> {
        let root = self.tree(source)?;
        if private {
            mount::mount_setattr(root, c"", true, &crate::plan::private())?;
            make_parent_private(path)?;
        }
        match mount::move_mount_to(root, path) {
            Err(Errno(libc::EACCES)) => mount::move_mount_to(root, c"/")?,
            attached => attached?,
        }
        self.state.root = root;
        Ok(())
    }

    /// In the caller's mount namespace: what the container mounts shows in no other place there.
    pub(super) fn attach_to_host(&mut self, source: &BindSource, path: &CStr) -> Result<()> {
        let root = self.tree(source)?;
        // No peer of what it is a copy of; and what is mounted onto a shared mount becomes shared.
        mount::mount_setattr(root, c"", true, &crate::plan::private())?;
        // Whatever becomes of us from here on, the parent knows what to take away.
        self.state.message.set_text(&mount::mount_id(root)?.to_le_bytes());
        self.ask(Kind::AttachRoot)?;
        mount::move_mount_to(root, path)?;
        mount::mount_setattr(root, c"", true, &crate::plan::private())?;
        self.state.root = root;
        Ok(())
    }

    pub(super) fn use_root(&mut self, path: &CStr) -> Result<()> {
        self.state.root = file::open(path, libc::O_PATH | libc::O_DIRECTORY)?;
        Ok(())
    }

    pub(super) fn mount(&mut self, plan: &MountPlan) -> Result<()> {
        let fd = match &plan.source {
            Source::Remount(parameters) => return self.remount(plan, parameters),
            Source::Filesystem(filesystem) => match (&filesystem.classic, filesystem.made) {
                (Some(classic), _) => return self.mount_classic(plan, filesystem, classic),
                (None, Some(input)) => self.input(input)?,
                (None, None) => self.new_filesystem(plan, filesystem)?,
            },
            Source::Bind(source) => self.bound(plan, source)?,
            Source::Cgroup(path) => mount::open_tree(libc::AT_FDCWD, path, false)?,
        };
        // A file system that is made here has its attributes from the start.
        if !matches!(&plan.source, Source::Filesystem(Filesystem { made: None, .. })) {
            set(fd, false, &plan.attr)?;
        }
        let target = self.target(plan, fd)?;
        self.attach(plan, fd, target)
    }

    fn bound(&self, plan: &MountPlan, source: &BindSource) -> Result<RawFd> {
        let tree = self.tree(source)?;
        if plan.on_proc && file::filesystem_magic(tree)? != PROC_SUPER_MAGIC {
            return Err(Errno(libc::EMEDIUMTYPE));
        }
        Ok(tree)
    }

    fn attach(&mut self, plan: &MountPlan, fd: RawFd, target: RawFd) -> Result<()> {
        if let Some(what) = plan.copy_up {
            self.copy_up(target, fd, what)?;
        }
        set(fd, true, &plan.recursive_attr)?;
        if let Some(label) = self.plan.mount_label.as_deref().filter(|_| plan.label_root) {
            set_label(fd, label)?;
        }
        mount::move_mount(fd, target).map_err(|errno| misfit(errno, fd, target))?;
        self.propagate(plan, fd)?;
        self.state.scratch.push(target);
        self.state.scratch.push(fd);
        Ok(())
    }

    fn propagate(&mut self, plan: &MountPlan, fd: RawFd) -> Result<()> {
        for (propagation, recursive) in &plan.propagation {
            let attr = MountAttr { propagation: *propagation, ..MountAttr::default() };
            mount::mount_setattr(fd, c"", *recursive, &attr)?;
        }
        Ok(())
    }

    /// The mount point, made if it may be.
    fn target(&mut self, plan: &MountPlan, source: RawFd) -> Result<RawFd> {
        if let Some((place, name)) = &plan.fresh {
            let directory = plan.target_kind == TargetKind::Directory || is_directory(source)?;
            let kind = if directory { Make::Directory } else { Make::File };
            return make_new(self.directory(*place)?, name, kind);
        }
        let root = self.root()?;
        match existing(root, plan, source) {
            Err(Errno(libc::ENOENT)) if plan.target_kind != TargetKind::Existing => {}
            other => return other,
        }
        let directory = plan.target_kind == TargetKind::Directory || is_directory(source)?;
        let kind = if directory { Make::Directory } else { Make::File };
        let made = make(root, plan.target.as_c_str(), kind)?;
        // Somebody may have put something there in between.
        if plan.may_stray {
            not_on_procfs(made, source)?;
        }
        Ok(made)
    }

    /// A filesystem of its own or, where the kernel allows none, the host's, read-only.
    fn new_filesystem(&mut self, plan: &MountPlan, filesystem: &Filesystem) -> Result<RawFd> {
        let made = self.make_filesystem(filesystem, plan.attr.attr_set);
        match (made, &filesystem.fallback) {
            (Err(errno @ Errno(libc::EPERM | libc::EBUSY)), Some(path)) => {
                let tree = mount::open_tree(libc::AT_FDCWD, path, true)?;
                set(tree, true, &plan.fallback_attr())?;
                self.note(errno)?;
                Ok(tree)
            }
            (made, _) => made,
        }
    }

    fn make_filesystem(&mut self, filesystem: &Filesystem, attributes: u64) -> Result<RawFd> {
        let context = mount::fsopen(&filesystem.fstype)?;
        let made = configure(context, &filesystem.parameters)
            .and_then(|()| mount::fsconfig_create(context))
            .and_then(|()| mount::fsmount(context, attributes));
        if made.is_err() {
            self.keep_kernel_text(context);
        }
        self.state.scratch.push(context);
        made
    }

    /// A filesystem's own words are read from its context.
    fn keep_kernel_text(&mut self, context: RawFd) {
        let mut text = [0u8; 192];
        if let Ok(length) = file::read(context, &mut text) {
            self.state.message.set_text(text.get(..length).unwrap_or_default());
        }
    }

    fn remount(
        &mut self,
        plan: &MountPlan,
        parameters: &[(CString, Option<CString>)],
    ) -> Result<()> {
        let target = self.target(plan, -1)?;
        set(target, false, &plan.attr)?;
        set(target, true, &plan.recursive_attr)?;
        if !parameters.is_empty() {
            let context = mount::fspick(target)?;
            let changed =
                configure(context, parameters).and_then(|()| mount::fsconfig_reconfigure(context));
            if changed.is_err() {
                self.keep_kernel_text(context);
            }
            file::close(context);
            changed?;
        }
        self.propagate(plan, target)?;
        self.state.scratch.push(target);
        Ok(())
    }

    /// mount(2) takes a path, which is `.` here: the mount point has become the current directory,
    /// so this is a mount by descriptor as well. When it fails, the way that takes more calls finds
    /// the kernel's words for it, or something else to mount.
    fn mount_classic(
        &mut self,
        plan: &MountPlan,
        filesystem: &Filesystem,
        classic: &Classic,
    ) -> Result<()> {
        let target = self.target(plan, -1)?;
        file::fchdir(target)?;
        let mounted =
            mount::mount_here(&classic.source, &filesystem.fstype, classic.flags, &classic.data);
        if mounted.is_err() {
            let fd = self.new_filesystem(plan, filesystem)?;
            return self.attach(plan, fd, target);
        }
        self.state.scratch.push(target);
        if plan.propagation.is_empty() && plan.recursive_attr.is_empty() {
            return Ok(());
        }
        // Only for options too long for any other way: a second look-up, of what is mounted there now.
        let root = self.root()?;
        let top = file::openat2(root, plan.target.as_c_str(), libc::O_PATH, Resolve::InRoot)?;
        set(top, true, &plan.recursive_attr)?;
        self.propagate(plan, top)?;
        self.state.scratch.push(top);
        Ok(())
    }

    pub(super) fn read_only_root(&mut self) -> Result<()> {
        mount::mount_setattr(self.state.root, c"", false, &read_only())
    }

    /// The old root ends up mounted over the new one, and is taken away from there; lazily, for it
    /// is in use by this very process. Of mounts that are shared the host's would be taken away
    /// with ours, so they are made slaves first.
    pub(super) fn pivot(&mut self, shared: bool) -> Result<()> {
        let old = if shared { file::open(c"/", libc::O_PATH | libc::O_DIRECTORY)? } else { -1 };
        file::fchdir(self.state.root)?;
        mount::pivot_root_here()?;
        if shared {
            mount::mount_setattr(old, c"", true, &crate::plan::slave())?;
            file::close(old);
        }
        mount::detach_here()
    }

    pub(super) fn chroot_to_root(&mut self) -> Result<()> {
        file::fchdir(self.state.root)?;
        file::chroot_here()
    }
}

/// The mount that holds `path` must not pass on to the host what is mounted there. It is found by
/// going up as far as the mount reaches; without the right to, nothing is mounted there either.
fn make_parent_private(path: &CStr) -> Result<()> {
    let private = crate::plan::private();
    let mut directory = match file::open(path, libc::O_PATH | libc::O_DIRECTORY) {
        Err(Errno(libc::EACCES)) => {
            return mount::mount_setattr(libc::AT_FDCWD, c"/", false, &private);
        }
        opened => opened?,
    };
    loop {
        match mount::mount_setattr(directory, c"", false, &private) {
            // Not the root of a mount.
            Err(Errno(libc::EINVAL)) => {}
            set => {
                file::close(directory);
                return set;
            }
        }
        let above = file::openat(directory, c"..", libc::O_PATH | libc::O_DIRECTORY, 0)?;
        file::close(directory);
        directory = above;
    }
}

/// The mount point, if it is there. Where no link is on the way it is what the config says; else it may be
/// on the container's procfs.
fn existing(root: RawFd, plan: &MountPlan, source: RawFd) -> Result<RawFd> {
    let path = plan.target.as_c_str();
    let no_follow = if plan.no_follow { libc::O_DIRECTORY | libc::O_NOFOLLOW } else { 0 };
    let flags = libc::O_PATH | no_follow;
    if !plan.may_stray {
        return file::openat2(root, path, flags, Resolve::InRoot);
    }
    match file::openat2(root, path, flags, Resolve::InRootNoLinks) {
        Err(Errno(libc::ELOOP)) => {}
        other => return other,
    }
    let found = file::openat2(root, path, flags, Resolve::InRoot)?;
    not_on_procfs(found, source)?;
    Ok(found)
}

/// Nothing but a procfs covers a procfs, or a part of one.
fn not_on_procfs(target: RawFd, source: RawFd) -> Result<()> {
    let is_procfs = |fd| file::filesystem_magic(fd).map(|magic| magic == PROC_SUPER_MAGIC);
    if is_procfs(target)? && (source < 0 || !is_procfs(source)?) {
        return Err(Errno(libc::EMEDIUMTYPE));
    }
    Ok(())
}

fn is_directory(fd: RawFd) -> Result<bool> {
    Ok(file::is_directory(&file::fstat(fd)?))
}

/// move_mount(2) says EINVAL to many things; a directory that shall go onto a file is a common one.
fn misfit(errno: Errno, fd: RawFd, target: RawFd) -> Errno {
    let directory = |fd| file::fstat(fd).map(|stat| file::is_directory(&stat));
    match (errno, directory(fd), directory(target)) {
        (Errno(libc::EINVAL), Ok(source), Ok(target)) if source != target => Errno(libc::ENOTDIR),
        _ => errno,
    }
}

fn configure(context: RawFd, parameters: &[(CString, Option<CString>)]) -> Result<()> {
    for (key, value) in parameters {
        mount::fsconfig_set(context, key, value.as_deref())?;
    }
    Ok(())
}

fn set(fd: RawFd, recursive: bool, attr: &MountAttr) -> Result<()> {
    if attr.is_empty() { Ok(()) } else { mount::mount_setattr(fd, c"", recursive, attr) }
}

fn set_label(root: RawFd, label: &CStr) -> Result<()> {
    let root = file::openat2(root, c".", libc::O_RDONLY | libc::O_DIRECTORY, Resolve::Component)?;
    let labelled = file::fsetxattr(root, c"security.selinux", label.to_bytes());
    file::close(root);
    labelled
}
