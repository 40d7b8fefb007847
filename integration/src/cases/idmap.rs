//! Mounts that show their files with other owners: the options `idmap` and `ridmap`, and the mappings
//! of a mount. What is on the disk keeps its owners; what is made inside gets those that the mapping
//! leads back to.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};

use super::namespaces;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root, user};
use crate::harness::needs::Need;
use crate::harness::procs;
use crate::result::{Doing, Res, holds, same};

/// Where a container's ids begin on the host.
const FIRST: u32 = 100_000;

const MAPPED: &[Need] = &[Need::IdMap];

const CRUN_LEAVES: &str = "crun refuses it and leaves the cgroup behind";

pub(crate) const FEATURE: Feature = Feature {
    name: "idmap",
    cases: &[
        root!(containers_mapping).needs(MAPPED),
        root!(equal_mappings_without_the_option).needs(MAPPED),
        root!(joined_user_namespace).needs(MAPPED),
        root!(joined_user_namespace_of_a_pod).needs(MAPPED),
        root!(mapping_of_its_own).needs(MAPPED),
        root!(many_ranges).needs(MAPPED),
        root!(two_mounts_of_one_mapping).needs(MAPPED),
        root!(without_a_user_namespace).needs(MAPPED),
        root!(file).needs(MAPPED),
        root!(read_only).needs(MAPPED),
        root!(idmap_leaves_submounts).needs(MAPPED),
        root!(ridmap_covers_submounts).needs(MAPPED),
        root!(mappings_alone_leave_submounts).needs(MAPPED),
        root!(mapping_in_the_option).needs(MAPPED).only_crun("runc knows no such value"),
        root!(new_tmpfs).needs(MAPPED).ours("the peers map binds alone"),
        root!(new_tmpfs_of_the_containers_ids).only_crun("runc maps binds alone"),
        root!(new_tmpfs_of_mount2_options_refused).ours("the peers map binds alone"),
        root!(in_a_chroot_is_told)
            .ours("where the peers are run the chroot is one of another kind"),
        root!(filesystem_without_support_refused).only_runc(CRUN_LEAVES),
        root!(ridmap_over_one_without_support_refused).only_runc(CRUN_LEAVES),
        root!(without_a_namespace_refused).only_runc("crun does not say why"),
        root!(uids_without_gids_refused).only_runc(CRUN_LEAVES),
        root!(ids_of_nobody_refused).only_runc(CRUN_LEAVES),
        root!(killed_runtime_leaves_nothing)
            .takes(60)
            .ours("the peers cannot delete a half made container"),
        user!(ordinary_user_is_refused).only_runc("crun does not say why"),
        user!(tmpfs_of_an_ordinary_user).ours("the peers refuse or ignore it"),
        user!(caller_in_user_namespace)
            .needs(&[Need::IdMap, Need::SubIds])
            .ours("where the peers are run there are no subordinate ids"),
    ],
};

fn map(inside: u32, outside: u32, size: u32) -> Value {
    json!([{"containerID": inside, "hostID": outside, "size": size}])
}

/// A directory that anyone may write to, with a file of each of these owners, named by them. It is the
/// last one's: nobody may write where the owner is not mapped.
fn source(ctx: &Ctx, owners: &[u32]) -> Res<PathBuf> {
    let dir = ctx.make_dir("source")?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&dir, mode).doing("chmod")?;
    for owner in owners {
        let file = ctx.make_file(&format!("source/{owner}"), "")?;
        chown(&file, Some(*owner), Some(*owner)).doing("chown")?;
        chown(&dir, Some(*owner), Some(*owner)).doing("chown")?;
    }
    Ok(dir)
}

/// A container with these mount points in its image, which its root may not be allowed to make.
fn container<'a>(ctx: &'a Ctx, points: &[&str]) -> Res<Container<'a>> {
    let container = ctx.container()?;
    for point in points {
        fs::create_dir(container.inside(point)).doing("make a mount point")?;
    }
    Ok(container)
}

fn owner(path: &Path) -> Res<(u32, u32)> {
    let file = fs::metadata(path).doing(&path.display().to_string())?;
    Ok((file.uid(), file.gid()))
}

/// A bind of `source` at `/mnt` with mappings for users and groups.
fn mapped(container: &mut Container<'_>, source: &Path, options: &[&str], mapping: &Value) {
    container.drop_mount("/mnt");
    container.push(
        "/mounts",
        json!({"destination": "/mnt", "type": "bind", "source": source, "options": options,
            "uidMappings": mapping, "gidMappings": mapping}),
    );
}

