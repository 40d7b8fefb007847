//! The root filesystem as the process sees it: devices, links, masked and read-only paths, propagation,
//! and what a hostile image may try.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;

use super::shell;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::result::{Doing, Res, holds, same};

const PARENT_IS_PRIVATE: &str =
    "the peers take what holds the root filesystem out of its peer group, whatever is asked for";

pub(crate) const FEATURE: Feature = Feature {
    name: "rootfs",
    cases: &[
        either!(is_the_root),
        either!(path_is_a_link).only_crun("runc refuses it"),
        either!(old_root_is_gone),
        either!(readonly),
        either!(readonly_leaves_mounts_writable),
        either!(default_devices),
        either!(default_devices_work),
        root!(configured_device),
        root!(configured_device_defaults),
        root!(configured_fifo),
        root!(configured_device_in_new_directory),
        either!(default_links),
        either!(ptmx_is_of_the_containers_devpts),
        root!(ptmx_of_the_image_stays).ours("the peers put a link in its place"),
        either!(masked_file),
        either!(masked_directory),
        either!(masked_missing_path_is_no_error),
        either!(masked_proc_and_sys),
        either!(readonly_paths),
        either!(readonly_missing_path_is_no_error),
        root!(proc_sys_is_read_only),
        root!(propagation_private),
        root!(propagation_shared),
        root!(propagation_slave),
        root!(propagation_unbindable)
            .ours("the peers make all mounts unbindable before they bind from them, and fail"),
        root!(volume_receives_from_the_host).only_runc("crun's default is rprivate"),
        root!(volume_in_a_user_namespace_receives_from_the_host)
            .only_runc("crun's default is rprivate"),
        root!(shared_volume_gives_to_the_host),
        root!(slave_volume_gives_nothing_to_the_host),
        root!(root_receives_from_the_host).ours(PARENT_IS_PRIVATE),
        root!(root_in_a_user_namespace_receives_from_the_host).ours(PARENT_IS_PRIVATE),
        either!(no_pivot),
        root!(nothing_propagates_to_the_host),
        either!(link_as_destination_stays_inside),
        either!(link_to_host_path_stays_inside),
        either!(link_upwards_stays_inside),
        either!(file_link_as_destination_stays_inside),
        either!(cwd_is_a_link_to_the_host),
    ],
};

fn is_the_root(ctx: &Ctx) -> Res {
    let container =
        ctx.container_of(&["/bin/sh", "-c", "cat /mark; ls -di / | grep -o '^ *[0-9]*'"])?;
    fs::write(container.inside("/mark"), "the rootfs\n").doing("write")?;
    let out = container.run()?.is(0)?;
    let inode = fs::metadata(container.rootfs()).doing("rootfs")?.ino();
    same!(out.text().replace(' ', ""), format!("therootfs\n{inode}"));
    Ok(())
}

/// No mount of the host is left in the container's table, and `..` of the root is the root.
fn path_is_a_link(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    symlink(container.rootfs(), container.bundle.join("link")).doing("link")?;
    container.set("/root/path", "link").sh("echo made >/made");
    container.run()?.is(0)?;
    same!(fs::read_to_string(container.inside("/made")).doing("read")?, "made\n");
    container.gone()
}

fn old_root_is_gone(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let report = container.report()?;
    let lines = report["mounts"].as_array().cloned().unwrap_or_default();
    let points: Vec<&str> =
        lines.iter().filter_map(|line| line.as_str()?.split(' ').nth(4)).collect();
    let known = |point: &&str| {
        ["/", "/proc", "/dev", "/sys"]
            .iter()
            .any(|top| *point == *top || (*top != "/" && point.starts_with(&format!("{top}/"))))
    };
    let strange: Vec<&&str> = points.iter().filter(|point| !known(point)).collect();
    holds!(strange.is_empty(), "mounts from elsewhere: {strange:?}");
    same!(points.iter().filter(|point| **point == "/").count(), 1);
    Ok(())
}

fn readonly(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/root/readonly", true).sh("touch /x || touch /etc/x");
    container.run()?.is(1)?.says_one_of(&["read-only file system"])?;
    Ok(())
}

fn readonly_leaves_mounts_writable(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/root/readonly", true).mount("/tmp", "tmpfs", "tmpfs", &[]);
    container.sh("touch /tmp/x && touch /dev/shm/x && ls /tmp");
    container.run()?.is(0)?.prints("x")?;
    Ok(())
}

