//! What the container's process is given: ids, environment, capabilities, limits, descriptors.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::shell;
use crate::call::inherit;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "process",
    cases: &[
        root!(user_and_groups),
        either!(umask),
        either!(umask_unset_is_022),
        either!(cwd),
        either!(cwd_is_made),
        root!(cwd_only_the_user_may_enter),
        either!(environment_is_the_configs_and_nothing_else),
        either!(home_from_passwd),
        root!(home_of_user_from_passwd),
        root!(home_of_user_without_passwd_entry),
        either!(home_of_the_config_is_kept),
        root!(groups_of_the_caller_are_kept_for_an_annotation)
            .only_crun("runc does not know the annotation"),
        either!(empty_home_is_none).only_runc("crun leaves it empty"),
        either!(capabilities_of_all_five_sets),
        either!(capabilities_none),
        either!(capabilities_missing).only_crun("runc keeps the caller's"),
        either!(capabilities_unknown_is_a_warning),
        root!(capabilities_of_other_user),
        root!(capabilities_ambient_reach_other_user),
        either!(no_new_privs),
        either!(no_new_privs_off),
        either!(rlimits),
        root!(rlimits_raised).needs(&[Need::SysResource]),
        either!(oom_score_adj),
        either!(oom_score_adj_unset_is_inherited),
        either!(hostname),
        either!(domainname),
        root!(sysctl),
        either!(keyring_is_new),
        root!(keyring_is_the_callers),
        either!(stray_fds_do_not_leak),
        either!(stray_fds_do_not_leak_from_start),
        either!(preserve_fds),
        either!(listen_fds).only_runc("crun passes nothing on for LISTEN_FDS alone"),
        either!(listen_fds_of_nobody).ours("the peers then drop LISTEN_FDS"),
        either!(listen_fds_of_another_pid).ours("the peers then drop LISTEN_FDS"),
        either!(notify_socket),
        either!(signals_are_as_a_new_process_has_them),
        either!(command_from_path),
        either!(command_from_the_images_path),
        either!(command_relative_to_cwd),
        either!(is_process_one),
        either!(leads_a_session),
        either!(script),
    ],
};

fn user_and_groups(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.user(1000, 50).set("/process/user/additionalGids", json!([5, 4242]));
    let report = container.report()?;
    same!(report["ids"]["uid"], json!([1000, 1000, 1000, 1000]));
    same!(report["ids"]["gid"], json!([50, 50, 50, 50]));
    let groups = report["ids"]["groups"].as_array().cloned().unwrap_or_default();
    holds!(groups.contains(&json!(5)) && groups.contains(&json!(4242)), "groups are {groups:?}");
    holds!(!groups.contains(&json!(0)), "groups have the caller's: {groups:?}");
    Ok(())
}

fn umask(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/user/umask", 0o077);
    same!(container.report()?["umask"], "0077");
    Ok(())
}

fn umask_unset_is_022(ctx: &Ctx) -> Res {
    same!(ctx.container()?.report()?["umask"], "0022");
    Ok(())
}

fn cwd(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/cwd", "/home/alice");
    same!(container.report()?["cwd"], "/home/alice");
    Ok(())
}

fn cwd_is_made(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/cwd", "/made/for/it");
    same!(container.report()?["cwd"], "/made/for/it");
    Ok(())
}

fn cwd_only_the_user_may_enter(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    let dir = container.inside("/home/alice");
    std::os::unix::fs::chown(&dir, Some(1000), Some(1000)).doing("chown")?;
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).doing("chmod")?;
    container.user(1000, 1000).set("/process/cwd", "/home/alice");
    same!(container.report()?["cwd"], "/home/alice");
    Ok(())
}

fn environment_is_the_configs_and_nothing_else(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "report"])?;
    container.set("/process/env", json!(["PATH=/bin", "HOME=/x", "A=1", "EMPTY=", "SPACE=a b"]));
    let report = container.run_call(&[])?.env("LEAKED", "yes").ok()?.json()?;
    same!(
        report["env"],
        json!({"PATH": "/bin", "HOME": "/x", "A": "1", "EMPTY": "", "SPACE": "a b"})
    );
    Ok(())
}

fn home_from_passwd(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    fs::write(container.inside("/etc/passwd"), "root:x:0:0:root:/odd home:/bin/sh\n")
        .doing("write")?;
    let mut container = container;
    container.sh("echo \"$HOME\"");
    container.run()?.is(0)?.prints("/odd home")?;
    Ok(())
}

fn home_of_user_from_passwd(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.user(1000, 1000).sh("echo $HOME");
    container.run()?.is(0)?.prints("/home/alice")?;
    Ok(())
}

fn home_of_user_without_passwd_entry(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.user(4321, 1).sh("echo $HOME");
    container.run()?.is(0)?.prints("/")?;
    Ok(())
}

