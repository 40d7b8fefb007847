//! Where containers are kept when `--root` is not given.
//!
//! Podman calls `create`, `start` and `kill` without `--root` and from different processes: the
//! answer must depend only on who the caller is and on XDG_RUNTIME_DIR.

use std::ffi::OsString;
use std::fs::{DirBuilder, symlink_metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// What `/proc/self/uid_map` says in the first user namespace.
const WHOLE_MAP: [&str; 3] = ["0", "0", "4294967295"];

/// `/run/skep` for root, `$XDG_RUNTIME_DIR/skep` for others and for "root" of a user namespace
/// that an ordinary user made.
pub(crate) fn find() -> Result<PathBuf> {
    let euid = nix::unistd::geteuid();
    // Podman gives root an empty XDG_RUNTIME_DIR.
    let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
    match runtime_dir {
        Some(path) if !euid.is_root() || is_rootless() => Ok(Path::new(&path).join("skep")),
        _ if euid.is_root() => Ok(PathBuf::from("/run/skep")),
        _ => private_tmp(PathBuf::from(format!("/tmp/skep-{euid}")), euid.as_raw()),
    }
}

/// Real root with a session of its own (`sudo -E`, a root login) has XDG_RUNTIME_DIR too, so the
/// namespace is what tells; LXC's root says USER=root and has a /run of its own.
fn is_rootless() -> bool {
    let Ok(map) = std::fs::read_to_string("/proc/self/uid_map") else {
        return false;
    };
    !map.split_ascii_whitespace().eq(WHOLE_MAP)
        && std::env::var_os("USER") != Some(OsString::from("root"))
}

/// `/tmp` is everyone's: the directory must be ours alone before anything is kept in it.
fn private_tmp(path: PathBuf, uid: u32) -> Result<PathBuf> {
    let wrong = |text: &str| {
        Failure::new(format!("{}: {text}; set XDG_RUNTIME_DIR or use --root", path.display()))
    };
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Failure::system(path.display(), error));
        }
        _ => {}
    }
    let found = symlink_metadata(&path).map_err(|error| Failure::system(path.display(), error))?;
    if !found.is_dir() {
        return Err(wrong("is not a directory"));
    }
    if found.uid() != uid || found.mode() & 0o077 != 0 {
        return Err(wrong("is not private to this user"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("skep-default-root-{name}-{}", std::process::id()))
    }

    fn uid() -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    #[test]
    fn directory_of_ones_own_is_made_and_found_again() {
        let path = path("own");
        for _ in 0..2 {
            assert_eq!(private_tmp(path.clone(), uid()), Ok(path.clone()));
        }
        fs::remove_dir(path).unwrap();
    }

    #[test]
    fn directory_of_others_is_refused() {
        let path = path("others");
        fs::create_dir(&path).unwrap();
        assert!(private_tmp(path.clone(), uid().wrapping_add(1)).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(private_tmp(path.clone(), uid()).is_err());
        fs::remove_dir(path).unwrap();
    }

    #[test]
    fn link_is_refused() {
        let path = path("link");
        symlink("/proc", &path).unwrap();
        let text = private_tmp(path.clone(), uid()).unwrap_err().to_string();
        assert!(text.contains("is not a directory"), "{text}");
        fs::remove_file(path).unwrap();
    }
}
