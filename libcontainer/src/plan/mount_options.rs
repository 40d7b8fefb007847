//! The table of mount options: what mount(8) and the OCI spec call them, and what they are to the kernel.
//!
//! Source: runtime-spec config.md, "Linux mount options"; mount_setattr(2); fsconfig(2).

use crate::sys::mount::MountAttr;
use std::fmt;

const RDONLY: u64 = 0x01;
const NOSUID: u64 = 0x02;
const NODEV: u64 = 0x04;
const NOEXEC: u64 = 0x08;
const ATIME_MASK: u64 = 0x70;
const RELATIME: u64 = 0x00;
const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
const NODIRATIME: u64 = 0x80;
const NOSYMFOLLOW: u64 = 0x20_0000;

const UNBINDABLE: u64 = libc::MS_UNBINDABLE;
const PRIVATE: u64 = libc::MS_PRIVATE;
const SLAVE: u64 = libc::MS_SLAVE;
const SHARED: u64 = libc::MS_SHARED;

/// What an option does.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// Sets an attribute of the mount.
    Set(u64),
    /// Takes an attribute away.
    Clear(u64),
    /// Chooses how access times are kept.
    AccessTime(u64),
    /// Sets the propagation type.
    Propagation(u64),
    /// Is a flag of the superblock, by this name in fsconfig(2).
    Superblock(&'static str),
    Bind,
    Remount,
    CopyUp,
    /// Is read with the mappings of the mount.
    IdMap,
    /// Means nothing to the kernel, or is the default.
    Nothing,
}

use Effect::*;

/// Name, effect, and whether there is a form for the whole tree, named with an `r` in front.
const TABLE: &[(&str, Effect, bool)] = &[
    ("async", Superblock("async"), false),
    ("atime", AccessTime(RELATIME), true),
    ("bind", Bind, true),
    ("defaults", Nothing, false),
    ("dev", Clear(NODEV), true),
    ("diratime", Clear(NODIRATIME), true),
    ("dirsync", Superblock("dirsync"), false),
    ("exec", Clear(NOEXEC), true),
    ("idmap", IdMap, true),
    ("iversion", Superblock("iversion"), false),
    ("lazytime", Superblock("lazytime"), false),
    ("loud", Nothing, false),
    ("mand", Superblock("mand"), false),
    ("noatime", AccessTime(NOATIME), true),
    ("nodev", Set(NODEV), true),
    ("nodiratime", Set(NODIRATIME), true),
    ("noexec", Set(NOEXEC), true),
    ("noiversion", Nothing, false),
    ("nolazytime", Superblock("nolazytime"), false),
    ("nomand", Superblock("nomand"), false),
    ("norelatime", AccessTime(STRICTATIME), true),
    ("nostrictatime", AccessTime(RELATIME), true),
    ("nosuid", Set(NOSUID), true),
    ("nosymfollow", Set(NOSYMFOLLOW), true),
    ("private", Propagation(PRIVATE), true),
    ("relatime", AccessTime(RELATIME), true),
    ("remount", Remount, false),
    ("ro", Set(RDONLY), true),
    ("rw", Clear(RDONLY), true),
    ("shared", Propagation(SHARED), true),
    ("silent", Nothing, false),
    ("slave", Propagation(SLAVE), true),
    ("strictatime", AccessTime(STRICTATIME), true),
    ("suid", Clear(NOSUID), true),
    ("symfollow", Clear(NOSYMFOLLOW), true),
    ("sync", Superblock("sync"), false),
    ("tmpcopyup", CopyUp, false),
    ("unbindable", Propagation(UNBINDABLE), true),
];

/// The options of one mount, taken apart.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct MountOptions {
    /// For the mount itself.
    pub(crate) attr: MountAttr,
    /// For it and all mounts below it.
    pub(crate) recursive_attr: MountAttr,
    /// Propagation types in order; `true` for the whole tree.
    pub(crate) propagation: Vec<(u64, bool)>,
    /// `Some(true)` for rbind.
    pub(crate) bind: Option<bool>,
    pub(crate) remount: bool,
    pub(crate) copy_up: bool,
    /// Flags of the superblock.
    pub(crate) superblock: Vec<&'static str>,
    /// All else is the filesystem's own: `size=64k`, `newinstance`.
    pub(crate) data: Vec<(String, Option<String>)>,
}

