//! What the runtime refuses reaches the engine's user in the runtime's own words, and with the exit
//! status that the engine makes of them.

use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::result::Res;

/// Docker reads runc's words, and gives 125 or 128 for any others.
const OTHER_WORDS: &str = "crun says it in words that Docker does not know";

pub(crate) const FEATURE: Feature = Feature {
    name: "errors",
    cases: &[
        root!(missing_program_is_127).only_runc(OTHER_WORDS),
        root!(program_not_executable_is_126).only_runc(OTHER_WORDS),
    ],
};

fn missing_program_is_127(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let out = cli.run(&[], &["no-such-program"])?.is(127)?;
    out.says_one_of(&["executable file not found in $PATH"])?;
    let out = cli.run(&[], &["/no/such/program"])?.is(127)?;
    out.says_one_of(&["no such file or directory"]).map(drop)
}

fn program_not_executable_is_126(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    cli.run(&[], &["/etc/passwd"])?.is(126)?.says_one_of(&["permission denied"]).map(drop)
}
