//! From bytes to oci-spec's types, by way of a JSON value that can be mended in between.
//!
//! The good case deserializes once and moves its strings. Only when that fails is the text read
//! again with the path of each field tracked, which costs several times as much.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::explain;
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
pub(super) type Mend = fn(&mut Value, &mut Report);

/// How many wrong fields one error names at most.
const MOST: usize = 20;

/// Reads `bytes` into `T`, after `mend`. `field` is where the value stands in `config.json`, empty
/// for the whole.
pub(super) fn read<T: DeserializeOwned>(
    bytes: &[u8],
    field: &str,
    mend: Mend,
) -> Result<(T, Vec<String>)> {
    let mut report = Report::default();
    let value = mended(bytes, field, mend, &mut report)?;
    match T::deserialize(value) {
        Ok(typed) if report.problems.is_empty() => Ok((typed, report.warnings)),
        Ok(_) => Err(Error::problems(report.problems)),
        Err(_) => Err(wrong::<T>(bytes, field, mend)),
    }
}

fn mended(bytes: &[u8], field: &str, mend: Mend, report: &mut Report) -> Result<Value> {
    let mut value =
        serde_json::from_slice(bytes).map_err(|error| explain::syntax(field, &error))?;
    mend(&mut value, report);
    Ok(value)
}

/// The error that names every field of a wrong type.
fn wrong<T: DeserializeOwned>(bytes: &[u8], field: &str, mend: Mend) -> Error {
    let mut report = Report::default();
    let mut value = match mended(bytes, field, mend, &mut report) {
        Ok(value) => value,
        Err(error) => return error,
    };
    let mut problems = report.problems;
    let mut removed = false;
    for _ in 0..MOST {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(&value) else {
            break;
        };
        let missing = explain::is_missing(error.inner());
        if missing && removed {
            // What is missing may be what the round before took out.
            break;
        }
        problems.push(explain::wrong_type(field, &error));
        removed = !missing && explain::remove(&mut value, error.path());
        if !removed {
            break;
        }
    }
    match problems.is_empty() {
        true => Error::new(ErrorKind::InvalidConfig, "the configuration cannot be read"),
        false => Error::problems(problems),
    }
}
