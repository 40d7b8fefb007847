//! The mounts of the config: what is mounted, where, and with which options.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

const RECURSIVE: &str =
    "runc passes over recursive options of what is no bind; crun gives the kernel a wrong flag";

pub(crate) const FEATURE: Feature = Feature {
    name: "mounts",
    cases: &[
        either!(bind_directory),
        either!(bind_file),
        either!(bind_makes_mount_points),
        either!(bind_file_on_missing_file),
        either!(bind_read_only),
        either!(bind_relative_source_is_the_bundles),
        root!(bind_without_r_leaves_submounts),
        root!(rbind_takes_submounts),
        root!(ro_leaves_submounts_writable),
        root!(rro_covers_submounts),
        root!(recursive_options),
        root!(recursive_atime).only_runc("crun gives the kernel a wrong flag"),
        either!(nosuid_nodev_noexec),
        either!(noexec_forbids_execution),
        either!(time_options),
        either!(every_option_of_the_spec).ours(RECURSIVE),
        either!(every_option_beside_a_recursive_one).ours(RECURSIVE),
        either!(defaults).only_crun("runc hands it to the file system"),
        either!(norelatime).ours("runc and crun leave relatime, which is the kernel's default"),
        either!(later_of_opposites_wins)
            .ours("runc and crun let the one that asks for something win"),
        either!(bind_with_options_of_a_filesystem_refused).only_runc("crun passes over them"),
        either!(bind_with_flags_of_a_filesystem_is_told).ours("runc and crun say nothing"),
        either!(later_options_win).only_runc("crun lets the stricter one win"),
        either!(tmpfs_mode_and_size),
        either!(tmpfs_read_only),
        either!(tmpcopyup),
        either!(tmpcopyup_keeps_the_mode_that_was_asked_for),
        either!(tmpcopyup_takes_the_mode),
        either!(later_mount_covers_earlier),
        either!(mount_inside_mount),
        either!(relative_destination_is_from_the_root),
        root!(propagation_of_each_mount).only_runc("crun shows no shared mounts inside"),
        either!(proc_is_the_containers),
        root!(sysfs_is_read_only),
        either!(sys_without_network_namespace),
        root!(sys_bind_read_only_is_so_below).ours("the peers leave what is below writable"),
        root!(sys_bind_read_only_of_who_may_change_it),
        either!(devpts),
        either!(mqueue),
        either!(shm),
        root!(ramfs),
        root!(overlay).needs(&[Need::Overlay]),
        root!(cgroup2_read_only).needs(&[Need::Cgroup2]),
        root!(cgroup2_in_cgroup_namespace).needs(&[Need::Cgroup2]),
        either!(cgroup_mount_does_not_fail),
        either!(many),
    ],
};

/// The mountinfo line of this mount point inside, options and optional fields together.
fn line(report: &serde_json::Value, point: &str) -> Res<String> {
    let lines = report["mounts"].as_array().cloned().unwrap_or_default();
    let mut lines = lines.iter().filter_map(|line| line.as_str());
    let found = lines.rfind(|line| line.split(' ').nth(4) == Some(point));
    Ok(found.doing(&format!("mount at {point}"))?.to_string())
}

/// The per-mount options.
fn options(report: &serde_json::Value, point: &str) -> Res<Vec<String>> {
    let line = line(report, point)?;
    let field = line.split(' ').nth(5).unwrap_or("");
    Ok(field.split(',').map(str::to_string).collect())
}

/// `shared:1 master:2` and the like.
fn propagation(report: &serde_json::Value, point: &str) -> Res<String> {
    let line = line(report, point)?;
    let fields = line.split(' ').skip(6).take_while(|field| *field != "-");
    Ok(fields.collect::<Vec<_>>().join(" "))
}

fn source(ctx: &Ctx) -> Res<PathBuf> {
    let dir = ctx.make_dir("source")?;
    ctx.make_file("source/file", "from the host\n")?;
    Ok(dir)
}

/// A source with a tmpfs mounted in it.
fn source_with_submount(ctx: &Ctx) -> Res<PathBuf> {
    let dir = source(ctx)?;
    let sub = ctx.make_dir("source/sub")?;
    let none: Option<&str> = None;
    mount(Some("tmpfs"), &sub, Some("tmpfs"), MsFlags::empty(), none).doing("mount a tmpfs")?;
    fs::write(sub.join("deep"), "deep\n").doing("write")?;
    Ok(dir)
}

