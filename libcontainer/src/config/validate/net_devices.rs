//! [Network devices](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#network-devices)

use std::collections::BTreeMap;

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::Findings;
use super::namespaces::{Origin, origin};
use crate::config::explain::join;

const FIELD: &str = "linux.netDevices";

/// `IFNAMSIZ` of linux/if.h, the NUL byte with it.
const ROOM: usize = 16;

/// Where the kernel puts a number in a name.
const NUMBER: &str = "%d";

pub(super) fn check(linux: &Linux, findings: &mut Findings) {
    let Some(devices) = linux.net_devices().as_ref().filter(|devices| !devices.is_empty()) else {
        return;
    };
    let has_network = origin(Some(linux), LinuxNamespaceType::Network) != Origin::Host;
    let text = "needs a network namespace in linux.namespaces, new or joined";
    findings.expect(has_network, FIELD, text);
    let devices: BTreeMap<_, _> = devices.iter().collect();
    let mut taken = BTreeMap::new();
    for (host_name, device) in devices {
        let field = join(FIELD, host_name);
        if let Some(wrong) = wrong_name(host_name, false) {
            findings.add(&field, wrong);
        }
        let field = format!("{field}.name");
        // An empty one is none.
        let new_name = device.name().as_ref().filter(|name| !name.is_empty());
        if let Some(wrong) = new_name.and_then(|name| wrong_name(name, true)) {
            findings.add(&field, wrong);
        }
        let name = new_name.unwrap_or(host_name);
        match taken.insert(name, host_name) {
            Some(other) if !name.contains(NUMBER) => {
                let text = format!("{name:?} is the name of {} already", join(FIELD, other));
                findings.add(field, text);
            }
            _ => (),
        }
    }
}

/// What the kernel would refuse (net/core/dev.c, `dev_valid_name`), and `lo`, which every network
/// namespace has and none can give. A name in the container may be a pattern.
fn wrong_name(name: &str, may_be_pattern: bool) -> Option<String> {
    let plain = if may_be_pattern { name.replacen(NUMBER, "", 1) } else { name.to_owned() };
    let separator =
        |byte: u8| matches!(byte, b'/' | b':' | b'%') || byte.is_ascii_whitespace() || byte == 0x0b;
    match name {
        "" => Some("has no name; the key is what the host calls the device".into()),
        "lo" => Some("lo is in every network namespace, and none can be moved".into()),
        "." | ".." => Some(format!("{name:?} is no name of a network device")),
        _ if name.len() >= ROOM => {
            Some(format!("{name:?} is of {} bytes; {} is the most", name.len(), ROOM - 1))
        }
        _ if plain.bytes().any(separator) => {
            let percent = if may_be_pattern { "nor % but in one %d" } else { "or %" };
            Some(format!("{name:?} may have no space, / or : in it, {percent}"))
        }
        _ => None,
    }
}
