//! A volume that another container changes while it is being mounted: one process of its exchanges files,
//! directories and links as fast as the kernel does it.
//!
//! A round is `create` and `delete`. What was mounted is read from the mount table of the created container:
//! a mount outside its root has gone with the old root, and is missing there. Where it is says also which of the
//! two the runtime met, and it must have met each of them often.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;

use super::NAME;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::pty::ConsoleSocket;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: NAME,
    cases: &[
        either!(cve_2021_30465_destination_is_exchanged).takes(1800).needs(QUICK).ours(MINUTES),
        either!(cve_2024_45310_parent_is_exchanged).takes(1800).needs(QUICK).ours(MINUTES),
        root!(cve_2025_31133_null_is_exchanged).takes(900).needs(QUICK).ours(MINUTES),
        either!(cve_2025_52565_console_is_exchanged).takes(900).needs(QUICK).ours(MINUTES),
        root!(cve_2025_52881_sysctl_is_covered_in_a_race).takes(900).needs(QUICK).ours(MINUTES),
    ],
};

const QUICK: &[Need] = &[Need::Quick];

const MINUTES: &str = "so many rounds take them minutes";

/// Of the classes of which that many are asked for: as root. An ordinary user's container goes the same way.
const ROUNDS: u32 = 2000;

/// Of the others, which are races of few system calls as well.
const FEW_ROUNDS: u32 = 500;

fn rounds(ctx: &Ctx) -> u32 {
    if ctx.is_root() { ROUNDS } else { FEW_ROUNDS }
}

/// What stood at the name.
#[derive(Clone, Copy, PartialEq)]
enum Met {
    Real,
    Link,
}

/// A volume in which two names change places all the time, by a container that has it at `/vol`.
struct Attack<'a> {
    volume: PathBuf,
    attacker: Container<'a>,
}

