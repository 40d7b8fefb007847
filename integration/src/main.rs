//! `skep-integration`: drives an OCI runtime binary through runc's command line and checks what its
//! containers really are.
//!
//! It knows nothing of skep but the path it is given, so each case can be proved right on a peer (runc,
//! crun) before it judges skep. Cases are data ([`harness::case::Case`]): a name, who can run it, what
//! it needs of the machine, the peers it is proved on, and a function.
//!
//! Each case is a process of its own: a case that hangs or panics cannot take the others along, and as
//! the subreaper of everything it starts it can tell what was left running.
#![deny(unsafe_code)]

mod agent;
mod call;
mod cases;
mod cgroups;
mod compare;
mod config;
mod conformance;
mod container;
mod ctx;
mod engines;
mod harness;
mod image;
mod options;
mod pty;
mod result;
mod sys;
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("skep-integration: {problem}");
            return ExitCode::from(2);
        }
    };
    if options.help {
        print!("{}", options::HELP);
        return ExitCode::SUCCESS;
    }
    let outcome = match (&options.conformance, &options.inner, options.list) {
        (Some(programs), ..) => conformance::run(&options, programs),
        (None, Some(inner), _) => harness::inner::run(&options, inner),
        (None, None, true) => harness::runner::list(&options),
        (None, None, false) if !options.against.is_empty() => compare::run(&options),
        (None, None, false) => harness::runner::run(&options),
    };
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("skep-integration: {problem}");
            ExitCode::from(2)
        }
    }
}
