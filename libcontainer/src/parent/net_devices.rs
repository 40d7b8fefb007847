//! Giving the container network devices of the host
//! ([config-linux.md](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config-linux.md#network-devices)).
//!
//! For each device: what is called so here, and its addresses; whether its new name is free there; the
//! move, with which the kernel takes its addresses and shuts it down, and the new name, in one request;
//! its addresses again; up. What the kernel keeps by itself (MTU, hardware address, queue length ...) is
//! left alone.
//!
//! Whoever has the network namespace has the devices from then on: nothing is taken out of it when the
//! container is deleted. The kernel gives physical devices to the host's first network namespace when
//! theirs ends, by the names that they have then, and destroys virtual ones. But a creation that fails
//! has given nobody anything: what it has moved goes back, with its name, number and addresses, into the
//! bridge that it was a port of. Routes over it, which may hang on other devices and routes, are only told.

use super::{Child, Process};
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::{Address, Link, Namespace, Refusal, Rtnetlink};
use crate::plan::NetDevice;
use crate::procfs;
use crate::sys::{self, Errno, clone, file, netlink, socket};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// A network namespace with more devices in a row than that has no place for ours.
const MOST_NUMBERS: i32 = 4096;

/// The devices that have been moved.
#[derive(Default)]
pub(crate) struct Moved {
    devices: Vec<Device>,
    sides: Option<Sides>,
}

/// The two network namespaces.
struct Sides {
    ours: Rtnetlink,
    theirs: Rtnetlink,
    /// Ours, as a place to go back to.
    home: File,
}

/// A device that has been moved.
struct Device {
    field: String,
    /// As it was.
    former: Link,
    addresses: Vec<Address>,
    routes: usize,
    /// Its number in the container.
    index: i32,
}

impl Moved {
    /// Moves the devices into the network namespace of the process.
    pub(crate) fn give(&mut self, devices: &[NetDevice], process: Process) -> Result<()> {
        let sides = self.sides.insert(Sides::open(process)?);
        for device in devices {
            let failed = |error: Error| error.field(device.field.clone());
            let moved = sides.r#move(device, process.pid).map_err(failed)?;
            self.devices.push(moved);
            let Some(moved) = self.devices.last() else { break };
            sides.set_up(moved).map_err(failed)?;
        }
        Ok(())
    }

    /// Makes everything as it was, once nobody is in the container any more. The error is why.
    pub(crate) fn give_back(&mut self, mut why: Error) -> Error {
        let Some(sides) = &mut self.sides else { return why };
        for device in self.devices.drain(..).rev() {
            why = sides.give_back(&device, why);
        }
        why
    }
}

impl Sides {
    fn open(process: Process) -> Result<Self> {
        const FIELD: &str = "linux.netDevices";
        const HOME: &str = "/proc/thread-self/ns/net";
        let failed = |error| Error::system(format!("open {HOME}"), error).field(FIELD);
        let home = File::open(HOME).map_err(failed)?;
        let net = |of: &str| procfs::namespace(of, "net").map_err(|error| error.field(FIELD));
        if net("thread-self")? == net(&process.pid.to_string())? {
            let text = "the container's network namespace is the caller's own, where the devices are already; leave them out, or name another namespace in linux.namespaces";
            return Err(Error::new(ErrorKind::InvalidConfig, text).field(FIELD));
        }
        let refused = |doing: &'static str| move |no: Refusal| no.error(doing).field(FIELD);
        Ok(Self {
            ours: Rtnetlink::open().map_err(refused("open a netlink socket"))?,
            theirs: socket_in(process)
                .map(Rtnetlink::new)
                .map_err(Refusal::from)
                .map_err(refused("open a netlink socket in the container's network namespace"))?,
            home,
        })
    }