const DEVICES: &[(&str, &str)] = &[
    ("null", "1:3"),
    ("zero", "1:5"),
    ("full", "1:7"),
    ("random", "1:8"),
    ("urandom", "1:9"),
    ("tty", "5:0"),
];

fn default_devices(ctx: &Ctx) -> Res {
    for (name, number) in DEVICES {
        let (major, minor) = number.split_once(':').unwrap_or_default();
        let out = shell(ctx, &format!("stat -c '%F %t:%T %a' /dev/{name}"))?;
        let hex = |text: &str| format!("{:x}", text.parse::<u32>().unwrap_or(0));
        same!(out, format!("character special file {}:{} 666", hex(major), hex(minor)));
    }
    Ok(())
}

fn default_devices_work(ctx: &Ctx) -> Res {
    let script = "echo x >/dev/null && head -c 3 /dev/zero | od -An -tx1 && head -c 8 /dev/urandom | wc -c; echo x >/dev/full";
    let container = ctx.container_of(&["/bin/sh", "-c", script])?;
    let out = container.run()?.is(1)?;
    same!(out.text().split_whitespace().collect::<Vec<_>>(), ["00", "00", "00", "8"]);
    Ok(())
}

fn configured_device(ctx: &Ctx) -> Res {
    let mut container =
        ctx.container_of(&["/bin/stat", "-c", "%F %t:%T %a %u:%g", "/dev/straw"])?;
    container.push(
        "/linux/devices",
        json!({"path": "/dev/straw", "type": "c", "major": 1, "minor": 5,
        "fileMode": 0o640, "uid": 1000, "gid": 50}),
    );
    container.run()?.is(0)?.prints("character special file 1:5 640 1000:50")?;
    Ok(())
}

fn configured_device_defaults(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/stat", "-c", "%F %t:%T %u:%g", "/dev/straw"])?;
    container.push(
        "/linux/devices",
        json!({"path": "/dev/straw", "type": "b", "major": 7, "minor": 200}),
    );
    container.run()?.is(0)?.prints("block special file 7:c8 0:0")?;
    Ok(())
}

fn configured_fifo(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/stat", "-c", "%F %a", "/dev/straw"])?;
    container.push("/linux/devices", json!({"path": "/dev/straw", "type": "p", "fileMode": 0o622}));
    container.run()?.is(0)?.prints("fifo 622")?;
    Ok(())
}

fn configured_device_in_new_directory(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/stat", "-c", "%t:%T", "/dev/hive/straw"])?;
    container.push(
        "/linux/devices",
        json!({"path": "/dev/hive/straw", "type": "c", "major": 1, "minor": 5,
        "fileMode": 0o666}),
    );
    container.run()?.is(0)?.prints("1:5")?;
    Ok(())
}

fn default_links(ctx: &Ctx) -> Res {
    let script = "for l in fd stdin stdout stderr; do readlink /dev/$l; done; echo piped | cat /dev/stdin; echo out >/dev/stdout";
    let want = "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npiped\nout";
    let got = shell(ctx, script)?;
    // An opened regular file is written from its start again.
    holds!(got.contains("out") && (got == want || got.starts_with("out")), "links are {got:?}");
    let links = shell(ctx, "for l in fd stdin stdout stderr; do readlink /dev/$l; done")?;
    same!(links, "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2");
    Ok(())
}

fn ptmx_is_of_the_containers_devpts(ctx: &Ctx) -> Res {
    let target = shell(ctx, "readlink /dev/ptmx || stat -c %F /dev/ptmx")?;
    holds!(target == "pts/ptmx" || target == "/dev/pts/ptmx", "/dev/ptmx is {target}");
    Ok(())
}

/// Which may be the host's, where its root is the container's.
fn ptmx_of_the_image_stays(ctx: &Ctx) -> Res {
    let script = "stat -c %t:%T /dev/ptmx; exec 3<>/dev/ptmx; ls /dev/pts";
    let mut container = ctx.container_of(&["/bin/sh", "-c", script])?;
    container.drop_mount("/dev");
    let dev = container.inside("/dev");
    fs::create_dir_all(dev.join("pts")).doing("make /dev")?;
    let mode = Mode::from_bits_truncate(0o666);
    let ptmx = dev.join("ptmx");
    mknod(&ptmx, SFlag::S_IFCHR, mode, makedev(5, 2)).doing("mknod")?;
    fs::set_permissions(&ptmx, fs::Permissions::from_mode(0o666)).doing("chmod")?;
    container.run()?.is(0)?.prints("5:2\n0\nptmx")?;
    Ok(())
}

