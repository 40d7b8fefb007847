//! The log and the one line of a failure.
//!
//! stderr of `create` and of a detached `exec` belongs to the container, and an engine takes its
//! first line for the reason of a failure. So without a log file warnings are held back until it
//! is known that the command worked, and thrown away where stderr is the container's.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use libcontainer::time;
use log::{Level, LevelFilter, Log, Metadata, Record};
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::json;

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

struct Logger(Mutex<State>);

struct State {
    file: Option<File>,
    format: Format,
    debug: bool,
    held_back: Vec<String>,
}

static LOGGER: Logger = Logger(Mutex::new(State {
    file: None,
    format: Format::Text,
    debug: false,
    held_back: Vec::new(),
}));

/// Sets the log up as the global flags ask for it.
pub(crate) fn init(file: Option<&Path>, format: Format, debug: bool) -> Result<()> {
    let file = match file {
        // The default of other runtimes, spelled out: not a second place to write to.
        None => None,
        Some(path) if path == Path::new("/dev/stderr") => None,
        Some(path) => Some(open(path)?),
    };
    log::set_max_level(match (debug, &file) {
        (true, _) => LevelFilter::Debug,
        (false, Some(_)) => LevelFilter::Info,
        (false, None) => LevelFilter::Warn,
    });
    let mut state = LOGGER.lock();
    (state.file, state.format, state.debug) = (file, format, debug);
    // Fails only when there is a logger already, which is this one.
    let _ = log::set_logger(&LOGGER);
    Ok(())
}

/// Reports why the command failed: on stderr, and in the log file if there is one. What was held
/// back is not shown, so that this line is the first.
pub(crate) fn failure(failure: &Failure) {
    let text = one_line(&failure.to_string());
    let mut state = LOGGER.lock();
    match (state.file.is_some(), state.format) {
        (false, Format::Json) => write_to_stderr(&json_line(Level::Error, &text)),
        (false, Format::Text) => write_to_stderr(&format!("skep: {text}")),
        (true, _) => {
            state.write_to_file(Level::Error, &text);
            write_to_stderr(&format!("skep: {text}"));
        }
    }
}

/// Shows the warnings that were held back: the command worked.
pub(crate) fn show_held_back() {
    let held_back = std::mem::take(&mut LOGGER.lock().held_back);
    for line in held_back {
        write_to_stderr(&line);
    }
}

/// Throws the warnings away: stderr now belongs to the container.
pub(crate) fn drop_held_back() {
    LOGGER.lock().held_back.clear();
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|error| Failure::system(format!("--log {}", path.display()), error))
}

impl Logger {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.lock().record(record.level(), &one_line(&record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

impl State {
    fn record(&mut self, level: Level, text: &str) {
        if self.file.is_some() {
            return self.write_to_file(level, text);
        }
        let line = match self.format {
            Format::Json => json_line(level, text),
            Format::Text => format!("skep: {}: {text}", level_name(level)),
        };
        if self.debug { write_to_stderr(&line) } else { self.held_back.push(line) }
    }

    /// A log that cannot be written (a full disk) must not stop a container.
    fn write_to_file(&mut self, level: Level, text: &str) {
        let line = match self.format {
            Format::Json => json_line(level, text),
            Format::Text => text_line(level, text),
        };
        if let Some(file) = &mut self.file {
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}

fn write_to_stderr(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn json_line(level: Level, text: &str) -> String {
    json::compact(&vec![
        ("level", json!(level_name(level))),
        ("msg", json!(text)),
        ("time", json!(time::now())),
    ])
}

fn text_line(level: Level, text: &str) -> String {
    format!("time=\"{}\" level={} msg={text:?}", time::now(), level_name(level))
}

/// The names that readers of runc's log know.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// Readers take a line for a message, and texts may hold names from a hostile image: control
/// characters (line ends, terminal escapes) are shown as their escapes.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(one_line("a\nb\x1b[0m\u{85}é"), "a\\nb\\u{1b}[0m\\u{85}é");
    }

    #[test]
    fn json_line_has_the_keys_of_engines_in_order() {
        let line = json_line(Level::Error, "mount \"x\"");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["level"], &value["msg"]), (&json!("error"), &json!("mount \"x\"")));
        assert!(line.starts_with(r#"{"level":"error","msg":"#), "{line}");
        assert!(value["time"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn text_line_quotes_the_message() {
        let line = text_line(Level::Warn, "a \"b\"");
        assert!(line.starts_with("time=\"2"), "{line}");
        assert!(line.ends_with(r#"level=warning msg="a \"b\"""#), "{line}");
    }
}