    fn r#move(&mut self, device: &NetDevice, pid: i32) -> Result<Device> {
        let former = self.find(&device.name)?;
        let name = device.new_name.as_deref().unwrap_or(&former.name);
        self.check_free(name)?;
        let addresses = self.ours.addresses(former.index);
        let addresses = addresses.map_err(|no| no.error("read its addresses"))?;
        let routes = self.ours.count_routes(former.index);
        let routes = routes.map_err(|no| no.error("count its routes"))?;
        let index = self.free_number(former.index)?;
        let to = Namespace::OfProcess(pid);
        let moved = self.ours.move_link(former.index, to, name, index);
        let device = Device { field: device.field.clone(), former, addresses, routes, index };
        let Err(no) = moved else { return Ok(device) };
        let error = not_moved(&no);
        // Moved, and then not renamed: it must not stay there.
        Err(match self.theirs.link_at(index) {
            Ok(Some(_)) => self.give_back(&device, error),
            _ => error,
        })
    }

    fn find(&mut self, name: &str) -> Result<Link> {
        let found = self.ours.link_named(name);
        match found.map_err(|no| no.error("look for this network device"))? {
            None => Err(Error::new(ErrorKind::Setup, "there is no such network device here")),
            Some(link) if link.is_loopback => {
                let text = "is a loopback device, which cannot leave its network namespace";
                Err(Error::new(ErrorKind::Setup, text))
            }
            Some(link) => Ok(link),
        }
    }

    /// Of a pattern the kernel makes a free name.
    fn check_free(&mut self, name: &str) -> Result<()> {
        let is_pattern = name.contains('%');
        let look = format!("look for {name} in the container's network namespace");
        let taken =
            !is_pattern && self.theirs.link_named(name).map_err(|no| no.error(&look))?.is_some();
        if taken {
            let text = format!(
                "the container's network namespace has a device {name} already; set name to another, or to a pattern such as eth%d"
            );
            return Err(Error::new(ErrorKind::Setup, text));
        }
        Ok(())
    }

    /// The number that the device will have: chosen by us, so that it is found there whatever its name
    /// becomes. The one that it has, if it can be.
    fn free_number(&mut self, wanted: i32) -> Result<i32> {
        for number in wanted..wanted.saturating_add(MOST_NUMBERS) {
            let found = self.theirs.link_at(number);
            let found = found.map_err(|no| no.error("look for a free number for it"))?;
            if found.is_none() {
                return Ok(number);
            }
        }
        Err(Error::new(ErrorKind::Setup, "no number is free for it in the container"))
    }

    fn set_up(&mut self, device: &Device) -> Result<()> {
        let link = self.theirs.link_at(device.index);
        let link = link.map_err(|no| no.error("look for it in the container"))?;
        let vanished = || Error::new(ErrorKind::Setup, "it has vanished from the container");
        let name = link.ok_or_else(vanished)?.name;
        let names = (device.former.name.as_str(), name.as_str());
        for address in device.addresses.iter().filter(|address| address.lasts) {
            let added = self.theirs.add_address(address, device.index, names);
            added.map_err(|no| not_added(&no, address))?;
        }
        self.theirs.link_up(device.index).map_err(|no| no.error("bring it up in the container"))
    }

    /// What cannot be made as it was is told with the error, and after it.
    fn give_back(&mut self, device: &Device, why: Error) -> Error {
        match self.restore(device) {
            Ok(()) => why,
            Err(error) => why.besides(&format!("{} is not as it was: {error}", device.field)),
        }
    }

    fn restore(&mut self, device: &Device) -> Result<()> {
        let Link { index, name, is_up, master, .. } = &device.former;
        let home = Namespace::Open(self.home.as_raw_fd());
        let moved = self.theirs.move_link(device.index, home, name, *index);
        moved.map_err(|no| no.error("move it back"))?;
        for address in &device.addresses {
            let added = self.ours.add_address(address, *index, (name, name));
            added.map_err(|no| not_added(&no, address))?;
        }
        if let Some(master) = master {
            let enslaved = self.ours.enslave(*index, *master);
            enslaved.map_err(|no| no.error("make it a port of its bridge again"))?;
        }
        if *is_up {
            self.ours.link_up(*index).map_err(|no| no.error("bring it up again"))?;
        }
        match device.routes {
            0 => Ok(()),
            routes => {
                let text = format!("the routes over it are gone ({routes}); add them again");
                Err(Error::new(ErrorKind::Setup, text))
            }
        }
    }
}

/// A netlink socket in the network namespace of the process. A process of its own enters that and hands
/// the socket back: the caller stays where it is. (A thread could do it as well, and takes a static
/// program some 90 KiB.)
fn socket_in(process: Process) -> sys::Result<OwnedFd> {
    let (ours, theirs) = socket::pair()?;
    let (pidfd, to) = (process.pidfd.as_raw_fd(), theirs.as_raw_fd());
    let others = super::descriptors_between(0, [pidfd, to].into_iter());
    let Some(helper) = clone::clone3(0, None)? else { open_there(&others, pidfd, to) };
    let helper = Child::new(helper.pid, helper.pidfd);
    drop(theirs);
    let mut errno = [0; 4];
    let received = socket::receive(ours.as_raw_fd(), &mut errno);
    drop(helper);
    match received? {
        socket::Received { fd: Some(socket), .. } => Ok(socket),
        socket::Received { length: 4, .. } => Err(Errno(i32::from_ne_bytes(errno))),
        _ => Err(Errno(libc::EIO)),
    }
}

/// The child of a program that may have threads: nothing but system calls.
fn open_there(others: &[(u32, u32)], process: RawFd, to: RawFd) -> ! {
    let mut others = others.iter();
    let opened = others
        .try_for_each(|(first, last)| file::close_range(*first, *last))
        .and_then(|()| clone::setns(process, libc::CLONE_NEWNET as u64))
        .and_then(|()| netlink::open());
    let sent = match &opened {
        Ok(socket) => socket::send(to, &[0; 4], Some(socket.as_raw_fd())),
        Err(errno) => socket::send(to, &errno.0.to_ne_bytes(), None),
    };
    sys::process::exit(i32::from(sent.is_err()))
}

fn not_added(no: &Refusal, address: &Address) -> Error {
    no.error(&format!("give it its address {address} again"))
}

/// What the kernel's answer to a move means, where it does not say so.
fn not_moved(no: &Refusal) -> Error {
    let doing = "move it into the container's network namespace";
    match no.errno {
        libc::EPERM => {
            no.hinted(doing, "that takes CAP_NET_ADMIN over the network namespace which it is in")
        }
        libc::EINVAL => no.hinted(doing, "some devices cannot leave their network namespace"),
        _ => no.error(doing),
    }
}
