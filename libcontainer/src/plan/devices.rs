//! Device nodes: those that every container has, and those of `linux.devices`.

use super::op::{MakeNode, Op, Step};
use super::paths::{RootPath, c_path, c_string};
use crate::error::Result;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use std::path::Path;

/// runtime-spec config-linux.md, "Default Devices": name, major, minor.
const DEFAULT: &[(&str, u32, u32)] = &[
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Links below `/dev`: name, target, and whether what is there gives way.
const LINKS: &[(&str, &str, bool)] = &[
    ("fd", "/proc/self/fd", false),
    ("stdin", "/proc/self/fd/0", false),
    ("stdout", "/proc/self/fd/1", false),
    ("stderr", "/proc/self/fd/2", false),
    ("ptmx", "pts/ptmx", true),
];

const DEFAULT_MODE: u32 = 0o666;

/// Steps for devices and links, keeping the directories that they need open in numbered places.
pub(crate) struct DeviceSteps {
    directories: Vec<(RootPath, usize)>,
    /// The next free place.
    next: usize,
    pub(crate) steps: Vec<Step>,
}

impl DeviceSteps {
    /// `mknod`: whether the child may make nodes; else the host's are bound. `dev`: the place at
    /// which `/dev` is open already; `next`: the first free place.
    pub(crate) fn plan(
        configured: &[LinuxDevice],
        mknod: bool,
        dev: Option<usize>,
        next: usize,
    ) -> Result<Self> {
        let known = dev.map(|place| Ok((RootPath::new("/dev")?, place))).transpose()?;
        let mut plan = Self { directories: known.into_iter().collect(), next, steps: Vec::new() };
        let paths: Vec<String> = configured.iter().map(lexical).collect::<Result<_>>()?;
        for (name, major, minor) in DEFAULT {
            if !paths.contains(&format!("dev/{name}")) {
                plan.default_node(name, libc::makedev(*major, *minor), mknod)?;
            }
        }
        for (number, device) in configured.iter().enumerate() {
            plan.configured_node(number, device, mknod)?;
        }
        for (name, target, replace) in LINKS {
            let directory = plan.directory("/dev", "")?;
            let (target, name) = (c_string(target)?, c_string(name)?);
            plan.push(Op::Link { target, directory, name, replace: *replace }, "");
        }
        Ok(plan)
    }

    /// How many places are taken then.
    pub(crate) fn places(&self) -> usize {
        self.next
    }

    fn default_node(&mut self, name: &str, device: u64, mknod: bool) -> Result<()> {
        let directory = self.directory("/dev", "")?;
        let bind = (!mknod).then(|| c_string(format!("/dev/{name}"))).transpose()?;
        let mode = libc::S_IFCHR | DEFAULT_MODE;
        let node = MakeNode { directory, name: c_string(name)?, mode, device, owner: None, bind };
        self.push(Op::Node(node), "");
        Ok(())
    }

    fn configured_node(&mut self, number: usize, device: &LinuxDevice, mknod: bool) -> Result<()> {
        let field = format!("linux.devices[{number}] ({})", device.path().display());
        let path = RootPath::new(&device.path().to_string_lossy())?;
        let Some((parent, name)) = path.split() else {
            let error =
                crate::error::Error::new(crate::ErrorKind::InvalidConfig, "path names no file");
            return Err(error.field(field));
        };
        let directory = self.directory(&parent.to_string(), &field)?;
        let kind = match device.typ() {
            LinuxDeviceType::B => libc::S_IFBLK,
            LinuxDeviceType::P => libc::S_IFIFO,
            _ => libc::S_IFCHR,
        };
        let mode = kind | device.file_mode().unwrap_or(DEFAULT_MODE) & 0o7777;
        let owner = (device.uid().unwrap_or(0), device.gid().unwrap_or(0));
        // A FIFO is no device: anyone may make one.
        let bind = (!mknod && kind != libc::S_IFIFO).then(|| c_path(device.path())).transpose()?;
        let device = libc::makedev(device.major() as u32, device.minor() as u32);
        let owner = (owner != (0, 0)).then_some(owner);
        self.push(Op::Node(MakeNode { directory, name, mode, device, owner, bind }), &field);
        Ok(())
    }

    /// The place of an open directory; opened, or made, when it is first asked for.
    fn directory(&mut self, path: &str, field: &str) -> Result<usize> {
        let path = RootPath::new(path)?;
        if let Some((_, place)) = self.directories.iter().find(|(known, _)| *known == path) {
            return Ok(*place);
        }
        let directory = self.next;
        self.next += 1;
        self.directories.push((path.clone(), directory));
        self.push(Op::OpenDirectory { path, directory }, field);
        Ok(directory)
    }

    fn push(&mut self, op: Op, field: &str) {
        self.steps.push(Step { op, field: field.to_owned() });
    }
}

fn lexical(device: &LinuxDevice) -> Result<String> {
    let path: &Path = device.path();
    Ok(RootPath::new(&path.to_string_lossy())?.lexical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(json: &str, mknod: bool) -> Vec<String> {
        let devices: Vec<LinuxDevice> = serde_json::from_str(json).unwrap();
        DeviceSteps::plan(&devices, mknod, None, 0)
            .unwrap()
            .steps
            .iter()
            .map(Step::to_string)
            .collect()
    }

    #[test]
    fn defaults_are_made_once_each() {
        let steps = plan("[]", true);
        assert_eq!(steps[0], "open directory /dev");
        assert_eq!(steps.iter().filter(|step| step.starts_with("make device")).count(), 6);
        assert_eq!(steps.last().unwrap(), "link ptmx to pts/ptmx");
    }

    #[test]
    fn a_configured_device_takes_the_place_of_a_default_one() {
        let steps =
            plan(r#"[{"path":"/dev/null","type":"c","major":1,"minor":3,"fileMode":384}]"#, true);
        let null: Vec<_> = steps.iter().filter(|step| step.contains("null")).collect();
        assert_eq!(null, ["make device null (1:3, mode 20600)  <- linux.devices[0] (/dev/null)"]);
    }

    #[test]
    fn without_mknod_the_hosts_node_is_bound() {
        let steps = plan(r#"[{"path":"/dev/net/tun","type":"c","major":10,"minor":200}]"#, false);
        assert!(
            steps.contains(
                &"open directory /dev/net  <- linux.devices[0] (/dev/net/tun)".to_owned()
            )
        );
        assert!(steps.iter().any(|step| step.starts_with("bind device tun from /dev/net/tun")));
    }
}
