//! What the container's root is made of: `--read-only`, `--tmpfs`, binds, volumes, devices, `cp`.

use std::fs;

use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "files",
    cases: &[
        root!(read_only),
        root!(tmpfs),
        root!(bind),
        root!(bind_read_only),
        root!(bind_of_a_file),
        root!(bind_propagation),
        root!(bind_read_only_with_what_is_below).needs(&[Need::Docker(25)]),
        root!(bind_without_what_is_below).needs(&[Need::Docker(25)]),
        root!(tmpfs_mount),
        root!(volume_without_copy_and_of_a_part).needs(&[Need::Docker(26)]),
        root!(image_may_have_links_as_mount_points),
        root!(volume_is_kept),
        root!(volume_takes_the_images_files),
        root!(volumes_from_another),
        root!(shm_size),
        root!(device),
        root!(device_rules),
        root!(cp_both_ways),
        root!(changes_are_committed),
    ],
};

fn read_only(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let line = "echo x >/file || echo refused; echo x >/tmp/file && cat /tmp/file";
    same!(cli.shell(&["--read-only", "--tmpfs", "/tmp"], line)?, "refused\nx");
    Ok(())
}

fn tmpfs(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let flags = ["--tmpfs", "/made/here:rw,noexec,size=1m,mode=1770"];
    let line = "stat -c %a /made/here; grep ' /made/here ' /proc/mounts; \
                dd if=/dev/zero of=/made/here/big bs=1024 count=2000 2>/dev/null || echo full";
    let out = cli.shell(&flags, line)?;
    holds!(out.starts_with("1770\n"), "the mode is not 1770: {out}");
    holds!(out.contains("noexec") && out.contains("size=1024k"), "not its options: {out}");
    holds!(out.ends_with("full"), "more than its size: {out}");
    Ok(())
}

/// A directory of the check as the source of a bind.
fn source(ctx: &Ctx) -> Res<String> {
    let dir = ctx.make_dir("source")?;
    fs::write(dir.join("file"), "of the host\n").doing("write")?;
    Ok(shown(dir))
}

fn bind(ctx: &Ctx) -> Res {
    let (cli, source) = (Cli::of(ctx), source(ctx)?);
    let volume = format!("{source}:/not/in/the image");
    let line = "cat '/not/in/the image/file'; echo back >'/not/in/the image/new'";
    same!(cli.shell(&["--volume", &volume], line)?, "of the host");
    same!(fs::read_to_string(format!("{source}/new")).doing("what it wrote")?, "back\n");
    let mount = format!("type=bind,source={source},target=/data");
    same!(cli.shell(&["--mount", &mount], "cat /data/file")?, "of the host");
    Ok(())
}

fn bind_read_only(ctx: &Ctx) -> Res {
    let (cli, source) = (Cli::of(ctx), source(ctx)?);
    let line = "cat /data/file; echo x >/data/file || echo refused";
    same!(cli.shell(&["--volume", &format!("{source}:/data:ro")], line)?, "of the host\nrefused");
    let mount = format!("type=bind,source={source},target=/data,readonly");
    same!(cli.shell(&["--mount", &mount], line)?, "of the host\nrefused");
    Ok(())
}

fn bind_of_a_file(ctx: &Ctx) -> Res {
    let (cli, source) = (Cli::of(ctx), source(ctx)?);
    let over = format!("{source}/file:/etc/passwd");
    same!(cli.shell(&["--volume", &over], "cat /etc/passwd")?, "of the host");
    Ok(())
}

