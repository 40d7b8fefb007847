//! exec where procfs hides the processes that are not one's own (`hidepid` of proc(5)): who enters is closed to
//! the container, and so hidden from an ordinary user who makes it, and in the container from itself.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::config;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "exec",
    cases: &[
        either!(hidepid_of_the_container),
        root!(hidepid_of_the_container_for_another_user),
        root!(hidepid_of_the_caller),
        root!(hidepid_of_caller_and_container),
    ],
};

const HIDDEN: &[&str] = &["hidepid=2"];

/// Of the host, and of a container.
const USER: u32 = 1000;

fn hide(container: &mut Container<'_>) {
    container.mount("/proc", "proc", "proc", HIDDEN);
}

/// In the foreground and detached, at the first and at the second time.
fn is_entered(container: &Container<'_>, flags: &[&str]) -> Res {
    container.run_until("ready")?;
    for _ in 0..2 {
        container.exec(flags, &["/bin/sh", "-c", "echo in; exit 3"])?.is(3)?.prints("in")?;
        let name = ["/bin/sed", "-n", "s/^Name:.//p", "/proc/self/status"];
        container.exec(flags, &name)?.is(0)?.prints("sed")?;
        let detached = [flags, &["--detach"]].concat();
        container.exec(&detached, &["/bin/touch", "/tmp/came"])?.is(0)?;
        let came = container.inside("/tmp/came");
        container.ctx.eventually("it came", || fs::remove_file(&came).ok())?;
    }
    same!(container.status()?, "running");
    container.force_delete()?;
    container.gone()
}

fn hidepid_of_the_container(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    hide(&mut container);
    is_entered(&container, &[])?;
    container.args(&["/bin/cat", "/proc/self/mountinfo"]);
    let out = container.run()?.is(0)?.out;
    holds!(out.contains("hidepid="), "its procfs hides nothing: {out}");
    Ok(())
}

fn hidepid_of_the_container_for_another_user(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    hide(&mut container);
    container.run_until("ready")?;
    let flags = ["-u", "1000:1000"];
    let out = container.exec(&flags, &["/bin/test", "-e", "/proc/1"])?;
    holds!(out.code == 1, "it sees the first process");
    container.force_delete()?;
    chown(container.inside("/tmp"), Some(USER), Some(USER)).doing("chown")?;
    is_entered(&container, &flags)
}

/// A container of an ordinary user, whom this process becomes, and who sees no others' processes.
fn of_one_who_sees_no_others(ctx: &Ctx) -> Res<Container<'_>> {
    unshare(CloneFlags::CLONE_NEWNS).doing("unshare")?;
    let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).doing("private")?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), Some(HIDDEN[0])).doing("mount")?;
    let mut container = ctx.sleeper()?;
    let own = ["tmp", "home", "xdg"].map(|name| ctx.dir.join(name));
    let its = [container.bundle.clone(), container.inside("/tmp")];
    for dir in own.iter().chain(&its).chain([&ctx.dir]) {
        chown(dir, Some(USER), Some(USER)).doing("chown")?;
    }
    let (uid, gid) = (Uid::from_raw(USER), Gid::from_raw(USER));
    setgroups(&[]).doing("setgroups")?;
    setresgid(gid, gid, gid).doing("setresgid")?;
    setresuid(uid, uid, uid).doing("setresuid")?;
    holds!(!Path::new("/proc/1").exists(), "the first process is to be seen");
    let process = container.config["process"]["args"].take();
    container.config = config::default(ctx.is_root());
    container.set("/process/args", process);
    Ok(container)
}

fn hidepid_of_the_caller(ctx: &Ctx) -> Res {
    is_entered(&of_one_who_sees_no_others(ctx)?, &[])
}

fn hidepid_of_caller_and_container(ctx: &Ctx) -> Res {
    let mut container = of_one_who_sees_no_others(ctx)?;
    hide(&mut container);
    is_entered(&container, &[])
}