impl MountOptions {
    pub(crate) fn parse<'a>(options: impl IntoIterator<Item = &'a str>) -> Self {
        let mut parsed = Self::default();
        for option in options {
            match find(option) {
                Some((effect, recursive)) => parsed.apply(effect, recursive),
                // What it says is read with the mappings of the mount.
                None if matches!(option.split_once('='), Some(("idmap" | "ridmap", _))) => {}
                None if option.is_empty() => {}
                None => parsed.data.push(match option.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (option.to_owned(), None),
                }),
            }
        }
        parsed
    }

    fn apply(&mut self, effect: Effect, recursive: bool) {
        let attr = if recursive { &mut self.recursive_attr } else { &mut self.attr };
        match effect {
            Set(bits) => {
                attr.attr_set |= bits;
                attr.attr_clr &= !bits;
            }
            Clear(bits) => {
                attr.attr_set &= !bits;
                attr.attr_clr |= bits;
            }
            AccessTime(mode) => {
                attr.attr_set = attr.attr_set & !ATIME_MASK | mode;
                attr.attr_clr |= ATIME_MASK;
            }
            Propagation(kind) => self.propagation.push((kind, recursive)),
            Superblock(name) => self.superblock.push(name),
            Bind => self.bind = Some(recursive || self.bind == Some(true)),
            Remount => self.remount = true,
            CopyUp => self.copy_up = true,
            IdMap | Nothing => {}
        }
    }

    /// The flags of mount(2) for the attributes and the superblock's flags that are set.
    pub(crate) fn classic_flags(&self) -> u64 {
        const CLASSIC: &[(u64, u64)] = &[
            (RDONLY, libc::MS_RDONLY),
            (NOSUID, libc::MS_NOSUID),
            (NODEV, libc::MS_NODEV),
            (NOEXEC, libc::MS_NOEXEC),
            (NOATIME, libc::MS_NOATIME),
            (STRICTATIME, libc::MS_STRICTATIME),
            (NODIRATIME, libc::MS_NODIRATIME),
            (NOSYMFOLLOW, 256),
        ];
        const SUPERBLOCK: &[(&str, u64)] = &[
            ("dirsync", libc::MS_DIRSYNC),
            ("iversion", libc::MS_I_VERSION),
            ("lazytime", 1 << 25),
            ("mand", libc::MS_MANDLOCK),
            ("sync", libc::MS_SYNCHRONOUS),
        ];
        let set = self.attr.attr_set;
        let attributes = CLASSIC.iter().filter(|(bit, _)| set & bit != 0).map(|row| row.1);
        let named = |name: &str| self.superblock.contains(&name);
        let superblock = SUPERBLOCK.iter().filter(|(name, _)| named(name)).map(|row| row.1);
        attributes.chain(superblock).fold(0, |all, flag| all | flag)
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.attr.attr_set & RDONLY != 0
    }
}

/// Prints the attributes that are set by the names of their options.
pub(crate) fn describe(f: &mut fmt::Formatter<'_>, before: &str, attr: &MountAttr) -> fmt::Result {
    let named = |row: &&(&str, Effect, bool)| match row.1 {
        Set(bits) => attr.attr_set & bits != 0,
        Clear(bits) => attr.attr_clr & bits != 0,
        AccessTime(mode) => mode != RELATIME && attr.attr_set & ATIME_MASK == mode,
        _ => false,
    };
    // An access time mode has two names: the plain one comes last.
    let mut names: Vec<_> = TABLE.iter().filter(named).map(|row| row.0).collect();
    names.retain(|name| *name != "norelatime");
    names.iter().try_for_each(|name| write!(f, " {before}{name}"))
}

/// An attribute set that makes a mount read-only.
pub(crate) fn read_only() -> MountAttr {
    MountAttr { attr_set: RDONLY, ..MountAttr::default() }
}

