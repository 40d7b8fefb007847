//! `linux.mountLabel`: the SELinux context of what is mounted for the container, and how each file
//! system takes it. As runc has it.

/// How a file system is told its label.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// By the mount option `context`: all that is ever in it has the label.
    Option,
    /// By an attribute of its root directory, since it takes no such option.
    Attribute,
    /// Not at all: the policy labels what is in it, file by file.
    Not,
}

/// All others take the option.
const OTHERS: &[(&str, Way)] = &[
    ("cgroup", Way::Not),
    ("cgroup2", Way::Not),
    ("mqueue", Way::Attribute),
    ("proc", Way::Not),
    ("sysfs", Way::Not),
];

pub(super) fn way(fstype: &str) -> Way {
    OTHERS.iter().find(|row| row.0 == fstype).map_or(Way::Option, |row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_system_has_its_way() {
        for fstype in ["tmpfs", "devpts", "overlay", "ramfs", "ext4"] {
            assert_eq!(way(fstype), Way::Option, "{fstype}");
        }
        assert_eq!(way("mqueue"), Way::Attribute);
        for fstype in ["proc", "sysfs", "cgroup", "cgroup2"] {
            assert_eq!(way(fstype), Way::Not, "{fstype}");
        }
    }
}
