//! Where in the hierarchy a container's cgroup is: runc's rules for `linux.cgroupsPath`.
//!
//! | `linux.cgroupsPath` | directory, from the root of the hierarchy |
//! |---|---|
//! | `/a/b` | `/a/b` |
//! | `a/b` | beside the caller's own cgroup: its parent, then `a/b` |
//! | missing or empty | beside the caller's own cgroup: its parent, then the container's id |
//! | `slice:prefix:name` | that literal name, by the rule for relative paths |
//!
//! Beside and not below, because the caller's own cgroup holds processes, and a cgroup that does
//! cannot give controllers to its children.

use crate::error::Problem;
use std::path::{Component, Path, PathBuf};

const FIELD: &str = "linux.cgroupsPath";

/// Whether the directory depends on the cgroup that the caller is in.
pub(super) fn starts_from_own(cgroups_path: Option<&Path>) -> bool {
    cgroups_path.is_none_or(|path| !path.is_absolute())
}

/// Whether `path` is absolute and has nothing in it but names.
pub(super) fn is_plain(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
}

/// The directory of the container `id`, relative to the root of the hierarchy; never empty.
pub(super) fn resolve(
    cgroups_path: Option<&Path>,
    id: &str,
    own: Option<&Path>,
) -> Result<PathBuf, Problem> {
    resolve_below(cgroups_path, id, own.and_then(Path::parent))
}

/// The same where a path that is not absolute begins at `base`.
pub(super) fn resolve_below(
    cgroups_path: Option<&Path>,
    id: &str,
    base: Option<&Path>,
) -> Result<PathBuf, Problem> {
    let asked = cgroups_path.filter(|path| !path.as_os_str().is_empty());
    let mut resolved = match asked {
        Some(path) if path.is_absolute() => PathBuf::new(),
        _ => base.map(names).transpose()?.unwrap_or_default(),
    };
    let asked = names(asked.unwrap_or(Path::new(id)))?;
    if asked.as_os_str().is_empty() {
        return Err(Problem::new(
            FIELD,
            "is the root of the hierarchy; give the container a cgroup of its own",
        ));
    }
    resolved.push(asked);
    Ok(resolved)
}

/// `path` without its leading `/`, without `.` and without empty parts; an error for `..`.
pub(super) fn names(path: &Path) -> Result<PathBuf, Problem> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(Problem::new(
                    FIELD,
                    format!("{} must not contain `..`", path.display()),
                ));
            }
        }
    }
    match clean.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, 0 | b'\n')) {
        true => Err(Problem::new(FIELD, "must not contain a line break or a zero byte")),
        false => Ok(clean),
    }
}

/// The deepest directory that both are in or below.
pub(super) fn common_ancestor(a: &Path, b: &Path) -> PathBuf {
    let same = a.components().zip(b.components()).take_while(|(a, b)| a == b);
    same.map(|(part, _)| part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(cgroups_path: &str, own: &str) -> Result<PathBuf, Problem> {
        resolve(Some(Path::new(cgroups_path)), "id", Some(Path::new(own)))
    }

    #[test]
    fn absolute_from_the_root_relative_beside_the_caller() {
        for (asked, own, expected) in [
            ("/docker/1", "/user.slice/session-1.scope", "docker/1"),
            ("//docker/./1/", "/x", "docker/1"),
            ("a/b", "/user.slice/session-1.scope", "user.slice/a/b"),
            ("a/b", "/", "a/b"),
            ("a/b", "/x", "a/b"),
            ("", "/user.slice/session-1.scope", "user.slice/id"),
            ("system.slice:docker:1", "/", "system.slice:docker:1"),
        ] {
            assert_eq!(path(asked, own), Ok(PathBuf::from(expected)), "{asked} from {own}");
        }
        assert_eq!(resolve(None, "id", None), Ok(PathBuf::from("id")));
    }

    #[test]
    fn nothing_leads_upwards_or_to_the_root() {
        for asked in ["..", "/..", "a/../b", "/a/..", "/", "/.", ".", "./", "a\nb", "a\0b"] {
            let problem = path(asked, "/x/y").expect_err(asked);
            assert_eq!(problem.field, "linux.cgroupsPath");
        }
    }

    #[test]
    fn every_path_stays_below_the_root() {
        let parts = ["a", "..", ".", "", "b:c", "..."];
        for length in 1..=4u32 {
            for number in 0..(parts.len() as u32).pow(length) {
                let pick = |digit| parts[(number / 6u32.pow(digit)) as usize % 6];
                let asked = (0..length).map(pick).collect::<Vec<_>>().join("/");
                if let Ok(resolved) = path(&asked, "/own/cgroup") {
                    assert!(resolved.components().all(|part| matches!(part, Component::Normal(_))));
                    assert!(resolved.components().next().is_some());
                    assert!(!asked.split('/').any(|part| part == ".."), "{asked}");
                }
            }
        }
    }

    #[test]
    fn the_common_ancestor_is_what_both_begin_with() {
        for (a, b, expected) in
            [("/a/b", "/a/c", "/a"), ("/a", "/a/c", "/a"), ("/", "/a", "/"), ("/ab", "/a", "/")]
        {
            assert_eq!(common_ancestor(Path::new(a), Path::new(b)), PathBuf::from(expected));
        }
    }
}
