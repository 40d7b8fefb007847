//! The process of `exec`: the one of the container's config.json, as the flags change it.

use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities, Process};

use crate::args::{Args, flags};
use crate::failure::{Failure, Result};
use crate::user;

/// Changes `process` as the flags say.
pub(crate) fn from_flags(args: &Args, mut process: Process) -> Result<Process> {
    let command: Vec<_> = args.rest().into_iter().map(str::to_owned).collect();
    if command.is_empty() {
        return Err(Failure::new(
            "exec: COMMAND is missing; give one, or --process FILE",
        ));
    }
    process.set_args(Some(command));
    // The container's own terminal says nothing about this process.
    process.set_terminal(Some(args.switch(&flags::TTY)));
    process.set_console_size(None);
    set_texts(args, &mut process);
    set_user(args, &mut process)?;
    add_capabilities(args, &mut process)?;
    Ok(process)
}

fn set_texts(args: &Args, process: &mut Process) {
    let given = |flag| args.text(flag).filter(|text| !text.is_empty());
    if let Some(path) = given(&flags::CWD) {
        process.set_cwd(path.into());
    }
    if let Some(profile) = given(&flags::APPARMOR) {
        process.set_apparmor_profile(Some(profile.to_owned()));
    }
    if let Some(label) = given(&flags::PROCESS_LABEL) {
        process.set_selinux_label(Some(label.to_owned()));
    }
    if args.switch(&flags::NO_NEW_PRIVS) {
        process.set_no_new_privileges(Some(true));
    }
    let env = process.env_mut().get_or_insert_default();
    env.extend(args.texts(&flags::ENV).map(str::to_owned));
}

fn set_user(args: &Args, process: &mut Process) -> Result<()> {
    if let Some(typed) = args.text(&flags::USER) {
        let user = user::parse(typed)?;
        process.user_mut().set_uid(user.uid);
        if let Some(gid) = user.gid {
            process.user_mut().set_gid(gid);
        }
    }
    let gids = args.texts(&flags::ADDITIONAL_GIDS).map(user::parse_gid);
    let gids = gids.collect::<Result<Vec<_>>>()?;
    if !gids.is_empty() {
        process
            .user_mut()
            .additional_gids_mut()
            .get_or_insert_default()
            .extend(gids);
    }
    Ok(())
}

/// Adds to the sets that give the process the capability, but not to the inheritable set, through which a
/// program with file capabilities could raise it again (CVE-2022-29162). An ambient capability must be
/// inheritable, so it is added there only if config.json made it so.
fn add_capabilities(args: &Args, process: &mut Process) -> Result<()> {
    let added = args
        .texts(&flags::CAP)
        .map(capability)
        .collect::<Result<Capabilities>>()?;
    if added.is_empty() {
        return Ok(());
    }
    let old = process
        .capabilities()
        .clone()
        .unwrap_or_else(no_capabilities);
    let with = |set: &Option<Capabilities>| {
        Some(
            set.iter()
                .flatten()
                .chain(&added)
                .copied()
                .collect::<Capabilities>(),
        )
    };
    let inheritable = old.inheritable().clone().unwrap_or_default();
    let ambient = added
        .intersection(&inheritable)
        .chain(old.ambient().iter().flatten());
    let mut new = old.clone();
    new.set_ambient(Some(ambient.copied().collect()));
    new.set_bounding(with(old.bounding()));
    new.set_effective(with(old.effective()));
    new.set_permitted(with(old.permitted()));
    process.set_capabilities(Some(new));
    Ok(())
}

/// What oci-spec takes for the default is not empty.
fn no_capabilities() -> LinuxCapabilities {
    let mut none = LinuxCapabilities::default();
    none.set_bounding(None)
        .set_effective(None)
        .set_permitted(None);
    none.set_inheritable(None).set_ambient(None);
    none
}

/// `CAP_NET_RAW`, `net_raw`. What is asked for and unknown is an error: the program would miss it.
fn capability(typed: &str) -> Result<Capability> {
    let upper = typed.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    name.parse().map_err(|_| {
        Failure::new(format!(
            "--cap {typed:?}: unknown capability, expected a name such as CAP_NET_RAW"
        ))
    })
}