fn masked_file(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/sh", "-c", "cat /secret; wc -c </secret"])?;
    fs::write(container.inside("/secret"), "not to be read").doing("write")?;
    container.push("/linux/maskedPaths", "/secret");
    container.run()?.is(0)?.prints("0")?;
    Ok(())
}

fn masked_directory(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/sh", "-c", "ls -A /secret; mkdir /secret/x"])?;
    fs::create_dir(container.inside("/secret")).doing("mkdir")?;
    fs::write(container.inside("/secret/file"), "not to be read").doing("write")?;
    container.push("/linux/maskedPaths", "/secret");
    container.run()?.is(1)?.prints("")?.says_one_of(&["read-only", "permission denied"])?;
    Ok(())
}

fn masked_missing_path_is_no_error(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "runs"])?;
    container.push("/linux/maskedPaths", "/no/such/path");
    container.run()?.is(0)?.prints("runs")?;
    Ok(())
}

fn masked_proc_and_sys(ctx: &Ctx) -> Res {
    let script = "for f in kcore keys timer_list sched_debug; do
        test ! -e /proc/$f || test -z \"$(head -c 1 /proc/$f)\" || echo $f; done
        ls /sys/firmware 2>/dev/null
        echo looked";
    same!(shell(ctx, script)?, "looked");
    Ok(())
}

fn readonly_paths(ctx: &Ctx) -> Res {
    let script = "touch /ro/x 2>/dev/null || echo directory; echo x 2>/dev/null >/etc/group || echo file; cat /ro/file";
    let mut container = ctx.container_of(&["/bin/sh", "-c", script])?;
    fs::create_dir(container.inside("/ro")).doing("mkdir")?;
    fs::write(container.inside("/ro/file"), "readable").doing("write")?;
    container.push("/linux/readonlyPaths", "/ro").push("/linux/readonlyPaths", "/etc/group");
    let out = container.run()?.is(0)?;
    same!(out.text(), "directory\nfile\nreadable");
    Ok(())
}

fn readonly_missing_path_is_no_error(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "runs"])?;
    container.push("/linux/readonlyPaths", "/no/such/path");
    container.run()?.is(0)?.prints("runs")?;
    Ok(())
}

fn proc_sys_is_read_only(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.sh("echo x >/proc/sys/kernel/hostname").all_capabilities();
    container.run()?.is(1)?.says_one_of(&["read-only file system"])?;
    Ok(())
}

/// The optional fields of the root's line in mountinfo.
fn root_propagation(ctx: &Ctx, value: &str) -> Res<String> {
    let mut container = ctx.container()?;
    container.set("/linux/rootfsPropagation", value);
    let report = container.report()?;
    let lines = report["mounts"].as_array().cloned().unwrap_or_default();
    let line = lines
        .iter()
        .filter_map(|line| line.as_str())
        .find(|line| line.split(' ').nth(4) == Some("/"));
    let fields = line.doing("root mount")?.split(' ').skip(6).take_while(|field| *field != "-");
    Ok(fields.collect::<Vec<_>>().join(" "))
}

fn propagation_private(ctx: &Ctx) -> Res {
    for value in ["private", "rprivate"] {
        same!(root_propagation(ctx, value)?, "");
    }
    Ok(())
}

fn propagation_shared(ctx: &Ctx) -> Res {
    for value in ["shared", "rshared"] {
        let got = root_propagation(ctx, value)?;
        holds!(got.contains("shared:"), "{value} gives `{got}`");
    }
    Ok(())
}

fn propagation_slave(ctx: &Ctx) -> Res {
    for value in ["slave", "rslave"] {
        let got = root_propagation(ctx, value)?;
        holds!(!got.contains("shared:"), "{value} gives `{got}`");
    }
    Ok(())
}

/// Nothing can be copied from it.
fn propagation_unbindable(ctx: &Ctx) -> Res {
    for value in ["unbindable", "runbindable"] {
        same!(root_propagation(ctx, value)?, "unbindable");
    }
    let mut container = ctx.container()?;
    container.all_capabilities().set("/linux/rootfsPropagation", "unbindable");
    container.sh("mkdir -p /tmp/x && mount -o bind / /tmp/x");
    container.run()?.failed()?;
    Ok(())
}

/// A mount namespace of this process's own, in which everything is shared, as systemd has it.
fn share_all_mounts() -> Res {
    unshare(CloneFlags::CLONE_NEWNS).doing("unshare")?;
    let none: Option<&str> = None;
    for kind in [MsFlags::MS_PRIVATE, MsFlags::MS_SHARED] {
        mount(none, "/", none, kind | MsFlags::MS_REC, none).doing("change propagation")?;
    }
    Ok(())
}