/// Takes it away again, so that the leak check sees only what the runtime left.
fn unmount(source: &std::path::Path) -> Res {
    nix::mount::umount(&source.join("sub")).doing("unmount")
}

fn prints(container: &mut Container<'_>, line: &str, want: &str) -> Res {
    container.sh(line);
    container.run()?.is(0)?.prints(want)?;
    Ok(())
}

fn bind_directory(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    fs::create_dir(container.inside("/mnt")).doing("mkdir")?;
    container.bind(&source, "/mnt", &["bind"]);
    prints(&mut container, "cat /mnt/file; echo inside >/mnt/new", "from the host")?;
    same!(fs::read_to_string(source.join("new")).unwrap_or_default(), "inside\n");
    Ok(())
}

fn bind_file(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    fs::write(container.inside("/etc/motd"), "the image's").doing("write")?;
    container.bind(&source.join("file"), "/etc/motd", &["rbind"]);
    prints(&mut container, "cat /etc/motd", "from the host")?;
    same!(fs::read_to_string(container.inside("/etc/motd")).unwrap_or_default(), "the image's");
    Ok(())
}

fn bind_makes_mount_points(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    container.bind(&source, "/made/for/it", &["bind"]);
    prints(&mut container, "cat /made/for/it/file", "from the host")
}

fn bind_file_on_missing_file(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    container.bind(&source.join("file"), "/new/dir/file", &["bind", "ro"]);
    prints(&mut container, "cat /new/dir/file", "from the host")
}

fn bind_read_only(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    container.bind(&source, "/mnt", &["bind", "ro"]);
    container.sh("touch /mnt/new");
    container.run()?.failed()?.says_one_of(&["read-only file system"])?;
    Ok(())
}

/// The spec: a relative source of a bind mount is relative to the bundle.
fn bind_relative_source_is_the_bundles(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    fs::create_dir(container.bundle.join("volume")).doing("mkdir")?;
    fs::write(container.bundle.join("volume/file"), "beside the config\n").doing("write")?;
    container.mount("/mnt", "bind", "volume", &["bind"]);
    prints(&mut container, "cat /mnt/file", "beside the config")
}

