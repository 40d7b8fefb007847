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
    /// Is a flag of the superblock, by this name in fsconfig(2), and ends that of the second name.
    Superblock(&'static str, &'static str),
    Bind,
    Remount,
    CopyUp,
    /// Is read with the mappings of the mount.
    IdMap,
    /// Means nothing to the kernel, or is the default.
    Nothing,
}

#[cfg(any(test, feature = "fuzzing"))]
#[path = "mount_options_fuzz.rs"]
pub(crate) mod fuzz;

use Effect::*;

/// Name, effect, and whether there is a form for the whole tree, named with an `r` in front.
const TABLE: &[(&str, Effect, bool)] = &[
    ("async", Superblock("async", "sync"), false),
    ("atime", AccessTime(RELATIME), true),
    ("bind", Bind, true),
    ("defaults", Nothing, false),
    ("dev", Clear(NODEV), true),
    ("diratime", Clear(NODIRATIME), true),
    ("dirsync", Superblock("dirsync", ""), false),
    ("exec", Clear(NOEXEC), true),
    ("idmap", IdMap, true),
    ("iversion", Superblock("iversion", "noiversion"), false),
    ("lazytime", Superblock("lazytime", "nolazytime"), false),
    ("loud", Superblock("loud", "silent"), false),
    ("mand", Superblock("mand", "nomand"), false),
    ("noatime", AccessTime(NOATIME), true),
    ("nodev", Set(NODEV), true),
    ("nodiratime", Set(NODIRATIME), true),
    ("noexec", Set(NOEXEC), true),
    ("noiversion", Superblock("noiversion", "iversion"), false),
    ("nolazytime", Superblock("nolazytime", "lazytime"), false),
    ("nomand", Superblock("nomand", "mand"), false),
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
    ("silent", Superblock("silent", "loud"), false),
    ("slave", Propagation(SLAVE), true),
    ("strictatime", AccessTime(STRICTATIME), true),
    ("suid", Clear(NOSUID), true),
    ("symfollow", Clear(NOSYMFOLLOW), true),
    ("sync", Superblock("sync", "async"), false),
    ("tmpcopyup", CopyUp, false),
    ("unbindable", Propagation(UNBINDABLE), true),
];