/// A mount that is made in the source later comes with `rslave` and not with `rprivate`.
fn bind_propagation(ctx: &Ctx) -> Res {
    let (cli, source) = (Cli::of(ctx), source(ctx)?);
    ctx.program("mount").args(["--bind", &source, &source]).ok()?;
    ctx.program("mount").args(["--make-rshared", &source]).ok()?;
    let container = |kind: &str| {
        fs::create_dir_all(format!("{source}/{kind}")).doing("make a directory")?;
        cli.sleeper(&["--volume", &format!("{source}:/data:{kind}")])
    };
    let (slave, private) = (container("rslave")?, container("rprivate")?);
    let later = format!("{source}/rslave");
    let mounted = ctx.program("mount").args(["-t", "tmpfs", "tmpfs", &later]).ok();
    let seen = |container: &crate::engines::cli::Started<'_>| {
        let line = ["grep", "-c", " /data/rslave ", "/proc/mounts"];
        Ok::<String, String>(container.exec(&[], &line)?.text().to_string())
    };
    let seen = (seen(&slave), seen(&private));
    ctx.program("umount").args(["--recursive", &source]).ok()?;
    mounted?;
    same!(seen, (Ok("1".into()), Ok("0".into())));
    Ok(())
}

fn volume_is_kept(ctx: &Ctx) -> Res {
    let (cli, name) = (Cli::of(ctx), ctx.id());
    cli.ok(&["volume", "create", &name])?;
    let flag = format!("{name}:/data");
    cli.shell(&["--volume", &flag], "echo kept >/data/file")?;
    same!(cli.shell(&["--volume", &flag], "cat /data/file")?, "kept");
    let mount = format!("type=volume,source={name},target=/data,ro");
    same!(
        cli.shell(&["--mount", &mount], "cat /data/file; echo x >/data/file || echo no")?,
        "kept\nno"
    );
    Ok(())
}

fn volume_takes_the_images_files(ctx: &Ctx) -> Res {
    let (cli, name) = (Cli::of(ctx), ctx.id());
    let out = cli.shell(&["--volume", &format!("{name}:/etc")], "cat /etc/group | head -n 1")?;
    same!(out, "root:x:0:");
    Ok(())
}

fn volumes_from_another(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let first = cli.sleeper(&["--volume", "/shared"])?;
    first.exec(&[], &["sh", "-c", "echo both >/shared/file"])?.is(0)?;
    same!(cli.shell(&["--volumes-from", &first.name], "cat /shared/file")?, "both");
    Ok(())
}

fn shm_size(ctx: &Ctx) -> Res {
    let line = "df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2";
    same!(Cli::of(ctx).shell(&["--shm-size", "3m"], line)?, "3072");
    Ok(())
}

fn device(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let line = "stat -c '%t:%T %F' /dev/mine; : <>/dev/mine && echo opened";
    let out = cli.shell(&["--device", "/dev/fuse:/dev/mine"], line)?;
    same!(out, "a:e5 character special file\nopened");
    Ok(())
}

/// What the cgroup lets through is what was asked for, and no more.
fn device_rules(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let line = "mknod /tmp/fuse c 10 229 || exit; (: </tmp/fuse) && echo read; \
                (: >/tmp/fuse) && echo written; true";
    let rule = ["--device-cgroup-rule", "c 10:229 rm", "--cap-add", "MKNOD"];
    same!(cli.shell(&rule, line)?, "read");
    cli.shell(&["--device", "/dev/fuse:/dev/mine:m", "--cap-add", "MKNOD"], line).map(|out| {
        same!(out, "");
        Ok(())
    })?
}

fn cp_both_ways(ctx: &Ctx) -> Res {
    let (cli, source) = (Cli::of(ctx), source(ctx)?);
    let container = cli.sleeper(&["--tmpfs", "/fast"])?;
    let name = &container.name;
    cli.ok(&["cp", &format!("{source}/file"), &format!("{name}:/tmp/came")])?;
    container.exec(&[], &["cat", "/tmp/came"])?.is(0)?.prints("of the host")?;
    container.exec(&[], &["sh", "-c", "echo of the container >/tmp/goes"])?.is(0)?;
    cli.ok(&["cp", &format!("{name}:/tmp/goes"), &format!("{source}/went")])?;
    let went = fs::read_to_string(format!("{source}/went")).doing("what was copied")?;
    same!(went, "of the container\n");
    Ok(())
}

