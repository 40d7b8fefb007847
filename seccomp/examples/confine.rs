//! Says what a seccomp profile does, or runs a command under it.
//!
//! `confine PROFILE [COMMAND [ARGUMENT]...]`, where PROFILE is a config.json, or its `linux.seccomp` alone.

use oci_spec::runtime::LinuxSeccomp;
use serde_json::Value;
use skep_seccomp::{Filter, Profile};
use std::error::Error;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().ok_or("usage: confine PROFILE [COMMAND [ARGUMENT]...]")?;
    let filter = compile(&std::fs::read(path)?)?;
    let Some(command) = args.next() else {
        println!("{}", filter.summary());
        return Ok(());
    };
    // Without it only who has CAP_SYS_ADMIN may load a filter.
    nix::sys::prctl::set_no_new_privs()?;
    let _listener = filter.install()?;
    Err(Command::new(command).args(args).exec().into())
}

fn compile(json: &[u8]) -> Result<Filter, Box<dyn Error>> {
    let mut config: Value = serde_json::from_slice(json)?;
    let profile = match config.pointer_mut("/linux/seccomp") {
        Some(profile) => profile.take(),
        None => config,
    };
    let profile: LinuxSeccomp = serde_json::from_value(profile)?;
    let profile = Profile::new(&profile)?;
    for note in profile.notes() {
        eprintln!("{note}");
    }
    Ok(profile.compile()?)
}
