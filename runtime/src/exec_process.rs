//! The process of `exec`: the one of the container's config.json, as the flags change it.

use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities, Process};

use crate::args::{Args, flags};
use crate::failure::{Failure, Result};
use crate::user;

/// Changes `process` as the flags say.
pub(crate) fn from_flags(args: &Args, mut process: Process) -> Result<Process> {
    let command: Vec<_> = args.rest().into_iter().map(str::to_owned).collect();
    if command.is_empty() {
        return Err(Failure::new("exec: COMMAND is missing; give one, or --process FILE"));
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
        process.user_mut().additional_gids_mut().get_or_insert_default().extend(gids);
    }
    Ok(())
}

/// Adds to the sets that give the process the capability, but not to the inheritable set, through which a
/// program with file capabilities could raise it again (CVE-2022-29162). An ambient capability must be
/// inheritable, so it is added there only if config.json made it so.
fn add_capabilities(args: &Args, process: &mut Process) -> Result<()> {
    let added = args.texts(&flags::CAP).map(capability).collect::<Result<Capabilities>>()?;
    if added.is_empty() {
        return Ok(());
    }
    let old = process.capabilities().clone().unwrap_or_else(no_capabilities);
    let with = |set: &Option<Capabilities>| {
        Some(set.iter().flatten().chain(&added).copied().collect::<Capabilities>())
    };
    let inheritable = old.inheritable().clone().unwrap_or_default();
    let ambient = added.intersection(&inheritable).chain(old.ambient().iter().flatten());
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
    none.set_bounding(None).set_effective(None).set_permitted(None);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::typed;

    fn config_process() -> Process {
        let json = r#"{
            "terminal": true,
            "consoleSize": {"height": 1, "width": 2},
            "user": {"uid": 5, "gid": 6, "additionalGids": [7]},
            "args": ["init"],
            "env": ["A=1"],
            "cwd": "/w",
            "capabilities": {
                "bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"],
                "inheritable": ["CAP_CHOWN"], "ambient": []
            }
        }"#;
        serde_json::from_str(json).unwrap()
    }

    fn built(words: &[&str]) -> Result<Process> {
        from_flags(&typed("exec", words), config_process())
    }

    fn set(capabilities: &[Capability]) -> Option<Capabilities> {
        Some(capabilities.iter().copied().collect())
    }

    #[test]
    fn without_flags_only_command_and_terminal_change() {
        let mut expected = config_process();
        expected.set_args(Some(vec!["ls".to_owned(), "-l".to_owned()]));
        expected.set_terminal(Some(false)).set_console_size(None);
        assert_eq!(built(&["c", "ls", "-l"]), Ok(expected));
    }

    #[test]
    fn flags_override_what_config_json_says() {
        let words = "--tty --cwd /x --env B=2 -e A=3 --user 8 -g 9 -g 10 --no-new-privs --apparmor p --process-label l c sh";
        let process = built(&words.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!(process.terminal(), Some(true));
        assert_eq!(process.cwd(), std::path::Path::new("/x"));
        assert_eq!(process.env().as_ref().unwrap().join(" "), "A=1 B=2 A=3");
        let user = process.user();
        assert_eq!((user.uid(), user.gid()), (8, 6));
        assert_eq!(user.additional_gids().as_deref(), Some([7, 9, 10].as_slice()));
        assert_eq!(process.no_new_privileges(), Some(true));
        assert_eq!(process.apparmor_profile().as_deref(), Some("p"));
        assert_eq!(process.selinux_label().as_deref(), Some("l"));
    }

    #[test]
    fn added_capability_is_never_inheritable_and_ambient_only_if_it_already_was() {
        let process = built(&["--cap", "CAP_NET_RAW", "-c", "chown", "c", "sh"]).unwrap();
        let capabilities = process.capabilities().as_ref().unwrap();
        let given = set(&[Capability::Kill, Capability::NetRaw, Capability::Chown]);
        assert_eq!(capabilities.bounding(), &given);
        assert_eq!(capabilities.effective(), &given);
        assert_eq!(capabilities.permitted(), &given);
        assert_eq!(capabilities.inheritable(), &set(&[Capability::Chown]));
        assert_eq!(capabilities.ambient(), &set(&[Capability::Chown]));
    }

    #[test]
    fn capability_is_added_to_none() {
        let mut none = config_process();
        none.set_capabilities(None);
        let process = from_flags(&typed("exec", &["-c", "CAP_KILL", "c", "sh"]), none).unwrap();
        let capabilities = process.capabilities().as_ref().unwrap();
        assert_eq!(capabilities.effective(), &set(&[Capability::Kill]));
        assert_eq!(capabilities.inheritable(), &None);
        assert_eq!(capabilities.ambient(), &set(&[]));
    }

    #[test]
    fn wrong_values_are_refused() {
        for words in [
            &["c"][..],
            &["c", "--"],
            &["-u", "x", "c", "sh"],
            &["-g", "-1", "c", "sh"],
            &["--cap", "CAP_CAP_KILL", "c", "sh"],
            &["--cap", "", "c", "sh"],
        ] {
            assert!(built(words).is_err(), "{words:?}");
        }
    }
}
