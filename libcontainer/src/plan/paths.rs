//! Paths of the container, which mean nothing on the host.

use crate::error::{Error, ErrorKind, Result};
use std::ffi::{CStr, CString};
use std::fmt;
use std::path::{Component, Path};

/// A path inside the root filesystem, relative to its descriptor. It cannot be turned into a
/// [`Path`] of the host, so it cannot be opened without going through the root's descriptor.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct RootPath(CString);

impl RootPath {
    /// From a path of config.json: `.` is the root itself, `..` stays for the kernel to resolve.
    pub(crate) fn new(path: &str) -> Result<Self> {
        let relative = path.trim_start_matches('/').trim_end_matches('/');
        let relative = if relative.is_empty() { "." } else { relative };
        c_string(relative).map(Self)
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        &self.0
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.to_bytes() == b"."
    }

    /// The directory and the last component; `None` for the root and for a path that ends in `..`.
    pub(crate) fn split(&self) -> Option<(Self, CString)> {
        let text = self.0.to_str().ok()?;
        let (directory, name) = text.rsplit_once('/').unwrap_or((".", text));
        match name {
            "." | ".." => None,
            name => Some((Self::new(directory).ok()?, c_string(name).ok()?)),
        }
    }

    /// Whether the text says that it is `top` of the root directory, or below it.
    pub(crate) fn is_named_below(&self, top: &str) -> bool {
        let text = self.0.to_string_lossy();
        let mut parts = text.split('/');
        parts.next() == Some(top) && parts.all(|part| part != "..")
    }

    /// The components that matter, for comparing what two paths of the config name.
    pub(crate) fn lexical(&self) -> String {
        let text = String::from_utf8_lossy(self.0.to_bytes()).into_owned();
        let mut parts: Vec<String> = Vec::new();
        for component in Path::new(&text).components() {
            match component {
                Component::ParentDir => drop(parts.pop()),
                Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
                _ => {}
            }
        }
        parts.join("/")
    }
}

impl fmt::Display for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_bytes() {
            b"." => f.write_str("/"),
            bytes => write!(f, "/{}", String::from_utf8_lossy(bytes)),
        }
    }
}

impl fmt::Debug for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A C string, or an error that says which text has a NUL byte in it.
pub(crate) fn c_string(text: impl AsRef<[u8]>) -> Result<CString> {
    let bytes = text.as_ref();
    CString::new(bytes).map_err(|_| {
        let text = String::from_utf8_lossy(bytes).replace('\0', "\\0");
        Error::new(ErrorKind::InvalidConfig, format!("{text:?} has a NUL byte in it; take it out"))
    })
}

/// The C string of a host path.
pub(crate) fn c_path(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    c_string(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_paths_are_relative() {
        for (from, to) in [("/", "."), ("", "."), ("//proc/", "proc"), ("dev/pts", "dev/pts")] {
            assert_eq!(RootPath::new(from).unwrap().as_c_str().to_str().unwrap(), to);
        }
        assert_eq!(RootPath::new("/a/../b").unwrap().lexical(), "b");
        assert_eq!(RootPath::new("/dev").unwrap().to_string(), "/dev");
    }

    #[test]
    fn what_is_named_below_does_not_go_up_again() {
        let below = |path| RootPath::new(path).unwrap().is_named_below("proc");
        assert!(below("/proc") && below("proc/sys/") && !below("/process"));
        assert!(!below("/proc/../x") && !below("/x/../proc") && !below("/"));
    }

    #[test]
    fn split_gives_directory_and_name() {
        let (directory, name) = RootPath::new("/dev/pts/0").unwrap().split().unwrap();
        assert_eq!((directory.to_string().as_str(), name.to_str().unwrap()), ("/dev/pts", "0"));
        assert!(RootPath::new("/").unwrap().split().is_none());
        assert!(RootPath::new("/a/..").unwrap().split().is_none());
    }

    #[test]
    fn nul_is_refused() {
        assert!(RootPath::new("/a\0b").is_err());
    }
}