/// What is seen of a file, after which the process's user makes `/mnt/new`.
fn sees(container: &mut Container<'_>, file: &str, want: &str) -> Res {
    container.sh(&format!("stat -c %u:%g /mnt/{file} && touch /mnt/new"));
    container.run()?.is(0)?.prints(want)?;
    Ok(())
}

fn containers_mapping(ctx: &Ctx) -> Res {
    for option in ["idmap", "ridmap"] {
        let source = source(ctx, &[0, 7])?;
        let mut container = container(ctx, &["/mnt"])?;
        container.map_ids(FIRST, 65_536).bind(&source, "/mnt", &["rbind", option]);
        sees(&mut container, "7", "7:7")?;
        same!(owner(&source.join("new"))?, (0, 0));
        same!(owner(&source.join("7"))?, (7, 7));
        fs::remove_file(source.join("new")).doing("remove")?;
        container.gone()?;
    }
    Ok(())
}

/// As containerd writes it for a pod with a user namespace.
fn equal_mappings_without_the_option(ctx: &Ctx) -> Res {
    let source = source(ctx, &[0, 7])?;
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536);
    mapped(&mut container, &source, &["rbind", "rprivate", "rw"], &map(0, FIRST, 65_536));
    sees(&mut container, "7", "7:7")?;
    same!(owner(&source.join("new"))?, (0, 0));
    container.gone()
}

/// A guest in the user namespace of another container.
fn guest<'a>(ctx: &'a Ctx, holder: &Container<'_>) -> Res<Container<'a>> {
    let mut guest = container(ctx, &["/mnt"])?;
    guest.namespace("user", Some(&format!("/proc/{}/ns/user", holder.pid()?)));
    Ok(guest)
}

fn holder(ctx: &Ctx) -> Res<Container<'_>> {
    let mut holder = ctx.sleeper()?;
    holder.map_ids(FIRST, 65_536);
    holder.run_until("ready")?;
    Ok(holder)
}

fn joined_user_namespace(ctx: &Ctx) -> Res {
    let source = source(ctx, &[0, 7])?;
    let holder = holder(ctx)?;
    let mut guest = guest(ctx, &holder)?;
    guest.bind(&source, "/mnt", &["rbind", "idmap"]);
    sees(&mut guest, "7", "7:7")?;
    same!(owner(&source.join("new"))?, (0, 0));
    holder.force_delete().map(drop)
}

fn joined_user_namespace_of_a_pod(ctx: &Ctx) -> Res {
    let source = source(ctx, &[0, 7])?;
    let holder = holder(ctx)?;
    let mut guest = guest(ctx, &holder)?;
    let mapping = map(0, FIRST, 65_536);
    guest.set("/linux/uidMappings", mapping.clone()).set("/linux/gidMappings", mapping.clone());
    mapped(&mut guest, &source, &["rbind", "rprivate"], &mapping);
    sees(&mut guest, "7", "7:7")?;
    same!(owner(&source.join("new"))?, (0, 0));
    holder.force_delete().map(drop)
}

fn mapping_of_its_own(ctx: &Ctx) -> Res {
    let source = source(ctx, &[0, 7])?;
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536).user(5, 5);
    mapped(&mut container, &source, &["bind", "idmap"], &map(7, FIRST + 5, 1));
    sees(&mut container, "7", "5:5")?;
    same!(owner(&source.join("new"))?, (7, 7));
    container.sh("stat -c %u:%g /mnt/0");
    container.run()?.is(0)?.prints("65534:65534")?;
    container.gone()
}

fn many_ranges(ctx: &Ctx) -> Res {
    let source = source(ctx, &[0, 7, 8])?;
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536);
    let ranges = json!([
        {"containerID": 0, "hostID": FIRST + 2, "size": 1},
        {"containerID": 7, "hostID": FIRST, "size": 2},
    ]);
    mapped(&mut container, &source, &["bind", "idmap"], &ranges);
    container.sh("cd /mnt; stat -c %n:%u:%g 0 7 8; touch new");
    container.run()?.is(0)?.prints("0:2:2\n7:0:0\n8:1:1")?;
    same!(owner(&source.join("new"))?, (7, 7));
    container.gone()
}

