//! exec: one more process in a running container.

use std::fs;

use serde_json::{Value, json};

use crate::call::inherit;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::harness::procs;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "exec",
    cases: &[
        either!(prints_output),
        either!(exit_code),
        either!(exit_code_of_killed),
        either!(reads_stdin),
        either!(joins_all_namespaces),
        either!(inherits_the_containers_process),
        either!(rlimits_are_the_containers).only_runc("crun exec leaves the caller's"),
        either!(cwd),
        either!(cwd_unset_is_the_containers).only_runc("crun takes /"),
        either!(env),
        root!(user_numeric),
        root!(user_and_group),
        root!(additional_gids).only_runc("crun has no such flag"),
        root!(user_not_a_number_refused).only_runc("crun reads a name as 0"),
        root!(user_beyond_32_bits_refused).ours("runc and crun make it uid 0"),
        root!(user_named_like_a_number),
        root!(home_of_user),
        either!(cap),
        either!(caps_are_the_containers),
        either!(no_new_privs),
        either!(no_new_privs_is_the_containers).only_runc("crun exec sets it only when told to"),
        either!(paths_of_the_process_itself),
        either!(process_file),
        either!(process_file_without_capabilities_has_the_containers),
        either!(process_file_with_flags).only_runc("crun ignores the flags beside --process"),
        either!(process_file_bad_refused),
        either!(detached),
        either!(detached_pid_file),
        either!(pid_file_in_foreground),
        either!(missing_in_path),
        either!(missing_absolute),
        either!(not_executable),
        either!(of_unknown_refused),
        either!(in_stopped_refused),
        either!(in_created).only_runc("an ordinary user's crun cannot enter it before start"),
        either!(without_command_refused),
        either!(stray_fds_do_not_leak),
        either!(preserve_fds),
        either!(sees_what_the_container_mounted),
        either!(dies_with_the_container),
        either!(many_at_once),
        either!(arguments_are_passed_as_they_are),
    ],
};

fn running(ctx: &Ctx) -> Res<Container<'_>> {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    Ok(container)
}

/// The probe's report of an exec'ed process.
fn report(container: &Container<'_>, flags: &[&str]) -> Res<Value> {
    container.exec(flags, &["/bin/probe", "report"])?.is(0)?.json()
}

fn prints_output(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let out =
        container.exec(&[], &["/bin/sh", "-c", "echo out; echo err >&2"])?.is(0)?.prints("out")?;
    same!(out.err, "err\n");
    Ok(())
}

fn exit_code(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    for code in [0, 1, 42, 255] {
        container.exec(&[], &["/bin/probe", "exit", &code.to_string()])?.is(code)?;
    }
    Ok(())
}

fn exit_code_of_killed(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    for signal in [9, 15] {
        container.exec(&[], &["/bin/probe", "signal", &signal.to_string()])?.is(128 + signal)?;
    }
    Ok(())
}

fn reads_stdin(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container
        .exec_call(&[], &["/bin/cat"])
        .input("from outside\n")?
        .ok()?
        .prints("from outside")?;
    Ok(())
}

fn joins_all_namespaces(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let report = report(&container, &[])?;
    let pid = container.pid()?;
    for kind in ["mnt", "pid", "net", "ipc", "uts", "user", "cgroup"] {
        let init = fs::read_link(format!("/proc/{pid}/ns/{kind}")).doing(kind)?;
        same!(report["namespaces"][kind], shown(&init));
    }
    Ok(())
}

fn inherits_the_containers_process(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.env("COLOUR=straw");
    container.run_until("ready")?;
    let report = report(&container, &[])?;
    same!(report["env"]["COLOUR"], "straw");
    Ok(())
}

fn rlimits_are_the_containers(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    same!(report(&container, &[])?["limits"]["Max open files"], json!(["1024", "1024"]));
    Ok(())
}

fn cwd(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container.exec(&["--cwd", "/home/alice"], &["/bin/pwd"])?.is(0)?.prints("/home/alice")?;
    Ok(())
}

