//! From argv to a command and its arguments.

use std::ffi::OsString;
use std::path::{self, PathBuf};

use clap::error::{Error, ErrorKind};
use libcontainer::StateRoot;
use libcontainer::cgroup::Manager;

use super::definition::Command;
use super::{Args, flags, parser, table, usage};
use crate::failure::{Failure, Result};
use crate::{default_root, logger};

/// What the flags before the command say.
pub(crate) struct Globals(Args);

impl Globals {
    /// Whether everything is logged.
    pub(crate) fn debug(&self) -> bool {
        self.0.switch(&flags::DEBUG)
    }

    /// The log file.
    pub(crate) fn log(&self) -> Option<&path::Path> {
        self.0.path(&flags::LOG)
    }

    /// The format of the log.
    pub(crate) fn log_format(&self) -> logger::Format {
        match self.0.text(&flags::LOG_FORMAT) {
            Some("json") => logger::Format::Json,
            _ => logger::Format::Text,
        }
    }

    /// Who makes the cgroups.
    pub(crate) fn cgroup_manager(&self) -> Manager {
        match self.0.text(&flags::CGROUP_MANAGER) {
            Some("cgroupfs") => Manager::Cgroupfs,
            Some("disabled") => Manager::None,
            Some("systemd") => Manager::Systemd,
            _ if self.0.switch(&flags::SYSTEMD_CGROUP) => Manager::Systemd,
            _ => Manager::default(),
        }
    }

    fn root(&self) -> Result<PathBuf> {
        match self.0.path(&flags::ROOT) {
            Some(path) => path::absolute(path)
                .map_err(|error| Failure::system(format!("--root {}", path.display()), error)),
            None => default_root::find(),
        }
    }
}

/// A command as it was typed.
pub(crate) struct CommandLine {
    pub(crate) globals: Globals,
    pub(crate) args: Args,
}

impl CommandLine {
    /// Where the containers are.
    pub(crate) fn root(&self) -> Result<StateRoot> {
        Ok(StateRoot::new(self.globals.root()?))
    }
}

/// What argv asks for.
pub(crate) enum Invocation {
    /// Print this: the help or the version.
    Print(String),
    /// A command, still unread, so that the log can be set up first.
    Command(Globals, Unread),
}