impl<'a> Attack<'a> {
    /// `fill` makes the two files.
    fn begin(ctx: &'a Ctx, names: [&str; 2], fill: impl Fn(&Path) -> Res) -> Res<Attack<'a>> {
        let volume = ctx.make_dir("volume")?;
        fill(&volume)?;
        let [one, other] = names.map(|name| format!("/vol/{name}"));
        let mut attacker = ctx.container_of(&["/bin/probe", "exchange", &one, &other])?;
        attacker.bind(&volume, "/vol", &["rbind"]);
        attacker.run_until("ready")?;
        Ok(Attack { volume, attacker })
    }

    /// Creates the victim so often, has `check` look at the process that was created (or at what is left, with an
    /// empty pid, where it was refused), and deletes it. `flags` may change the victim before each time. `check` gives
    /// what the runtime met, if that is to be seen: each of the two is met in one of twenty rounds at least, or there
    /// was no race (it is nearly every other one).
    fn rounds(
        &self,
        count: u32,
        victim: &mut Container<'a>,
        flags: impl Fn(&mut Container<'a>, u32) -> Vec<String>,
        check: impl Fn(&str) -> Res<Option<Met>>,
    ) -> Res {
        let (mut met, file) = (Vec::new(), victim.bundle.join("pid"));
        for round in 0..count {
            let mut flags = flags(victim, round);
            flags.extend(["--pid-file".to_string(), shown(&file)]);
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            let out = victim.create_call(&flags)?.done()?;
            holds!(out.code == 0 || !out.err.is_empty(), "neither created nor refused");
            let pid =
                if out.code == 0 { fs::read_to_string(&file).doing("pid")? } else { String::new() };
            met.extend(check(&pid).map_err(|reason| format!("round {round}: {reason}"))?);
            victim.force_delete()?;
        }
        let links = met.iter().filter(|&&it| it == Met::Link).count();
        for times in [links, met.len() - links] {
            holds!(
                times >= count as usize / 20,
                "of {count} times {} met {links} links",
                met.len()
            );
        }
        same!(self.attacker.status()?, "running");
        victim.gone()
    }
}

/// For victims that stay as they are.
fn no_flags(_: &mut Container<'_>, _round: u32) -> Vec<String> {
    Vec::new()
}

/// The mount table of a created container; of one that was refused, none.
fn table(pid: &str) -> Res<Vec<String>> {
    if pid.is_empty() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).doing("its mounts")?;
    Ok(text.lines().map(str::to_string).collect())
}

/// Of a mount whose place is in the volume: the link leads elsewhere. A mount point goes by whatever name it now has.
fn met(line: &str) -> Option<Met> {
    let point = line.split(' ').nth(4)?;
    Some(if point.starts_with("/vol/") { Met::Real } else { Met::Link })
}

/// The tmpfs `straw` is in the root of the container.
fn straw_is_inside(pid: &str) -> Res<Option<Met>> {
    let table = table(pid)?;
    let straws: Vec<_> = table.iter().filter(|line| line.contains(" - tmpfs straw ")).collect();
    holds!(pid.is_empty() || straws.len() == 1, "of the mounts {} are inside", straws.len());
    Ok(straws.first().and_then(|line| met(line)))
}

/// A directory and a link to the host's root.
fn cve_2021_30465_destination_is_exchanged(ctx: &Ctx) -> Res {
    let attack = Attack::begin(ctx, ["real", "link"], |volume| {
        fs::create_dir(volume.join("real")).doing("mkdir")?;
        symlink("/", volume.join("link")).doing("link")
    })?;
    let mut victim = ctx.sleeper()?;
    victim.bind(&attack.volume, "/vol", &["rbind"]).mount("/vol/real", "tmpfs", "straw", &[]);
    attack.rounds(rounds(ctx), &mut victim, no_flags, straw_is_inside)
}

/// A directory and a link to one of the host's, below which the mount point is made anew each time.
fn cve_2024_45310_parent_is_exchanged(ctx: &Ctx) -> Res {
    let outside = ctx.make_dir("outside")?;
    let attack = Attack::begin(ctx, ["real", "link"], |volume| {
        fs::create_dir(volume.join("real")).doing("mkdir")?;
        symlink(&outside, volume.join("link")).doing("link")
    })?;
    let mut victim = ctx.sleeper()?;
    let last = victim.config["mounts"].as_array().map_or(0, Vec::len) + 1;
    victim.bind(&attack.volume, "/vol", &["rbind"]).mount("/vol/real", "tmpfs", "straw", &[]);
    let elsewhere = |victim: &mut Container<'_>, round| {
        let path = format!("/vol/real/{round}/below");
        victim.set(&format!("/mounts/{last}/destination"), path);
        Vec::new()
    };
    attack.rounds(rounds(ctx), &mut victim, elsewhere, |pid| {
        let made = fs::read_dir(&outside).doing("read")?.count();
        holds!(made == 0, "a directory was made outside");
        straw_is_inside(pid)
    })
}

/// The null device and a link to a setting of the host's, where the container has its `/dev`.
fn cve_2025_31133_null_is_exchanged(ctx: &Ctx) -> Res {
    let attack = Attack::begin(ctx, ["null", "link"], |volume| {
        let mode = Mode::from_bits_truncate(0o666);
        mknod(&volume.join("null"), SFlag::S_IFCHR, mode, makedev(1, 3)).doing("mknod")?;
        symlink("/proc/sys/kernel/core_pattern", volume.join("link")).doing("link")
    })?;
    let mut victim = ctx.sleeper()?;
    fs::write(victim.inside("/secret"), "not to be read").doing("write")?;
    for mount in ["/dev/pts", "/dev/shm", "/dev/mqueue"] {
        victim.drop_mount(mount);
    }
    victim.bind(&attack.volume, "/dev", &["bind"]).push("/linux/maskedPaths", "/secret");
    attack.rounds(FEW_ROUNDS, &mut victim, no_flags, |pid| {
        let table = table(pid)?;
        let mask = table.iter().find(|line| line.contains(" /secret "));
        holds!(
            pid.is_empty() || mask.is_some_and(|line| !line.contains(" - proc ")),
            "the mask is {mask:?}"
        );
        // Nothing of it is used for the mask, so it can only be seen that they change places.
        let null = attack.volume.join("null");
        let is_link = fs::symlink_metadata(null).doing("look")?.is_symlink();
        Ok(Some(if is_link { Met::Link } else { Met::Real }))
    })
}

