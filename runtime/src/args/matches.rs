//! What was typed for one command (or before it).

use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::definition::Flag;
use super::parser::REST;

/// The values of flags and operands.
pub(crate) struct Args(pub(super) ArgMatches);

impl Args {
    /// Whether a switch was given.
    pub(crate) fn switch(&self, flag: &Flag) -> bool {
        self.0.get_flag(flag.long)
    }

    /// The value of a flag that takes a text, one of a few words included.
    pub(crate) fn text(&self, flag: &Flag) -> Option<&str> {
        self.0.get_one::<String>(flag.long).map(String::as_str)
    }

    /// The values of a flag that may be repeated.
    pub(crate) fn texts(&self, flag: &Flag) -> impl Iterator<Item = &str> {
        self.0.get_many::<String>(flag.long).into_iter().flatten().map(String::as_str)
    }

    /// The value of a flag that takes a path.
    pub(crate) fn path(&self, flag: &Flag) -> Option<&Path> {
        self.0.get_one::<PathBuf>(flag.long).map(PathBuf::as_path)
    }

    /// The value of a flag that takes a number and has a default.
    pub(crate) fn number(&self, flag: &Flag) -> u32 {
        self.0.get_one(flag.long).copied().unwrap_or_default()
    }

    /// The operand of that name.
    pub(crate) fn operand(&self, name: &str) -> Option<&str> {
        // An unknown name is an error in debug builds of clap only.
        let found = self.0.try_get_one::<String>(name).ok().flatten();
        found.map(String::as_str)
    }

    /// The operands of that name, of which there may be many.
    pub(crate) fn operands(&self, name: &str) -> Vec<&str> {
        let found = self.0.try_get_many::<String>(name).ok().flatten();
        found.into_iter().flatten().map(String::as_str).collect()
    }

    /// The id of a command that cannot be called without one.
    pub(crate) fn id(&self) -> &str {
        self.operand("ID").or_else(|| self.operand(REST)).unwrap_or_default()
    }

    /// What follows the id: someone else's command line. `--` before it is not part of it.
    pub(crate) fn rest(&self) -> Vec<&str> {
        let operands = self.0.get_many::<String>(REST).into_iter().flatten();
        let mut rest = operands.skip(1).map(String::as_str).peekable();
        rest.next_if_eq(&"--");
        rest.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::command_line::typed;
    use super::super::flags;

    #[test]
    fn id_is_found_with_and_without_a_rest() {
        assert_eq!(typed("state", &["c"]).id(), "c");
        assert_eq!(typed("exec", &["c", "ls"]).id(), "c");
    }

    #[test]
    fn what_follows_the_id_of_exec_is_not_ours() {
        let args = typed("exec", &["-e", "A=1", "c", "ls", "-e", "B=2", "--tty", "--", "x"]);
        assert_eq!(args.rest(), ["ls", "-e", "B=2", "--tty", "--", "x"]);
        assert_eq!(args.texts(&flags::ENV).collect::<Vec<_>>(), ["A=1"]);
        assert!(!args.switch(&flags::TTY));
        assert_eq!(typed("exec", &["c", "--", "ls", "-l"]).rest(), ["ls", "-l"]);
        assert_eq!(typed("exec", &["--", "c", "ls", "-l"]).rest(), ["ls", "-l"]);
        assert_eq!(typed("ps", &["c", "-f"]).rest(), ["-f"]);
    }

    #[test]
    fn many_operands_may_be_negative_numbers_and_flags_may_follow() {
        let args = typed("seccomp", &["openat", "-100", "0x10", "--arch", "x86"]);
        assert_eq!(args.operand("CALL"), Some("openat"));
        assert_eq!(args.operands("ARG"), ["-100", "0x10"]);
        assert_eq!(args.text(&flags::ARCH), Some("x86"));
        assert!(typed("seccomp", &["openat"]).operands("ARG").is_empty());
    }

    #[test]
    fn flags_may_follow_the_id_of_other_commands_and_the_last_one_counts() {
        let args = typed("create", &["c", "--preserve-fds=2", "--preserve-fds", "3", "-b/x"]);
        assert_eq!(args.number(&flags::PRESERVE_FDS), 3);
        assert_eq!(args.path(&flags::BUNDLE), Some(std::path::Path::new("/x")));
        assert!(typed("kill", &["c", "15", "-a"]).switch(&flags::ALL));
    }
}