fn home_of_the_config_is_kept(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.env("HOME=/else").sh("echo $HOME");
    container.run()?.is(0)?.prints("/else")?;
    Ok(())
}

/// `podman run --group-add keep-groups`; otherwise they go.
fn groups_of_the_caller_are_kept_for_an_annotation(ctx: &Ctx) -> Res {
    let groups = |container: &Container<'_>| {
        let call = container.run_call(&[])?.through(&["/usr/bin/setpriv", "--groups=77,88"]);
        Ok::<String, String>(call.ok()?.text().trim().to_string())
    };
    let mut container = ctx.container()?;
    container.user(1000, 1000).sh("sed -n 's/^Groups:[^0-9]*//p' /proc/self/status");
    same!(groups(&container)?, "");
    let mut container = ctx.container()?;
    container.user(1000, 1000).sh("sed -n 's/^Groups:[^0-9]*//p' /proc/self/status");
    container.set("/annotations", json!({ "run.oci.keep_original_groups": "1" }));
    same!(groups(&container)?, "77 88");
    Ok(())
}

/// Podman gives it where the image has no such user.
fn empty_home_is_none(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["env"])?;
    let out = container.env("HOME=").run()?.is(0)?;
    let homes: Vec<&str> = out.out.lines().filter(|line| line.starts_with("HOME=")).collect();
    same!(homes, ["HOME=/root"]);
    Ok(())
}

const CHOWN: u64 = 1;
const KILL: u64 = 1 << 5;
const NET_RAW: u64 = 1 << 13;
const SETUID: u64 = 1 << 7;

fn capabilities_of_all_five_sets(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set(
        "/process/capabilities",
        json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SETUID"],
            "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
            "inheritable": ["CAP_KILL", "CAP_NET_RAW"],
            "effective": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
            "ambient": ["CAP_KILL"],
        }),
    );
    let report = container.report()?;
    same!(report["caps"]["bounding"], CHOWN | KILL | NET_RAW | SETUID);
    same!(report["caps"]["inheritable"], KILL | NET_RAW);
    same!(report["caps"]["ambient"], KILL);
    same!(report["caps"]["permitted"], CHOWN | KILL | NET_RAW);
    same!(report["caps"]["effective"], CHOWN | KILL | NET_RAW);
    Ok(())
}

fn capabilities_none(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/capabilities", json!({}));
    no_capabilities(&mut container)
}

fn capabilities_missing(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.remove("/process/capabilities");
    no_capabilities(&mut container)
}

fn no_capabilities(container: &mut crate::container::Container<'_>) -> Res {
    let report = container.report()?;
    for set in ["bounding", "permitted", "effective", "inheritable", "ambient"] {
        same!(report["caps"][set], 0);
    }
    Ok(())
}

fn capabilities_unknown_is_a_warning(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    for set in ["bounding", "effective", "permitted"] {
        container.push(&format!("/process/capabilities/{set}"), "CAP_OF_THE_FUTURE");
    }
    let report = container.report()?;
    holds!(report["caps"]["effective"].as_u64().unwrap_or(0) & KILL != 0, "{}", report["caps"]);
    Ok(())
}

fn capabilities_of_other_user(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.user(1000, 1000);
    let report = container.report()?;
    same!(report["caps"]["effective"], 0);
    same!(report["caps"]["permitted"], 0);
    Ok(())
}

fn capabilities_ambient_reach_other_user(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.user(1000, 1000);
    for set in ["inheritable", "ambient"] {
        container.set(&format!("/process/capabilities/{set}"), json!(["CAP_KILL"]));
    }
    let report = container.report()?;
    for set in ["effective", "permitted", "ambient"] {
        same!(report["caps"][set], KILL);
    }
    Ok(())
}

fn no_new_privs(ctx: &Ctx) -> Res {
    same!(ctx.container()?.report()?["no_new_privs"], "1");
    Ok(())
}

fn no_new_privs_off(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/noNewPrivileges", false);
    same!(container.report()?["no_new_privs"], "0");
    Ok(())
}

fn rlimits(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set(
        "/process/rlimits",
        json!([
            {"type": "RLIMIT_NOFILE", "soft": 300, "hard": 400},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            {"type": "RLIMIT_NPROC", "soft": 500, "hard": 600},
            {"type": "RLIMIT_STACK", "soft": 4_194_304, "hard": 8_388_608},
        ]),
    );
    let limits = container.report()?["limits"].clone();
    same!(limits["Max open files"], json!(["300", "400"]));
    same!(limits["Max core file size"], json!(["0", "0"]));
    same!(limits["Max processes"], json!(["500", "600"]));
    same!(limits["Max stack size"], json!(["4194304", "8388608"]));
    Ok(())
}

