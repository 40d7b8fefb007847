//! Routes, of which no more is asked than how many a device has.

use super::client::{Result, Rtnetlink};
use super::message::{self, Damaged, Request};

/// struct rtmsg: family, lengths of destination and source, type of service, table, protocol, scope, type, flags.
const HEADER: usize = 12;
const PROTOCOL: usize = 5;

/// What the kernel makes by itself, for each address or as a router tells it (`RTPROT_*` of
/// linux/rtnetlink.h).
const OF_THE_KERNEL: [u8; 2] = [2, 9];

impl Rtnetlink {
    /// How many routes lead over a device, but for those that the kernel makes by itself.
    pub(crate) fn count_routes(&mut self, index: i32) -> Result<usize> {
        let mut count = 0;
        for family in [libc::AF_INET, libc::AF_INET6] {
            let mut header = [0; HEADER];
            header[0] = family as u8;
            // Of the others the kernel does not tell: there may be many.
            let all = || {
                Request::new(libc::RTM_GETROUTE, libc::NLM_F_DUMP, &header)
                    .attribute(libc::RTA_OIF, &index.to_ne_bytes())
            };
            count += self.list(all, |body| parse(body, family as u8, index))?.len();
        }
        Ok(count)
    }
}

fn parse(body: &[u8], family: u8, device: i32) -> std::result::Result<Option<()>, Damaged> {
    let header = body.get(..HEADER).ok_or(Damaged)?;
    let protocol = header.get(PROTOCOL).ok_or(Damaged)?;
    let attributes = message::attributes(body, HEADER)?;
    let over = attributes.iter().find(|(kind, _)| *kind == libc::RTA_OIF);
    let over = over.map(|(_, value)| message::i32_at(value, 0)).transpose()?;
    let is_one = header.first() == Some(&family)
        && over == Some(device)
        && !OF_THE_KERNEL.contains(protocol);
    Ok(is_one.then_some(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPV4: u8 = libc::AF_INET as u8;

    fn body(protocol: u8, device: i32) -> Vec<u8> {
        let header = [IPV4, 24, 0, 0, 254, protocol, 0, 1, 0, 0, 0, 0];
        let request = Request::new(0, 0, &header)
            .attribute(libc::RTA_DST, &[10, 0, 0, 0])
            .attribute(libc::RTA_OIF, &device.to_ne_bytes());
        request.finish(1).split_off(16)
    }

    #[test]
    fn routes_that_somebody_made_over_the_device_count() {
        assert_eq!(parse(&body(3, 7), IPV4, 7), Ok(Some(())));
        assert_eq!(parse(&body(2, 7), IPV4, 7), Ok(None));
        assert_eq!(parse(&body(3, 8), IPV4, 7), Ok(None));
        assert_eq!(parse(&body(3, 7), libc::AF_INET6 as u8, 7), Ok(None));
    }

    #[test]
    fn a_route_that_is_cut_short_is_damaged_or_none() {
        let body = body(3, 7);
        for length in 0..HEADER {
            assert_eq!(parse(&body[..length], IPV4, 7), Err(Damaged), "{length} bytes");
        }
        for length in HEADER..body.len() {
            assert_ne!(parse(&body[..length], IPV4, 7), Ok(Some(())), "{length} bytes");
        }
    }
}
