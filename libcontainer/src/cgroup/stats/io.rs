//! Block devices.

use super::files::Files;
use super::parse::{device, nested_keyed, number};
use crate::error::Result;

/// What went to and from block devices. Of v2 there are the first two; the others are of v1 with a
/// scheduler that counts them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Io {
    /// Bytes (v2: `rbytes` and `wbytes` of `io.stat`; v1: `io_service_bytes`).
    pub service_bytes: Vec<IoEntry>,
    /// Operations (v2: `rios` and `wios`; v1: `io_serviced`).
    pub serviced: Vec<IoEntry>,
    /// Requests that wait now (v1: `io_queued`).
    pub queued: Vec<IoEntry>,
    /// Nanoseconds between dispatch and completion (v1: `io_service_time`).
    pub service_time: Vec<IoEntry>,
    /// Nanoseconds in the scheduler's queues (v1: `io_wait_time`).
    pub wait_time: Vec<IoEntry>,
    /// Requests merged into others (v1: `io_merged`).
    pub merged: Vec<IoEntry>,
    /// Milliseconds of the disk's time (v1: `time`).
    pub time: Vec<IoEntry>,
    /// Sectors of 512 bytes (v1: `sectors`).
    pub sectors: Vec<IoEntry>,
}

/// One number for one device and kind of operation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct IoEntry {
    /// The device's major number.
    pub major: u64,
    /// The device's minor number.
    pub minor: u64,
    /// `Read` or `Write`; on v1 also `Sync`, `Async`, `Discard` and `Total`, or nothing where it
    /// makes no difference.
    pub op: String,
    /// The number, in the unit of the list that it is in.
    pub value: u64,
}

/// The files of v1 by who keeps them, the better first: BFQ, CFQ (before Linux 5.0), the throttling
/// layer, which knows two of them. A scheduler that is not in use keeps nothing.
const KEEPERS: [(&str, &str); 4] = [
    ("blkio.bfq.", "_recursive"),
    ("blkio.", "_recursive"),
    ("blkio.throttle.", "_recursive"),
    ("blkio.throttle.", ""),
];

impl Io {
    /// `io.stat` of v2.
    pub(super) fn parse(text: &str) -> Self {
        let mut io = Self::default();
        for (name, pairs) in nested_keyed(text) {
            let Some((major, minor)) = device(name) else { continue };
            for (key, value) in pairs {
                let (list, op) = match key {
                    "rbytes" => (&mut io.service_bytes, "Read"),
                    "wbytes" => (&mut io.service_bytes, "Write"),
                    "rios" => (&mut io.serviced, "Read"),
                    "wios" => (&mut io.serviced, "Write"),
                    _ => continue,
                };
                let Some(value) = number(value) else { continue };
                list.push(IoEntry { major, minor, op: op.into(), value });
            }
        }
        io
    }

    /// All files of v1.
    pub(super) fn read_v1(files: &Files<'_>) -> Result<Self> {
        for (prefix, suffix) in KEEPERS {
            let list = |name: &str| files.parsed(&format!("{prefix}{name}{suffix}"), entries);
            let serviced = list("io_serviced")?;
            if serviced.is_empty() {
                continue;
            }
            return Ok(Self {
                serviced,
                service_bytes: list("io_service_bytes")?,
                queued: list("io_queued")?,
                service_time: list("io_service_time")?,
                wait_time: list("io_wait_time")?,
                merged: list("io_merged")?,
                time: list("time")?,
                sectors: list("sectors")?,
            });
        }
        Ok(Self::default())
    }
}

/// `MAJOR:MINOR [OP] VALUE` on each line; the sum over devices at the end is passed over.
fn entries(text: &str) -> Vec<IoEntry> {
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, op, value) = match words[..] {
            [name, op, value] => (name, op, value),
            [name, value] => (name, "", value),
            _ => return None,
        };
        let (major, minor) = device(name)?;
        Some(IoEntry { major, minor, op: op.into(), value: number(value)? })
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(list: &[IoEntry]) -> Vec<(u64, u64, &str, u64)> {
        list.iter().map(|one| (one.major, one.minor, one.op.as_str(), one.value)).collect()
    }

    /// Linux 6.1; a device that did nothing has an empty line on some kernels.
    #[test]
    fn v2_has_bytes_and_operations() {
        let io = Io::parse(
            "98:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n7:1 \n\
             253:16 rbytes=5 wbytes=6 rios=7 wios=8 dbytes=9 dios=1 cost.usage=3\n",
        );
        let bytes = [
            (98, 0, "Read", 4096),
            (98, 0, "Write", 0),
            (253, 16, "Read", 5),
            (253, 16, "Write", 6),
        ];
        assert_eq!(short(&io.service_bytes), bytes);
        let operations =
            [(98, 0, "Read", 1), (98, 0, "Write", 0), (253, 16, "Read", 7), (253, 16, "Write", 8)];
        assert_eq!(short(&io.serviced), operations);
        assert_eq!(Io::parse(""), Io::default());
    }

    #[test]
    fn v1_has_a_line_for_each_operation() {
        let list = entries(
            "254:0 Read 1216512\n254:0 Discard 0\n254:0 Total 1216512\nTotal 1216512\n8:0 6792\n",
        );
        let expected = [
            (254, 0, "Read", 1_216_512),
            (254, 0, "Discard", 0),
            (254, 0, "Total", 1_216_512),
            (8, 0, "", 6792),
        ];
        assert_eq!(short(&list), expected);
        assert!(entries("Total 0\n").is_empty());
    }
}
