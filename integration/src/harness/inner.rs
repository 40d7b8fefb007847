//! One case in its own process: runs it, then looks for what was left, and writes the verdict to the file
//! `verdict` in its directory, since its stdout and stderr may be anybody's.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use nix::sys::prctl::set_child_subreaper;

use super::{leaks, procs};
use crate::ctx::Ctx;
use crate::options::{Inner, Options};
use crate::result::{Doing, Res};

pub(crate) const VERDICT: &str = "verdict";

pub(crate) fn run(options: &Options, inner: &Inner) -> Res<ExitCode> {
    // What an engine starts for several of its containers is not of this case.
    set_child_subreaper(options.engine.is_none()).doing("become subreaper")?;
    let case = super::runner::find(options, &inner.case).doing("find the case")?;
    let ctx = Ctx::new(&options.runtime, &inner.dir, options.engine)?;
    let outcome = (case.run)(&ctx);
    // Whatever came of it.
    let cleared = crate::engines::clear(&ctx);
    let outcome = outcome.and(cleared).and_then(|()| clean(&ctx));
    ctx.force_delete_all();
    procs::kill_below(std::process::id() as i32);
    let verdict = match &outcome {
        Ok(()) => String::new(),
        Err(reason) => reason.clone(),
    };
    write_verdict(&inner.dir, &verdict)?;
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A case has to leave nothing behind once its containers are deleted.
fn clean(ctx: &Ctx) -> Res {
    ctx.force_delete_all();
    let left = leaks::find(&ctx.dir, &ctx.state_roots(), &ctx.id_prefix());
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {}", left.join(", "))) }
}

fn write_verdict(dir: &Path, verdict: &str) -> Res {
    fs::write(dir.join(VERDICT), verdict).doing("write the verdict")
}
