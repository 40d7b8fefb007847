//! Images and volumes that hold links, and other things, where a runtime expects files of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::NAME;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::pty::ConsoleSocket;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: NAME,
    cases: &[
        either!(cve_2019_18837_links_to_the_host),
        root!(cve_2019_18837_devices_behind_a_link),
        either!(cve_2019_16884_proc_of_the_image_is_a_link),
        either!(cve_2019_16884_sys_of_the_image_is_a_link),
        either!(cve_2019_19921_volume_on_proc_is_refused).only_runc("crun mounts it"),
        either!(cve_2019_19921_volume_led_onto_proc_is_refused).only_runc("crun mounts it"),
        root!(cve_2025_31133_null_of_a_volume_is_a_link),
        root!(cve_2025_31133_null_of_the_image_is_a_link),
        either!(cve_2025_52565_console_is_a_link),
        either!(cve_2025_52565_pts_is_a_volume),
        root!(cve_2025_52881_sysctl_below_a_volume),
        root!(cve_2026_41579_dev_is_a_link),
    ],
};

const THE_HOSTS: &str = "the host's\n";

/// A directory of the host's with a file in it, which are in the image as well, so that nothing is refused
/// because it is missing there.
struct Outside {
    dir: PathBuf,
    file: PathBuf,
}

impl Outside {
    fn new(ctx: &Ctx, container: &Container<'_>) -> Res<Outside> {
        let dir = ctx.make_dir("outside")?;
        let file = ctx.make_file("outside/file", THE_HOSTS)?;
        let inside = container.inside(&dir.to_string_lossy());
        fs::create_dir_all(&inside).doing("mkdir")?;
        fs::write(inside.join("file"), "the image's\n").doing("write")?;
        Ok(Outside { dir, file })
    }

    fn unchanged(&self) -> Res {
        let names: Vec<_> =
            fs::read_dir(&self.dir).doing("read")?.flatten().map(|each| each.file_name()).collect();
        same!(names, ["file"]);
        same!(fs::read_to_string(&self.file).doing("read")?, THE_HOSTS);
        Ok(())
    }
}

/// Puts a link where the image has a directory, or nothing.
fn replace_by_link(container: &Container<'_>, path: &str, target: &Path) -> Res {
    let path = container.inside(path);
    let _may_be_missing = fs::remove_dir(&path);
    symlink(target, &path).doing("link")
}

fn cve_2019_18837_links_to_the_host(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let outside = Outside::new(ctx, &container)?;
    let source = ctx.make_file("source", "mounted\n")?;
    replace_by_link(&container, "/etc/x", &outside.file)?;
    replace_by_link(&container, "/data", &outside.dir)?;
    replace_by_link(&container, "/here", &outside.dir)?;
    container.bind(&source, "/etc/x", &["bind"]).bind(&source, "/data/made", &["bind"]);
    container.mount("/data/new", "tmpfs", "straw", &[]).set("/process/cwd", "/here");
    container.sh("echo x >/etc/x; touch x /data/y; grep -c '^straw ' /proc/mounts");
    container.run()?.ran_or_failed("1\n")?;
    outside.unchanged()?;
    container.gone()
}

fn cve_2019_18837_devices_behind_a_link(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "ran"])?;
    let outside = Outside::new(ctx, &container)?;
    replace_by_link(&container, "/link", &outside.dir)?;
    let device = json!({"path": "/link/straw", "type": "c", "major": 1, "minor": 3});
    container.push("/linux/devices", device);
    container.run()?.ran_or_failed("ran")?;
    outside.unchanged()?;
    container.gone()
}

/// Also CVE-2019-19921, CVE-2023-27561, CVE-2023-28642 and CVE-2025-54867: what is mounted elsewhere hides
/// the real one, and writes to it go where the image likes.
fn link_is_refused(ctx: &Ctx, path: &str) -> Res {
    let mut container = ctx.container()?;
    container.mount("/sys", "sysfs", "sysfs", &["ro"]);
    replace_by_link(&container, path, Path::new("/tmp"))?;
    container.run()?.refused(&[path])?;
    container.gone()
}

fn cve_2019_16884_proc_of_the_image_is_a_link(ctx: &Ctx) -> Res {
    link_is_refused(ctx, "/proc")
}

fn cve_2019_16884_sys_of_the_image_is_a_link(ctx: &Ctx) -> Res {
    link_is_refused(ctx, "/sys")
}