fn changes_are_committed(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let container = cli.detached(&[], &["sh", "-c", "echo kept >/new"])?;
    same!(container.wait()?, 0);
    container.call(&["diff"]).ok()?.has("A /new")?;
    let image = format!("localhost/{}:latest", container.name);
    cli.ok(&["commit", &container.name, &image])?;
    let name = ctx.id();
    let out = cli.ok(&["run", "--rm", "--name", &name, &image, "cat", "/new"]);
    cli.ok(&["rmi", &image])?;
    out?.prints("kept").map(drop)
}

/// The source with a mount on its directory `below`, for the time of `look`.
fn with_mount_below(ctx: &Ctx, look: impl FnOnce(&str) -> Res) -> Res {
    let source = source(ctx)?;
    let below = format!("{source}/below");
    fs::create_dir(&below).doing("make a directory")?;
    ctx.program("mount").args(["-t", "tmpfs", "tmpfs", &below]).ok()?;
    let outcome =
        fs::write(format!("{below}/file"), "below\n").doing("write").and_then(|()| look(&source));
    ctx.program("umount").arg(&below).ok()?;
    outcome
}

fn bind_read_only_with_what_is_below(ctx: &Ctx) -> Res {
    with_mount_below(ctx, |source| {
        let cli = Cli::of(ctx);
        let line = "cat /data/below/file; echo x >/data/below/file && echo written";
        let mount = format!("type=bind,source={source},target=/data,readonly");
        let with = |more: &str| {
            let out = cli.run(&["--mount", &format!("{mount}{more}")], &["sh", "-c", line])?;
            Ok::<String, String>(out.text().to_string())
        };
        same!(with("")?, "below");
        same!(with(",bind-recursive=readonly,bind-propagation=rprivate")?, "below");
        same!(with(",bind-recursive=writable")?, "below\nwritten");
        Ok(())
    })
}

fn bind_without_what_is_below(ctx: &Ctx) -> Res {
    with_mount_below(ctx, |source| {
        let mount = format!("type=bind,source={source},target=/data,bind-recursive=disabled");
        same!(Cli::of(ctx).shell(&["--mount", &mount], "ls /data/below | wc -l")?, "0");
        Ok(())
    })
}

fn tmpfs_mount(ctx: &Ctx) -> Res {
    let mount = "type=tmpfs,target=/fast,tmpfs-size=2m,tmpfs-mode=1750";
    let line = "stat -c %a /fast; grep -o 'size=2048k' /proc/mounts";
    same!(Cli::of(ctx).shell(&["--mount", mount], line)?, "1750\nsize=2048k");
    Ok(())
}

fn volume_without_copy_and_of_a_part(ctx: &Ctx) -> Res {
    let (cli, name) = (Cli::of(ctx), ctx.id());
    let empty = format!("type=volume,source={name},target=/home,volume-nocopy");
    same!(
        cli.shell(
            &["--mount", &empty],
            "ls /home | wc -l; mkdir /home/part; echo x >/home/part/file"
        )?,
        "0"
    );
    let part = format!("type=volume,source={name},target=/part,volume-subpath=part");
    same!(cli.shell(&["--mount", &part], "ls /part")?, "file");
    Ok(())
}

/// A volume on a link of the image is mounted where the link leads to in the container.
fn image_may_have_links_as_mount_points(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let made = cli
        .detached(&[], &["sh", "-c", "mkdir /real; ln -s /real /link; ln -s /../../../real /up"])?;
    same!(made.wait()?, 0);
    let image = format!("localhost/{}:latest", made.name);
    cli.ok(&["commit", &made.name, &image])?;
    let source = source(ctx)?;
    let (name, line) = (ctx.id(), "cat /real/file");
    let run = |target: &str| {
        let volume = format!("{source}:{target}");
        cli.call(&["run", "--rm", "--name", &name, "--volume", &volume, &image, "sh", "-c", line])
            .done()
    };
    let outs = (run("/link"), run("/up"));
    cli.ok(&["rmi", &image])?;
    outs.0?.is(0)?.prints("of the host")?;
    outs.1?.is(0)?.prints("of the host").map(drop)
}