fn cwd_unset_is_the_containers(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/process/cwd", "/home");
    container.run_until("ready")?;
    container.exec(&[], &["/bin/pwd"])?.is(0)?.prints("/home")?;
    Ok(())
}

fn env(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.env("KEPT=yes").env("OVER=old");
    container.run_until("ready")?;
    let report = report(&container, &["-e", "OVER=new", "-e", "ADDED=a=b c"])?;
    same!(report["env"]["KEPT"], "yes");
    same!(report["env"]["OVER"], "new");
    same!(report["env"]["ADDED"], "a=b c");
    container
        .exec(&["--env", "LONG=yes"], &["/bin/sh", "-c", "echo $LONG"])?
        .is(0)?
        .prints("yes")?;
    Ok(())
}

fn user_numeric(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    for flag in ["-u", "--user"] {
        let report = report(&container, &[flag, "1"])?;
        same!(report["ids"]["uid"], json!([1, 1, 1, 1]));
    }
    Ok(())
}

fn user_and_group(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let report = report(&container, &["-u", "1000:50"])?;
    same!(report["ids"]["uid"], json!([1000, 1000, 1000, 1000]));
    same!(report["ids"]["gid"], json!([50, 50, 50, 50]));
    Ok(())
}

fn additional_gids(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let report = report(&container, &["-u", "1000:50", "-g", "77", "-g", "78"])?;
    let groups = report["ids"]["groups"].as_array().cloned().unwrap_or_default();
    holds!(groups.contains(&json!(77)) && groups.contains(&json!(78)), "groups are {groups:?}");
    Ok(())
}

/// CVE-2016-3697 and its like: a number read as a name, or a name as a number.
fn user_not_a_number_refused(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    for user in ["x", "1:", ":1", "-1", "1:x"] {
        let user = format!("--user={user}");
        container.exec(&[&user], &["/bin/id"])?.failed()?.prints("")?;
    }
    Ok(())
}

fn user_beyond_32_bits_refused(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    for user in ["4294967296", "4294967295", "1:4294967296"] {
        container.exec(&["-u", user], &["/bin/id"])?.failed()?.prints("")?;
    }
    Ok(())
}

/// CVE-2016-3697, CVE-2026-30892: the image's passwd has a root user of that name.
fn user_named_like_a_number(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    fs::write(container.inside("/etc/passwd"), "1000:x:0:0:root:/root:/bin/sh\n").doing("write")?;
    container.run_until("ready")?;
    same!(report(&container, &["-u", "1000"])?["ids"]["uid"], json!([1000, 1000, 1000, 1000]));
    Ok(())
}

fn home_of_user(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container
        .exec(&["-u", "1000:1000"], &["/bin/sh", "-c", "echo $HOME"])?
        .is(0)?
        .prints("/home/alice")?;
    Ok(())
}

const KILL: u64 = 1 << 5;
const NET_BIND_SERVICE: u64 = 1 << 10;
const NET_RAW: u64 = 1 << 13;
const AUDIT_WRITE: u64 = 1 << 29;

fn cap(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let report = report(&container, &["--cap", "CAP_NET_RAW"])?;
    let mask = |set: &str| report["caps"][set].as_u64().unwrap_or(0);
    for set in ["bounding", "effective", "permitted"] {
        holds!(mask(set) & NET_RAW != 0, "no CAP_NET_RAW in {set}: {:x}", mask(set));
    }
    Ok(())
}

/// CVE-2022-29162: the inheritable set is not filled for exec.
fn caps_are_the_containers(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let report = report(&container, &[])?;
    let want = KILL | NET_BIND_SERVICE | AUDIT_WRITE;
    for set in ["bounding", "effective", "permitted"] {
        same!(report["caps"][set], want);
    }
    same!(report["caps"]["inheritable"], 0);
    same!(report["caps"]["ambient"], 0);
    Ok(())
}

