//! What is said: to `--log`, on stderr, and in which form engines read it.

use std::fs;

use serde_json::Value;

use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Doing, Res, holds, same};
use crate::text::{lines, shown};

pub(crate) const FEATURE: Feature = Feature {
    name: "log",
    cases: &[
        either!(json_error).only_runc("crun spreads an entry over lines"),
        either!(json_error_of_start).only_runc("crun spreads an entry over lines"),
        either!(json_error_of_exec).only_runc("crun spreads an entry over lines"),
        either!(text_error),
        either!(error_is_on_stderr_too),
        either!(successful_commands_are_silent),
        either!(missing_directory_refused),
        either!(unknown_format_refused),
        either!(is_appended_to).only_runc("crun spreads an entry over lines"),
        either!(debug_does_not_reach_the_containers_streams).only_runc("crun writes to stderr"),
    ],
};

/// The JSON entries of a log, each with the keys that engines read.
fn entries(path: &std::path::Path) -> Res<Vec<Value>> {
    let text = fs::read_to_string(path).doing("read the log")?;
    lines(&text).iter().map(|line| serde_json::from_str(line).doing(line)).collect()
}

/// What a shim does: the message of the last error.
fn last_error(path: &std::path::Path) -> Res<String> {
    let entries = entries(path)?;
    let error =
        entries.iter().rfind(|entry| entry["level"] == "error").doing("an entry of level error")?;
    let time = error["time"].as_str().unwrap_or("");
    holds!(time.len() >= 20 && time.as_bytes()[10] == b'T', "time is {time:?}, no RFC 3339");
    Ok(error["msg"].as_str().doing("msg")?.to_lowercase())
}

fn with_log(ctx: &Ctx, format: &str) -> Res<(crate::call::Call, std::path::PathBuf)> {
    let log = ctx.dir.join("log.json");
    let call = ctx.runtime().arg("--log").arg(&log).args(["--log-format", format]);
    Ok((call, log))
}

fn json_error(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["nosuchcommand"])?;
    container.save()?;
    let (call, log) = with_log(ctx, "json")?;
    call.arg("run").arg("--bundle").arg(&container.bundle).arg(&container.id).done()?.failed()?;
    let message = last_error(&log)?;
    let words = ["executable file not found in $path", "no such file or directory"];
    holds!(words.iter().any(|word| message.contains(word)), "the log says {message}");
    container.gone()
}

fn json_error_of_start(ctx: &Ctx) -> Res {
    let id = ctx.id();
    let (call, log) = with_log(ctx, "json")?;
    call.args(["start", &id]).done()?.failed()?;
    let message = last_error(&log)?;
    holds!(message.contains("does not exist"), "the log says {message}");
    Ok(())
}

fn json_error_of_exec(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    let (call, log) = with_log(ctx, "json")?;
    call.args(["exec", &container.id, "/etc/passwd"]).done()?.failed()?;
    let message = last_error(&log)?;
    let words = ["permission denied", "operation not permitted"];
    holds!(words.iter().any(|word| message.contains(word)), "the log says {message}");
    Ok(())
}

fn text_error(ctx: &Ctx) -> Res {
    let id = ctx.id();
    let (call, log) = with_log(ctx, "text")?;
    call.args(["state", &id]).done()?.failed()?;
    let text = fs::read_to_string(log).doing("read the log")?;
    holds!(text.contains("does not exist"), "the log says {text}");
    Ok(())
}

/// Buildah gives no --log and shows stderr; with --log the line is there all the same.
fn error_is_on_stderr_too(ctx: &Ctx) -> Res {
    let id = ctx.id();
    let (call, _) = with_log(ctx, "json")?;
    call.args(["state", &id]).done()?.failed()?.says_one_of(&["does not exist"])?;
    Ok(())
}

fn successful_commands_are_silent(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    let quiet = |out: crate::call::Out| -> Res {
        same!(out.out, "");
        same!(out.err, "");
        Ok(())
    };
    quiet(container.create()?)?;
    quiet(container.start()?)?;
    container.until_output("ready")?;
    quiet(container.kill("TERM")?)?;
    container.until("stopped")?;
    quiet(container.delete()?)
}

fn missing_directory_refused(ctx: &Ctx) -> Res {
    let call = ctx.runtime().args(["--log", "/no/such/dir/log", "list"]);
    call.done()?.failed()?.says_one_of(&["/no/such/dir/log"])?;
    Ok(())
}

fn unknown_format_refused(ctx: &Ctx) -> Res {
    let (call, _) = with_log(ctx, "straw")?;
    call.arg("list").done()?.failed()?.says_one_of(&["straw", "log-format", "log format"])?;
    Ok(())
}

fn is_appended_to(ctx: &Ctx) -> Res {
    let id = ctx.id();
    for _ in 0..2 {
        let (call, _) = with_log(ctx, "json")?;
        call.args(["state", &id]).done()?.failed()?;
    }
    let errors = entries(&ctx.dir.join("log.json"))?;
    same!(errors.iter().filter(|entry| entry["level"] == "error").count(), 2);
    Ok(())
}

fn debug_does_not_reach_the_containers_streams(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/echo", "payload"])?;
    container.save()?;
    let (call, log) = with_log(ctx, "json")?;
    let call =
        call.arg("--debug").arg("run").arg("--bundle").arg(&container.bundle).arg(&container.id);
    let out = call.ok()?.prints("payload")?;
    same!(out.err, "");
    let entries = entries(&log)?;
    holds!(
        entries.iter().any(|entry| entry["level"] == "debug"),
        "no debug entry in {}",
        shown(&log)
    );
    Ok(())
}