fn two_mounts_of_one_mapping(ctx: &Ctx) -> Res {
    let source = source(ctx, &[7])?;
    let mut container = container(ctx, &["/one", "/two"])?;
    container.map_ids(FIRST, 65_536);
    for place in ["/one", "/two"] {
        let mapping = map(7, FIRST + 5, 1);
        container.push(
            "/mounts",
            json!({"destination": place, "type": "bind", "source": source,
                "options": ["bind", "idmap"], "uidMappings": mapping, "gidMappings": mapping}),
        );
    }
    container.sh("stat -c %u:%g /one/7 /two/7");
    container.run()?.is(0)?.prints("5:5\n5:5")?;
    container.gone()
}

fn without_a_user_namespace(ctx: &Ctx) -> Res {
    let source = source(ctx, &[7])?;
    let mut container = container(ctx, &["/mnt"])?;
    mapped(&mut container, &source, &["bind", "idmap"], &map(7, 0, 1));
    sees(&mut container, "7", "0:0")?;
    same!(owner(&source.join("new"))?, (7, 7));
    container.gone()
}

fn file(ctx: &Ctx) -> Res {
    let source = source(ctx, &[7])?;
    let mut container = ctx.container()?;
    fs::write(container.inside("/etc/seven"), "").doing("write")?;
    container.map_ids(FIRST, 65_536).bind(&source.join("7"), "/etc/seven", &["bind", "idmap"]);
    container.sh("stat -c %u:%g /etc/seven");
    container.run()?.is(0)?.prints("7:7")?;
    Ok(())
}

fn read_only(ctx: &Ctx) -> Res {
    let source = source(ctx, &[7])?;
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536).bind(&source, "/mnt", &["rbind", "ro", "nosuid", "idmap"]);
    container
        .sh("stat -c %u /mnt/7; grep -c '^[^ ]* /mnt .*ro,.*nosuid' /proc/mounts; touch /mnt/x");
    let out = container.run()?.failed()?;
    same!(out.text(), "7\n1");
    Ok(())
}

/// A source with a tmpfs in it, and a file of the same owner in both.
fn with_submount(ctx: &Ctx) -> Res<PathBuf> {
    let dir = source(ctx, &[7])?;
    let sub = ctx.make_dir("source/sub")?;
    let none: Option<&str> = None;
    mount(Some("tmpfs"), &sub, Some("tmpfs"), MsFlags::empty(), none).doing("mount a tmpfs")?;
    let deep = ctx.make_file("source/sub/7", "")?;
    chown(&deep, Some(7), Some(7)).doing("chown")?;
    Ok(dir)
}

fn both_seen(ctx: &Ctx, options: &[&str], mappings: bool, want: &str) -> Res {
    let source = with_submount(ctx)?;
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536).bind(&source, "/mnt", options);
    if mappings {
        mapped(&mut container, &source, options, &map(0, FIRST, 65_536));
    }
    container.sh("stat -c %u:%g /mnt/7 /mnt/sub/7");
    let ran = container.run()?.is(0).and_then(|out| out.prints(want).map(drop));
    nix::mount::umount(&source.join("sub")).doing("unmount")?;
    ran?;
    container.gone()
}

fn idmap_leaves_submounts(ctx: &Ctx) -> Res {
    both_seen(ctx, &["rbind", "idmap"], false, "7:7\n65534:65534")
}

fn ridmap_covers_submounts(ctx: &Ctx) -> Res {
    both_seen(ctx, &["rbind", "ridmap"], false, "7:7\n7:7")
}

fn mappings_alone_leave_submounts(ctx: &Ctx) -> Res {
    both_seen(ctx, &["rbind"], true, "7:7\n65534:65534")
}

/// As Podman hands on `-v SOURCE:/mnt:idmap=...`.
fn mapping_in_the_option(ctx: &Ctx) -> Res {
    let absolute = format!("idmap=uids=7-{}-1;gids=7-{}-1", FIRST + 5, FIRST + 5);
    for option in [absolute.as_str(), "idmap=uids=@7-5-1;gids=@7-5-1"] {
        let source = source(ctx, &[7])?;
        let mut container = container(ctx, &["/mnt"])?;
        container.map_ids(FIRST, 65_536).bind(&source, "/mnt", &["rbind", option]);
        container.sh("stat -c %u:%g /mnt/7");
        container.run()?.is(0)?.prints("5:5")?;
    }
    Ok(())
}

