//! Bad input: each one clear line that names what is wrong, a non-zero exit status, and nothing left.
//!
//! The texts asked for are the names of fields and arguments, never whole sentences.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "bad",
    cases: &[
        either!(no_bundle),
        either!(no_config),
        either!(config_is_a_directory),
        either!(config_cut_off),
        either!(config_empty),
        either!(config_not_an_object),
        either!(config_of_50_mb).ours("the peers take a minute and a gigabyte"),
        either!(config_nested_deeply).ours("crun crashes, runc gives up at its own depth"),
        either!(wrong_types).ours("the peers name no field"),
        either!(unknown_fields_are_kept),
        either!(no_process).only_runc("crun creates it"),
        either!(no_root).only_runc("crun says nothing of root"),
        either!(rootfs_missing),
        either!(rootfs_is_a_file),
        either!(args_empty).only_runc("crun looks for an empty name in PATH"),
        either!(args_missing).only_runc("crun does not name the field"),
        either!(args_first_empty).only_runc("crun says it in other words"),
        either!(cwd_relative).only_runc("crun takes it from the root"),
        either!(cwd_is_a_file),
        either!(cwd_through_own_descriptors),
        either!(command_missing_in_path),
        either!(command_missing_absolute),
        either!(command_not_executable),
        either!(command_is_a_directory),
        either!(command_of_unknown_format),
        either!(ids_refused),
        either!(id_of_1025_bytes).only_crun("runc leaves it to the kernel and its limit is 255"),
        either!(id_like_a_flag),
        either!(id_missing),
        either!(too_many_arguments),
        either!(unknown_command),
        either!(unknown_flag),
        either!(uid_unmapped),
        either!(gid_unmapped).only_runc("crun names the system call alone"),
        either!(maps_without_user_namespace).ours("the peers ignore them"),
        either!(user_namespace_without_maps).ours("crun makes up maps"),
        either!(bind_source_missing),
        either!(bind_directory_on_file),
        either!(bind_file_on_directory),
        either!(bind_source_of_70000_bytes),
        either!(mount_type_unknown),
        either!(mount_destination_missing).ours("the peers mount over the root"),
        either!(namespace_path_missing).only_runc("crun leaves its cgroup behind"),
        either!(namespace_path_is_no_namespace).ours("runc may only tell that a child is gone"),
        root!(namespace_path_of_another_kind).ours("runc may only tell that a child is gone"),
        either!(namespace_kind_unknown).only_runc("crun leaves its cgroup behind"),
        either!(namespace_twice).ours("crun takes the last one"),
        either!(rlimit_unknown).only_runc("crun leaves its cgroup behind"),
        either!(rlimit_twice).ours("the peers take one of them"),
        either!(rlimit_soft_above_hard).only_runc("crun leaves its cgroup behind"),
        either!(oom_score_out_of_range).ours("runc says it in two lines, crun leaves its cgroup"),
        root!(sysctl_of_no_namespace),
        root!(sysctl_of_the_hosts_network),
        root!(sysctl_missing),
        root!(device_kind_unknown).only_runc("crun ignores it"),
        either!(rootfs_propagation_unknown).only_runc("crun ignores it"),
        either!(masked_path_relative).ours("the peers take it from the root"),
        either!(hostname_without_uts),
        either!(spec_version_missing).ours("the peers take any"),
        either!(spec_version_of_the_future).ours("the peers take any"),
        either!(pid_file_in_missing_directory).only_runc("crun leaves a process behind"),
        either!(state_root_not_writable),
        root!(state_disk_is_full).only_runc("crun leaves the state's directory"),
        either!(mount_label_absent).only_runc("crun ignores the label where SELinux is off"),
        either!(apparmor_absent).only_runc("crun ignores the profile where AppArmor is off"),
        either!(selinux_absent).only_runc("crun ignores the label where SELinux is off"),
        either!(several_problems_at_once).ours("the peers tell one a run"),
    ],
};

/// `run` refuses it with one of the texts, and nothing is left.
fn refused(container: &Container<'_>, texts: &[&str]) -> Res {
    container.run()?.refused(texts)?;
    container.gone()
}

/// So does `create`, when the config says so.
fn config_refused(ctx: &Ctx, pointer: &str, value: serde_json::Value, texts: &[&str]) -> Res {
    let mut container = ctx.container()?;
    container.set(pointer, value);
    refused(&container, texts)?;
    container.create_call(&[])?.done()?.refused(texts)?;
    container.gone()
}