/// A procfs that a volume covers is none: neither a new file system nor one that others have filled.
fn cve_2019_19921_volume_on_proc_is_refused(ctx: &Ctx) -> Res {
    let volume = ctx.make_dir("volume/self/attr")?;
    let volume = volume.ancestors().nth(2).doing("the volume")?.to_path_buf();
    for tmpfs in [true, false] {
        let mut container = ctx.container_of(&["/bin/echo", "ran"])?;
        let proc = json!({"destination": "/proc", "type": "proc", "source": "proc"});
        match tmpfs {
            true => container.mount("/proc", "tmpfs", "straw", &[]),
            false => container.bind(&volume, "/proc", &["rbind"]),
        };
        container.set("/linux/maskedPaths", json!([])).set("/linux/readonlyPaths", json!([]));
        container.run()?.refused(&["/proc"])?;
        container.gone()?;
        container.push("/mounts", proc);
        container.run()?.refused(&["/proc"])?;
        container.gone()?;
    }
    Ok(())
}

/// Nor does a link of the image make it one, be it to a part of it; and what is named there is meant.
fn cve_2019_19921_volume_led_onto_proc_is_refused(ctx: &Ctx) -> Res {
    let volume = ctx.make_dir("volume")?;
    let file = ctx.make_file("file", "uptime of a volume\n")?;
    let rows = [
        ("/x", "/x", "/proc"),
        ("/x", "/x", "../../proc/self/attr"),
        ("/x/sys", "/x", "proc"),
        ("/dev", "/dev", "/proc"),
    ];
    for (destination, link, target) in rows {
        for tmpfs in [true, false] {
            let mut container = ctx.container_of(&["/bin/cat", "/proc/uptime"])?;
            replace_by_link(&container, link, Path::new(target))?;
            match (tmpfs, destination) {
                (_, "/dev") => &mut container,
                (true, _) => container.mount(destination, "tmpfs", "straw", &[]),
                (false, _) => container.bind(&volume, destination, &["rbind"]),
            };
            container.set("/linux/maskedPaths", json!([])).set("/linux/readonlyPaths", json!([]));
            container.run()?.refused(&[destination])?;
            container.gone()?;
        }
    }
    let mut container = ctx.container_of(&["/bin/cat", "/proc/uptime"])?;
    replace_by_link(&container, "/x", Path::new("/proc/version"))?;
    container.bind(&file, "/x", &["bind"]);
    container.run()?.refused(&["/x"])?;
    container.gone()?;
    let mut container = ctx.container_of(&["/bin/cat", "/proc/uptime"])?;
    container.bind(&file, "/proc/uptime", &["bind"]);
    container.run()?.is(0)?.prints("uptime of a volume")?;
    container.gone()
}

/// What masks is bound from it, so the host's setting would be there to be written to.
const SETTING: &str = "/proc/sys/kernel/core_pattern";

/// The payload only reads: on a runtime that is open, it would otherwise change the host.
fn masks_with_a_link<'a>(ctx: &'a Ctx) -> Res<Container<'a>> {
    let mut container = ctx.container()?;
    container.sh("cat /secret; echo ran").push("/linux/maskedPaths", "/secret");
    fs::write(container.inside("/secret"), "not to be read").doing("write")?;
    Ok(container)
}

fn nothing_but_null_masks(container: &Container<'_>) -> Res {
    let setting = fs::read_to_string(SETTING).doing("the setting")?;
    let out = container.run()?.ran_or_failed("ran")?;
    holds!(!out.out.contains(setting.trim_end()), "the mask is the host's setting: {}", out.out);
    holds!(!out.out.contains("not to be read"), "it is not masked: {}", out.out);
    container.gone()
}

fn cve_2025_31133_null_of_a_volume_is_a_link(ctx: &Ctx) -> Res {
    let dev = ctx.make_dir("dev")?;
    symlink(SETTING, dev.join("null")).doing("link")?;
    let mut container = masks_with_a_link(ctx)?;
    for mount in ["/dev/pts", "/dev/shm", "/dev/mqueue"] {
        container.drop_mount(mount);
    }
    container.bind(&dev, "/dev", &["bind"]);
    nothing_but_null_masks(&container)
}

fn cve_2025_31133_null_of_the_image_is_a_link(ctx: &Ctx) -> Res {
    let mut container = masks_with_a_link(ctx)?;
    for mount in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
        container.drop_mount(mount);
    }
    symlink(SETTING, container.inside("/dev/null")).doing("link")?;
    nothing_but_null_masks(&container)
}

/// Creates it with a console socket; what is opened and mounted for the terminal is so by then.
fn with_console(ctx: &Ctx, container: &mut Container<'_>) -> Res {
    container.set("/process/terminal", true);
    let socket = ConsoleSocket::new(ctx)?;
    let out = container.create_call(&["--console-socket", &socket.flag()])?.done()?;
    holds!(out.code == 0 || !out.err.is_empty(), "neither created nor refused");
    if out.code == 0 {
        let terminal = socket.terminal(ctx)?;
        holds!(terminal.stty(ctx, &["size"]).is_ok(), "what came is no terminal");
    }
    Ok(())
}

