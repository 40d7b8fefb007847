//! create, start, kill, delete: a container's way, and what is refused on it.

use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root, user};
use crate::harness::procs;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "lifecycle",
    cases: &[
        either!(create_start_delete),
        either!(create_takes_bundle_from_cwd),
        either!(create_gives_its_streams_away),
        either!(create_writes_pid_file),
        root!(created_belongs_to_its_maker),
        either!(create_sends_a_pidfd).only_runc("crun has no such flag"),
        either!(start_of_running_refused),
        either!(start_of_stopped_refused),
        either!(start_of_unknown_refused),
        either!(kill_by_name_number_and_prefix),
        either!(kill_in_lower_case).only_runc("crun wants capitals"),
        either!(kill_sends_term_by_default),
        either!(kill_of_stopped_refused),
        either!(kill_of_unknown_refused),
        either!(kill_with_unknown_signal_refused),
        either!(kill_of_created),
        root!(kill_all),
        user!(kill_all_without_cgroup).only_runc("crun signals all through the cgroup alone"),
        either!(delete_of_running_refused),
        either!(delete_of_created),
        either!(delete_of_unknown_refused).only_runc("crun names the missing directory"),
        either!(delete_force_of_running),
        either!(delete_force_of_unknown),
        either!(delete_without_path_and_home),
        either!(id_in_use_refused),
        either!(id_free_again_after_delete),
        either!(roots_are_separate),
        either!(ids_may_have_odd_characters),
    ],
};

fn create_start_delete(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    same!(container.status()?, "created");
    holds!(!container.output().contains("ready"), "the process runs before start");
    container.start()?;
    container.until_output("ready")?;
    same!(container.status()?, "running");
    container.kill("TERM")?;
    container.until("stopped")?;
    container.delete()?;
    container.gone()
}

fn create_takes_bundle_from_cwd(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.save()?;
    container.command("create", &[]).cwd(&container.bundle).ok()?;
    same!(container.state()?["bundle"], shown(&container.bundle));
    container.force_delete()?;
    container.gone()
}

/// The container's descriptors are the very files of the caller, not copies through the runtime.
fn create_gives_its_streams_away(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "report"])?;
    let input = ctx.make_file("input", "x")?;
    let call = container.create_call(&[])?;
    let output = call.stdout_path();
    call.stdin(std::fs::File::open(&input).doing("open")?).ok()?;
    container.start()?;
    container.until_output("}\n")?;
    let report: serde_json::Value = serde_json::from_str(&container.output()).doing("report")?;
    same!(report["fds"]["0"], shown(&input));
    same!(report["fds"]["1"], shown(&output));
    same!(report["fds"]["2"], shown(output.with_extension("err")));
    Ok(())
}

fn create_writes_pid_file(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    let file = ctx.dir.join("pid");
    container.create_call(&["--pid-file", &shown(&file)])?.ok()?;
    same!(std::fs::read_to_string(&file).unwrap_or_default(), container.pid()?.to_string());
    Ok(())
}

fn create_sends_a_pidfd(ctx: &Ctx) -> Res {
    use std::os::fd::AsRawFd;
    let container = ctx.sleeper()?;
    let socket = crate::pty::ConsoleSocket::new(ctx)?;
    container.create_call(&["--pidfd-socket", &socket.flag()])?.ok()?;
    let pidfd = socket.descriptor(ctx)?;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()));
    let info = info.doing("fdinfo")?;
    let pid = container.pid()?.to_string();
    same!(crate::text::field(&info, "Pid"), Some(pid.as_str()));
    Ok(())
}

/// An engine may look for its namespaces, whoever it will be.
fn created_belongs_to_its_maker(ctx: &Ctx) -> Res {
    use std::os::unix::fs::MetadataExt;
    let mut container = ctx.sleeper()?;
    container.user(1000, 1000);
    container.create()?.is(0)?;
    let namespaces =
        std::fs::metadata(format!("/proc/{}/ns", container.pid()?)).doing("its namespaces")?;
    same!((namespaces.uid(), namespaces.gid()), (0, 0));
    Ok(())
}

fn start_of_running_refused(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    container.command("start", &[]).done()?.refused(&["running", "already", "start"])?;
    same!(container.status()?, "running");
    Ok(())
}

fn start_of_stopped_refused(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.create()?;
    container.start()?;
    container.until("stopped")?;
    container.command("start", &[]).done()?.refused(&["stopped", "not running"])?;
    container.delete()?;
    container.gone()
}

fn start_of_unknown_refused(ctx: &Ctx) -> Res {
    let id = ctx.id();
    ctx.runtime().args(["start", &id]).done()?.refused(&["does not exist"])?;
    Ok(())
}

