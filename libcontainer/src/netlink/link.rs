//! Network devices.

use super::client::{Refusal, Result, Rtnetlink};
use super::message::{self, Damaged, Request};

/// struct ifinfomsg: family, fill, type, index, flags, change mask.
const HEADER: usize = 16;

const NAME: u16 = libc::IFLA_IFNAME;
const MASTER: u16 = libc::IFLA_MASTER;
const NET_NS_PID: u16 = libc::IFLA_NET_NS_PID;
const NET_NS_FD: u16 = libc::IFLA_NET_NS_FD;
/// Of linux/if_link.h since Linux 5.13.
const NEW_INDEX: u16 = 49;

const UP: u32 = libc::IFF_UP as u32;

/// What there is to know of a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Link {
    pub(crate) index: i32,
    pub(crate) name: String,
    pub(crate) is_up: bool,
    pub(crate) is_loopback: bool,
    /// The bridge, or the like, that it is a port of.
    pub(crate) master: Option<i32>,
}

/// Where a device goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Namespace {
    /// The network namespace of a process.
    OfProcess(i32),
    /// That of an open file.
    Open(i32),
}

impl Rtnetlink {
    /// The device of that name, or with that other name; `None` if there is none.
    pub(crate) fn link_named(&mut self, name: &str) -> Result<Option<Link>> {
        self.link(get(0).text(NAME, name))
    }

    pub(crate) fn link_at(&mut self, index: i32) -> Result<Option<Link>> {
        self.link(get(index))
    }

    fn link(&mut self, request: Request) -> Result<Option<Link>> {
        match self.call(request) {
            Ok(Some(body)) => Ok(Some(parse(&body)?)),
            Err(Refusal { errno: libc::ENODEV, .. }) => Ok(None),
            Ok(None) => Err(Damaged.into()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Moves a device, which goes down by that and loses its addresses. There it is to be called `name` and
    /// to have the number `new_index`, which must be free. An error may come from the change of the
    /// name, when it has been moved already.
    pub(crate) fn move_link(
        &mut self,
        index: i32,
        to: Namespace,
        name: &str,
        new_index: i32,
    ) -> Result<()> {
        let (kind, number) = match to {
            Namespace::OfProcess(pid) => (NET_NS_PID, pid),
            Namespace::Open(fd) => (NET_NS_FD, fd),
        };
        let request = Request::new(libc::RTM_SETLINK, libc::NLM_F_ACK, &header(index, 0))
            .attribute(kind, &number.to_ne_bytes())
            .text(NAME, name)
            .attribute(NEW_INDEX, &new_index.to_ne_bytes());
        self.call(request).map(drop)
    }

    /// Makes a device a port of another.
    pub(crate) fn enslave(&mut self, index: i32, master: i32) -> Result<()> {
        let request = Request::new(libc::RTM_SETLINK, libc::NLM_F_ACK, &header(index, 0))
            .attribute(MASTER, &master.to_ne_bytes());
        self.call(request).map(drop)
    }

    /// Brings a device up.
    pub(crate) fn link_up(&mut self, index: i32) -> Result<()> {
        let request = Request::new(libc::RTM_SETLINK, libc::NLM_F_ACK, &header(index, UP));
        self.call(request).map(drop)
    }
}

fn get(index: i32) -> Request {
    Request::new(libc::RTM_GETLINK, libc::NLM_F_ACK, &header(index, 0))
}

/// The flags that are set are those that are changed.
fn header(index: i32, flags: u32) -> [u8; HEADER] {
    let numbers = [0, index as u32, flags, flags].map(u32::to_ne_bytes);
    let mut header = [0; HEADER];
    header.iter_mut().zip(numbers.as_flattened()).for_each(|(to, from)| *to = *from);
    header
}

fn parse(body: &[u8]) -> std::result::Result<Link, Damaged> {
    let (index, flags) = (message::i32_at(body, 4)?, message::u32_at(body, 8)?);
    let attributes = message::attributes(body, HEADER)?;
    let get = |kind| attributes.iter().find(|(other, _)| *other == kind).map(|(_, value)| *value);
    let master = get(MASTER).map(|value| message::i32_at(value, 0)).transpose()?;
    Ok(Link {
        index,
        name: message::text(get(NAME).ok_or(Damaged)?),
        master: master.filter(|master| *master != 0),
        is_up: flags & UP != 0,
        is_loopback: flags & libc::IFF_LOOPBACK as u32 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Vec<u8> {
        let request = Request::new(0, 0, &header(7, UP))
            .attribute(MASTER, &3i32.to_ne_bytes())
            .attribute(1, &[6; 6])
            .text(NAME, "eth0");
        request.finish(1).split_off(16)
    }

    #[test]
    fn a_device_has_a_number_a_name_and_flags() {
        let expected = Link {
            index: 7,
            name: "eth0".into(),
            is_up: true,
            is_loopback: false,
            master: Some(3),
        };
        assert_eq!(parse(&body()), Ok(expected));
    }

    #[test]
    fn a_device_that_is_cut_short_is_damaged() {
        const FILL: usize = 3;
        let body = body();
        for length in 0..body.len() - FILL {
            assert_eq!(parse(&body[..length]), Err(Damaged), "{length} bytes");
        }
    }
}