/// Whether what the host mounts at `point` later on is seen inside, at `inside`.
fn receives(container: &Container<'_>, point: &Path, inside: &str) -> Res<bool> {
    container.run_until("ready")?;
    let none: Option<&str> = None;
    mount(Some("straw"), point, Some("tmpfs"), MsFlags::empty(), none).doing("mount")?;
    let table = container.exec(&[], &["/bin/cat", "/proc/mounts"]);
    nix::mount::umount(point).doing("unmount")?;
    container.force_delete()?;
    Ok(table?.is(0)?.out.contains(&format!("straw {inside} ")))
}

/// What values of rootfsPropagation let in.
const RECEIVING: &[(Option<&str>, bool)] =
    &[(None, true), (Some("rslave"), true), (Some("rprivate"), false)];

/// Those that runc means for the root alone, and leaves volumes shared with the host.
const RECEIVING_ALONE: &[(Option<&str>, bool)] = &[(Some("slave"), true), (Some("private"), false)];

/// A sleeper with the mount point `point`.
fn receiver<'a>(
    ctx: &'a Ctx,
    value: Option<&str>,
    user_namespace: bool,
    point: &str,
) -> Res<Container<'a>> {
    let mut container = ctx.sleeper()?;
    fs::create_dir(container.inside(point)).doing("mkdir")?;
    if user_namespace {
        container.map_ids(100_000, 65_536);
    }
    if let Some(value) = value {
        container.set("/linux/rootfsPropagation", value);
    }
    Ok(container)
}

fn root_receives(ctx: &Ctx, user_namespace: bool) -> Res {
    share_all_mounts()?;
    for (value, seen) in RECEIVING.iter().chain(RECEIVING_ALONE) {
        let container = receiver(ctx, *value, user_namespace, "/mnt")?;
        let got = receives(&container, &container.inside("/mnt"), "/mnt")?;
        holds!(got == *seen, "{value:?}: received is {got}, wanted {seen}");
    }
    Ok(())
}

/// The volume is a mount of its own, since peers change the one that the root filesystem is on.
fn volume_receives(ctx: &Ctx, user_namespace: bool) -> Res {
    share_all_mounts()?;
    let volume = ctx.make_dir("volume")?;
    let none: Option<&str> = None;
    mount(Some("tmpfs"), &volume, Some("tmpfs"), MsFlags::empty(), none).doing("mount")?;
    let sub = ctx.make_dir("volume/sub")?;
    for (value, seen) in RECEIVING {
        let mut container = receiver(ctx, *value, user_namespace, "/volume")?;
        container.bind(&volume, "/volume", &["rbind"]);
        let got = receives(&container, &sub, "/volume/sub")?;
        holds!(got == *seen, "{value:?}: received is {got}, wanted {seen}");
    }
    nix::mount::umount(&volume).doing("unmount")
}

fn root_receives_from_the_host(ctx: &Ctx) -> Res {
    root_receives(ctx, false)
}

fn root_in_a_user_namespace_receives_from_the_host(ctx: &Ctx) -> Res {
    root_receives(ctx, true)
}

fn volume_receives_from_the_host(ctx: &Ctx) -> Res {
    volume_receives(ctx, false)
}

fn volume_in_a_user_namespace_receives_from_the_host(ctx: &Ctx) -> Res {
    volume_receives(ctx, true)
}

/// Whether the host sees what a container mounts in a volume of this propagation, as for a driver of volumes.
fn gives(ctx: &Ctx, volume: &Path, option: &str) -> Res<bool> {
    let mut container = ctx.container()?;
    fs::create_dir(container.inside("/volume")).doing("mkdir")?;
    container.all_capabilities().set("/linux/rootfsPropagation", "rshared");
    container.bind(volume, "/volume", &["rbind", option]);
    container.sh("mount -t tmpfs straw /volume/sub && echo ready && exec /bin/probe until-term");
    container.run_until("ready")?;
    let table = fs::read_to_string("/proc/thread-self/mountinfo").doing("read mountinfo")?;
    let point = volume.join("sub");
    let given = table.contains(&format!(" {} ", point.display()));
    container.force_delete()?;
    if given {
        nix::mount::umount(&point).doing("unmount")?;
    }
    container.gone()?;
    Ok(given)
}

