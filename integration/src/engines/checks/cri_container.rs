//! A container of a pod, from its creation to its removal.

use serde_json::json;

use crate::ctx::Ctx;
use crate::engines::cri::{Cri, Said};
use crate::harness::case::{Feature, root};
use crate::result::{Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "cri_container",
    cases: &[
        root!(created_started_stopped_removed),
        root!(exit_codes_and_log),
        root!(environment_directory_and_arguments),
        root!(stop_gives_time),
        root!(stop_kills_in_the_end),
        root!(log_of_long_and_unfinished_lines),
        root!(log_is_reopened),
        root!(exec_sync),
        root!(exec_sync_has_a_time_limit),
        root!(failed_start_says_why).only_runc(super::OTHER_WORDS),
        root!(failed_exec_says_why).only_runc(super::OTHER_WORDS),
    ],
};

fn created_started_stopped_removed(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let container = pod.created(&["/bin/probe", "until-term"], &json!({}))?;
    same!(container.status()?["state"], "CONTAINER_CREATED");
    container.call("StartContainer")?;
    same!(container.status()?["state"], "CONTAINER_RUNNING");
    container.until_log("ready")?;
    container.stop(10)?;
    let status = container.status()?;
    same!(status["state"], "CONTAINER_EXITED");
    same!((&status["exit_code"], &status["reason"]), (&json!(42), &json!("Error")));
    container.call("RemoveContainer")?;
    holds!(container.status().is_err(), "it is still known");
    Ok(())
}

fn exit_codes_and_log(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    for (code, reason) in [(0, "Completed"), (3, "Error"), (255, "Error")] {
        let line = format!("echo out; echo err >&2; exit {code}");
        let container = pod.started(&["sh", "-c", &line], &json!({}))?;
        same!(container.wait()?, code);
        same!(container.status()?["reason"], reason);
        let wanted = Said { out: "out\n".into(), err: "err\n".into(), code: 0 };
        container.until_said("both", |log| *log == wanted)?;
    }
    Ok(())
}

fn environment_directory_and_arguments(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let report = pod.report(&json!({
        "envs": [{"key": "STRAW", "value": "gold thread"}, {"key": "EMPTY", "value": ""}],
        "working_dir": "/tmp",
        "args": ["one", "two words"],
    }))?;
    same!((&report["env"]["STRAW"], &report["env"]["EMPTY"]), (&json!("gold thread"), &json!("")));
    same!(report["cwd"], "/tmp");
    same!(report["args"], json!(["/bin/probe", "report", "one", "two words"]));
    same!(report["fds"].as_object().map(serde_json::Map::len), Some(3));
    Ok(())
}

fn stop_gives_time(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let line =
        "trap 'sleep 0.3; echo cleaned; exit 9' TERM; echo ready; while :; do sleep 0.02; done";
    let container = pod.started(&["sh", "-c", line], &json!({}))?;
    container.until_log("ready")?;
    container.stop(10)?;
    same!(container.wait()?, 9);
    container.until_log("cleaned")
}

fn stop_kills_in_the_end(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let container = pod.started(&["/bin/probe", "ignore-term"], &json!({}))?;
    container.until_log("ready")?;
    container.stop(1)?;
    same!(container.wait()?, 137);
    Ok(())
}

fn log_of_long_and_unfinished_lines(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    // Longer than the engine's longest line, so that it is written in parts; the last one has no end.
    let line = "yes a | head -n 30000 | tr -d '\\n'; echo; printf last";
    let container = pod.started(&["sh", "-c", line], &json!({}))?;
    same!(container.wait()?, 0);
    let out = container.until_said("the last line", |log| log.out.ends_with("\nlast"))?.out;
    same!(out.find('\n'), Some(30_000));
    Ok(())
}

/// What rotates logs renames the file and has the engine make a new one.
fn log_is_reopened(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let line = "echo first; trap 'echo second' USR1; while :; do sleep 0.02; done";
    let container = pod.started(&["sh", "-c", line], &json!({}))?;
    container.until_log("first")?;
    let log = container.log_path();
    std::fs::rename(log, log.with_extension("old")).map_err(|error| error.to_string())?;
    container.call("ReopenContainerLog")?;
    container.shell("kill -USR1 1")?;
    // And the old one is not written to any more.
    container.until_said("second", |log| log.out == "second\n").map(drop)
}

fn exec_sync(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let context = json!({"run_as_user": 1000, "capabilities": {"drop_capabilities": ["ALL"]}});
    let container = pod.sleeper(&json!({"linux": {"security_context": context}}))?;
    for code in [0, 3, 255] {
        let line = format!("echo out; echo err >&2; exit {code}");
        let said = container.exec(&["sh", "-c", &line])?;
        same!(said, Said { out: "out\n".into(), err: "err\n".into(), code });
    }
    // The same namespaces, cgroup, ids, capabilities and filter as the first process has.
    let own = "readlink /proc/$1/ns/*; cat /proc/$1/cgroup; grep -E '^(Uid|Gid|Groups|Cap|Seccomp:|NoNew)' /proc/$1/status";
    let of = |pid: &str| container.exec(&["sh", "-c", own, "sh", pid]);
    same!(of("1")?, of("self")?);
    Ok(())
}

/// As probes of a pod's health have one. The process is killed.
fn exec_sync_has_a_time_limit(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let container = pod.sleeper(&json!({}))?;
    let request = json!({"cmd": ["sleep", "1000"], "timeout": 1});
    match container.call_with("ExecSync", &request) {
        Err(words) if words.contains("timeout") || words.contains("deadline") => (),
        other => return Err(format!("it gives {other:?}")),
    }
    let gone = || container.shell("pidof sleep").is_err().then_some(());
    ctx.eventually("the process is gone", gone)
}

/// In the runtime's words, as `kubectl describe` shows them.
fn failed_start_says_why(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let told = |command: &[&str], changes: serde_json::Value, words: &str| {
        let container = pod.created(command, &changes)?;
        let Err(said) = container.call("StartContainer") else {
            return Err(format!("{command:?} starts"));
        };
        holds!(said.to_lowercase().contains(&words.to_lowercase()), "it says: {said}");
        let status = container.status()?;
        same!(
            (&status["state"], &status["reason"]),
            (&json!("CONTAINER_EXITED"), &json!("StartError"))
        );
        let message = status["message"].as_str().unwrap_or_default().to_lowercase();
        holds!(message.contains(&words.to_lowercase()), "{status}");
        Ok(())
    };
    told(&["no-such-program"], json!({}), "executable file not found in $PATH")?;
    told(&["/no/such/program"], json!({}), "no such file or directory")?;
    told(&["/etc/passwd"], json!({}), "permission denied")?;
    let file = ctx.make_file("file", "x")?;
    let over = json!({"mounts": [{"container_path": "/etc", "host_path": file}]});
    told(&["true"], over, "not a directory")?;
    told(&["true"], json!({"working_dir": "/etc/passwd"}), "not a directory")
}

fn failed_exec_says_why(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let container = pod.sleeper(&json!({}))?;
    let (missing, denied) =
        (container.exec(&["no-such-program"]), container.exec(&["/etc/passwd"]));
    let says = |outcome: Res<Said>, words: &str| match outcome {
        Err(said) if said.contains(words) => Ok(()),
        other => Err(format!("it gives {other:?}, wanted {words}")),
    };
    says(missing, "executable file not found in $PATH")?;
    says(denied, "permission denied")
}