/// Looks at a container that has a directory with another mount in it at `/mnt`.
fn with_submount(ctx: &Ctx, options: &[&str], look: impl Fn(&mut Container<'_>) -> Res) -> Res {
    let source = source_with_submount(ctx)?;
    let mut container = ctx.container()?;
    container.bind(&source, "/mnt", options);
    look(&mut container)?;
    unmount(&source)
}

/// The same of a script in it.
fn with_submount_prints(ctx: &Ctx, options: &[&str], script: &str, wanted: &str) -> Res {
    with_submount(ctx, options, |container| prints(container, script, wanted))
}

fn bind_without_r_leaves_submounts(ctx: &Ctx) -> Res {
    with_submount_prints(ctx, &["bind"], "ls -A /mnt/sub; echo listed", "listed")
}

fn rbind_takes_submounts(ctx: &Ctx) -> Res {
    with_submount_prints(ctx, &["rbind"], "cat /mnt/sub/deep", "deep")
}

fn ro_leaves_submounts_writable(ctx: &Ctx) -> Res {
    let script =
        "touch /mnt/x 2>/dev/null || echo top refused; touch /mnt/sub/x && echo sub written";
    with_submount_prints(ctx, &["rbind", "ro"], script, "top refused\nsub written")
}

fn rro_covers_submounts(ctx: &Ctx) -> Res {
    let script = "for d in /mnt /mnt/sub; do touch $d/x 2>/dev/null || echo $d refused; done";
    with_submount_prints(ctx, &["rbind", "rro"], script, "/mnt refused\n/mnt/sub refused")
}

/// The mount and the one in it have these options.
fn both_have(ctx: &Ctx, given: &[&str], wanted: &[&str]) -> Res {
    with_submount(ctx, given, |container| {
        let report = container.report()?;
        for point in ["/mnt", "/mnt/sub"] {
            let options = options(&report, point)?;
            for want in wanted {
                holds!(
                    options.iter().any(|each| each == want),
                    "{point} has {options:?}, no {want}"
                );
            }
        }
        Ok(())
    })
}

fn recursive_options(ctx: &Ctx) -> Res {
    let given = ["rbind", "rnosuid", "rnodev", "rnoexec"];
    both_have(ctx, &given, &["nosuid", "nodev", "noexec"])
}

fn recursive_atime(ctx: &Ctx) -> Res {
    both_have(ctx, &["rbind", "rnoatime"], &["noatime"])
}

fn nosuid_nodev_noexec(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    container.bind(&source, "/mnt", &["bind", "nosuid", "nodev", "noexec"]);
    let options = options(&container.report()?, "/mnt")?;
    for want in ["rw", "nosuid", "nodev", "noexec"] {
        holds!(options.iter().any(|each| each == want), "options are {options:?}, no {want}");
    }
    Ok(())
}

fn noexec_forbids_execution(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    fs::copy(ctx.template().join("bin/busybox"), source.join("busybox")).doing("copy")?;
    let mut container = ctx.container()?;
    container.bind(&source, "/mnt", &["bind", "noexec"]);
    container.sh("/mnt/busybox true");
    container.run()?.is(126)?;
    Ok(())
}

fn time_options(ctx: &Ctx) -> Res {
    for (given, shown) in
        [("noatime", "noatime"), ("relatime", "relatime"), ("nodiratime", "nodiratime")]
    {
        let mut container = ctx.container()?;
        container.mount("/mnt", "tmpfs", "tmpfs", &[given]);
        let options = options(&container.report()?, "/mnt")?;
        holds!(options.iter().any(|each| each == shown), "{given} gives {options:?}");
    }
    Ok(())
}

/// All that the specification's table has for a mount that is no bind, and what is then seen of it: in the
/// options of the mount, those of its file system, or its propagation. `!` is what is not.
const OPTIONS: &[(&str, &str)] = &[
    ("async", "!sync"),
    ("atime", "relatime"),
    ("dev", "!nodev"),
    ("diratime", "!nodiratime"),
    ("dirsync", "dirsync"),
    ("exec", "!noexec"),
    ("iversion", "rw"),
    ("lazytime", "lazytime"),
    ("loud", "rw"),
    ("mand", "rw"),
    ("noatime", "noatime"),
    ("nodev", "nodev"),
    ("nodiratime", "nodiratime"),
    ("noexec", "noexec"),
    ("noiversion", "rw"),
    ("nolazytime", "!lazytime"),
    ("nomand", "!mand"),
    ("nostrictatime", "relatime"),
    ("nosuid", "nosuid"),
    ("nosymfollow", "nosymfollow"),
    ("private", "!shared"),
    ("ratime", "relatime"),
    ("rdev", "!nodev"),
    ("rdiratime", "!nodiratime"),
    ("relatime", "relatime"),
    ("rexec", "!noexec"),
    ("rnoatime", "noatime"),
    ("rnodiratime", "nodiratime"),
    ("rnoexec", "noexec"),
    ("rnostrictatime", "relatime"),
    ("rnosuid", "nosuid"),
    ("rnosymfollow", "nosymfollow"),
    ("ro", "ro"),
    ("rprivate", "!shared"),
    ("rrelatime", "relatime"),
    ("rro", "ro"),
    ("rrw", "rw"),
    ("rshared", "shared"),
    ("rslave", "!shared"),
    ("rstrictatime", "!relatime"),
    ("rsuid", "!nosuid"),
    ("rsymfollow", "!nosymfollow"),
    ("runbindable", "unbindable"),
    ("rw", "rw"),
    ("shared", "shared"),
    ("silent", "rw"),
    ("slave", "!shared"),
    ("strictatime", "!relatime"),
    ("suid", "!nosuid"),
    ("symfollow", "!nosymfollow"),
    ("sync", "sync"),
    ("tmpcopyup", "rw"),
    ("unbindable", "unbindable"),
];

/// Each with a tmpfs of its own, all of them in one container.
fn each_option(ctx: &Ctx, beside: &[&str]) -> Res {
    let mut container = ctx.container()?;
    let tried = || OPTIONS.iter().filter(|(name, _)| beside.is_empty() || !name.ends_with("dev"));
    for (option, _) in tried() {
        let point = format!("/mnt/{option}");
        fs::create_dir_all(container.inside(&point)).doing("mkdir")?;
        let options: Vec<&str> = std::iter::once(*option).chain(beside.iter().copied()).collect();
        container.mount(&point, "tmpfs", "tmpfs", &options);
    }
    let report = container.report()?;
    for (option, want) in tried() {
        let line = line(&report, &format!("/mnt/{option}"))?;
        let words: Vec<&str> = line.split([' ', ',', ':']).collect();
        let right = match want.strip_prefix('!') {
            Some(not) => !words.contains(&not),
            None => words.contains(want),
        };
        holds!(right, "{option} gives {line}");
    }
    Ok(())
}

fn every_option_of_the_spec(ctx: &Ctx) -> Res {
    each_option(ctx, &[])
}

/// Then a mount is made in another way. What the other one decides is left out.
fn every_option_beside_a_recursive_one(ctx: &Ctx) -> Res {
    each_option(ctx, &["size=1m", "rnodev"])
}

fn defaults(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount("/mnt", "tmpfs", "tmpfs", &["defaults", "noexec"]);
    let options = options(&container.report()?, "/mnt")?;
    same!(options, ["rw", "noexec", "relatime"]);
    Ok(())
}

fn norelatime(ctx: &Ctx) -> Res {
    for option in ["norelatime", "rnorelatime"] {
        let mut container = ctx.container()?;
        container.mount("/mnt", "tmpfs", "tmpfs", &[option]);
        same!(options(&container.report()?, "/mnt")?, ["rw"]);
    }
    Ok(())
}

fn later_of_opposites_wins(ctx: &Ctx) -> Res {
    for (options, shown) in [(["sync", "async"], false), (["async", "sync"], true)] {
        let mut container = ctx.container()?;
        container.mount("/mnt", "tmpfs", "tmpfs", &options);
        let line = line(&container.report()?, "/mnt")?;
        same!(line.ends_with(",sync") || line.contains(",sync,"), shown);
    }
    Ok(())
}

fn bind_with_options_of_a_filesystem_refused(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    container.bind(&source, "/mnt", &["bind", "size=1m"]);
    container.run()?.refused(&["bind mount"])?;
    container.gone()
}

fn bind_with_flags_of_a_filesystem_is_told(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    // Buildah hands the letter on, and Podman 4 the word.
    container.bind(&source, "/mnt", &["bind", "sync", "z", "nocopy"]);
    container.sh("cat /mnt/file");
    let out = container.run()?.is(0)?;
    same!(out.text(), "from the host");
    holds!(out.err.contains("(/mnt): sync: stays as it is"), "{}", out.err);
    holds!(out.err.contains("; z, nocopy: is for engines"), "{}", out.err);
    Ok(())
}

fn later_options_win(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount("/mnt", "tmpfs", "tmpfs", &["ro", "noexec", "nosuid", "rw", "exec"]);
    let options = options(&container.report()?, "/mnt")?;
    holds!(options.iter().any(|each| each == "rw"), "options are {options:?}, no rw");
    holds!(!options.iter().any(|each| each == "noexec"), "options are {options:?}");
    holds!(options.iter().any(|each| each == "nosuid"), "options are {options:?}, no nosuid");
    Ok(())
}

fn tmpfs_mode_and_size(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount("/mnt", "tmpfs", "tmpfs", &["mode=1735", "size=3m", "nr_inodes=77"]);
    let script =
        "stat -c %a /mnt; df -k /mnt | tail -n 1 | tr -s ' ' | cut -d' ' -f2; stat -f -c %c /mnt";
    prints(&mut container, script, "1735\n3072\n77")
}

fn tmpfs_read_only(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount("/mnt", "tmpfs", "tmpfs", &["ro"]);
    container.sh("touch /mnt/x");
    container.run()?.failed()?.says_one_of(&["read-only file system"])?;
    Ok(())
}

fn tmpcopyup(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    fs::create_dir_all(container.inside("/data/dir")).doing("mkdir")?;
    fs::write(container.inside("/data/dir/file"), "copied").doing("write")?;
    std::os::unix::fs::symlink("dir/file", container.inside("/data/link")).doing("link")?;
    container.mount("/data", "tmpfs", "tmpfs", &["tmpcopyup", "mode=755"]);
    prints(&mut container, "cat /data/link; echo changed >/data/dir/file", "copied")?;
    same!(fs::read_to_string(container.inside("/data/dir/file")).unwrap_or_default(), "copied");
    Ok(())
}

/// The mode of a tmpfs with these options over a directory of mode 750.
fn mode_after_tmpcopyup(ctx: &Ctx, options: &[&str], mode: &str) -> Res {
    let mut container = ctx.container()?;
    let dir = container.inside("/data");
    fs::create_dir_all(&dir).doing("mkdir")?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o750);
    fs::set_permissions(&dir, permissions).doing("chmod")?;
    container.mount("/data", "tmpfs", "tmpfs", options);
    prints(&mut container, "stat -c %a /data", mode)
}

