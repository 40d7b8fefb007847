//! From bytes to oci-spec's types, by way of a JSON value that can be mended in between.
//!
//! The good case deserializes once and moves its strings. Only when that fails is the text read
//! again, and the fields at fault are searched for, which costs many times as much.

use oci_spec::runtime::Spec;
use serde_json::Value;

use super::{HostIds, explain, locate, strings, typed, validate};
use crate::error::{Error, ErrorKind, Problem, Result};

/// What the mending of a value has to say.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What is lost, or read otherwise than written.
    pub(super) warnings: Vec<String>,
    /// What cannot be mended.
    pub(super) problems: Vec<Problem>,
}

/// Mends a value before it is read into types.
pub(super) type Mend<'a> = &'a dyn Fn(&mut Value, &mut Report);

/// How many wrong fields one error names at most.
const MOST: usize = 20;

/// Reads `bytes`, after `mend` has made a configuration of them. `name` is what they are called when
/// they are no JSON, and `part` the field that they are (`""`: all of it).
pub(super) fn read(
    bytes: &[u8],
    name: &str,
    part: &str,
    mend: Mend<'_>,
) -> Result<(Box<Spec>, Vec<String>)> {
    let (value, report) = mended(bytes, name, mend)?;
    match typed::read(value) {
        Ok(spec) if report.problems.is_empty() => Ok((spec, report.warnings)),
        Ok(spec) => {
            let mut problems = report.problems;
            problems.extend(others(&spec, part, &problems));
            Err(Error::problems(problems))
        }
        Err(_) => {
            let (value, report) = mended(bytes, name, mend)?;
            Err(wrong(value, part, report.problems))
        }
    }
}

fn mended(bytes: &[u8], name: &str, mend: Mend<'_>) -> Result<(Value, Report)> {
    let mut value = serde_json::from_slice(bytes).map_err(|error| explain::syntax(name, &error))?;
    let mut report = Report::default();
    mend(&mut value, &mut report);
    strings::check(bytes, &value, &mut report.problems);
    Ok((value, report))
}

fn failure(value: Value) -> Option<String> {
    typed::read(value).err().map(|error| error.to_string())
}

/// What validation has to say of a value from which the wrong fields were taken, but for what it
/// says of their absence.
fn others(spec: &Spec, part: &str, wrong: &[Problem]) -> Vec<Problem> {
    let host = HostIds { privileged: true, euid: 0, egid: 0 };
    // An element of a list with a wrong field is not looked at any further.
    let element = |field: &str| field.rfind(']').map_or(field.len(), |end| end + 1);
    let about = |field: &str| {
        wrong.iter().any(|Problem { field: known, .. }| {
            known.starts_with(field) || field.starts_with(&known[..element(known)])
        })
    };
    let mut others = validate(spec, &host);
    others.retain(|problem| problem.field.starts_with(part) && !about(&problem.field));
    others
}

/// The error that names every field of a wrong type.
fn wrong(mut value: Value, part: &str, mut problems: Vec<Problem>) -> Error {
    let mut removed = false;
    for _ in 0..MOST {
        let Some(error) = failure(value.clone()) else {
            break;
        };
        let missing = explain::missing(&error);
        if missing.is_some() && removed {
            // What is missing may be what the round before took out.
            break;
        }
        let way = locate::locate(&value, &error, missing, failure);
        problems.push(explain::wrong_type(&way, &error));
        removed = missing.is_none() && locate::remove(&mut value, &way);
        if !removed {
            break;
        }
    }
    if let Ok(spec) = typed::read(value) {
        problems.extend(others(&spec, part, &problems));
    }
    match problems.is_empty() {
        true => Error::new(ErrorKind::InvalidConfig, "the configuration cannot be read"),
        false => Error::problems(problems),
    }
}