fn cve_2025_52565_console_is_a_link(ctx: &Ctx) -> Res {
    let dev = ctx.make_dir("dev")?;
    for name in ["pts", "shm", "mqueue"] {
        ctx.make_dir(&format!("dev/{name}"))?;
    }
    fs::write(dev.join("x"), THE_HOSTS).doing("write")?;
    symlink("x", dev.join("console")).doing("link")?;
    symlink("pts/ptmx", dev.join("ptmx")).doing("link")?;
    let mut container = ctx.sleeper()?;
    let outside = Outside::new(ctx, &container)?;
    for target in ["x".into(), outside.file.clone()] {
        fs::remove_file(dev.join("console")).doing("unlink")?;
        symlink(&target, dev.join("console")).doing("link")?;
        container.bind(&dev, "/dev", &["bind"]);
        let devpts = container.config["mounts"].as_array_mut().doing("mounts")?;
        // A bind of /dev goes before what is mounted below it.
        devpts.sort_by_key(|mount| mount["destination"].as_str().unwrap_or("").len());
        with_console(ctx, &mut container)?;
        same!(fs::read_to_string(dev.join("x")).doing("read")?, THE_HOSTS);
        let table = container.pid().ok().map(|pid| format!("/proc/{pid}/mountinfo"));
        let table = table.and_then(|table| fs::read_to_string(table).ok()).unwrap_or_default();
        holds!(!table.contains(" /dev/x "), "the terminal is on what the link names");
        outside.unchanged()?;
        container.force_delete()?;
    }
    container.gone()
}

/// `ptmx` and all ptys are files of whoever filled the volume.
fn cve_2025_52565_pts_is_a_volume(ctx: &Ctx) -> Res {
    let pts = ctx.make_dir("pts")?;
    let mut container = ctx.sleeper()?;
    let outside = Outside::new(ctx, &container)?;
    for name in ["ptmx", "0", "1"] {
        symlink(&outside.file, pts.join(name)).doing("link")?;
    }
    container.bind(&pts, "/dev/pts", &["bind"]);
    with_console(ctx, &mut container)?;
    outside.unchanged()?;
    for name in ["ptmx", "0", "1"] {
        fs::remove_file(pts.join(name)).doing("unlink")?;
        fs::write(pts.join(name), THE_HOSTS).doing("write")?;
    }
    container.force_delete()?;
    with_console(ctx, &mut container)?;
    for name in ["ptmx", "0", "1"] {
        same!(fs::read_to_string(pts.join(name)).doing("read")?, THE_HOSTS);
    }
    container.force_delete()?;
    container.gone()
}

/// A link of the image leads the volume onto the directory of a setting.
fn cve_2025_52881_sysctl_below_a_volume(ctx: &Ctx) -> Res {
    let volume = ctx.make_dir("volume")?;
    let fake = ctx.make_file("volume/ip_default_ttl", "64\n")?;
    let mut container = ctx.sleeper()?;
    replace_by_link(&container, "/x", Path::new("/proc/sys/net/ipv4"))?;
    container.bind(&volume, "/x", &["bind"]).set("/linux/readonlyPaths", json!([]));
    container.set("/linux/sysctl", json!({"net.ipv4.ip_default_ttl": "77"}));
    let out = container.create_call(&[])?.done()?;
    same!(fs::read_to_string(&fake).doing("read")?, "64\n");
    if out.code == 0 {
        same!(super::races::ttl_of(ctx, &container.pid()?.to_string())?, "77");
    }
    container.force_delete()?;
    container.gone()
}

/// Also CVE-2026-47766.
fn cve_2026_41579_dev_is_a_link(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "ran"])?;
    let outside = ctx.make_dir("outside")?;
    ctx.make_file("outside/ptmx", THE_HOSTS)?;
    for mount in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
        container.drop_mount(mount);
    }
    replace_by_link(&container, "/dev", &outside)?;
    fs::create_dir_all(container.inside(&outside.to_string_lossy())).doing("mkdir")?;
    container.run()?.ran_or_failed("ran")?;
    let names: Vec<_> =
        fs::read_dir(&outside).doing("read")?.flatten().map(|each| each.file_name()).collect();
    same!(names, ["ptmx"]);
    same!(fs::read_to_string(outside.join("ptmx")).doing("read")?, THE_HOSTS);
    container.gone()
}
