//! Addresses of network devices, as the kernel gives them and takes them back.

use super::client::{Result, Rtnetlink};
use super::message::{self, Damaged, Request};
use std::fmt;
use std::net::IpAddr;

/// struct ifaddrmsg: family, length of the prefix, flags, scope, index of the device.
const HEADER: usize = 8;

const ADDRESS: u16 = libc::IFA_ADDRESS;
const LOCAL: u16 = libc::IFA_LOCAL;
const LABEL: u16 = libc::IFA_LABEL;
const FLAGS: u16 = libc::IFA_FLAGS;

/// What is taken over as it is, besides those two. Of linux/if_addr.h: broadcast address, lifetimes (how
/// long it is preferred), priority of its route, origin.
const KEPT: [u16; 6] = [ADDRESS, LOCAL, libc::IFA_BROADCAST, libc::IFA_CACHEINFO, 9, PROTOCOL];

/// The flags that were asked for. The others say what has become of the address, or follow from its
/// lifetimes: `IFA_F_PERMANENT` and the like.
const ASKED_FOR: u32 = libc::IFA_F_NODAD
    | libc::IFA_F_OPTIMISTIC
    | libc::IFA_F_HOMEADDRESS
    | libc::IFA_F_MANAGETEMPADDR
    | libc::IFA_F_NOPREFIXROUTE
    | libc::IFA_F_MCAUTOJOIN;

/// `IFA_PROTO` of linux/if_addr.h since Linux 5.18, and the addresses that the kernel makes by itself: those
/// of the loopback device, of routers' advertisements, of the link.
const PROTOCOL: u16 = 11;
const OF_THE_KERNEL: std::ops::RangeInclusive<u8> = 1..=3;

/// An address of a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    /// Made to stay, of global scope: the specification wants it to be kept.
    pub(crate) lasts: bool,
    family: u8,
    prefix: u8,
    scope: u8,
    flags: u32,
    label: Option<String>,
    /// The attributes of [`KEPT`].
    kept: Vec<(u16, Vec<u8>)>,
}

impl Rtnetlink {
    /// The addresses of a device, of any family, but for those that the kernel makes by itself wherever the
    /// device is.
    pub(crate) fn addresses(&mut self, index: i32) -> Result<Vec<Address>> {
        let all = || Request::new(libc::RTM_GETADDR, libc::NLM_F_DUMP, &[0; HEADER]);
        self.list(all, |body| parse(body, index))
    }

    /// Gives the device `index`, which is called `name`, an address that it had as `former`.
    pub(crate) fn add_address(
        &mut self,
        address: &Address,
        index: i32,
        names: (&str, &str),
    ) -> Result<()> {
        self.call(address.request(index, names)).map(drop)
    }
}

fn parse(body: &[u8], wanted: i32) -> std::result::Result<Option<Address>, Damaged> {
    let [family, prefix, low_flags, scope] =
        *body.get(..HEADER).and_then(|header| header.first_chunk()).ok_or(Damaged)?;
    if message::i32_at(body, 4)? != wanted {
        return Ok(None);
    }
    let attributes = message::attributes(body, HEADER)?;
    let get = |kind| attributes.iter().find(|(other, _)| *other == kind).map(|(_, value)| *value);
    let flags = get(FLAGS).map_or(Ok(u32::from(low_flags)), |value| message::u32_at(value, 0))?;
    let protocol = get(PROTOCOL).and_then(|value| value.first()).copied().unwrap_or_default();
    // Before there was a protocol, this told. The flag of temporary ones means another thing in IPv4.
    let of_ipv6 = i32::from(family) == libc::AF_INET6
        && (scope == libc::RT_SCOPE_LINK || flags & libc::IFA_F_TEMPORARY != 0);
    if OF_THE_KERNEL.contains(&protocol) || of_ipv6 {
        return Ok(None);
    }
    let lasts = scope == libc::RT_SCOPE_UNIVERSE && flags & libc::IFA_F_PERMANENT != 0;
    let kept = KEPT.into_iter().filter_map(|kind| Some((kind, get(kind)?.to_vec()))).collect();
    let label = get(LABEL).map(message::text);
    Ok(Some(Address { lasts, family, prefix, scope, flags, label, kept }))
}

impl Address {
    fn request(&self, index: i32, (former, name): (&str, &str)) -> Request {
        let flags = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        let [a, b, c, d] = index.to_ne_bytes();
        let header = [self.family, self.prefix, 0, self.scope, a, b, c, d];
        let mut request = Request::new(libc::RTM_NEWADDR, flags, &header)
            .attribute(FLAGS, &(self.flags & ASKED_FOR).to_ne_bytes());
        for (kind, value) in &self.kept {
            request = request.attribute(*kind, value);
        }
        match self.label.as_deref().and_then(|label| relabel(label, former, name)) {
            Some(label) => request.text(LABEL, &label),
            None => request,
        }
    }
}