fn no_new_privs(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.set("/process/noNewPrivileges", false);
    container.run_until("ready")?;
    same!(report(&container, &[])?["no_new_privs"], "0");
    same!(report(&container, &["--no-new-privs"])?["no_new_privs"], "1");
    Ok(())
}

fn no_new_privs_is_the_containers(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    same!(report(&container, &[])?["no_new_privs"], "1");
    Ok(())
}

fn process_json(ctx: &Ctx) -> Res<String> {
    let process = json!({
        "terminal": false,
        "user": {"uid": 0, "gid": 0},
        "args": ["/bin/probe", "report"],
        "env": ["PATH=/bin", "FROM=file"],
        "cwd": "/tmp",
        "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
        "noNewPrivileges": true
    });
    Ok(ctx.make_file("process.json", &process.to_string())?.to_string_lossy().into_owned())
}

fn process_file(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let file = process_json(ctx)?;
    for flag in ["-p", "--process"] {
        let report =
            container.ctx.runtime().args(["exec", flag, &file, &container.id]).ok()?.json()?;
        same!(report["env"]["FROM"], "file");
        same!(report["cwd"], "/tmp");
        same!(report["caps"]["effective"], KILL);
        same!(report["caps"]["bounding"], KILL);
        same!(report["limits"]["Max open files"], json!(["100", "200"]));
    }
    Ok(())
}

fn process_file_without_capabilities_has_the_containers(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    for set in ["bounding", "effective", "permitted"] {
        container.set(&format!("/process/capabilities/{set}"), ["CAP_KILL"]);
    }
    container.run_until("ready")?;
    let process =
        json!({"cwd": "/", "args": ["/bin/probe", "report"], "user": {"uid": 0, "gid": 0}});
    let file = ctx.make_file("process.json", &process.to_string())?;
    let report =
        ctx.runtime().args(["exec", "--process", &shown(&file), &container.id]).ok()?.json()?;
    for set in ["bounding", "effective", "permitted"] {
        same!(report["caps"][set], KILL);
    }
    Ok(())
}

/// What `/proc/self` is, only the process itself can say.
fn paths_of_the_process_itself(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container.exec(&[], &["/proc/self/root/bin/echo", "found"])?.is(0)?.has("found")?;
    let out = container.exec(&["--cwd", "/proc/self"], &["/bin/cat", "comm"])?;
    out.is(0)?.has("cat")?;
    Ok(())
}

/// What is on the command line beside `--process` is left aside, except where the process goes.
fn process_file_with_flags(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let file = process_json(ctx)?;
    let pid_file = ctx.dir.join("pid");
    let flags = ["exec", "--process", &file, "--detach", "--pid-file", &shown(&pid_file)];
    ctx.runtime().args(flags).arg(&container.id).ok()?;
    holds!(pid_file.exists(), "no pid file");
    Ok(())
}

fn process_file_bad_refused(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let broken = ctx.make_file("broken.json", "{\"args\": [")?.to_string_lossy().into_owned();
    for file in [broken.as_str(), "/no/such/file"] {
        ctx.runtime().args(["exec", "--process", file, &container.id]).done()?.refused(&[])?;
    }
    Ok(())
}

fn detached(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    for flag in ["-d", "--detach"] {
        let out =
            container.exec(&[flag], &["/bin/sh", "-c", "sleep 100 & echo started; wait"])?.is(0)?;
        same!(out.err, "");
    }
    // They are started by shells that nobody waited for.
    let line = "until [ $(pidof sleep | wc -w) = 2 ]; do sleep 0.02; done";
    container.exec(&[], &["/bin/sh", "-c", line])?.is(0)?;
    Ok(())
}

fn detached_pid_file(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let file = ctx.dir.join("pid");
    container.exec(&["-d", "--pid-file", &shown(&file)], &["/bin/sleep", "100"])?.is(0)?;
    let pid = fs::read_to_string(&file).doing("read the pid file")?;
    let line = || {
        fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .ok()
            .filter(|line| line.contains("sleep"))
    };
    ctx.eventually("pid file names the process", line)?;
    Ok(())
}

