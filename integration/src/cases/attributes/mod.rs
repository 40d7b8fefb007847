//! How processes run: scheduling, priority of input and output, processors, memory policy, personality.

pub(crate) mod io_priority;
pub(crate) mod memory_policy;
pub(crate) mod personality;
pub(crate) mod processors;
pub(crate) mod scheduler;

use serde_json::{Value, json};

use crate::call::{Call, Out};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::result::Res;

const NO_FIELD: &str = "the peers name no field";
const RACY: &str = "crun sets it when the program may run already";

/// The report of a process with these fields that enters a running container.
pub(super) fn exec_report(container: &Container<'_>, fields: Value) -> Res<Value> {
    exec_through(container, fields, &[])?.is(0)?.json()
}

/// The same, run by another program if there is one.
pub(super) fn exec_through(container: &Container<'_>, fields: Value, program: &[&str]) -> Res<Out> {
    let mut process =
        json!({"user": {"uid": 0, "gid": 0}, "args": ["/bin/probe", "report"], "cwd": "/"});
    for (key, value) in fields.as_object().into_iter().flatten() {
        process[key] = value.clone();
    }
    let file = container
        .ctx
        .make_file(&format!("process{}", container.ctx.next()), &process.to_string())?;
    let call = container.ctx.runtime().args(["exec", "--process"]).arg(file).arg(&container.id);
    through(call, program).done()
}

fn through(call: Call, program: &[&str]) -> Call {
    if program.is_empty() { call } else { call.through(program) }
}

pub(super) fn running(ctx: &Ctx) -> Res<Container<'_>> {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    Ok(container)
}