fn each_gives(ctx: &Ctx, options: &[&str], want: bool) -> Res {
    share_all_mounts()?;
    let volume = ctx.make_dir("volume")?;
    ctx.make_dir("volume/sub")?;
    let none: Option<&str> = None;
    mount(Some(&volume), &volume, none, MsFlags::MS_BIND, none).doing("bind")?;
    for option in options {
        let given = gives(ctx, &volume, option)?;
        holds!(given == want, "{option}: seen by the host is {given}, wanted {want}");
    }
    nix::mount::umount(&volume).doing("unmount")
}

fn shared_volume_gives_to_the_host(ctx: &Ctx) -> Res {
    each_gives(ctx, &["shared", "rshared"], true)
}

fn slave_volume_gives_nothing_to_the_host(ctx: &Ctx) -> Res {
    each_gives(ctx, &["slave", "rslave", "private", "rprivate", "unbindable"], false)
}

fn no_pivot(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/sh", "-c", "cat /etc/group | head -n 1; ls /"])?;
    let out = container.run_call(&["--no-pivot"])?.done()?.is(0)?;
    holds!(out.out.starts_with("root:x:0:\n"), "{}", out.out);
    holds!(!out.out.contains("boot"), "sees the host's root: {}", out.out);
    container.gone()
}

/// Neither what the container mounts appears, nor does what it takes away disappear.
fn nothing_propagates_to_the_host(ctx: &Ctx) -> Res {
    share_all_mounts()?;
    let table = || fs::read_to_string("/proc/thread-self/mountinfo").doing("read mountinfo");
    let before = table()?;
    let mut container = ctx.container()?;
    container.all_capabilities().set("/linux/rootfsPropagation", "rshared");
    container.sh("mount -t tmpfs x /tmp && echo ready && exec /bin/probe until-term");
    container.run_until("ready")?;
    same!(table()?, before);
    container.force_delete()?;
    container.gone()?;
    same!(table()?, before);
    Ok(())
}

/// A tmpfs on a destination that passes the link must be inside the rootfs, at `lands`.
fn through_link(ctx: &Ctx, link: &str, target: &str, destination: &str, lands: &str) -> Res {
    let script =
        format!("touch {destination}/x; grep -c '^straw {lands} ' /proc/mounts; ls {lands}");
    let mut container = ctx.container_of(&["/bin/sh", "-c", &script])?;
    symlink(target, container.inside(link)).doing("link")?;
    fs::create_dir_all(container.inside(lands)).doing("mkdir")?;
    container.mount(destination, "tmpfs", "straw", &[]);
    container.run()?.is(0)?.prints("1\nx")?;
    Ok(())
}

fn link_as_destination_stays_inside(ctx: &Ctx) -> Res {
    through_link(ctx, "/link", "/target", "/link", "/target")
}

fn link_to_host_path_stays_inside(ctx: &Ctx) -> Res {
    let outside = ctx.make_dir("outside")?;
    let lands = outside.to_string_lossy().into_owned();
    through_link(ctx, "/link", &lands, "/link", &lands)?;
    same!(fs::read_dir(&outside).doing("read")?.count(), 0);
    Ok(())
}

fn link_upwards_stays_inside(ctx: &Ctx) -> Res {
    through_link(ctx, "/link", "../../../../../../home", "/link/alice", "/home/alice")
}

fn file_link_as_destination_stays_inside(ctx: &Ctx) -> Res {
    let outside = ctx.make_file("outside", "the host's\n")?;
    let source = ctx.make_file("source", "mounted\n")?;
    let mut container =
        ctx.container_of(&["/bin/sh", "-c", "cat /etc/link; echo written >/etc/link"])?;
    symlink(&outside, container.inside("/etc/link")).doing("link")?;
    container.bind(&source, "/etc/link", &["bind"]);
    let out = container.run()?;
    holds!(out.code != 0 || out.text() == "mounted", "mounted elsewhere: {}", out.text());
    same!(fs::read_to_string(&outside).unwrap_or_default(), "the host's\n");
    Ok(())
}

fn cwd_is_a_link_to_the_host(ctx: &Ctx) -> Res {
    let outside = ctx.make_dir("outside")?;
    let mut container = ctx.container_of(&["/bin/sh", "-c", "touch x; echo ran"])?;
    symlink(&outside, container.inside("/link")).doing("link")?;
    container.set("/process/cwd", "/link");
    container.run()?.ran_or_failed("ran")?;
    same!(fs::read_dir(&outside).doing("read")?.count(), 0);
    container.gone()
}
