//! Mappings between the ids of a user namespace and those outside it.

use oci_spec::runtime::LinuxIdMapping;
use std::fmt::{self, Write};

/// One line of `/proc/PID/uid_map`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct IdMap {
    pub(crate) inside: u32,
    pub(crate) outside: u32,
    pub(crate) count: u32,
}

impl IdMap {
    /// What an id inside is outside, if this line has it.
    pub(crate) fn outside_of(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.inside).filter(|offset| *offset < self.count)?;
        self.outside.checked_add(offset)
    }
}

/// Both maps of a new user namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct IdMaps {
    pub(crate) uids: Vec<IdMap>,
    pub(crate) gids: Vec<IdMap>,
}

impl IdMaps {
    pub(crate) fn new(
        uids: Option<&Vec<LinuxIdMapping>>,
        gids: Option<&Vec<LinuxIdMapping>>,
    ) -> Self {
        Self { uids: convert(uids), gids: convert(gids) }
    }
}

fn convert(maps: Option<&Vec<LinuxIdMapping>>) -> Vec<IdMap> {
    let convert = |map: &LinuxIdMapping| IdMap {
        inside: map.container_id(),
        outside: map.host_id(),
        count: map.size(),
    };
    maps.into_iter().flatten().map(convert).collect()
}

/// The id with which the container is set up: 0, or the first that is mapped when 0 is not.
pub(crate) fn setup_id(maps: &[IdMap]) -> u32 {
    let zero = maps.iter().any(|map| map.inside == 0);
    if zero { 0 } else { maps.first().map_or(0, |map| map.inside) }
}

/// What is written to `/proc/PID/uid_map`.
pub(crate) fn render(maps: &[IdMap]) -> String {
    maps.iter().fold(String::new(), |mut text, map| {
        let _ = writeln!(text, "{} {} {}", map.inside, map.outside, map.count);
        text
    })
}

impl fmt::Display for IdMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |maps| render(maps).trim_end().replace('\n', ", ");
        write!(f, "uids {}; gids {}", line(&self.uids), line(&self.gids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setup_id_is_zero_when_mapped() {
        let map = |inside| IdMap { inside, outside: 1000, count: 1 };
        assert_eq!(setup_id(&[map(5), map(0)]), 0);
        assert_eq!(setup_id(&[map(5)]), 5);
        assert_eq!(render(&[map(0), map(5)]), "0 1000 1\n5 1000 1\n");
    }
}
