//! Flags of seccomp(2).

use crate::sys;
use oci_spec::runtime::LinuxSeccompFilterFlag as OciFlag;

/// How a filter is loaded: a set of `SECCOMP_FILTER_FLAG_*`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(u32);

/// Names in config.json, and the kernel's bits.
const ROWS: &[(OciFlag, &str, u32)] = &[
    (OciFlag::SeccompFilterFlagTsync, "SECCOMP_FILTER_FLAG_TSYNC", TSYNC),
    (OciFlag::SeccompFilterFlagLog, "SECCOMP_FILTER_FLAG_LOG", LOG),
    (OciFlag::SeccompFilterFlagSpecAllow, "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SPEC_ALLOW),
    (
        OciFlag::SeccompFilterFlagWaitKillableRecv,
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        WAIT_KILLABLE_RECV,
    ),
];

const TSYNC: u32 = libc::SECCOMP_FILTER_FLAG_TSYNC as u32;
const LOG: u32 = libc::SECCOMP_FILTER_FLAG_LOG as u32;
const SPEC_ALLOW: u32 = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as u32;
const NEW_LISTENER: u32 = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32;
/// With TSYNC: a thread that cannot follow is an error, not its id for a result, which would be taken
/// for success, or for a listener. linux/seccomp.h.
const TSYNC_ESRCH: u32 = 1 << 4;
const WAIT_KILLABLE_RECV: u32 = 1 << 5;

impl Flags {
    /// Those of config.json, and what a listener needs. Where nothing is said about flags, engines
    /// count on runtimes not to slow programs down: runc and crun set SPEC_ALLOW then.
    pub(crate) fn of_oci(asked: Option<&[OciFlag]>, notifies: bool) -> Self {
        let asked = asked.unwrap_or(&[OciFlag::SeccompFilterFlagSpecAllow]);
        let bit = |flag: &OciFlag| ROWS.iter().find(|row| row.0 == *flag).map_or(0, |row| row.2);
        let bits = asked.iter().map(bit).fold(0, |bits, bit| bits | bit);
        let bits = if bits & TSYNC == 0 { bits } else { bits | TSYNC_ESRCH };
        // Without a listener there is nobody to wait for, and the kernel refuses the flag.
        Self(if notifies { bits | NEW_LISTENER } else { bits & !WAIT_KILLABLE_RECV })
    }

    /// The same for a process that has no other threads, or none that the filter is to be for.
    #[must_use]
    pub fn for_one_thread(self) -> Self {
        Self(self.0 & !(TSYNC | TSYNC_ESRCH))
    }

    /// As seccomp(2) takes them.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether loading the filter gives a listener.
    #[must_use]
    pub fn listens(self) -> bool {
        self.0 & NEW_LISTENER != 0
    }

    /// The names of those that a profile can ask for.
    pub fn known() -> impl Iterator<Item = &'static str> {
        ROWS.iter().map(|row| row.1)
    }

    /// The names of those that this kernel has as well.
    pub fn supported() -> impl Iterator<Item = &'static str> {
        ROWS.iter().filter(|row| Self(row.2).is_supported()).map(|row| row.1)
    }

    /// The name of a flag that this kernel does not have; `None` when it has all.
    #[must_use]
    pub fn missing(self) -> Option<&'static str> {
        let mut asked = ROWS.iter().filter(|row| self.0 & row.2 != 0);
        asked.find(|row| !Self(row.2).is_supported()).map(|row| row.1)
    }

    fn is_supported(self) -> bool {
        sys::supports(self.alone())
    }

    /// With what the kernel takes it only together with.
    fn alone(self) -> Self {
        if self.0 == WAIT_KILLABLE_RECV { Self(self.0 | NEW_LISTENER) } else { self }
    }

    /// The names of those that can be asked for.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        ROWS.iter().filter(move |row| self.0 & row.2 != 0).map(|row| row.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_no_kernel_has_is_missing() {
        assert_eq!(Flags(TSYNC | LOG | SPEC_ALLOW | NEW_LISTENER).missing(), None);
        assert!(!sys::supports(Flags(1 << 31)));
    }

    #[test]
    fn what_is_supported_is_known_and_not_missing() {
        let supported: Vec<_> = Flags::supported().collect();
        assert!(supported.contains(&"SECCOMP_FILTER_FLAG_TSYNC"), "{supported:?}");
        for (_, name, bits) in ROWS {
            assert!(Flags::known().any(|known| known == *name));
            assert_eq!(supported.contains(name), Flags(*bits).missing().is_none(), "{name}");
        }
    }

    #[test]
    fn a_listener_goes_with_all() {
        let all: Vec<OciFlag> = ROWS.iter().map(|row| row.0).collect();
        assert_eq!(Flags::of_oci(Some(&all), true).bits(), 0b11_1111);
        assert_eq!(Flags::of_oci(Some(&all), false).bits(), 0b1_0111);
        assert_eq!(Flags::of_oci(Some(&[]), true).bits(), NEW_LISTENER);
        assert_eq!(Flags::of_oci(Some(&[]), false).bits(), 0);
        assert_eq!(Flags::of_oci(None, false).bits(), SPEC_ALLOW);
    }
}