/// A file and a link to another one, where the container has its `/dev`.
fn cve_2025_52565_console_is_exchanged(ctx: &Ctx) -> Res {
    const BEFORE: &str = "as it was";
    let attack = Attack::begin(ctx, ["console", "link"], |volume| {
        for name in ["pts", "shm", "mqueue"] {
            fs::create_dir(volume.join(name)).doing("mkdir")?;
        }
        for name in ["console", "x", "ptmx"] {
            fs::write(volume.join(name), BEFORE).doing("write")?;
        }
        symlink("x", volume.join("link")).doing("link")
    })?;
    let mut victim = ctx.sleeper()?;
    victim.bind(&attack.volume, "/dev", &["bind"]).set("/process/terminal", true);
    // What is mounted below it comes behind it.
    if let Some(mounts) = victim.config["mounts"].as_array_mut() {
        mounts.sort_by_key(|mount| mount["destination"].as_str().unwrap_or("").len());
    }
    let socket = ConsoleSocket::new(ctx)?;
    let flags = |_: &mut Container<'_>, _| vec!["--console-socket".to_string(), socket.flag()];
    attack.rounds(FEW_ROUNDS, &mut victim, flags, |pid| {
        let on_x = table(pid)?.iter().any(|line| line.contains(" /dev/x "));
        holds!(!on_x, "the terminal is on what the link names");
        same!(fs::read_to_string(attack.volume.join("x")).doing("read")?, BEFORE);
        socket.forget();
        // The link is refused.
        Ok(Some(if pid.is_empty() { Met::Link } else { Met::Real }))
    })
}

/// The setting in the network namespace of a process.
pub(super) fn ttl_of(ctx: &Ctx, pid: &str) -> Res<String> {
    let net = format!("--net=/proc/{pid}/ns/net");
    let out = ctx.program("nsenter").args([&net, "cat", "/proc/sys/net/ipv4/ip_default_ttl"]);
    Ok(out.ok()?.text().to_string())
}

/// A directory and a link to where the setting is: the volume that is bound there may cover it.
fn cve_2025_52881_sysctl_is_covered_in_a_race(ctx: &Ctx) -> Res {
    let attack = Attack::begin(ctx, ["real", "link"], |volume| {
        for name in ["real", "fake"] {
            fs::create_dir(volume.join(name)).doing("mkdir")?;
        }
        fs::write(volume.join("fake/ip_default_ttl"), "64").doing("write")?;
        symlink("/proc/sys/net/ipv4", volume.join("link")).doing("link")
    })?;
    let mut victim = ctx.sleeper()?;
    victim.bind(&attack.volume, "/vol", &["rbind"]);
    victim.bind(&attack.volume.join("fake"), "/vol/real", &["bind"]);
    victim.set("/linux/readonlyPaths", json!([]));
    victim.set("/linux/sysctl", json!({"net.ipv4.ip_default_ttl": "77"}));
    attack.rounds(FEW_ROUNDS, &mut victim, no_flags, |pid| {
        let fake = fs::read_to_string(attack.volume.join("fake/ip_default_ttl"));
        same!(fake.doing("read")?, "64");
        if pid.is_empty() {
            // Nothing but a procfs goes onto a procfs.
            return Ok(Some(Met::Link));
        }
        same!(ttl_of(ctx, pid)?, "77");
        let table = table(pid)?;
        Ok(table.iter().find(|line| line.contains("/volume/fake ")).and_then(|line| met(line)))
    })
}
