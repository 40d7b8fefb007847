//! A root filesystem without downloads: busybox of Debian's package busybox-static with links for its
//! applets, the probe, and a few files of /etc.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::result::{Doing, Res};

const BUSYBOX: &str = "/bin/busybox";

/// The applets that cases use.
const APPLETS: &[&str] = &[
    "basename",
    "cat",
    "chgrp",
    "chmod",
    "chown",
    "cp",
    "cut",
    "date",
    "dd",
    "df",
    "dirname",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "getopt",
    "grep",
    "head",
    "hostname",
    "id",
    "ifconfig",
    "ip",
    "kill",
    "link",
    "ln",
    "ls",
    "mkdir",
    "mkfifo",
    "mknod",
    "mktemp",
    "mount",
    "mountpoint",
    "mv",
    "nc",
    "nohup",
    "nproc",
    "od",
    "pidof",
    "ping",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "setsid",
    "sh",
    "sleep",
    "sort",
    "stat",
    "stty",
    "sync",
    "sysctl",
    "tail",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "tty",
    "umount",
    "uname",
    "uniq",
    "unshare",
    "uptime",
    "wc",
    "whoami",
    "xargs",
    "yes",
];

const DIRS: &[&str] =
    &["bin", "dev", "etc", "home/alice", "proc", "root", "sys", "tmp", "usr/bin", "var"];

const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:Alice:/home/alice:/bin/sh\n"),
    ("etc/group", "root:x:0:\ntty:x:5:\nstaff:x:50:alice\nalice:x:1000:\n"),
];

/// Makes the image that every case's rootfs is copied from.
pub(crate) fn build(dir: &Path, probe: &Path) -> Res {
    for name in DIRS {
        fs::create_dir_all(dir.join(name)).doing("make the rootfs")?;
        crate::ctx::open_to_all(&dir.join(name))?;
    }
    for (name, text) in FILES {
        fs::write(dir.join(name), text).doing("make the rootfs")?;
    }
    copy_program(Path::new(BUSYBOX), &dir.join("bin/busybox"))?;
    copy_program(probe, &dir.join("bin/probe"))?;
    crate::ctx::open_to_all(dir)
}

fn copy_program(from: &Path, to: &Path) -> Res {
    let program = fs::read(from).doing(&format!("read {}", from.display()))?;
    // PT_INTERP names the dynamic loader, and no rootfs has one.
    if program.windows(3).take(4096).any(|part| part == b"/ld") {
        return Err(format!("{} is not static", from.display()));
    }
    fs::write(to, program).doing(&format!("write {}", to.display()))?;
    crate::ctx::open_to_all(to)
}

/// A rootfs of one container. The two programs are hard links: nothing writes to them.
pub(crate) fn copy(image: &Path, rootfs: &Path) -> Res {
    let making = "copy the rootfs";
    for name in DIRS {
        fs::create_dir_all(rootfs.join(name)).doing(making)?;
    }
    for name in ["", "home", "usr"].iter().chain(DIRS) {
        crate::ctx::open_to_all(&rootfs.join(name))?;
    }
    for (name, text) in FILES {
        fs::write(rootfs.join(name), text).doing(making)?;
    }
    for name in ["bin/busybox", "bin/probe"] {
        fs::hard_link(image.join(name), rootfs.join(name)).doing(making)?;
    }
    for name in APPLETS {
        symlink("busybox", rootfs.join("bin").join(name)).doing(making)?;
    }
    Ok(())
}