fn no_bundle(ctx: &Ctx) -> Res {
    let id = ctx.id();
    ctx.runtime()
        .args(["run", "--bundle", "/no/such/bundle", &id])
        .done()?
        .refused(&["/no/such/bundle"])?;
    Ok(())
}

fn no_config(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    let bundle = container.bundle.to_string_lossy().into_owned();
    ctx.runtime().args(["run", "-b", &bundle, &container.id]).done()?.refused(&["config.json"])?;
    container.gone()
}

fn config_is_a_directory(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    fs::create_dir(container.bundle.join("config.json")).doing("mkdir")?;
    raw_refused(&container, &["is a directory", "config.json"])
}

/// `run` of the config.json that is there.
fn raw_refused(container: &Container<'_>, texts: &[&str]) -> Res {
    let call =
        container.ctx.runtime().arg("run").arg("-b").arg(&container.bundle).arg(&container.id);
    call.done()?.refused(texts)?;
    container.gone()
}

/// A container whose config.json is this.
fn raw<'a>(ctx: &'a Ctx, text: &str) -> Res<Container<'a>> {
    let container = ctx.container()?;
    fs::write(container.bundle.join("config.json"), text).doing("write")?;
    Ok(container)
}

fn raw_config(ctx: &Ctx, text: &str, texts: &[&str]) -> Res {
    raw_refused(&raw(ctx, text)?, texts)
}

fn config_cut_off(ctx: &Ctx) -> Res {
    let whole = crate::config::default(ctx.is_root()).to_string();
    for part in [1, whole.len() / 3, whole.len() - 1] {
        raw_config(ctx, &whole[..part], &["eof", "unexpected end", "parse", "json", "premature"])?;
    }
    Ok(())
}

fn config_empty(ctx: &Ctx) -> Res {
    raw_config(ctx, "", &["eof", "unexpected end", "config.json", "json", "parse", "empty"])
}

fn config_not_an_object(ctx: &Ctx) -> Res {
    for text in ["[]", "7", "\"text\""] {
        raw_config(ctx, text, &[])?;
    }
    Ok(())
}

fn config_of_50_mb(ctx: &Ctx) -> Res {
    let text = format!(
        "{{\"ociVersion\": \"1.0.2\", \"annotations\": {{\"a\": \"{}\"",
        "x".repeat(50 << 20)
    );
    let container = raw(ctx, &text)?;
    let begin = std::time::Instant::now();
    raw_refused(&container, &["config.json"])?;
    let took = begin.elapsed().as_secs();
    holds!(took < 25, "it took {took} s");
    Ok(())
}

fn config_nested_deeply(ctx: &Ctx) -> Res {
    raw_config(ctx, &"[".repeat(1 << 20), &["config.json"])?;
    raw_config(ctx, &"{\"a\":".repeat(1 << 20), &["config.json"])
}

fn wrong_types(ctx: &Ctx) -> Res {
    for (pointer, value, field) in [
        ("/process/args", json!("sh"), "process.args"),
        ("/process/terminal", json!("yes"), "process.terminal"),
        ("/process/user/uid", json!(-1), "process.user.uid"),
        ("/process/user/uid", json!(4_294_967_296_u64), "process.user.uid"),
        ("/process/env/0", json!(7), "process.env"),
        ("/mounts/0/destination", json!(["x"]), "mounts[0].destination"),
        ("/linux/namespaces", json!({}), "linux.namespaces"),
        ("/root", json!("rootfs"), "root"),
    ] {
        config_refused(ctx, pointer, value, &[field])?;
    }
    Ok(())
}

fn unknown_fields_are_kept(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/echo", "fine"])?;
    for pointer in
        ["/straw", "/process/straw", "/linux/straw", "/root/straw", "/process/user/straw"]
    {
        container.set(pointer, json!({"of": ["some", "later", "version"]}));
    }
    container.run()?.is(0)?.prints("fine")?;
    Ok(())
}

fn no_process(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.remove("/process");
    refused(&container, &["process"])
}

fn no_root(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.remove("/root");
    refused(&container, &["root"])
}

fn rootfs_missing(ctx: &Ctx) -> Res {
    config_refused(ctx, "/root/path", json!("nosuchdir"), &["nosuchdir"])
}

fn rootfs_is_a_file(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    fs::write(container.bundle.join("straw"), "").doing("write")?;
    container.set("/root/path", "straw");
    refused(&container, &["straw", "not a directory"])
}

fn args_empty(ctx: &Ctx) -> Res {
    config_refused(ctx, "/process/args", json!([]), &["args"])
}