fn pid_file_in_foreground(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let file = ctx.dir.join("pid");
    container.exec(&["--pid-file", &shown(&file)], &["/bin/true"])?.is(0)?;
    let pid = fs::read_to_string(&file).doing("read the pid file")?;
    holds!(pid.parse::<i32>().is_ok(), "pid file has {pid:?}");
    Ok(())
}

fn missing_in_path(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let words = ["executable file not found in $path", "no such file or directory"];
    container.exec(&[], &["nosuchcommand"])?.refused(&words)?;
    Ok(())
}

fn missing_absolute(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container.exec(&[], &["/no/such/command"])?.refused(&["no such file or directory"])?;
    Ok(())
}

fn not_executable(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container
        .exec(&[], &["/etc/passwd"])?
        .refused(&["permission denied", "operation not permitted"])?;
    Ok(())
}

fn of_unknown_refused(ctx: &Ctx) -> Res {
    let id = ctx.id();
    ctx.runtime().args(["exec", &id, "/bin/true"]).done()?.refused(&["does not exist"])?;
    Ok(())
}

fn in_stopped_refused(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.run_detached()?;
    container.until("stopped")?;
    container.exec(&[], &["/bin/true"])?.refused(&["stopped", "not running"])?;
    Ok(())
}

fn in_created(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    container.exec(&[], &["/bin/echo", "early"])?.is(0)?.prints("early")?;
    Ok(())
}

fn without_command_refused(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container.exec(&[], &[])?.failed()?;
    Ok(())
}

fn stray_fds_do_not_leak(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let stray: Vec<fs::File> = (0..8).map_while(|_| fs::File::open("/").ok()).collect();
    for file in &stray {
        inherit(file)?;
    }
    let report = report(&container, &[])?;
    let fds: Vec<&String> =
        report["fds"].as_object().into_iter().flat_map(|map| map.keys()).collect();
    same!(fds, ["0", "1", "2"]);
    Ok(())
}

fn preserve_fds(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let file = ctx.make_file("passed", "text in a descriptor")?;
    let shell = format!("exec 3<{}; exec \"$@\"", file.display());
    let exec = container.exec_call(&["--preserve-fds", "1"], &["/bin/cat", "/proc/self/fd/3"]);
    exec.through(&["/bin/sh", "-c", &shell, "sh"]).ok()?.prints("text in a descriptor")?;
    Ok(())
}

fn sees_what_the_container_mounted(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.mount("/mnt", "tmpfs", "tmpfs", &["mode=0711"]);
    container.run_until("ready")?;
    container.exec(&[], &["/bin/stat", "-c", "%a", "/mnt"])?.is(0)?.prints("711")?;
    Ok(())
}

fn dies_with_the_container(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let exec = container.exec_call(&[], &["/bin/probe", "ignore-term"]).spawn()?;
    let pid = container.pid()?;
    ctx.eventually("exec runs", || exec.out_now().contains("ready").then_some(()))?;
    container.kill("KILL")?;
    exec.wait()?.is(128 + 9)?;
    ctx.eventually("init ends", || (!procs::alive(pid)).then_some(()))
}

fn many_at_once(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let words: Vec<String> = (0..8).map(|number| format!("number {number}")).collect();
    let calls: Vec<_> = words
        .iter()
        .map(|word| container.exec_call(&[], &["/bin/echo", word]).spawn())
        .collect::<Res<_>>()?;
    for (call, word) in calls.into_iter().zip(&words) {
        call.wait()?.is(0)?.prints(word)?;
    }
    Ok(())
}

fn arguments_are_passed_as_they_are(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let out = container
        .exec(&[], &["/bin/printf", "%s|", "-t", "--user", "a b", "", "$HOME", "\"q\""])?;
    out.is(0)?.prints("-t|--user|a b||$HOME|\"q\"|")?;
    Ok(())
}