/// Flags of mount(2) for which fsconfig(2) has no name.
const MOUNT2_ONLY: &[&str] = &["iversion", "loud", "noiversion", "silent"];

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
    /// The SELinux context of all that is in it, which `linux.mountLabel` asks for.
    pub(crate) context: Option<String>,
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
            Superblock(name, opposite) => {
                self.superblock.retain(|given| *given != opposite && *given != name);
                self.superblock.push(name);
            }
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
            ("silent", libc::MS_SILENT),
            ("sync", libc::MS_SYNCHRONOUS),
        ];
        let set = self.attr.attr_set;
        let attributes = CLASSIC.iter().filter(|(bit, _)| set & bit != 0).map(|row| row.1);
        let named = |name: &str| self.superblock.contains(&name);
        let superblock = SUPERBLOCK.iter().filter(|(name, _)| named(name)).map(|row| row.1);
        attributes.chain(superblock).fold(0, |all, flag| all | flag)
    }

    /// Flags of the superblock that fsconfig(2) knows.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.superblock.iter().copied().filter(|name| !MOUNT2_ONLY.contains(name))
    }

    /// What is asked for that mount(2) alone can do: the rest of [`MOUNT2_ONLY`] is how each is made.
    pub(crate) fn of_mount2(&self) -> Option<&'static str> {
        self.superblock.iter().copied().find(|name| matches!(*name, "iversion" | "silent"))
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.attr.attr_set & RDONLY != 0
    }

    /// What is read-only becomes so with all that is mounted below it, unless that is to be writable.
    pub(crate) fn read_only_throughout(&mut self) {
        self.recursive_attr.attr_set |= self.attr.attr_set & RDONLY & !self.recursive_attr.attr_clr;
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

    /// What one option comes to, in words.
    fn effect(option: &str) -> String {
        let options = MountOptions::parse([option]);
        let mut words = Vec::new();
        for (before, attr) in [("", options.attr), ("r:", options.recursive_attr)] {
            if !attr.is_empty() {
                words.push(format!("{before}+{:x}-{:x}", attr.attr_set, attr.attr_clr));
            }
        }
        let propagation = |(kind, deep): &(u64, bool)| {
            format!("{}{}", if *deep { "r:" } else { "" }, name_of(*kind))
        };
        words.extend(options.propagation.iter().map(propagation));
        words.extend(options.bind.map(|deep| if deep { "r:bind" } else { "bind" }.to_owned()));
        words.extend(options.superblock.iter().map(|name| format!("superblock {name}")));
        words.extend(options.data.iter().map(|(key, _)| format!("data {key}")));
        let others = [("remount", options.remount), ("copy up", options.copy_up)];
        words.extend(others.iter().filter(|other| other.1).map(|other| other.0.to_owned()));
        words.join(" ")
    }

    fn name_of(kind: u64) -> &'static str {
        match kind {
            PRIVATE => "private",
            SHARED => "shared",
            SLAVE => "slave",
            _ => "unbindable",
        }
    }

    /// The table of runtime-spec 1.3, config.md, "Linux mount options", whole and in its order; attributes
    /// in the numbers of linux/mount.h.
    const SPEC: &[(&str, &str)] = &[
        ("async", "superblock async"),
        ("atime", "+0-70"),
        ("bind", "bind"),
        ("defaults", ""),
        ("dev", "+0-4"),
        ("diratime", "+0-80"),
        ("dirsync", "superblock dirsync"),
        ("exec", "+0-8"),
        ("iversion", "superblock iversion"),
        ("lazytime", "superblock lazytime"),
        ("loud", "superblock loud"),
        ("mand", "superblock mand"),
        ("noatime", "+10-70"),
        ("nodev", "+4-0"),
        ("nodiratime", "+80-0"),
        ("noexec", "+8-0"),
        ("noiversion", "superblock noiversion"),
        ("nolazytime", "superblock nolazytime"),
        ("nomand", "superblock nomand"),
        ("norelatime", "+20-70"),
        ("nostrictatime", "+0-70"),
        ("nosuid", "+2-0"),
        ("nosymfollow", "+200000-0"),
        ("private", "private"),
        ("ratime", "r:+0-70"),
        ("rbind", "r:bind"),
        ("rdev", "r:+0-4"),
        ("rdiratime", "r:+0-80"),
        ("relatime", "+0-70"),
        ("remount", "remount"),
        ("rexec", "r:+0-8"),
        ("rnoatime", "r:+10-70"),
        ("rnodiratime", "r:+80-0"),
        ("rnoexec", "r:+8-0"),
        ("rnorelatime", "r:+20-70"),
        ("rnostrictatime", "r:+0-70"),
        ("rnosuid", "r:+2-0"),
        ("rnosymfollow", "r:+200000-0"),
        ("ro", "+1-0"),
        ("rprivate", "r:private"),
        ("rrelatime", "r:+0-70"),
        ("rro", "r:+1-0"),
        ("rrw", "r:+0-1"),
        ("rshared", "r:shared"),
        ("rslave", "r:slave"),
        ("rstrictatime", "r:+20-70"),
        ("rsuid", "r:+0-2"),
        ("rsymfollow", "r:+0-200000"),
        ("runbindable", "r:unbindable"),
        ("rw", "+0-1"),
        ("shared", "shared"),
        ("silent", "superblock silent"),
        ("slave", "slave"),
        ("strictatime", "+20-70"),
        ("suid", "+0-2"),
        ("symfollow", "+0-200000"),
        ("sync", "superblock sync"),
        ("tmpcopyup", "copy up"),
        ("unbindable", "unbindable"),
        // Read with the mappings: config/validate/idmap.rs.
        ("idmap", ""),
        ("ridmap", ""),
    ];

    #[test]
    fn every_option_of_the_spec_does_what_it_says() {
        for (option, wanted) in SPEC {
            assert_eq!(effect(option), *wanted, "{option}");
        }
    }

    #[test]
    fn every_option_of_the_spec_is_listed() {
        let names = names();
        for (option, _) in SPEC {
            assert!(names.iter().any(|name| name == option), "{option}");
        }
        assert!(names.is_sorted());
        // Forgotten in the table of the specification, which has its opposite.
        let beyond = names.iter().filter(|name| !SPEC.iter().any(|row| row.0 == **name));
        assert_eq!(beyond.collect::<Vec<_>>(), ["rnodev"]);
    }

    #[test]
    fn of_opposites_the_later_one_counts() {
        for (options, want) in [
            (["sync", "async"], "async"),
            (["lazytime", "nolazytime"], "nolazytime"),
            (["nomand", "mand"], "mand"),
            (["iversion", "noiversion"], "noiversion"),
        ] {
            assert_eq!(MountOptions::parse(options).superblock, [want]);
        }
    }

    #[test]
    fn what_fsconfig_has_no_name_for_is_a_flag() {
        let options = MountOptions::parse(["iversion", "silent", "dirsync"]);
        assert_eq!(options.parameters().collect::<Vec<_>>(), ["dirsync"]);
        let flags = libc::MS_I_VERSION | libc::MS_SILENT | libc::MS_DIRSYNC;
        assert_eq!(options.classic_flags(), flags);
    }
}
