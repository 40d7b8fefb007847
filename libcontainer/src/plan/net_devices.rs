//! Network devices of the host that the container is given: `linux.netDevices`.

use crate::error::{Error, ErrorKind, Result};
use crate::plan::Host;
use oci_spec::runtime::Linux;
use std::fmt;

const FIELD: &str = "linux.netDevices";

/// One device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NetDevice {
    /// What the host calls it.
    pub(crate) name: String,
    /// What the container calls it, if that is something else: a name, or a pattern such as `eth%d`.
    pub(crate) new_name: Option<String>,
    pub(crate) field: String,
}

/// All of them, in the order of their names.
///
/// # Errors
///
/// When there are some and the caller may not move any.
pub(super) fn plan(linux: &Linux, host: &Host) -> Result<Vec<NetDevice>> {
    let mut devices: Vec<_> = linux.net_devices().iter().flatten().map(NetDevice::new).collect();
    devices.sort_by(|one, other| one.name.cmp(&other.name));
    if !devices.is_empty() && !host.has(caps::Capability::CAP_NET_ADMIN) {
        let user = host.euid;
        let text = format!(
            "to move a network device takes CAP_NET_ADMIN, which user {user} does not have here; leave it out, or run as root"
        );
        return Err(Error::new(ErrorKind::Unsupported, text).field(FIELD));
    }
    Ok(devices)
}

impl NetDevice {
    fn new((name, device): (&String, &oci_spec::runtime::LinuxNetDevice)) -> Self {
        let field = crate::config::field_of(FIELD, name);
        let new_name = device.name().clone().filter(|name| !name.is_empty());
        Self { name: name.clone(), new_name, field }
    }
}

impl fmt::Display for NetDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "network device {}", self.name)?;
        if let Some(name) = &self.new_name {
            write!(f, " as {name}")?;
        }
        write!(f, "  <- {}", self.field)
    }
}