fn kill_by_name_number_and_prefix(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "catch"])?;
    container.run_until("ready")?;
    for (signal, caught) in [("HUP", "SIGHUP"), ("10", "SIGUSR1"), ("SIGUSR2", "SIGUSR2")] {
        container.kill(signal)?;
        container.until_output(caught)?;
    }
    container.kill("SIGTERM")?;
    container.until("stopped")
}

fn kill_in_lower_case(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "catch"])?;
    container.run_until("ready")?;
    container.kill("int")?;
    container.until_output("SIGINT")?;
    container.kill("sigterm")?;
    container.until("stopped")
}

fn kill_sends_term_by_default(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "catch"])?;
    container.run_until("ready")?;
    container.command("kill", &[]).ok()?;
    container.until_output("SIGTERM")?;
    container.until("stopped")
}

fn kill_of_stopped_refused(ctx: &Ctx) -> Res {
    let container = ctx.container()?;
    container.create()?;
    container.start()?;
    container.until("stopped")?;
    let words = ["container not running", "process already finished", "no such process"];
    ctx.runtime().args(["kill", &container.id, "TERM"]).done()?.refused(&words)?;
    Ok(())
}

fn kill_of_unknown_refused(ctx: &Ctx) -> Res {
    let id = ctx.id();
    ctx.runtime().args(["kill", &id, "TERM"]).done()?.refused(&["does not exist"])?;
    Ok(())
}

fn kill_with_unknown_signal_refused(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    for signal in ["NOSUCH", "SIGNOSUCH", "999"] {
        ctx.runtime().args(["kill", &container.id, signal]).done()?.failed()?;
    }
    same!(container.status()?, "running");
    Ok(())
}

fn kill_of_created(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    container.kill("KILL")?;
    container.until("stopped")?;
    container.delete()?;
    container.gone()
}

fn kill_all(ctx: &Ctx) -> Res {
    let container =
        ctx.container_of(&["/bin/sh", "-c", "/bin/probe ignore-term & /bin/probe ignore-term"])?;
    container.run_until("ready")?;
    let pid = container.pid()?;
    container.command("kill", &["--all"]).arg("KILL").ok()?;
    container.until("stopped")?;
    ctx.eventually("processes end", || procs::below(pid).is_empty().then_some(()))
}

fn kill_all_without_cgroup(ctx: &Ctx) -> Res {
    kill_all(ctx)
}

fn delete_of_running_refused(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    container.command("delete", &[]).done()?.refused(&[
        "running",
        "not stopped",
        "not in `created` or `stopped`",
    ])?;
    same!(container.status()?, "running");
    Ok(())
}

fn delete_of_created(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    let pid = container.pid()?;
    container.delete()?;
    ctx.eventually("process ends", || (!procs::alive(pid)).then_some(()))?;
    container.gone()
}

fn delete_of_unknown_refused(ctx: &Ctx) -> Res {
    let id = ctx.id();
    ctx.runtime().args(["delete", &id]).done()?.refused(&["does not exist"])?;
    Ok(())
}

fn delete_force_of_running(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/probe", "ignore-term"])?;
    container.run_until("ready")?;
    let pid = container.pid()?;
    container.force_delete()?;
    ctx.eventually("process ends", || (!procs::alive(pid)).then_some(()))?;
    container.gone()
}

fn delete_force_of_unknown(ctx: &Ctx) -> Res {
    let id = ctx.id();
    ctx.runtime().args(["delete", "--force", &id]).ok()?;
    ctx.runtime().args(["state", &id]).done()?.refused(&["does not exist"])?;
    Ok(())
}

fn delete_without_path_and_home(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    let bare = |call: crate::call::Call| call.env_remove("PATH").env_remove("HOME");
    bare(ctx.runtime().args(["kill", &container.id, "KILL"])).ok()?;
    container.until("stopped")?;
    bare(container.command("delete", &[])).ok()?;
    container.gone()
}

fn id_in_use_refused(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    let pid = container.pid()?;
    container.create_call(&[])?.done()?.refused(&["exist", "in use"])?;
    same!(container.pid()?, pid);
    same!(container.status()?, "running");
    Ok(())
}

fn id_free_again_after_delete(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/echo", "again"])?;
    for _ in 0..2 {
        container.create()?;
        container.start()?;
        container.until_output("again")?;
        container.until("stopped")?;
        container.delete()?;
        container.gone()?;
    }
    Ok(())
}

fn roots_are_separate(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    let other = ctx.make_dir("other")?;
    let call = ctx.program(&ctx.runtime.to_string_lossy()).arg("--root").arg(other);
    call.args(["state", &container.id]).done()?.refused(&["does not exist"])?;
    Ok(())
}

fn ids_may_have_odd_characters(ctx: &Ctx) -> Res {
    let mut container = ctx.sleeper()?;
    container.id += "_A.b+c-9";
    ctx.will_delete(&ctx.state_root(), &container.id);
    container.create()?;
    same!(container.state()?["id"], container.id);
    container.force_delete()?;
    container.gone()
}
