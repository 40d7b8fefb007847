//! The options of a mount, as in fstab(5).

use super::{ATIME_MASK, MountOptions, describe, find};
use std::fmt;

pub(crate) const WORDS: &[&str] = &[
    ",",
    "r",
    "rro,rw",
    "rbind",
    "bind",
    "remount",
    "idmap",
    ",ridmap=uids=0-9-1",
    ",tmpcopyup",
    "size=64k",
    "x-y=z=,",
];

/// Whether all of them have a meaning of their own.
pub(crate) fn run(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let options = || text.split(',');
    let parsed = MountOptions::parse(options());
    for attr in [&parsed.attr, &parsed.recursive_attr] {
        let both = attr.attr_set & attr.attr_clr & !ATIME_MASK;
        assert_eq!(both, 0, "{text:?}: set and cleared at once");
        let access_time =
            attr.attr_set & ATIME_MASK == 0 || attr.attr_clr & ATIME_MASK == ATIME_MASK;
        assert!(access_time, "{text:?}: a mode of access times beside another");
        assert!(!Described(attr).to_string().contains("norelatime"), "{text:?}");
    }
    let _ = parsed.classic_flags();
    // What is mapped is read elsewhere.
    let known = |option: &&str| find(option).is_some() || is_mapping(option);
    let known = options().filter(known).count();
    let empty = options().filter(|option| option.is_empty()).count();
    assert_eq!(known + empty + parsed.data.len(), options().count(), "{text:?}");
    let twice = MountOptions::parse(options().chain(options()));
    assert_eq!((twice.attr, twice.bind, twice.remount), (parsed.attr, parsed.bind, parsed.remount));
    parsed.data.is_empty()
}

fn is_mapping(option: &str) -> bool {
    ["idmap=", "ridmap="].iter().any(|start| option.starts_with(start))
}

struct Described<'a>(&'a super::MountAttr);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "", self.0)
    }
}
