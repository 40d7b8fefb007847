//! `exec`: another process in a container.

use crate::ctx::Ctx;
use crate::engines::cli::Cli;
use crate::harness::case::{Feature, root};
use crate::result::Res;

pub(crate) const FEATURE: Feature = Feature {
    name: "exec",
    cases: &[
        root!(exit_codes_and_output),
        root!(missing_and_not_executable)
            .only_runc("crun says it in words that Docker does not know"),
    ],
};

fn exit_codes_and_output(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    for code in [0, 3, 255] {
        let line = format!("echo out; exit {code}");
        container.exec(&[], &["sh", "-c", &line])?.is(code)?.prints("out")?;
    }
    Ok(())
}

fn missing_and_not_executable(ctx: &Ctx) -> Res {
    let container = Cli::of(ctx).sleeper(&[])?;
    container.exec(&[], &["no-such-program"])?.is(127)?;
    container.exec(&[], &["/etc/passwd"])?.is(126).map(drop)
}