fn rlimits_raised(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "report"])?;
    container
        .set("/process/rlimits", json!([{"type": "RLIMIT_NOFILE", "soft": 3000, "hard": 4000}]));
    let run =
        container.run_call(&[])?.through(&["/bin/sh", "-c", "ulimit -n 1000; exec \"$@\"", "sh"]);
    same!(run.ok()?.json()?["limits"]["Max open files"], json!(["3000", "4000"]));
    Ok(())
}

fn oom_score_adj(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/process/oomScoreAdj", 987);
    same!(container.report()?["oom_score_adj"], "987");
    Ok(())
}

fn oom_score_adj_unset_is_inherited(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["/bin/probe", "report"])?;
    container.remove("/process/oomScoreAdj");
    let script = "echo 123 >/proc/self/oom_score_adj; exec \"$@\"";
    let run = container.run_call(&[])?.through(&["/bin/sh", "-c", script, "sh"]);
    same!(run.ok()?.json()?["oom_score_adj"], "123");
    Ok(())
}

fn hostname(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/hostname", "straw-basket");
    same!(container.report()?["hostname"], "straw-basket");
    Ok(())
}

fn domainname(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set("/domainname", "hive.example");
    same!(container.report()?["domainname"], "hive.example");
    Ok(())
}

fn sysctl(ctx: &Ctx) -> Res {
    let mut container = ctx.container()?;
    container.set(
        "/linux/sysctl",
        json!({"net.ipv4.ip_default_ttl": "77", "kernel.shm_rmid_forced": "1"}),
    );
    container.sh("cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/shm_rmid_forced");
    container.run()?.is(0)?.prints("77\n1")?;
    Ok(())
}

/// The session keyring of this process, as its child sees it.
fn own_keyring(ctx: &Ctx) -> Res<serde_json::Value> {
    let probe = ctx.template().join("bin/probe");
    Ok(ctx.program(&shown(&probe)).arg("report").ok()?.json()?["keyring"].clone())
}

fn keyring_is_new(ctx: &Ctx) -> Res {
    let first = ctx.container()?.report()?["keyring"].clone();
    let second = ctx.container()?.report()?["keyring"].clone();
    holds!(first.as_i64() > Some(0), "no session keyring: {first}");
    holds!(first != second && first != own_keyring(ctx)?, "not a new keyring: {first}, {second}");
    Ok(())
}

fn keyring_is_the_callers(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "report"])?;
    let report = container.run_call(&["--no-new-keyring"])?.ok()?.json()?;
    same!(report["keyring"], own_keyring(ctx)?);
    Ok(())
}

/// Descriptors of `/` that every child inherits.
fn stray() -> Res<Vec<fs::File>> {
    let files: Vec<fs::File> = (0..12).map_while(|_| fs::File::open("/").ok()).collect();
    for file in &files {
        inherit(file)?;
    }
    Ok(files)
}

fn only_the_standard_three(report: &serde_json::Value) -> Res {
    let fds: Vec<&String> =
        report["fds"].as_object().into_iter().flat_map(|map| map.keys()).collect();
    same!(fds, ["0", "1", "2"]);
    Ok(())
}

/// CVE-2016-9962, CVE-2024-21626.
fn stray_fds_do_not_leak(ctx: &Ctx) -> Res {
    let _stray = stray()?;
    only_the_standard_three(&ctx.container()?.report()?)
}

fn stray_fds_do_not_leak_from_start(ctx: &Ctx) -> Res {
    let _stray = stray()?;
    let container = ctx.container_of(&["/bin/probe", "report"])?;
    container.create()?;
    container.start()?;
    container.until_output("}\n")?;
    let report = serde_json::from_str(&container.output()).doing("the report")?;
    only_the_standard_three(&report)
}

fn preserve_fds(ctx: &Ctx) -> Res {
    let file = ctx.make_file("passed", "")?;
    let container = ctx.container_of(&["/bin/probe", "report"])?;
    let shell = format!("exec 3<{0} 4<{0} 5<{0}; exec \"$@\"", file.display());
    let call =
        container.run_call(&["--preserve-fds", "2"])?.through(&["/bin/sh", "-c", &shell, "sh"]);
    let report = call.ok()?.json()?;
    let fds: Vec<&String> =
        report["fds"].as_object().into_iter().flat_map(|map| map.keys()).collect();
    same!(fds, ["0", "1", "2", "3", "4"]);
    same!(report["fds"]["4"], shown(&file));
    Ok(())
}

fn listen_fds(ctx: &Ctx) -> Res {
    let file = ctx.make_file("passed", "")?;
    let container = ctx.container_of(&["/bin/probe", "report"])?;
    let shell = format!("export LISTEN_PID=$$; exec 3<{}; exec \"$@\"", file.display());
    let call = container.run_call(&[])?.env("LISTEN_FDS", "1");
    let report = call.through(&["/bin/sh", "-c", &shell, "sh"]).ok()?.json()?;
    same!(report["env"]["LISTEN_FDS"], "1");
    same!(report["env"]["LISTEN_PID"], "1");
    same!(report["fds"]["3"], shown(&file));
    Ok(())
}