/// Its own ids are those on the left of the mapping, as those of a disk would be.
fn new_tmpfs(ctx: &Ctx) -> Res {
    for own_namespace in [true, false] {
        let mut container = container(ctx, &["/mnt"])?;
        let first = if own_namespace { FIRST } else { 0 };
        if own_namespace {
            container.map_ids(FIRST, 65_536);
        }
        container.drop_mount("/mnt").push(
            "/mounts",
            json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs",
                "options": ["mode=755", "size=1m", "uid=7", "gid=7", "nosuid"],
                "uidMappings": map(7, first + 5, 1), "gidMappings": map(7, first + 5, 1)}),
        );
        container.user(5, 5);
        container.sh("stat -c %u:%g:%a /mnt && touch /mnt/x && stat -c %u /mnt/x; \
             grep -c '^tmpfs /mnt tmpfs.*nosuid.*size=1024k' /proc/mounts");
        container.run()?.is(0)?.prints("5:5:755\n5\n1")?;
        container.gone()?;
    }
    Ok(())
}

fn new_tmpfs_of_the_containers_ids(ctx: &Ctx) -> Res {
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536).mount("/mnt", "tmpfs", "tmpfs", &["mode=755", "idmap"]);
    container.sh("touch /mnt/x; stat -c %u:%g /mnt /mnt/x");
    container.run()?.is(0)?.prints("0:0\n0:0")?;
    Ok(())
}

fn mapped_tmpfs<'a>(ctx: &'a Ctx, option: &str) -> Res<Container<'a>> {
    let mut container = container(ctx, &["/mnt"])?;
    let mapping = map(0, FIRST, 1);
    container.push(
        "/mounts",
        json!({"destination": "/mnt", "type": "tmpfs", "options": [option],
            "uidMappings": mapping, "gidMappings": mapping}),
    );
    Ok(container)
}

fn new_tmpfs_of_mount2_options_refused(ctx: &Ctx) -> Res {
    let long = format!("mpol=bind:{}0", "0,".repeat(150));
    for option in [long.as_str(), "iversion", "silent"] {
        let container = mapped_tmpfs(ctx, option)?;
        container.run()?.refused(&["mounts[", "/mnt", "255 bytes", "iversion"])?;
        container.gone()?;
    }
    Ok(())
}

/// There the kernel makes no user namespace, not for root either.
fn in_a_chroot_is_told(ctx: &Ctx) -> Res {
    unshare(CloneFlags::CLONE_NEWNS).doing("unshare")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).doing("private")?;
    let top = ctx.make_dir("chroot")?;
    mount(Some("/"), &top, none, MsFlags::MS_REC | MsFlags::MS_BIND, none).doing("bind")?;
    let container = mapped_tmpfs(ctx, "size=1m")?;
    let chroot = ["/usr/sbin/chroot", &top.to_string_lossy()];
    container.run_call(&[])?.through(&chroot).done()?.refused(&["mounts[", "chroot"])?;
    umount2(&top, MntFlags::MNT_DETACH).doing("unmount")?;
    container.gone()
}

/// sysfs is one of those that never have mapped ids.
fn filesystem_without_support_refused(ctx: &Ctx) -> Res {
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536).bind(Path::new("/sys/kernel"), "/mnt", &["bind", "idmap"]);
    let out = container.run()?.refused(&["mount", "idmap"])?;
    ours_names(ctx, &out.err, &["(/mnt): ", "/sys/kernel (sysfs)", "does not id-map"])?;
    container.gone()
}

fn ridmap_over_one_without_support_refused(ctx: &Ctx) -> Res {
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536).bind(Path::new("/sys"), "/mnt", &["rbind", "ridmap"]);
    let out = container.run()?.refused(&["mount", "idmap"])?;
    ours_names(ctx, &out.err, &["(/mnt): ", "sysfs", "one of these"])?;
    container.gone()
}

/// What skep says beyond what all say.
fn ours_names(ctx: &Ctx, error: &str, words: &[&str]) -> Res {
    if !ctx.runtime.ends_with("skep") {
        return Ok(());
    }
    for word in words {
        holds!(error.contains(word), "{word:?} is not in {error}");
    }
    Ok(())
}

fn without_a_namespace_refused(ctx: &Ctx) -> Res {
    let source = source(ctx, &[7])?;
    let mut container = container(ctx, &["/mnt"])?;
    container.bind(&source, "/mnt", &["rbind", "idmap"]);
    let out = container.run()?.refused(&["mapping", "idmap", "userns", "namespace"])?;
    ours_names(ctx, &out.err, &[".options: idmap", "user namespace"])?;
    container.gone()
}

fn uids_without_gids_refused(ctx: &Ctx) -> Res {
    let source = source(ctx, &[7])?;
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536).bind(&source, "/mnt", &["rbind", "idmap"]);
    let last = container.config["mounts"].as_array().doing("mounts")?.len() - 1;
    container.set(&format!("/mounts/{last}/uidMappings"), map(0, FIRST, 1));
    let out = container.run()?.refused(&["mapping", "idmap"])?;
    ours_names(ctx, &out.err, &[".gidMappings: is missing"])?;
    container.gone()
}