fn args_missing(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.remove("/process/args");
    refused(&container, &["args"])
}

fn args_first_empty(ctx: &Ctx) -> Res {
    config_refused(ctx, "/process/args", json!([""]), &["executable file not found in $path"])
}

fn cwd_relative(ctx: &Ctx) -> Res {
    config_refused(ctx, "/process/cwd", json!("tmp"), &["cwd"])
}

fn cwd_is_a_file(ctx: &Ctx) -> Res {
    config_refused(ctx, "/process/cwd", json!("/etc/passwd"), &["cwd", "not a directory"])
}

/// CVE-2024-21626: a descriptor of the runtime's as the way out.
fn cwd_through_own_descriptors(ctx: &Ctx) -> Res {
    let stray = fs::File::open("/").doing("open")?;
    crate::call::inherit(&stray)?;
    for number in 3..24 {
        let mut container =
            ctx.container_of(&["/bin/sh", "-c", "ls -d ../../boot ../../../boot; echo inside"])?;
        container.set("/process/cwd", format!("/proc/self/fd/{number}"));
        container.run()?.failed()?.prints("")?;
        container.gone()?;
    }
    Ok(())
}

fn command(ctx: &Ctx, args: &[&str], texts: &[&str]) -> Res {
    let container = ctx.container_of(args)?;
    refused(&container, texts)?;
    // From create or from start: an engine reads either.
    let call = container.create_call(&[])?.done()?;
    if call.code == 0 {
        container.command("start", &[]).done()?.refused(texts)?;
        container.force_delete()?;
    } else {
        call.refused(texts)?;
    }
    container.gone()
}

fn command_missing_in_path(ctx: &Ctx) -> Res {
    command(
        ctx,
        &["nosuchcommand"],
        &["executable file not found in $path", "no such file or directory"],
    )
}

fn command_missing_absolute(ctx: &Ctx) -> Res {
    command(ctx, &["/no/such/command"], &["no such file or directory"])
}

fn command_not_executable(ctx: &Ctx) -> Res {
    command(ctx, &["/etc/passwd"], &["permission denied", "operation not permitted"])
}

fn command_is_a_directory(ctx: &Ctx) -> Res {
    command(ctx, &["/etc"], &["permission denied", "is a directory", "not a regular file"])
}

fn command_of_unknown_format(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/odd"])?;
    fs::write(container.inside("/odd"), "\u{7f}neither a script nor a program").doing("write")?;
    crate::ctx::open_to_all(&container.inside("/odd"))?;
    refused(&container, &["exec format error"])
}

fn ids_refused(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.save()?;
    let bundle = container.bundle.to_string_lossy().into_owned();
    for id in ["", ".", "..", "a/b", "../x", "/x", "a b", "a\nb", "ä"] {
        for command in ["create", "run"] {
            ctx.runtime().args([command, "--bundle", &bundle, id]).done()?.failed()?;
        }
        ctx.runtime().args(["state", id]).done()?.failed()?;
        ctx.runtime().args(["delete", id]).done()?.failed()?;
    }
    same!(states(ctx), 0);
    Ok(())
}

fn states(ctx: &Ctx) -> usize {
    fs::read_dir(ctx.state_root())
        .into_iter()
        .flatten()
        .flatten()
        .filter(|each| each.path().is_dir())
        .count()
}

fn id_of_1025_bytes(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.save()?;
    let id = "x".repeat(1025);
    let call = ctx.runtime().arg("create").arg("-b").arg(&container.bundle).arg(&id);
    call.done()?.refused(&["id", "name too long"])?;
    same!(states(ctx), 0);
    Ok(())
}

fn id_like_a_flag(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.save()?;
    let call = ctx.runtime().arg("create").arg("-b").arg(&container.bundle).arg("-x");
    call.done()?.failed()?;
    same!(states(ctx), 0);
    Ok(())
}

fn id_missing(ctx: &Ctx) -> Res {
    for command in ["create", "run", "start", "state", "kill", "delete", "exec", "ps"] {
        ctx.runtime().arg(command).done()?.failed()?;
    }
    Ok(())
}

fn too_many_arguments(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    for command in ["start", "state"] {
        container.command(command, &[]).arg("more").done()?.failed()?;
    }
    same!(container.status()?, "created");
    Ok(())
}

fn unknown_command(ctx: &Ctx) -> Res {
    ctx.runtime().arg("nosuchcommand").done()?.failed()?;
    Ok(())
}