/// Podman gives its own pid, and the descriptors through --preserve-fds.
fn listen_fds_of_another_pid(ctx: &Ctx) -> Res {
    listen_fds_through_podman(ctx, Some("4711"))
}

/// The same where Podman was called without LISTEN_PID.
fn listen_fds_of_nobody(ctx: &Ctx) -> Res {
    listen_fds_through_podman(ctx, None)
}

fn listen_fds_through_podman(ctx: &Ctx, pid: Option<&str>) -> Res {
    let file = ctx.make_file("passed", "")?;
    let container = ctx.container_of(&["/bin/probe", "report"])?;
    let shell = format!("exec 3<{}; exec \"$@\"", file.display());
    let mut call = container.run_call(&["--preserve-fds", "1"])?.env("LISTEN_FDS", "1");
    if let Some(pid) = pid {
        call = call.env("LISTEN_PID", pid);
    }
    let report = call.through(&["/bin/sh", "-c", &shell, "sh"]).ok()?.json()?;
    same!(report["env"]["LISTEN_FDS"], "1");
    same!(report["env"]["LISTEN_PID"], "1");
    same!(report["fds"]["3"], shown(&file));
    Ok(())
}

fn notify_socket(ctx: &Ctx) -> Res {
    let path = ctx.dir.join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).doing("bind")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).doing("chmod")?;
    socket.set_read_timeout(Some(std::time::Duration::from_millis(20))).doing("time limit")?;
    let container = ctx.container_of(&["/bin/sh", "-c", "/bin/probe notify; sleep 0.3"])?;
    let mut run = container.run_call(&[])?.env("NOTIFY_SOCKET", &path).spawn()?;
    let mut buffer = [0; 4096];
    let mut text = String::new();
    // To the end: the runtime may wait until its barrier message is received.
    while !run.ended() {
        let count = socket.recv(&mut buffer).unwrap_or(0);
        text += &String::from_utf8_lossy(&buffer[..count]);
    }
    run.wait()?.is(0)?;
    while let Ok(count) = socket.recv(&mut buffer) {
        text += &String::from_utf8_lossy(&buffer[..count]);
    }
    holds!(text.contains("READY=1"), "the host's socket got {text:?}");
    container.gone()
}

fn signals_are_as_a_new_process_has_them(ctx: &Ctx) -> Res {
    let report = ctx.container()?.report()?;
    same!(report["blocked"], "0000000000000000");
    let ignored =
        u64::from_str_radix(report["ignored"].as_str().unwrap_or(""), 16).doing("SigIgn")?;
    // The probe, as any Rust program, ignores SIGPIPE itself; signals from 32 on are the C library's.
    same!(ignored & 0x7fff_ffff & !(1 << 12), 0);
    Ok(())
}

fn command_from_path(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["echo", "found"])?;
    container.run()?.is(0)?.prints("found")?;
    Ok(())
}

/// The PATH that counts is that of process.env, not the caller's.
fn command_from_the_images_path(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["tool"])?;
    fs::create_dir(container.inside("/own")).doing("mkdir")?;
    std::os::unix::fs::symlink("/bin/busybox", container.inside("/own/sh")).doing("link")?;
    let tool = container.inside("/own/tool");
    fs::write(&tool, "#!/bin/sh\necho own tool\n").doing("write")?;
    crate::ctx::open_to_all(&tool)?;
    container.set("/process/env", json!(["PATH=/nowhere:/own"]));
    container.run()?.is(0)?.prints("own tool")?;
    Ok(())
}

fn command_relative_to_cwd(ctx: &Ctx) -> Res {
    let mut container = ctx.container_of(&["./echo", "here"])?;
    container.set("/process/cwd", "/bin");
    container.run()?.is(0)?.prints("here")?;
    Ok(())
}

fn is_process_one(ctx: &Ctx) -> Res {
    same!(ctx.container()?.report()?["pid"], 1);
    same!(shell(ctx, "echo $$ $PPID")?, "1 0");
    Ok(())
}

fn leads_a_session(ctx: &Ctx) -> Res {
    let session = ctx.container()?.report()?["session"].clone();
    same!(session["session"], 1);
    Ok(())
}

fn script(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/entry", "a", "b"])?;
    let entry = container.inside("/entry");
    fs::write(&entry, "#!/bin/sh\necho \"$0 $*\"\n").doing("write")?;
    crate::ctx::open_to_all(&entry)?;
    container.run()?.is(0)?.prints("/entry a b")?;
    Ok(())
}
