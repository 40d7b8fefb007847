//! `run`: what it gives the container's first process.

use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::result::{Res, same};

pub(crate) const FEATURE: Feature = Feature { name: "run", cases: &[root!(exit_codes_and_output)] };

fn exit_codes_and_output(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    for code in [0, 1, 42, 255] {
        let out = cli.run(&[], &["sh", "-c", &format!("echo out; echo err >&2; exit {code}")])?;
        let out = out.is(code)?;
        same!((out.out.as_str(), out.err.as_str()), ("out\n", "err\n"));
    }
    // 128 and the number of the signal that ended it.
    cli.run(&["--init"], &["sh", "-c", "kill -KILL $$"])?.is(137).map(drop)
}