fn unknown_flag(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.create_call(&["--no-such-flag"])?.done()?.failed()?.says_one_of(&["no-such-flag"])?;
    container.gone()
}

/// An ordinary user's container maps one id; root's is given a small map.
fn small_map(container: &mut Container<'_>) {
    if container.ctx.is_root() {
        container.map_ids(100_000, 10);
    }
}

fn uid_unmapped(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    small_map(&mut container);
    container.user(1234, 0);
    refused(&container, &["uid", "mapp", "invalid argument"])
}

fn gid_unmapped(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    small_map(&mut container);
    container.user(0, 1234);
    refused(&container, &["gid", "mapp", "invalid argument"])
}

fn maps_without_user_namespace(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 10}]);
    container
        .drop_namespace("user")
        .set("/linux/uidMappings", map.clone())
        .set("/linux/gidMappings", map);
    refused(&container, &["uidMappings", "user namespace", "userns"])
}

fn user_namespace_without_maps(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.namespace("user", None).remove("/linux/uidMappings").remove("/linux/gidMappings");
    refused(&container, &["uidMappings", "mapping"])
}

fn bind_source_missing(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount("/mnt", "bind", "/no/such/source", &["bind"]);
    refused(&container, &["/no/such/source"])
}

fn bind_directory_on_file(ctx: &Ctx) -> Res {
    let source = ctx.make_dir("source")?;
    let mut container = ctx.container()?;
    container.bind(&source, "/etc/passwd", &["bind"]);
    refused(&container, &["not a directory", "file exists"])
}

fn bind_file_on_directory(ctx: &Ctx) -> Res {
    let source = ctx.make_file("source", "")?;
    let mut container = ctx.container()?;
    container.bind(&source, "/tmp", &["bind"]);
    refused(&container, &["not a directory", "is a directory"])
}

/// CVE-2021-43784.
fn bind_source_of_70000_bytes(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount("/mnt", "bind", &format!("/{}", "x/".repeat(35_000)), &["bind"]);
    container.run()?.failed()?;
    container.gone()
}

fn mount_type_unknown(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.mount("/mnt", "nosuchfs", "none", &[]);
    refused(&container, &["nosuchfs", "no such device"])
}

fn mount_destination_missing(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.push("/mounts", json!({"type": "tmpfs", "source": "tmpfs"}));
    refused(&container, &["destination"])
}

fn namespace_path_missing(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.namespace("ipc", Some("/no/such/namespace"));
    refused(&container, &["/no/such/namespace"])
}

fn namespace_path_is_no_namespace(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.namespace("ipc", Some("/etc/passwd"));
    container.run()?.failed()?.says_one_of(&[
        "namespace",
        "setns",
        "/etc/passwd",
        "invalid argument",
    ])?;
    container.gone()
}

fn namespace_path_of_another_kind(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.namespace("ipc", Some("/proc/self/ns/uts"));
    container.run()?.failed()?.says_one_of(&[
        "namespace",
        "setns",
        "/proc/self/ns/uts",
        "invalid argument",
    ])?;
    container.gone()
}

fn namespace_kind_unknown(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.push("/linux/namespaces", json!({"type": "straw"}));
    refused(&container, &["namespace"])
}

fn namespace_twice(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.push("/linux/namespaces", json!({"type": "ipc"}));
    refused(&container, &["namespaces"])
}

fn rlimits(ctx: &Ctx, limits: serde_json::Value, texts: &[&str]) -> Res {
    config_refused(ctx, "/process/rlimits", limits, texts)
}

fn rlimit_unknown(ctx: &Ctx) -> Res {
    rlimits(ctx, json!([{"type": "RLIMIT_STRAW", "soft": 1, "hard": 1}]), &["rlimit"])
}

fn rlimit_twice(ctx: &Ctx) -> Res {
    let one = json!({"type": "RLIMIT_CORE", "soft": 0, "hard": 0});
    rlimits(ctx, json!([one, one]), &["rlimits"])
}