/// A label is the device's name, which the kernel puts there by itself, or begins with it: `eth0:web`.
fn relabel(label: &str, former: &str, name: &str) -> Option<String> {
    let rest = label.strip_prefix(former)?.strip_prefix(':')?;
    let label = format!("{name}:{rest}");
    (label.len() < libc::IFNAMSIZ).then_some(label)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |wanted| self.kept.iter().find(|(kind, _)| *kind == wanted);
        let bytes = bytes(LOCAL).or(bytes(ADDRESS)).map(|(_, bytes)| &bytes[..]);
        match bytes.and_then(ip) {
            Some(address) => write!(f, "{address}/{}", self.prefix),
            None => write!(f, "of address family {}", self.family),
        }
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERMANENT: u32 = libc::IFA_F_PERMANENT;

    fn body(scope: u8, flags: u32, label: &str) -> Vec<u8> {
        let header = [libc::AF_INET as u8, 24, flags as u8, scope, 7, 0, 0, 0];
        let request = Request::new(0, 0, &header)
            .attribute(ADDRESS, &[10, 0, 0, 1])
            .attribute(LOCAL, &[10, 0, 0, 1])
            .text(LABEL, label)
            .attribute(FLAGS, &flags.to_ne_bytes());
        request.finish(1).split_off(16)
    }

    fn asked(address: &Address, names: (&str, &str)) -> (Vec<u8>, Vec<(u16, Vec<u8>)>) {
        let bytes = address.request(9, names).finish(1).split_off(16);
        let attributes = message::attributes(&bytes, HEADER).unwrap();
        (bytes[..HEADER].to_vec(), attributes.iter().map(|(k, v)| (*k, v.to_vec())).collect())
    }

    #[test]
    fn permanent_addresses_of_global_scope_stay() {
        let noprefixroute = PERMANENT | libc::IFA_F_NOPREFIXROUTE;
        let address = parse(&body(0, noprefixroute, "eth0"), 7).unwrap().unwrap();
        assert_eq!(address.to_string(), "10.0.0.1/24");
        let (header, attributes) = asked(&address, ("eth0", "lan0"));
        assert_eq!(header, [libc::AF_INET as u8, 24, 0, 0, 9, 0, 0, 0]);
        let expected = [
            (FLAGS, libc::IFA_F_NOPREFIXROUTE.to_ne_bytes().to_vec()),
            (ADDRESS, vec![10, 0, 0, 1]),
            (LOCAL, vec![10, 0, 0, 1]),
        ];
        assert_eq!(attributes, expected);
    }

    #[test]
    fn others_do_not() {
        let lasts = |body: &[u8]| parse(body, 7).unwrap().unwrap().lasts;
        assert!(lasts(&body(0, PERMANENT, "eth0")));
        assert!(!lasts(&body(libc::RT_SCOPE_LINK, PERMANENT, "eth0")));
        assert!(!lasts(&body(0, 0, "eth0")));
        assert!(lasts(&body(0, PERMANENT | libc::IFA_F_SECONDARY, "eth0")));
        let mut temporary = body(0, libc::IFA_F_TEMPORARY, "eth0");
        temporary[0] = libc::AF_INET6 as u8;
        assert_eq!(parse(&temporary, 7), Ok(None));
        assert_eq!(parse(&body(0, PERMANENT, "eth0"), 8), Ok(None));
    }

    #[test]
    fn a_label_follows_the_name() {
        let address = parse(&body(0, PERMANENT, "eth0:web"), 7).unwrap().unwrap();
        let (_, attributes) = asked(&address, ("eth0", "lan0"));
        assert_eq!(attributes.last(), Some(&(LABEL, b"lan0:web\0".to_vec())));
        assert_eq!(relabel("eth0", "eth0", "lan0"), None);
        assert_eq!(relabel("eth01:a", "eth0", "lan0"), None);
        assert_eq!(relabel("eth0:a", "eth0", "fourteenbytes0"), None);
    }

    #[test]
    fn an_address_that_is_cut_short_is_damaged_or_none() {
        let body = body(0, PERMANENT, "eth0");
        for length in 0..HEADER {
            assert_eq!(parse(&body[..length], 7), Err(Damaged), "{length} bytes");
        }
        for length in HEADER..body.len() {
            let whole = parse(&body[..length], 7).is_ok();
            let ends_there = message::attributes(&body[..length], HEADER).is_ok();
            assert_eq!(whole, ends_there, "{length} bytes");
        }
    }
}
