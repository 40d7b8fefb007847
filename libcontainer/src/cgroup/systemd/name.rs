//! Names of units, from `linux.cgroupsPath`.
//!
//! | `linux.cgroupsPath` | scope | in slice |
//! |---|---|---|
//! | `machine.slice:libpod:1234` | `libpod-1234.scope` | `machine.slice` |
//! | `:docker:1234` | `docker-1234.scope` | `system.slice`; `user.slice` of a user's manager |
//! | missing or empty | `skep-ID.scope` | the same |
//!
//! Anything else is an error. A name that ends in `.slice` is one, too: a slice holds other units and
//! no process. (With runc, such a name is for a library's caller that has no process.)

use crate::error::Problem;
use std::path::{Path, PathBuf};

const FIELD: &str = "linux.cgroupsPath";

/// Longest name of a unit, in bytes.
const LONGEST: usize = 255;

/// A scope's name, and the slice that it is in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Name {
    /// `PREFIX-NAME.scope`.
    pub(super) scope: String,
    /// `a-b.slice`; `-.slice` is the root of all.
    pub(super) slice: String,
}

impl Name {
    /// By the table above; `user` is for a user's manager.
    pub(super) fn new(cgroups_path: Option<&Path>, id: &str, user: bool) -> Result<Self, Problem> {
        let default = if user { "user.slice" } else { "system.slice" };
        let asked = cgroups_path.filter(|path| !path.as_os_str().is_empty());
        let Some(asked) = asked else {
            let scope = check(format!("skep-{}.scope", escape(id)))?;
            return Ok(Self { scope, slice: default.into() });
        };
        let (slice, prefix, name) = split(asked)?;
        if name.ends_with(".slice") {
            let text = format!("{name} is a slice, and those hold no processes; name a scope");
            return Err(problem(text));
        }
        let scope = check(format!("{prefix}-{name}.scope"))?;
        let slice = if slice.is_empty() { default.into() } else { check(slice.into())? };
        path_of_slice(&slice).map(|_| Self { scope, slice })
    }

    /// Where the scope's directory is, from where the manager's own begins: a slice is below the
    /// slices that its name begins with.
    pub(super) fn path(&self) -> PathBuf {
        path_of_slice(&self.slice).unwrap_or_default().join(&self.scope)
    }
}

fn split(asked: &Path) -> Result<(&str, &str, &str), Problem> {
    let parts: Option<Vec<&str>> = asked.to_str().map(|text| text.split(':').collect());
    match parts.as_deref() {
        Some([_, _, ""]) => Err(problem(format!("{} names no scope", asked.display()))),
        Some([slice, prefix, name]) => Ok((slice, prefix, name)),
        _ => Err(problem(format!(
            "{:?} must be SLICE:PREFIX:NAME with --systemd-cgroup, such as \
             system.slice:skep:1234; leave --systemd-cgroup out to have a path",
            asked.display().to_string()
        ))),
    }
}

fn problem(text: String) -> Problem {
    Problem::new(FIELD, text)
}

/// Whether systemd would take it as the name of a unit.
fn check(name: String) -> Result<String, Problem> {
    if name.len() > LONGEST {
        let text = format!("{name} is longer than the {LONGEST} bytes that a unit's name may have");
        return Err(problem(text));
    }
    match name.chars().find(|one| !is_allowed(*one)) {
        None => Ok(name),
        Some(wrong) => Err(problem(format!(
            "{wrong:?} cannot be in the name of a unit ({name}); letters, digits and `:-_.\\` can"
        ))),
    }
}

fn is_allowed(one: char) -> bool {
    one.is_ascii_alphanumeric() || ":-_.\\".contains(one)
}

/// What cannot be in a name becomes `\xNN`, as systemd-escape(1) has it.
fn escape(id: &str) -> String {
    let escaped = id.bytes().map(|byte| match char::from(byte) {
        plain if plain != '\\' && is_allowed(plain) => plain.to_string(),
        _ => format!("\\x{byte:02x}"),
    });
    escaped.collect()
}