/// What the second stage found.
pub(crate) enum Read {
    /// The command's help was asked for.
    Help(String),
    Command(&'static Command, Args),
}

/// A command whose own flags were not looked at yet.
pub(crate) struct Unread {
    name: String,
    arguments: Vec<OsString>,
}

/// The first stage: global flags and the name of the command.
pub(crate) fn parse(argv: impl Iterator<Item = OsString>) -> Result<Invocation> {
    let mut matches = match parser::first_stage().try_get_matches_from(argv) {
        Ok(matches) => matches,
        Err(error) => return printed(&error).ok_or_else(|| usage::failure(&error, None)),
    };
    let Some((name, mut found)) = matches.remove_subcommand() else {
        return Err(usage::wrong("COMMAND is missing", None));
    };
    let arguments: Vec<OsString> = found.remove_many("").into_iter().flatten().collect();
    if name == "help" {
        return help(arguments.first());
    }
    Ok(Invocation::Command(Globals(Args(matches)), Unread { name, arguments }))
}

impl Unread {
    /// The second stage: the command's own flags.
    pub(crate) fn read(self) -> Result<Read> {
        let command = table::find(&self.name).ok_or_else(|| unknown(&self.name))?;
        let argv = std::iter::once(OsString::from(&self.name)).chain(self.arguments);
        match parser::second_stage(command).try_get_matches_from(argv) {
            Ok(matches) => Ok(Read::Command(command, Args(matches))),
            Err(error) if error.kind() == ErrorKind::DisplayHelp => {
                Ok(Read::Help(parser::command_help(command)))
            }
            Err(error) => Err(usage::failure(&error, Some(command.name))),
        }
    }
}

fn unknown(name: &str) -> Failure {
    usage::wrong(&format!("unknown command '{name}'"), None)
}

fn printed(error: &Error) -> Option<Invocation> {
    match error.kind() {
        ErrorKind::DisplayVersion => Some(Invocation::Print(parser::version())),
        // clap's own knows no commands at this stage.
        ErrorKind::DisplayHelp => Some(Invocation::Print(parser::help())),
        _ => None,
    }
}

/// `help [COMMAND]`.
fn help(about: Option<&OsString>) -> Result<Invocation> {
    let Some(name) = about.map(|name| name.to_string_lossy()) else {
        return Ok(Invocation::Print(parser::help()));
    };
    let command = table::find(&name).ok_or_else(|| unknown(&name))?;
    Ok(Invocation::Print(parser::command_help(command)))
}

/// The arguments of a command that is typed right.
#[cfg(test)]
pub(crate) fn typed(name: &str, arguments: &[&str]) -> Args {
    match read(name, arguments) {
        Ok(Read::Command(_, args)) => args,
        Ok(Read::Help(text)) => panic!("{text}"),
        Err(failure) => panic!("{failure}"),
    }
}

#[cfg(test)]
fn read(name: &str, arguments: &[&str]) -> Result<Read> {
    let arguments = arguments.iter().map(OsString::from).collect();
    Unread { name: name.to_owned(), arguments }.read()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(argv: &[&str]) -> Result<Invocation> {
        parse(std::iter::once("skep").chain(argv.iter().copied()).map(OsString::from))
    }

    /// The line that a wrong command line is told by.
    fn refusal(argv: &[&str]) -> String {
        let result = first(argv).and_then(|invocation| match invocation {
            Invocation::Print(text) => panic!("{text}"),
            Invocation::Command(_, unread) => unread.read(),
        });
        result.err().map(|failure| failure.to_string()).expect("a refusal")
    }

    #[test]
    fn wrong_command_lines_are_told_in_one_line() {
        for (argv, text) in [
            (&[][..], "COMMAND is missing; see 'skep --help'"),
            (&["--foo"], "unknown flag '--foo'"),
            (&["frob"], "unknown command 'frob'; see 'skep --help'"),
            (&["--log"], "--log: its value is missing; see 'skep --help'"),
            (
                &["--log-format", "xml", "list"],
                "--log-format: invalid value 'xml', expected one of: text, json; see 'skep --help'",
            ),
            (&["create"], "create: ID is missing; see 'skep create --help'"),
            (&["exec"], "exec: ID is missing; see 'skep exec --help'"),
            (
                &["create", "--bundel", "x", "y"],
                "create: unknown flag '--bundel', did you mean '--bundle'?; see 'skep create --help'",
            ),
            (&["create", "a", "b"], "create: unexpected argument 'b'; see 'skep create --help'"),
            (
                &["delete", "--force=1", "a"],
                "delete: --force: takes no value; see 'skep delete --help'",
            ),
            (
                &["create", "--preserve-fds", "-1", "a"],
                "create: --preserve-fds: invalid value '-1': ",
            ),
            (&["create", "-x"], "create: unknown flag '-x'; see 'skep create --help'"),
        ] {
            let found = refusal(argv);
            assert!(found.starts_with(text), "{argv:?}: {found}");
            assert!(!found.contains('\n') && found.contains("; see 'skep "), "{argv:?}: {found}");
        }
    }

    #[test]
    fn global_flags_come_before_the_command() {
        let argv = ["--log-format=json", "--root", "/r", "--criu", "x", "--systemd-cgroup", "list"];
        let Ok(Invocation::Command(globals, _)) = first(&argv) else { panic!("not read") };
        assert_eq!(globals.log_format(), logger::Format::Json);
        assert_eq!(globals.root(), Ok(PathBuf::from("/r")));
        assert!(globals.cgroup_manager() == Manager::Systemd && !globals.debug());
        let argv = ["--systemd-cgroup", "--cgroup-manager", "disabled", "list"];
        let Ok(Invocation::Command(globals, _)) = first(&argv) else { panic!("not read") };
        assert_eq!(globals.cgroup_manager(), Manager::None);
        assert!(refusal(&["list", "--debug"]).starts_with("list: unknown flag '--debug'"));
    }

    #[test]
    fn help_and_version_are_printed() {
        for argv in [&["--help"][..], &["-h"], &["help"], &["--root", "/r", "--help"]] {
            let Ok(Invocation::Print(text)) = first(argv) else { panic!("{argv:?}") };
            assert!(text.contains("create") && text.contains("--systemd-cgroup"), "{text}");
        }
        let Ok(Invocation::Print(text)) = first(&["-v"]) else { panic!("no version") };
        assert!(text.starts_with("skep version "), "{text}");
        let Ok(Invocation::Print(text)) = first(&["help", "exec"]) else { panic!("no help") };
        assert!(text.contains("--additional-gids"), "{text}");
        assert!(
            matches!(read("run", &["--help"]), Ok(Read::Help(text)) if text.contains("--keep"))
        );
    }
}