fn tmpcopyup_keeps_the_mode_that_was_asked_for(ctx: &Ctx) -> Res {
    mode_after_tmpcopyup(ctx, &["tmpcopyup", "mode=1770"], "1770")
}

fn tmpcopyup_takes_the_mode(ctx: &Ctx) -> Res {
    mode_after_tmpcopyup(ctx, &["tmpcopyup"], "750")
}

fn later_mount_covers_earlier(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    container.mount("/mnt", "tmpfs", "tmpfs", &[]);
    container.push(
        "/mounts",
        serde_json::json!(
            {"destination": "/mnt", "type": "bind", "source": source, "options": ["bind"]}
        ),
    );
    prints(&mut container, "cat /mnt/file", "from the host")
}

fn mount_inside_mount(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    container.mount("/outer", "tmpfs", "tmpfs", &[]).bind(&source, "/outer/a/b", &["bind"]);
    container.mount("/outer/a/b/none", "tmpfs", "tmpfs", &[]);
    prints(
        &mut container,
        "cat /outer/a/b/file; touch /outer/a/b/none/x && ls /outer",
        "from the host\na",
    )?;
    holds!(!container.inside("/outer/a").exists(), "mount point was made below the outer mount");
    Ok(())
}

fn propagation_of_each_mount(ctx: &Ctx) -> Res {
    let cases = [
        ("private", ""),
        ("rprivate", ""),
        ("shared", "shared:"),
        ("rshared", "shared:"),
        ("slave", ""),
        ("rslave", ""),
        ("unbindable", "unbindable"),
    ];
    for (option, want) in cases {
        let source = ctx.make_dir("source")?;
        let mut container = ctx.container()?;
        container.bind(&source, "/mnt", &["rbind", option]);
        let got = propagation(&container.report()?, "/mnt")?;
        let right = if want.is_empty() {
            !got.contains("shared") && !got.contains("unbindable")
        } else {
            got.contains(want)
        };
        holds!(right, "{option} gives `{got}`");
    }
    Ok(())
}

