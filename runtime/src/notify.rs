//! `NOTIFY_SOCKET` (sd_notify(3)): what a container says about itself reaches the service manager
//! that started us.
//!
//! The manager's own socket is not given to the container: systemd looks at who sends, and a message can
//! say more than that a service is ready. The container gets a socket of ours in a directory that is
//! bind-mounted, and [`Proxy`](crate::notify_proxy::Proxy) passes on what is harmless.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use libcontainer::{Bundle, Config};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};

/// The name of the socket in its directory.
pub(crate) const SOCKET: &str = "notify.sock";
/// Where the container finds the directory.
const INSIDE: &str = "/run/notify";

/// The socket of the service manager, if there is one.
pub(crate) fn manager() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())
}

/// The variable of the container's process.
pub(crate) fn variable() -> String {
    format!("NOTIFY_SOCKET={INSIDE}/{SOCKET}")
}

/// The host's directory of a container's socket. Removed when dropped, unless it is kept.
pub(crate) struct Directory {
    path: PathBuf,
    kept: bool,
}

impl Directory {
    /// Makes the directory. None for an id that is no plain name: the library will refuse it.
    pub(crate) fn make(root: &Path, id: &str) -> Result<Option<Self>> {
        let Some(path) = path(root, id) else {
            return Ok(None);
        };
        let wrong = |error| Failure::system(format!("NOTIFY_SOCKET: {}", path.display()), error);
        // Others must get through to the socket: the container's users are others here.
        DirBuilder::new().recursive(true).mode(0o755).create(&path).map_err(wrong)?;
        Ok(Some(Self { path, kept: false }))
    }

    /// The directory that `create` made, for `start`.
    pub(crate) fn find(root: &Path, id: &str) -> Option<Self> {
        let path = path(root, id).filter(|path| path.is_dir())?;
        Some(Self { path, kept: true })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it for a later command.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    /// Adds the mount of the directory to the bundle's config.
    pub(crate) fn add_to(&self, bundle: &mut Bundle) -> Result<()> {
        bundle.config = Config::from_bytes(with_mount(bundle.config.raw(), &self.path)?)?;
        Ok(())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.kept {
            remove_path(&self.path);
        }
    }
}

/// Removes what is left of a deleted container's socket.
pub(crate) fn remove(root: &Path, id: &str) {
    if let Some(path) = path(root, id) {
        remove_path(&path);
    }
}

fn remove_path(path: &Path) {
    // Nearly always there is none, and one call tells.
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            if let Err(error) = fs::remove_dir_all(path) {
                log::warn!("{} could not be removed: {error}", path.display());
            }
        }
        _ => {}
    }
}

/// Beside the state root, where each directory is a container.
fn path(root: &Path, id: &str) -> Option<PathBuf> {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte));
    let mut parent = root.as_os_str().to_owned();
    parent.push(".notify");
    (plain && !["", ".", ".."].contains(&id)).then(|| Path::new(&parent).join(id))
}

fn with_mount(config: &[u8], directory: &Path) -> Result<Vec<u8>> {
    let wrong = || Failure::new("NOTIFY_SOCKET: config.json has no place for a mount");
    let mut config: Value = serde_json::from_slice(config).map_err(|_| wrong())?;
    let mounts = config.as_object_mut().ok_or_else(wrong)?.entry("mounts").or_insert(json!([]));
    mounts.as_array_mut().ok_or_else(wrong)?.push(json!({
        "destination": INSIDE,
        "type": "bind",
        "source": directory,
        "options": ["bind", "nosuid", "noexec", "nodev", "ro"],
    }));
    Ok(config.to_string().into_bytes())
}

/// Whether config.json brings a socket of its own (Podman's `--sdnotify container`).
pub(crate) fn is_set_in(bundle: &Bundle) -> bool {
    let process = bundle.config.spec().process().as_ref();
    let mut env = process.and_then(|process| process.env().as_ref()).into_iter().flatten();
    env.any(|variable| variable.starts_with("NOTIFY_SOCKET="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_is_beside_the_root_and_ids_do_not_lead_elsewhere() {
        assert_eq!(path(Path::new("/run/skep"), "a.b"), Some("/run/skep.notify/a.b".into()));
        for id in ["", ".", "..", "a/b", "a\0"] {
            assert_eq!(path(Path::new("/r"), id), None);
        }
    }

    #[test]
    fn mount_is_added_to_those_that_are_there() {
        let config = with_mount(br#"{"mounts":[{"destination":"/proc"}],"x":1}"#, Path::new("/d"));
        let config: Value = serde_json::from_slice(&config.unwrap()).unwrap();
        assert_eq!(config["mounts"][0]["destination"], "/proc");
        assert_eq!(config["mounts"][1]["source"], "/d");
        assert_eq!(config["x"], 1);
        assert!(with_mount(b"{}", Path::new("/d")).is_ok());
        assert!(with_mount(br#"{"mounts":1}"#, Path::new("/d")).is_err());
    }

    #[test]
    fn directory_goes_with_its_owner_unless_kept() {
        let root = std::env::temp_dir().join(format!("skep-notify-{}", std::process::id()));
        let made = Directory::make(&root, "c").unwrap().unwrap();
        let path = made.path().to_owned();
        fs::write(path.join(SOCKET), "").unwrap();
        drop(made);
        assert!(!path.exists());
        Directory::make(&root, "c").unwrap().unwrap().keep();
        assert!(Directory::find(&root, "c").is_some());
        remove(&root, "c");
        assert!(!path.exists());
        fs::remove_dir(path.parent().unwrap()).unwrap();
    }
}