fn ids_of_nobody_refused(ctx: &Ctx) -> Res {
    let source = source(ctx, &[7])?;
    let mut container = container(ctx, &["/mnt"])?;
    container.map_ids(FIRST, 65_536);
    mapped(&mut container, &source, &["bind", "idmap"], &map(0, 4_294_967_290, 100));
    container.run()?.failed()?;
    container.gone()
}

/// Also the process that holds the mapping for a moment must end with the runtime.
fn killed_runtime_leaves_nothing(ctx: &Ctx) -> Res {
    let source = source(ctx, &[7])?;
    for round in 0..12_u64 {
        let points: Vec<String> = (0..8).map(|number| format!("/m{number}")).collect();
        let points: Vec<&str> = points.iter().map(String::as_str).collect();
        let mut container = container(ctx, &points)?;
        container.map_ids(FIRST, 65_536).args(&["/bin/probe", "until-term"]);
        for (number, point) in (0..).zip(points) {
            let mapping = map(7, FIRST + number, 1);
            container.push(
                "/mounts",
                json!({"destination": point, "type": "bind", "source": source,
                    "options": ["bind", "idmap"], "uidMappings": mapping, "gidMappings": mapping}),
            );
        }
        let mut running = container.create_call(&[])?.spawn()?;
        std::thread::sleep(std::time::Duration::from_micros(1500 * round));
        let _ended_already = running.child().kill();
        running.wait()?;
        if ctx.state_root().join(&container.id).exists() {
            container.force_delete()?;
        }
        let ours = std::process::id() as i32;
        ctx.eventually("all ends", || procs::below(ours).is_empty().then_some(()))?;
        container.gone()?;
    }
    Ok(())
}

fn ordinary_user_is_refused(ctx: &Ctx) -> Res {
    let source = ctx.make_dir("source")?;
    let mut container = container(ctx, &["/mnt"])?;
    container.bind(&source, "/mnt", &["rbind", "idmap"]);
    let out = container.run()?.refused(&["rootless", "permitted", "CAP_SYS_ADMIN"])?;
    ours_names(ctx, &out.err, &["(/mnt): ", "CAP_SYS_ADMIN"])?;
    container.gone()
}

/// A new tmpfs has the container's ids by itself.
fn tmpfs_of_an_ordinary_user(ctx: &Ctx) -> Res {
    let mut container = container(ctx, &["/mnt"])?;
    container.mount("/mnt", "tmpfs", "tmpfs", &["mode=755", "idmap"]);
    container.sh("touch /mnt/x; stat -c %u:%g /mnt /mnt/x");
    container.run()?.is(0)?.prints("0:0\n0:0")?;
    container.gone()
}

/// As rootless Podman calls: it may map what is mounted in its own user namespace, and nothing else.
fn caller_in_user_namespace(ctx: &Ctx) -> Res {
    for (kind, refused) in [("tmpfs", false), ("none", true)] {
        let source = ctx.make_dir("source")?;
        let mut container = container(ctx, &["/mnt"])?;
        container.drop_namespace("user").remove("/linux/uidMappings").remove("/linux/gidMappings");
        mapped(&mut container, &source, &["bind", "idmap"], &map(7, 3, 1));
        container.sh("stat -c %u:%g /mnt/7");
        let script = match kind {
            "none" => "echo ready; read line; exec \"$@\"".to_string(),
            _ => format!(
                "echo ready; read line; cd {}; mount -t tmpfs x . && cd . && cd $PWD && \
                 touch 7 && chown 7:7 7 && exec \"$@\"",
                source.display()
            ),
        };
        let unshare = ["/usr/bin/unshare", "--user", "--mount", "/bin/sh", "-c", &script, "sh"];
        let call = container.run_call(&[])?.through(&unshare).stdin(std::process::Stdio::piped());
        let mut running = call.spawn()?;
        ctx.eventually("shell is ready", || running.out_now().contains("ready").then_some(()))?;
        namespaces::map_from_outside(ctx, running.pid())?;
        running.child().stdin.take();
        let out = running.wait()?;
        match refused {
            true => out.refused(&["belongs to another user namespace"])?,
            false => out.is(0)?.prints("ready\n3:3")?,
        };
        container.gone()?;
    }
    Ok(())
}
