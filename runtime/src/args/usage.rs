//! A wrong command line, told in one line: clap's own text has several, and engines show the first.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::failure::Failure;

/// `create: unknown flag '--foo'; see 'skep create --help'`.
pub(super) fn failure(error: &Error, command: Option<&str>) -> Failure {
    wrong(&text(error), command)
}

/// The same for what clap does not check.
pub(super) fn wrong(text: &str, command: Option<&str>) -> Failure {
    match command {
        Some(command) => Failure::new(format!("{command}: {text}; see 'skep {command} --help'")),
        None => Failure::new(format!("{text}; see 'skep --help'")),
    }
}

fn text(error: &Error) -> String {
    let argument = name(&context(error, ContextKind::InvalidArg));
    let value = context(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            format!("unknown flag '{argument}'{}", suggestion(error))
        }
        ErrorKind::UnknownArgument => format!("unexpected argument '{argument}'"),
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument}: its value is missing"),
        ErrorKind::InvalidValue => {
            let valid = context(error, ContextKind::ValidValue);
            format!("{argument}: invalid value '{value}', expected one of: {valid}")
        }
        ErrorKind::ValueValidation => {
            let reason = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            format!("{argument}: invalid value '{value}'{reason}")
        }
        ErrorKind::TooManyValues => format!("{argument}: takes no value"),
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        _ => first_line(error),
    }
}

fn suggestion(error: &Error) -> String {
    match context(error, ContextKind::SuggestedArg).as_str() {
        "" => String::new(),
        flag => format!(", did you mean '{flag}'?"),
    }
}

/// `--format <FORMAT>` is `--format`; `<ID>` is `ID`, and so is the first of `<ID> <COMMAND>...`.
fn name(argument: &str) -> String {
    let first = argument.split_whitespace().next().unwrap_or_default();
    first.trim_matches(['<', '>', '.', '[', ']']).to_owned()
}

fn context(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    }
}

fn first_line(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
