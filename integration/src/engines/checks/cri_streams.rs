//! `kubectl exec -it` and `kubectl attach`, as the API server makes them of a node's streams.

use serde_json::json;

use crate::ctx::Ctx;
use crate::engines::cri::{Cri, Stream};
use crate::harness::case::{Feature, root};
use crate::result::{Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "cri_streams",
    cases: &[
        root!(exec_output_and_exit_codes),
        root!(exec_stdin),
        root!(exec_terminal),
        root!(attach),
        root!(attach_terminal),
        root!(stdin_once),
    ],
};

fn exec_output_and_exit_codes(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let container = pod.sleeper(&json!({}))?;
    for code in [0, 3, 137] {
        let line = format!("echo out; echo err >&2; exit {code}");
        let mut stream = container.exec_stream(&["sh", "-c", &line], false)?;
        same!(stream.end()?, code);
        same!((stream.out.as_str(), stream.err.as_str()), ("out\n", "err\n"));
    }
    Ok(())
}

fn exec_stdin(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let container = pod.sleeper(&json!({}))?;
    let text = "straw\n".repeat(5000);
    let head = ["head", "-c", &text.len().to_string()];
    let mut stream = container.exec_stream(&head, false)?;
    stream.types(&text)?;
    same!(stream.end()?, 0);
    holds!(stream.out == text, "{} of {} bytes came back", stream.out.len(), text.len());
    Ok(())
}

/// Its name, its size once it has come, input, and the interrupt key.
fn talks(stream: &mut Stream) -> Res {
    let begin = stream.until("ready")?;
    holds!(begin.contains("/dev/pts/"), "no tty in {begin:?}");
    stream.resize(31, 97)?;
    stream.types("typed\n")?;
    stream.until("<typed>")?;
    stream.until("31 97")?;
    stream.types("\x03")?;
    stream.until("interrupted").map(drop)
}

const TALK: &[&str] = &[
    "sh",
    "-c",
    "trap 'echo interrupted; exit 7' INT; tty; : >/dev/tty && echo ready; read a; echo \"<$a>\"; \
     until [ \"$(stty size)\" = '31 97' ]; do sleep 0.02; done; stty size; while :; do sleep 0.02; done",
];

fn exec_terminal(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let container = pod.sleeper(&json!({}))?;
    let mut stream = container.exec_stream(TALK, true)?;
    talks(&mut stream)?;
    same!(stream.end()?, 7);
    Ok(())
}

fn attach(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let line = "while read a; do echo \"<$a>\"; echo \"[$a]\" >&2; done";
    let container = pod.started(&["sh", "-c", line], &json!({"stdin": true}))?;
    for word in ["one", "two"] {
        let mut stream = container.attach(false)?;
        stream.types(&format!("{word}\n"))?;
        stream.until(&format!("<{word}>"))?;
    }
    same!(container.status()?["state"], "CONTAINER_RUNNING");
    container.until_log("<two>")
}

fn attach_terminal(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let line = "read a; echo \"<$a>\"; tty; exit 3";
    let container = pod.started(&["sh", "-c", line], &json!({"stdin": true, "tty": true}))?;
    let mut stream = container.attach(true)?;
    stream.types("typed\n")?;
    stream.until("<typed>")?;
    stream.until("/dev/pts/0")?;
    same!(container.wait()?, 3);
    Ok(())
}

/// Who attaches first and leaves has closed the container's stdin.
fn stdin_once(ctx: &Ctx) -> Res {
    let pod = Cri::of(ctx).pod(&json!({}))?;
    let once = json!({"stdin": true, "stdin_once": true});
    let container = pod.started(&["cat"], &once)?;
    let mut stream = container.attach(false)?;
    stream.types("straw\n")?;
    stream.until("straw\n")?;
    drop(stream);
    same!(container.wait()?, 0);
    container.until_said("what was typed", |log| log.out == "straw\n").map(drop)
}