fn proc_is_the_containers(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    prints(&mut container, "ls -d /proc/[0-9]* | head -n 1; cat /proc/1/comm; true", "/proc/1\nsh")
}

fn sysfs_is_read_only(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.sh("ls /sys/class/net; mkdir /sys/x");
    let out = container.run()?.failed()?;
    same!(out.text(), "lo");
    Ok(())
}

/// The host's `/sys`, read-only, with something of the host's mounted below it.
fn sys_bind<'a>(ctx: &'a Ctx) -> Res<Container<'a>> {
    unshare(CloneFlags::CLONE_NEWNS).doing("unshare")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).doing("private")?;
    mount(Some("straw"), "/sys/bus", Some("tmpfs"), MsFlags::empty(), none).doing("mount")?;
    let mut container = ctx.container()?;
    container.bind(Path::new("/sys"), "/sys", &["rbind", "ro"]);
    container.sh("mkdir /sys/x; echo written >/sys/bus/x && cat /sys/bus/x");
    Ok(container)
}

fn sys_bind_read_only_is_so_below(ctx: &Ctx) -> Res {
    let container = sys_bind(ctx)?;
    let out = container.run()?.is(1)?;
    same!(out.err.matches("Read-only file system").count(), 2);
    container.gone()
}

fn sys_bind_read_only_of_who_may_change_it(ctx: &Ctx) -> Res {
    let mut container = sys_bind(ctx)?;
    container.all_capabilities();
    let out = container.run()?.is(0)?.prints("written")?;
    same!(out.err.matches("Read-only file system").count(), 1);
    // In a user namespace it is over that alone.
    container.map_ids(100_000, 65_536);
    if ctx.runtime.ends_with("skep") {
        container.run()?.is(1)?.says_one_of(&["read-only file system"])?;
    }
    container.gone()
}

