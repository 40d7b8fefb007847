//! Where systemd listens.
//!
//! | | |
//! |---|---|
//! | system | `/run/systemd/private`, which is systemd itself and for root alone; `$DBUS_SYSTEM_BUS_ADDRESS`; `/run/dbus/system_bus_socket` |
//! | user | the same in `$XDG_RUNTIME_DIR`: `systemd/private`; `$DBUS_SESSION_BUS_ADDRESS`; `bus` |
//!
//! An engine's environment is not its user's: Podman's `delete` has no bus in it, `conmon`'s of root an
//! empty XDG_RUNTIME_DIR. So `/run/user/UID` is tried in the end, UID being the user that the host
//! knows, also where a rootless engine has made itself root of a user namespace.

use super::dbus::Address;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A place to try.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) address: Address,
    /// Whether it is systemd itself, and no bus.
    pub(super) direct: bool,
}

/// What the places depend on.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// `$DBUS_SYSTEM_BUS_ADDRESS` or `$DBUS_SESSION_BUS_ADDRESS`.
    pub(super) bus: Option<OsString>,
    /// `$XDG_RUNTIME_DIR`.
    pub(super) runtime: Option<OsString>,
    /// The user, as the host knows it.
    pub(super) uid: u32,
}

impl Surroundings {
    /// Reads the environment.
    pub(super) fn detect(user: bool) -> Self {
        let bus = if user { "DBUS_SESSION_BUS_ADDRESS" } else { "DBUS_SYSTEM_BUS_ADDRESS" };
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self { bus: set(bus), runtime: set("XDG_RUNTIME_DIR"), uid: uid_on_host() }
    }

    /// The places in order. An address that is not understood is passed over.
    pub(super) fn places(&self, user: bool) -> Vec<Place> {
        let bus = self.bus.as_ref().and_then(|list| list.to_str());
        let bus = bus.and_then(|list| Address::parse(list).ok()).unwrap_or_default();
        let bus = bus.into_iter().map(|address| Place { address, direct: false });
        if !user {
            let direct = at(Path::new("/run/systemd/private"), true);
            let default = at(Path::new("/run/dbus/system_bus_socket"), false);
            return [direct].into_iter().chain(bus).chain([default]).collect();
        }
        let own = PathBuf::from(format!("/run/user/{}", self.uid));
        let given = self.runtime.as_ref().map(PathBuf::from).filter(|given| *given != own);
        let given_direct = given.as_ref().map(|given| at(&given.join("systemd/private"), true));
        let given_bus = given.as_ref().map(|given| at(&given.join("bus"), false));
        let default = [at(&own.join("systemd/private"), true), at(&own.join("bus"), false)];
        let mut places: Vec<Place> =
            given_direct.into_iter().chain(bus).chain(given_bus).chain(default).collect();
        let mut seen = Vec::new();
        places.retain(|place| {
            let new = !seen.contains(place);
            seen.push(place.clone());
            new
        });
        places
    }
}

fn at(path: &Path, direct: bool) -> Place {
    Place { address: Address::Path(path.into()), direct }
}

/// The effective user, outside of a user namespace that we may be in.
fn uid_on_host() -> u32 {
    let (uid, _) = crate::sys::identity::effective_ids();
    let map = crate::procfs::read("/proc/self/uid_map").unwrap_or_default();
    outside(&map, uid).unwrap_or(uid)
}

/// Lines of `INSIDE OUTSIDE COUNT`.
fn outside(map: &str, uid: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let mut next = || numbers.next().and_then(Result::ok);
        let (inside, outside, count) = (next()?, next()?, next()?);
        let offset = uid.checked_sub(inside).filter(|offset| *offset < count)?;
        outside.checked_add(offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bus: Option<&str>, runtime: Option<&str>, user: bool) -> Vec<String> {
        let surroundings =
            Surroundings { bus: bus.map(Into::into), runtime: runtime.map(Into::into), uid: 1000 };
        surroundings.places(user).iter().map(|place| place.address.to_string()).collect()
    }

    #[test]
    fn the_system() {
        let default = ["/run/systemd/private", "/run/dbus/system_bus_socket"];
        assert_eq!(shown(None, Some("/run/user/0"), false), default);
        assert_eq!(shown(Some("nonsense"), None, false), default);
        let given = ["/run/systemd/private", "/x", "/run/dbus/system_bus_socket"];
        assert_eq!(shown(Some("unix:path=/x"), None, false), given);
    }

    #[test]
    fn the_user() {
        let own = ["/run/user/1000/systemd/private", "/run/user/1000/bus"];
        assert_eq!(shown(None, None, true), own);
        assert_eq!(shown(None, Some("/run/user/1000"), true), own);
        let bus = Some("unix:path=/b");
        let given = ["/r/systemd/private", "/b", "/r/bus", own[0], own[1]];
        assert_eq!(shown(bus, Some("/r"), true), given);
    }

    #[test]
    fn the_user_that_the_host_knows() {
        assert_eq!(outside("         0          0 4294967295\n", 1000), Some(1000));
        let rootless = "0 1000 1\n1 100000 65536\n";
        assert_eq!(outside(rootless, 0), Some(1000));
        assert_eq!(outside(rootless, 3), Some(100_002));
        assert_eq!(outside(rootless, 70_000), None);
        assert_eq!(outside("", 0), None);
    }
}
