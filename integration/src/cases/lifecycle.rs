//! create, start, state, kill, delete, run: a container's way, and the exit statuses on it.

use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "lifecycle",
    cases: &[
        either!(run_prints_output),
        either!(run_exit_code),
        either!(run_signal_code),
        either!(create_start_delete),
    ],
};

fn run_prints_output(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/sh", "-c", "echo out; echo err >&2"])?;
    let out = container.run()?.is(0)?.prints("out")?;
    same!(out.err, "err\n");
    container.gone()
}

fn run_exit_code(ctx: &Ctx) -> Res {
    for code in [0, 1, 42, 255] {
        let container = ctx.container_of(&["/bin/probe", "exit", &code.to_string()])?;
        container.run()?.is(code)?;
    }
    Ok(())
}

fn run_signal_code(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/sh", "-c", "/bin/probe signal 9; exit 128"])?;
    container.run()?.is(128)?;
    Ok(())
}

fn create_start_delete(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    same!(container.status()?, "created");
    holds!(
        !container.output().contains("ready"),
        "the process runs before start"
    );
    container.start()?;
    container.until_output("ready")?;
    same!(container.status()?, "running");
    container.kill("TERM")?;
    container.until("stopped")?;
    container.delete()?;
    container.gone()
}
