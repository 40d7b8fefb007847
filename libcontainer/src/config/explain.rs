//! The words of serde's errors turned into ours: where in the file, what was expected there and
//! what was found, in the language of JSON rather than of Rust.

use serde_json::error::Category;

use super::locate::Step;
use crate::error::{Error, ErrorKind, Problem};

/// Names of types as serde says them, and as an author of JSON knows them.
const EXPECTED: &[(&str, &str)] = &[
    ("a sequence", "an array"),
    ("a map", "an object"),
    ("path string", "a string"),
    ("a boolean", "true or false"),
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number from 0 to 18446744073709551615"),
    ("usize", "a whole number, 0 or more"),
    ("i32", "a whole number from -2147483648 to 2147483647"),
    ("i64", "a whole number from -9223372036854775808 to 9223372036854775807"),
];

/// What serde calls the things it found; those in backticks carry their value.
const FOUND: &[(&str, &str)] = &[
    ("map", "an object"),
    ("sequence", "an array"),
    ("null", "null"),
    ("integer `", ""),
    ("floating point `", ""),
    ("boolean `", ""),
    ("number", "a number out of range"),
    ("string ", ""),
];

/// The longest piece of somebody's text that is repeated to him.
const LONGEST: usize = 80;

/// Text that is no JSON: what is wrong, and in which line and column.
pub(super) fn syntax(name: &str, error: &serde_json::Error) -> Error {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let text = match (error.classify(), what.strip_prefix("EOF while parsing ")) {
        (Category::Eof, part) => {
            let part = part.unwrap_or("a value");
            format!("{name} is cut off at {place}, inside {part}")
        }
        _ => format!("{name} is not JSON at {place}: {what}"),
    };
    Error::new(ErrorKind::InvalidConfig, one_line(&text))
}

/// The field that is not there, if that is what `error` is about.
pub(super) fn missing(error: &str) -> Option<&str> {
    error.strip_prefix("missing field `")?.split('`').next()
}

/// The field that `error` is about, and what it should have been.
pub(super) fn wrong_type(way: &[Step], error: &str) -> Problem {
    let field = field(way);
    match missing(error) {
        Some(name) => Problem::new(join(&field, name), "is missing"),
        None => Problem::new(field, one_line(&translate(error))),
    }
}

/// `mounts[3].options[0]`, with odd keys quoted: `linux.sysctl["net.core.somaxconn"]`.
fn field(way: &[Step]) -> String {
    way.iter().fold(String::new(), |field, step| match step {
        Step::Index(index) => format!("{field}[{index}]"),
        Step::Key(key) => join(&field, key),
    })
}

/// The field `key` of the object at `field`.
pub(crate) fn join(field: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match (field, plain) {
        ("", true) => key.to_owned(),
        (_, true) => format!("{field}.{key}"),
        _ => format!("{field}[{key:?}]"),
    }
}

fn translate(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        return unknown_value(rest);
    }
    ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|start| text.strip_prefix(start))
        .and_then(|rest| rest.rsplit_once(", expected "))
        .map(|(found, wanted)| {
            format!("expected {}, found {}", expected(wanted), self::found(found))
        })
        .unwrap_or_else(|| text.to_owned())
}

fn unknown_value(rest: &str) -> String {
    match rest.rsplit_once(", expected one of ").or_else(|| rest.rsplit_once(", expected ")) {
        Some((found, known)) => {
            format!("unknown value {}; known are {}", unquoted(found), known.replace('`', ""))
        }
        None => format!("unknown value {}", unquoted(rest)),
    }
}

fn expected(text: &str) -> &str {
    match EXPECTED.iter().find(|(theirs, _)| *theirs == text) {
        Some((_, ours)) => ours,
        None if text.starts_with("struct ") => "an object",
        None if text.starts_with("enum ") || text.contains("identifier") => "a string",
        None => text,
    }
}

fn found(text: &str) -> String {
    match FOUND.iter().find(|(theirs, _)| text.starts_with(theirs)) {
        Some((theirs, "")) => cut(unquoted(&text[theirs.len()..])),
        Some((_, ours)) => (*ours).to_owned(),
        None => cut(text),
    }
}

fn unquoted(text: &str) -> &str {
    text.trim_matches('`')
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text without the control characters that would break a log's one line per entry.
fn one_line(text: &str) -> String {
    match text.contains(char::is_control) {
        true => text.escape_debug().collect(),
        false => text.to_owned(),
    }
}