fn rlimit_soft_above_hard(ctx: &Ctx) -> Res {
    rlimits(
        ctx,
        json!([{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]),
        &["rlimit", "invalid argument"],
    )
}

fn oom_score_out_of_range(ctx: &Ctx) -> Res {
    config_refused(ctx, "/process/oomScoreAdj", json!(1001), &["oom", "invalid argument"])
}

fn sysctl_of_no_namespace(ctx: &Ctx) -> Res {
    config_refused(ctx, "/linux/sysctl", json!({"vm.swappiness": "60"}), &["sysctl"])
}

fn sysctl_of_the_hosts_network(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container
        .drop_namespace("network")
        .set("/linux/sysctl", json!({"net.ipv4.ip_default_ttl": "77"}));
    refused(&container, &["sysctl"])
}

fn sysctl_missing(ctx: &Ctx) -> Res {
    config_refused(
        ctx,
        "/linux/sysctl",
        json!({"net.ipv4.no_such_sysctl": "1"}),
        &["no_such_sysctl", "no such file"],
    )
}

fn device_kind_unknown(ctx: &Ctx) -> Res {
    let device = json!([{"path": "/dev/straw", "type": "x", "major": 1, "minor": 3}]);
    config_refused(ctx, "/linux/devices", device, &["device"])
}

fn rootfs_propagation_unknown(ctx: &Ctx) -> Res {
    config_refused(ctx, "/linux/rootfsPropagation", json!("straw"), &["propagation"])
}

fn masked_path_relative(ctx: &Ctx) -> Res {
    config_refused(ctx, "/linux/maskedPaths", json!(["proc/kcore"]), &["maskedPaths"])
}

fn hostname_without_uts(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.drop_namespace("uts");
    refused(&container, &["hostname", "uts"])
}

fn spec_version_missing(ctx: &Ctx) -> Res {
    config_refused(ctx, "/ociVersion", json!(""), &["version"])
}

fn spec_version_of_the_future(ctx: &Ctx) -> Res {
    config_refused(ctx, "/ociVersion", json!("2.0.0"), &["version"])
}

fn pid_file_in_missing_directory(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container
        .create_call(&["--pid-file", "/no/such/dir/pid"])?
        .done()?
        .refused(&["/no/such/dir"])?;
    container.gone()
}

fn state_root_not_writable(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.save()?;
    let file = ctx.make_file("file", "")?;
    let call = ctx.program(&ctx.runtime.to_string_lossy()).arg("--root").arg(file.join("below"));
    let call = call.arg("create").arg("-b").arg(&container.bundle).arg(&container.id);
    call.done()?.refused(&["not a directory"])?;
    container.gone()
}

/// The state directory on a tmpfs of one page that is used up.
fn state_disk_is_full(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.save()?;
    let root = ctx.make_dir("full")?;
    let options = Some("size=4k");
    nix::mount::mount(Some("tmpfs"), &root, Some("tmpfs"), nix::mount::MsFlags::empty(), options)
        .doing("mount")?;
    fs::write(root.join("filler"), [b'x'; 4096]).doing("fill")?;
    ctx.will_delete(&root, &container.id);
    let call = ctx.program(&ctx.runtime.to_string_lossy()).arg("--root").arg(&root);
    let out = call.arg("create").arg("-b").arg(&container.bundle).arg(&container.id).done()?;
    let left = fs::read_dir(&root)
        .doing("read")?
        .flatten()
        .filter(|each| each.file_name() != "filler")
        .count();
    nix::mount::umount2(&root, nix::mount::MntFlags::MNT_DETACH).doing("unmount")?;
    out.failed()?.says_one_of(&["no space left"])?;
    same!(left, 0);
    Ok(())
}

fn apparmor_absent(ctx: &Ctx) -> Res {
    let enabled = fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default();
    if enabled.starts_with('Y') {
        return Ok(());
    }
    config_refused(ctx, "/process/apparmorProfile", json!("straw"), &["apparmor"])
}

fn selinux_absent(ctx: &Ctx) -> Res {
    if std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        return Ok(());
    }
    config_refused(ctx, "/process/selinuxLabel", json!("a:b:c:s0"), &["selinux"])
}

fn several_problems_at_once(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/cwd", "relative").set("/process/args", json!([]));
    container.set("/process/rlimits", json!([{"type": "RLIMIT_STRAW", "soft": 1, "hard": 1}]));
    let out = container.run()?.refused(&[])?;
    for field in ["process.cwd", "process.args", "process.rlimits"] {
        holds!(out.err.contains(field), "no {field} in {}", out.err.trim_end());
    }
    // A bundle whose rootfs is a link to a missing place is told as well, and by its name.
    let elsewhere = ctx.container()?;
    symlink("/no/such/rootfs", elsewhere.bundle.join("link")).doing("link")?;
    container.gone()
}

/// runc has the kernel refuse the option.
fn mount_label_absent(ctx: &Ctx) -> Res {
    if std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        return Ok(());
    }
    let label = json!("system_u:object_r:container_file_t:s0:c1,c2");
    config_refused(ctx, "/linux/mountLabel", label, &["mountLabel", "context="])
}
