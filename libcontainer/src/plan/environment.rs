//! The environment of the process, and where its executable may be.

use super::paths::c_string;
use crate::error::Result;
use std::ffi::CString;

/// The variables of `process.env` and then `extra`: of several with one name the last counts. An empty HOME,
/// as Podman gives for a user that the image does not know, is none: its place is looked up.
pub(crate) fn merge<'a>(
    env: impl IntoIterator<Item = &'a str>,
    extra: &'a [String],
) -> Vec<&'a str> {
    let mut merged: Vec<&str> = Vec::new();
    for variable in env.into_iter().chain(extra.iter().map(String::as_str)) {
        match merged.iter_mut().find(|known| name(known) == name(variable)) {
            Some(known) => *known = variable,
            None => merged.push(variable),
        }
    }
    merged.retain(|variable| *variable != "HOME=");
    merged
}

fn name(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(name, _)| name)
}

/// The value of a variable, if it is set and not empty.
pub(crate) fn value<'a>(env: &[&'a str], wanted: &str) -> Option<&'a str> {
    let of = |variable: &&'a str| variable.strip_prefix(wanted)?.strip_prefix('=');
    env.iter().find_map(of).filter(|value| !value.is_empty())
}

/// The paths at which `name` is looked for: itself when it has a `/`, else one for each absolute
/// directory of PATH.
pub(crate) fn candidates(name: &str, env: &[&str]) -> Result<Vec<CString>> {
    if name.contains('/') {
        return Ok(vec![c_string(name)?]);
    }
    let path = value(env, "PATH").unwrap_or("");
    let directories = path.split(':').filter(|directory| directory.starts_with('/'));
    directories
        .map(|directory| c_string(format!("{}/{name}", directory.trim_end_matches('/'))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_counts() {
        assert_eq!(merge(["A=1", "B=2", "A=3"], &["B=4".into()]), ["A=3", "B=4"]);
        assert_eq!(merge(["A=", "HOME="], &[]), ["A="]);
    }

    #[test]
    fn candidates_follow_path() {
        let env = ["PATH=/bin:relative::/usr/bin/"];
        assert_eq!(
            candidates("sh", &env).unwrap(),
            [c"/bin/sh".to_owned(), c"/usr/bin/sh".to_owned()]
        );
        assert_eq!(candidates("./sh", &env).unwrap(), [c"./sh".to_owned()]);
        assert!(candidates("sh", &[]).unwrap().is_empty());
    }

    #[test]
    fn an_empty_value_is_none() {
        assert_eq!(value(&["HOME="], "HOME"), None);
        assert_eq!(value(&["HOMER=x", "HOME=/"], "HOME"), Some("/"));
    }
}