/// `a-b.slice` is `a.slice/a-b.slice`; `-.slice` is the root.
fn path_of_slice(slice: &str) -> Result<PathBuf, Problem> {
    let wrong = |why: &str| Err(problem(format!("{slice:?} is no slice: {why}")));
    let Some(name) = slice.strip_suffix(".slice") else {
        return wrong("it does not end in .slice");
    };
    if name == "-" {
        return Ok(PathBuf::new());
    }
    let mut path = PathBuf::new();
    let mut end = 0;
    for part in name.split('-') {
        if part.is_empty() {
            return wrong("each `-` stands between two names");
        }
        end += part.len();
        path.push(format!("{}.slice", name.get(..end).unwrap_or_default()));
        end += 1;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(path: &str, user: bool) -> Result<(String, String), Problem> {
        let name = Name::new(Some(Path::new(path)), "c1", user)?;
        Ok((name.scope, name.slice))
    }

    #[test]
    fn what_engines_send() {
        for (path, user, scope, slice) in [
            ("system.slice:docker:1234", false, "docker-1234.scope", "system.slice"),
            ("user.slice:libpod:12", true, "libpod-12.scope", "user.slice"),
            (
                "kubepods-pod1_2.slice:cri-containerd:ab",
                false,
                "cri-containerd-ab.scope",
                "kubepods-pod1_2.slice",
            ),
            (":docker:1", false, "docker-1.scope", "system.slice"),
            (":docker:1", true, "docker-1.scope", "user.slice"),
            ("-.slice:a:b", false, "a-b.scope", "-.slice"),
            ("", false, "skep-c1.scope", "system.slice"),
            ("", true, "skep-c1.scope", "user.slice"),
        ] {
            assert_eq!(name(path, user), Ok((scope.into(), slice.into())), "{path}");
        }
        let buildah = Name::new(None, "buildah-buildah1", true).expect("a name");
        assert_eq!(buildah.scope, "skep-buildah-buildah1.scope");
    }

    #[test]
    fn the_path_follows_the_names_of_the_slices() {
        for (asked, expected) in [
            ("a.slice:x:1", "a.slice/x-1.scope"),
            ("a-b-c.slice:x:1", "a.slice/a-b.slice/a-b-c.slice/x-1.scope"),
            ("-.slice:x:1", "x-1.scope"),
        ] {
            let name = Name::new(Some(Path::new(asked)), "c1", false).expect("a name");
            assert_eq!(name.path(), Path::new(expected));
        }
    }

    #[test]
    fn ids_are_escaped_and_paths_are_not() {
        let of = |id| Name::new(None, id, false).map(|name| name.scope);
        assert_eq!(of("a+b.c_d-e"), Ok("skep-a\\x2bb.c_d-e.scope".into()));
        assert!(of(&"x".repeat(250)).unwrap_err().text.contains("255 bytes"));
        let error = name("system.slice:skep:a+b", false).unwrap_err();
        assert!(error.text.starts_with("'+' cannot be in the name of a unit"), "{error}");
    }

    #[test]
    fn anything_else_is_named_with_the_form_it_should_have() {
        let error = name("/docker/x", false).unwrap_err();
        assert_eq!(error.field, "linux.cgroupsPath");
        assert!(error.text.contains("\"/docker/x\" must be SLICE:PREFIX:NAME"), "{error}");
        for path in [
            "a:b",
            "a:b:c:d",
            "system.slice:a:",
            "system:a:b",
            ".slice:a:b",
            "a--b.slice:a:b",
            "-a.slice:a:b",
            "a-.slice:a:b",
            "a/b.slice:a:b",
            "../x.slice:a:b",
            "a.slice:a:b/c",
            "a.slice:a:pod.slice",
            "a.slice:a:b@c",
            "a.slice:ä:b",
            "a.slice:a:b\n",
        ] {
            assert!(name(path, false).is_err(), "{path}");
        }
    }
}
