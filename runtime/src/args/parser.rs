//! From the table to clap's commands.

use clap::builder::{PossibleValuesParser, Resettable, ValueParser};
use clap::{Arg, ArgAction, Command as Clap, value_parser};
use libcontainer::config::NEWEST_VERSION;

use super::definition::{Arity, Command, Flag, Operand, Value};
use super::flags;
use super::table::COMMANDS;

/// The id under which the operands are found whose rest is someone else's command line.
pub(super) const REST: &str = "operands";

const ABOUT: &str = "Runs containers from OCI bundles.";
const DETAILS: &str = "A bundle is a directory with a config.json, as the OCI runtime specification describes it, and a root filesystem. \
    'skep spec' writes a config.json to start from; 'skep run ID' in the bundle's directory runs it. \
    As root or as an ordinary user alike.";
const USAGE: &str = "skep [GLOBAL OPTION]... COMMAND [OPTION]... [ARGUMENT]...";

/// Of the help's prose.
const WIDTH: usize = 88;

/// Everything, for man pages and completions.
pub(crate) fn whole() -> Clap {
    globals().subcommands(COMMANDS.iter().map(command)).subcommand_required(true)
}

/// The first stage: the global flags, then the command as a word and what follows it.
pub(super) fn first_stage() -> Clap {
    globals().allow_external_subcommands(true)
}

/// The second stage: one command.
pub(super) fn second_stage(definition: &Command) -> Clap {
    command(definition).bin_name(format!("skep {}", definition.name))
}

/// What `--help` prints before a command.
pub(super) fn help() -> String {
    let about = wrapped(&format!("{ABOUT}\n\n{DETAILS}"));
    whole().long_about(Resettable::Reset).about(about).render_help().to_string()
}

/// What `--help` prints after a command.
pub(super) fn command_help(definition: &Command) -> String {
    let about = wrapped(&described(definition));
    second_stage(definition).long_about(Resettable::Reset).about(about).render_help().to_string()
}

fn described(definition: &Command) -> String {
    format!("{}.\n\n{}", definition.about, definition.details)
}

/// Breaks lines between words; clap would need one more crate for it.
fn wrapped(text: &str) -> String {
    text.lines().map(wrapped_line).collect::<Vec<_>>().join("\n")
}

fn wrapped_line(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().filter(|line| line.len() + word.len() < WIDTH);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn globals() -> Clap {
    let version = Arg::new("version").short('v').long("version").help("Print the version");
    Clap::new("skep")
        .about(ABOUT)
        .long_about(format!("{ABOUT}\n\n{DETAILS}"))
        .override_usage(USAGE)
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .args_override_self(true)
        .args(flags::GLOBAL.iter().map(flag))
        .arg(version.action(ArgAction::Version))
        .subcommand_value_name("COMMAND")
}

/// Lines of a form that engines know from `runc --version`.
pub(super) fn version() -> String {
    let commit = option_env!("SKEP_COMMIT").map(|commit| format!("commit: {commit}\n"));
    let commit = commit.unwrap_or_default();
    format!("skep version {}\n{commit}spec: {NEWEST_VERSION}\n", env!("CARGO_PKG_VERSION"))
}

fn command(definition: &Command) -> Clap {
    Clap::new(definition.name)
        .about(definition.about)
        .long_about(described(definition))
        .override_usage(usage(definition))
        .args_override_self(true)
        .disable_version_flag(true)
        .args(definition.flags.iter().map(flag))
        .args(operands(definition.operands))
}

/// `skep kill [OPTION]... ID [SIGNAL]`.
fn usage(definition: &Command) -> String {
    let operands = definition.operands.iter().map(|operand| match operand.arity {
        Arity::One => format!(" {}", operand.name),
        Arity::Optional => format!(" [{}]", operand.name),
        Arity::Many | Arity::Rest => format!(" [{}]...", operand.name),
    });
    format!("skep {} [OPTION]...{}", definition.name, operands.collect::<String>())
}

fn flag(definition: &Flag) -> Arg {
    let flag = Arg::new(definition.long)
        .long(definition.long)
        .short(definition.short)
        .hide(definition.hidden)
        .default_value(definition.default)
        .help(definition.help);
    match definition.value {
        Value::Switch => flag.action(ArgAction::SetTrue),
        Value::Text(name) => taking(flag, name, ValueParser::string()),
        Value::Texts(name) => taking(flag, name, ValueParser::string()).action(ArgAction::Append),
        Value::Path(name) => taking(flag, name, ValueParser::path_buf()),
        Value::Number(name) => taking(flag, name, value_parser!(u32).into()),
        Value::Choice(name, words) => taking(flag, name, PossibleValuesParser::new(words).into()),
    }
}

/// A value may begin with a hyphen, as with runc: `--env -x=1`.
fn taking(flag: Arg, name: &'static str, parser: ValueParser) -> Arg {
    flag.value_name(name).value_parser(parser).allow_hyphen_values(true)
}

fn operands(definitions: &[Operand]) -> Vec<Arg> {
    let rest = definitions.iter().any(|operand| operand.arity == Arity::Rest);
    if rest { vec![with_rest(definitions)] } else { definitions.iter().map(operand).collect() }
}

fn operand(definition: &Operand) -> Arg {
    let operand = Arg::new(definition.name).help(definition.help);
    match definition.arity {
        Arity::One => operand.required(true),
        Arity::Many => operand.num_args(0..).allow_negative_numbers(true),
        Arity::Optional | Arity::Rest => operand,
    }
}

/// One clap argument for all: whatever comes after the first operand is taken as it is, even if it
/// looks like a flag of ours (`exec ID ls -e`).
fn with_rest(definitions: &[Operand]) -> Arg {
    Arg::new(REST)
        .num_args(1..)
        .required(true)
        .trailing_var_arg(true)
        .value_names(definitions.iter().map(|operand| operand.name))
        .help(definitions.last().map(|operand| operand.help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sound() {
        whole().debug_assert();
        for definition in COMMANDS {
            second_stage(definition).debug_assert();
        }
    }

    #[test]
    fn usage_is_made_of_the_operands() {
        let usages: Vec<_> = COMMANDS.iter().map(usage).collect();
        assert!(usages.contains(&"skep kill [OPTION]... ID [SIGNAL]".to_owned()));
        assert!(usages.contains(&"skep exec [OPTION]... ID [COMMAND]...".to_owned()));
        assert!(usages.contains(&"skep list [OPTION]...".to_owned()));
        assert!(usages.contains(&"skep seccomp [OPTION]... [CALL] [ARG]...".to_owned()));
    }

    #[test]
    fn prose_is_broken_between_words() {
        let text = wrapped(&format!("short\n\n{}", "word ".repeat(40).trim()));
        assert!(text.starts_with("short\n\nword word"));
        assert!(text.lines().all(|line| line.len() < WIDTH && line == line.trim()), "{text}");
        assert_eq!(text.matches("word").count(), 40);
    }

    #[test]
    fn version_has_the_shape_that_engines_read() {
        let text = version();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("skep version "), "{text}");
        assert_eq!(lines.last(), Some(&"spec: 1.3.0"));
    }
}