/// Root: the host's network, sysfs all the same. Ordinary user: `/sys` bound.
fn sys_without_network_namespace(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.drop_namespace("network");
    prints(&mut container, "test -d /sys/class/net && test -d /sys/devices && echo there", "there")
}

fn devpts(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.sh("ls /dev/pts; stat -c %a /dev/pts/ptmx");
    container.run()?.is(0)?.prints("ptmx\n666")?;
    Ok(())
}

fn mqueue(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let report = container.report()?;
    let line = line(&report, "/dev/mqueue")?;
    holds!(line.contains(" - mqueue "), "{line}");
    Ok(())
}

fn shm(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    prints(
        &mut container,
        "stat -c %a /dev/shm; df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2",
        "1777\n65536",
    )
}

fn ramfs(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount("/mnt", "ramfs", "ramfs", &["mode=0700"]);
    prints(&mut container, "stat -c %a /mnt; grep -c '^ramfs /mnt ramfs' /proc/mounts", "700\n1")
}

fn overlay(ctx: &Ctx) -> Res {
    let lower = source(ctx)?;
    // The case's own directory may be on an overlay, which cannot be an upper one.
    let tmpfs = ctx.make_dir("layers")?;
    let none: Option<&str> = None;
    mount(Some("tmpfs"), &tmpfs, Some("tmpfs"), MsFlags::empty(), none).doing("mount a tmpfs")?;
    let (upper, work) = (ctx.make_dir("layers/upper")?, ctx.make_dir("layers/work")?);
    let layers = [
        format!("lowerdir={}", lower.display()),
        format!("upperdir={}", upper.display()),
        format!("workdir={}", work.display()),
    ];
    let options: Vec<&str> = layers.iter().map(String::as_str).collect();
    let mut container = ctx.container()?;
    container.mount("/mnt", "overlay", "overlay", &options);
    prints(&mut container, "cat /mnt/file; echo new >/mnt/new", "from the host")?;
    holds!(upper.join("new").exists() && !lower.join("new").exists(), "written to the wrong layer");
    nix::mount::umount2(&tmpfs, nix::mount::MntFlags::MNT_DETACH).doing("unmount")
}

fn relative_destination_is_from_the_root(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    container.bind(&source, "some/where", &["bind"]).set("/process/cwd", "/tmp");
    prints(&mut container, "cat /some/where/file", "from the host")
}

fn cgroup2_read_only(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount(
        "/sys/fs/cgroup",
        "cgroup",
        "cgroup",
        &["nosuid", "noexec", "nodev", "relatime", "ro"],
    );
    container.sh("test -f /sys/fs/cgroup/cgroup.procs || exit 3; mkdir /sys/fs/cgroup/x");
    container.run()?.is(1)?.says_one_of(&["read-only file system"])?;
    Ok(())
}

fn cgroup2_in_cgroup_namespace(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.namespace("cgroup", None);
    container.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev"]);
    prints(
        &mut container,
        "cat /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs | head -n 1",
        "0::/\n1",
    )
}

/// Whatever the machine's cgroups are, a config that mounts them starts; nothing there is writable for
/// who has no cgroup namespace (CVE-2023-25809).
fn cgroup_mount_does_not_fail(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount(
        "/sys/fs/cgroup",
        "cgroup",
        "cgroup",
        &["nosuid", "noexec", "nodev", "relatime", "ro"],
    );
    let script = "find /sys/fs/cgroup -maxdepth 2 -type d | while read d; do mkdir $d/x 2>/dev/null && echo $d; done; echo looked";
    prints(&mut container, script, "looked")
}

fn many(ctx: &Ctx) -> Res {
    let source = source(ctx)?;
    let mut container = ctx.container()?;
    for number in 0..60 {
        container.bind(&source, &format!("/many/{number}"), &["rbind", "ro"]);
    }
    prints(&mut container, "grep -c ' /many/' /proc/mounts; cat /many/59/file", "60\nfrom the host")
}
