//! Podman's user namespaces: `--userns`, `--uidmap`.

use std::fs::File;

use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "userns",
    cases: &[
        root!(keep_id),
        root!(keep_id_as_another),
        root!(nomap),
        root!(auto),
        root!(host),
        root!(of_another_container),
        root!(uidmap),
        root!(uidmap_of_ranges).needs(&[Need::Podman(5)]),
        root!(volume_with_mapped_ids),
        root!(groups_are_kept).only_crun("runc does not know how"),
    ],
};

/// One at a time: `auto` finds no ids while a container has all of them, and now and then Podman waits for
/// itself then.
fn alone(ctx: &Ctx) -> Res<File> {
    let path = ctx.dir.with_file_name("engine").join("userns.lock");
    let file = File::create(path).doing("make a lock")?;
    file.lock().doing("lock")?;
    Ok(file)
}

/// What the ids of the process are, and which the namespace has, without the spaces of a table.
const LOOK: &str = "id -u; id -g; tr -s ' ' </proc/self/uid_map; echo $HOME";

fn keep_id(ctx: &Ctx) -> Res {
    let _alone = alone(ctx)?;
    let out = Cli::of(ctx).shell(&["--userns", "keep-id"], LOOK)?;
    same!(out, "1000\n1000\n 0 1 1000\n 1000 0 1\n 1001 1001 64536\n/home/alice");
    Ok(())
}

fn keep_id_as_another(ctx: &Ctx) -> Res {
    let _alone = alone(ctx)?;
    let out = Cli::of(ctx).shell(&["--userns", "keep-id:uid=7,gid=8"], LOOK)?;
    same!(out, "7\n8\n 0 1 7\n 7 0 1\n 8 8 65529\n/");
    Ok(())
}

/// The user's own id is not in it.
fn nomap(ctx: &Ctx) -> Res {
    let _alone = alone(ctx)?;
    same!(Cli::of(ctx).shell(&["--userns", "nomap"], LOOK)?, "0\n0\n 0 1 65536\n/root");
    Ok(())
}

/// Each container gets ids that no other has.
fn auto(ctx: &Ctx) -> Res {
    let _alone = alone(ctx)?;
    let cli = Cli::of(ctx);
    let first = cli.sleeper(&["--userns", "auto:size=2000"])?;
    let second = cli.sleeper(&["--userns", "auto:size=2000"])?;
    let map = |container: &crate::engines::cli::Started<'_>| -> Res<Vec<u64>> {
        let out = container.exec(&[], &["cat", "/proc/self/uid_map"])?.is(0)?;
        let numbers = out.out.split_whitespace().map(str::parse).collect::<Result<_, _>>();
        numbers.doing("its ids")
    };
    let (first, second) = (map(&first)?, map(&second)?);
    same!((first[0], first[2], second[2]), (0, 2000, 2000));
    holds!(first[1].abs_diff(second[1]) >= 2000, "they share ids: {first:?}, {second:?}");
    Ok(())
}

fn host(ctx: &Ctx) -> Res {
    let _alone = alone(ctx)?;
    let cli = Cli::of(ctx);
    let own = cli.shell(&[], "cat /proc/self/uid_map")?;
    same!(cli.shell(&["--userns", "host"], "cat /proc/self/uid_map")?, own);
    Ok(())
}

fn of_another_container(ctx: &Ctx) -> Res {
    let _alone = alone(ctx)?;
    let cli = Cli::of(ctx);
    let first = cli.sleeper(&["--userns", "auto:size=2000"])?;
    let line = ["readlink", "/proc/self/ns/user"];
    let own = first.exec(&[], &line)?.is(0)?;
    let flags = ["--userns", &format!("container:{}", first.name)];
    cli.run(&flags, &line)?.is(0)?.prints(own.text()).map(drop)
}

/// Root gives ids of the host; an ordinary user those of his own namespace.
fn uidmap(ctx: &Ctx) -> Res {
    let _alone = alone(ctx)?;
    let cli = Cli::of(ctx);
    let flags = ["--uidmap", "0:1000:3000", "--gidmap", "0:0:5000"];
    same!(cli.shell(&flags, "tr -s ' ' </proc/self/uid_map")?, " 0 1000 3000");
    let container = cli.sleeper(&flags)?;
    container.exec(&["--user", "alice"], &["id", "-u"])?.is(0)?.prints("1000")?;
    // Files that the container makes are its user's on both sides.
    container.exec(&[], &["mkdir", "-m", "777", "/open"])?.is(0)?;
    container.exec(&["--user", "alice"], &["touch", "/open/mine"])?.is(0)?;
    container.exec(&[], &["stat", "-c", "%U", "/open/mine"])?.is(0)?.prints("alice").map(drop)
}

/// Before Podman 5, root has no storage for them.
fn uidmap_of_ranges(ctx: &Ctx) -> Res {
    let _alone = alone(ctx)?;
    let cli = Cli::of(ctx);
    let flags = ["--uidmap", "0:0:1", "--uidmap", "1:2000:3000", "--gidmap", "0:0:5000"];
    same!(cli.shell(&flags, "tr -s ' ' </proc/self/uid_map")?, " 0 0 1\n 1 2000 3000");
    cli.run(&[&flags[..], &["--user", "alice"]].concat(), &["id", "-u"])?
        .is(0)?
        .prints("1000")
        .map(drop)
}

/// `:idmap` shows the ids of the host's files as the container's.
fn volume_with_mapped_ids(ctx: &Ctx) -> Res {
    let _alone = alone(ctx)?;
    let dir = ctx.make_dir("source")?;
    std::fs::write(dir.join("file"), "x").doing("write")?;
    let volume = format!("{}:/data:idmap", crate::text::shown(&dir));
    let flags = ["--userns", "auto:size=2000", "--volume", &volume];
    same!(Cli::of(ctx).shell(&flags, "stat -c %u /data/file")?, "0");
    Ok(())
}

/// Those of the user that calls, which have no number in the namespace.
fn groups_are_kept(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let line = "sed -n 's/^Groups:[^0-9]*//p' /proc/self/status | sed 's/ *$//'";
    same!(cli.shell(&["--group-add", "keep-groups"], line)?, "0 65534");
    same!(cli.shell(&[], line)?, "");
    Ok(())
}