/// Read-only, and nothing in it may be executed, gain privileges or be a device.
pub(crate) fn harmless() -> MountAttr {
    MountAttr { attr_set: RDONLY | NOSUID | NODEV | NOEXEC, ..MountAttr::default() }
}

/// The propagation of `linux.rootfsPropagation`: `shared`, `rslave` ...; the flag and whether it is for the tree.
pub(crate) fn propagation(name: &str) -> Option<(u64, bool)> {
    match find(name) {
        Some((Propagation(kind), recursive)) => Some((kind, recursive)),
        _ => None,
    }
}

/// The propagation type of all mounts of a new mount namespace, when nothing else is asked for.
pub(crate) const DEFAULT_PROPAGATION: (u64, bool) = (SLAVE, true);

/// An attribute set that only changes the propagation.
pub(crate) fn propagation_attr(kind: u64) -> MountAttr {
    MountAttr { propagation: kind, ..MountAttr::default() }
}

/// Private: what is mounted here shows nowhere else.
pub(crate) fn private() -> MountAttr {
    propagation_attr(PRIVATE)
}

/// Receives mounts of where it was copied from, and gives none back.
pub(crate) fn slave() -> MountAttr {
    propagation_attr(SLAVE)
}

/// Whether mounts of this type show in the mount namespaces of others.
pub(crate) fn is_shared(kind: u64) -> bool {
    kind == SHARED
}

/// Whether mounts of this type cannot be copied.
pub(crate) fn is_unbindable(kind: u64) -> bool {
    kind == UNBINDABLE
}

fn find(option: &str) -> Option<(Effect, bool)> {
    let named = |name: &str| TABLE.iter().find(|row| row.0 == name);
    if let Some(row) = named(option) {
        return Some((row.1, false));
    }
    let plain = option.strip_prefix('r')?;
    named(plain).filter(|row| row.2).map(|row| (row.1, true))
}

/// The names of all options that have a meaning of their own, sorted; any other is handed to the filesystem.
pub fn names() -> Vec<String> {
    let recursive = TABLE.iter().filter(|row| row.2).map(|row| format!("r{}", row.0));
    let mut names: Vec<String> =
        TABLE.iter().map(|row| row.0.to_owned()).chain(recursive).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_options_win() {
        let options = MountOptions::parse(["ro", "rw", "noexec"]);
        assert_eq!(
            options.attr,
            MountAttr { attr_set: NOEXEC, attr_clr: RDONLY, ..Default::default() }
        );
        let options = MountOptions::parse(["noatime", "strictatime"]);
        assert_eq!(options.attr.attr_set, STRICTATIME);
    }

    #[test]
    fn recursive_forms_are_kept_apart() {
        let options = MountOptions::parse(["rbind", "rro", "nosuid", "rslave", "private"]);
        assert_eq!(options.bind, Some(true));
        assert_eq!(options.recursive_attr.attr_set, RDONLY);
        assert_eq!(options.attr.attr_set, NOSUID);
        assert_eq!(options.propagation, [(SLAVE, true), (PRIVATE, false)]);
    }

    #[test]
    fn relatime_is_not_read_as_a_recursive_form() {
        let options = MountOptions::parse(["relatime"]);
        assert!(options.recursive_attr.is_empty());
        assert!(!MountOptions::parse(["rrelatime"]).recursive_attr.is_empty());
    }

    #[test]
    fn the_rest_is_data() {
        let options = MountOptions::parse(["mode=755", "newinstance", "lowerdir=/a=b:/c", ""]);
        let expected =
            [("mode", Some("755")), ("newinstance", None), ("lowerdir", Some("/a=b:/c"))];
        let expected: Vec<_> =
            expected.iter().map(|(k, v)| (k.to_string(), v.map(str::to_owned))).collect();
        assert_eq!(options.data, expected);
    }

    #[test]
    fn every_name_of_the_spec_is_known() {
        let spec = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev \
            nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime \
            rbind rdev rdiratime relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime \
            rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable \
            rw shared silent slave strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap";
        let names = names();
        for name in spec.split_whitespace() {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
    }
}
