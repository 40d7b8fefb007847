//! Containers without a mount namespace of their own: they have the caller's, and are mounted in it.
//!
//! Each case makes a mount namespace for itself first, so that the machine's is left alone.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use serde_json::json;

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "host_mounts",
    cases: &[
        root!(namespace_is_the_callers).ours(LEFT),
        root!(gone_with_the_container).ours(LEFT),
        root!(gone_where_the_root_is_a_link).ours(LEFT),
        root!(gone_after_a_creation_that_fails).ours(LEFT),
        root!(what_the_rootfs_is_on_stays).ours(LEFT),
        root!(what_lies_on_it_stays).ours("they unmount nothing at all"),
        root!(another_root_over_it_stays).ours("they unmount nothing at all"),
        root!(callers_root_refused).ours("they cover it"),
        root!(named_by_its_path_refused).ours("they mount in it as in any that is joined"),
        root!(elsewhere_nothing_is_unmounted).ours("they unmount nothing at all"),
        root!(no_other_place_is_changed).ours(LEFT),
    ],
};

const LEFT: &str = "they leave the mounts behind, in which the next case would run";

/// The caller's mounts are shared, as systemd has them.
fn sleeper(ctx: &Ctx) -> Res<Container<'_>> {
    unshare(CloneFlags::CLONE_NEWNS).doing("unshare")?;
    change("/", MsFlags::MS_PRIVATE)?;
    change("/", MsFlags::MS_SHARED)?;
    let mut container = ctx.sleeper()?;
    container.drop_namespace("mount");
    Ok(container)
}

fn bind(from: &Path, to: &Path) -> Res {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>).doing("bind")
}

fn unmount(path: &Path) -> Res {
    umount2(path, MntFlags::MNT_DETACH).doing("unmount")
}

fn change(path: &str, flag: MsFlags) -> Res {
    mount(None::<&str>, path, None::<&str>, MsFlags::MS_REC | flag, None::<&str>).doing(path)
}

/// Where something is mounted at or below the root filesystem.
fn mounted(container: &Container) -> Vec<String> {
    points_below(&container.rootfs())
}

fn points_below(dir: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    points.filter(|point| Path::new(point).starts_with(dir)).map(Into::into).collect()
}

fn namespace_is_the_callers(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    let out = container.run_detached()?.is(0)?;
    holds!(out.err.contains("no mount namespace"), "it does not say so: {}", out.err);
    let inode = |path: String| fs::metadata(&path).map(|found| found.ino()).doing(&path);
    let pid = container.pid()?;
    same!(inode(format!("/proc/{pid}/ns/mnt"))?, inode("/proc/thread-self/ns/mnt".into())?);
    let root = format!("/proc/{pid}/root/");
    same!(inode(root)?, inode(container.rootfs().display().to_string())?);
    container.exec(&[], &["/bin/sh", "-c", "test -c /dev/null && test -d /proc/1"])?.is(0)?;
    Ok(())
}

fn gone_with_the_container(ctx: &Ctx) -> Res {
    mounted_and_gone(&sleeper(ctx)?)
}

fn gone_where_the_root_is_a_link(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    symlink("rootfs", container.bundle.join("link")).doing("link")?;
    container.set("/root/path", "link");
    mounted_and_gone(&container)
}

fn mounted_and_gone(container: &Container) -> Res {
    container.create()?.is(0)?;
    let proc = container.inside("/proc").display().to_string();
    holds!(mounted(container).contains(&proc), "no mounts: {:?}", mounted(container));
    container.force_delete()?.is(0)?;
    same!(mounted(container), Vec::<String>::new());
    Ok(())
}

fn gone_after_a_creation_that_fails(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    container.args(&["/bin/no-such-program"]);
    container.create_call(&[])?.done()?.failed()?;
    same!(mounted(&container), Vec::<String>::new());
    Ok(())
}

fn what_the_rootfs_is_on_stays(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    let rootfs = container.rootfs();
    bind(&rootfs, &rootfs)?;
    container.create()?.is(0)?;
    container.force_delete()?.is(0)?;
    same!(mounted(&container), [rootfs.display().to_string()]);
    unmount(&rootfs)
}

/// The caller's own, over the root: neither can be taken away without the other.
fn what_lies_on_it_stays(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    let rootfs = container.rootfs();
    container.create()?.is(0)?;
    let mine = ctx.make_dir("mine")?;
    bind(&mine, &rootfs)?;
    let before = mounted(&container);
    container.force_delete()?.is(0)?.says_one_of(&["something else is mounted over it"])?;
    same!(mounted(&container), before);
    unmount(&rootfs)?;
    unmount(&rootfs)
}

/// The second of two with the same root filesystem lies over the first, and lives on.
fn another_root_over_it_stays(ctx: &Ctx) -> Res {
    let first = sleeper(ctx)?;
    first.create()?.is(0)?;
    let below = mounted(&first);
    let mut second = ctx.sleeper()?;
    second.drop_namespace("mount");
    second.set("/root/path", json!(first.rootfs()));
    second.create()?.is(0)?;
    let both = mounted(&first);
    first.force_delete()?.is(0)?.says_one_of(&["something else is mounted over it"])?;
    same!(mounted(&first), both);
    second.force_delete()?.is(0)?;
    same!(mounted(&first), below);
    unmount(&first.rootfs())
}

/// By whatever name.
fn callers_root_refused(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    let link = ctx.dir.join("link");
    std::os::unix::fs::symlink("/", &link).doing("link")?;
    let before = points_below(Path::new("/"));
    for path in [Path::new("/"), Path::new("/proc/.."), &link] {
        container.set("/root/path", json!(path));
        let says = format!("root.path: {} is the caller's root", path.display());
        container.create_call(&[])?.done()?.refused(&[&says])?;
        same!(points_below(Path::new("/")), before);
    }
    Ok(())
}

fn named_by_its_path_refused(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    let before = points_below(Path::new("/"));
    let test = std::process::id();
    for path in ["/proc/self/ns/mnt".to_string(), format!("/proc/{test}/ns/mnt")] {
        container.namespace("mount", Some(&path));
        let says = format!("(mount): path {path} is the caller's own mount namespace");
        let out = container.create_call(&[])?.done()?.refused(&[&says])?;
        holds!(out.err.contains("linux.namespaces["), "it does not name the field: {}", out.err);
        same!(points_below(Path::new("/")), before);
    }
    container.gone()
}

/// Another mount namespace has mounts of its own at that path.
fn elsewhere_nothing_is_unmounted(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    container.create()?.is(0)?;
    unshare(CloneFlags::CLONE_NEWNS).doing("unshare")?;
    change("/", MsFlags::MS_PRIVATE)?;
    let before = mounted(&container);
    container.force_delete()?.is(0)?.says_one_of(&["another mount namespace"])?;
    same!(mounted(&container), before);
    unmount(&container.rootfs())
}

/// The directory is on a mount that is shared, here at a second place.
fn no_other_place_is_changed(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    let other = ctx.make_dir("other")?;
    bind(&ctx.dir, &other)?;
    container.create()?.is(0)?;
    let there = points_below(&other);
    holds!(there.len() <= 2, "more than the root shows at the other place: {there:?}");
    container.force_delete()?.is(0)?;
    same!(points_below(&other), [other.display().to_string()]);
    unmount(&other)
}
