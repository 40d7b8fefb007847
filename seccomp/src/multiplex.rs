//! Calls that some architectures make through others: socketcall(2) and ipc(2).
//!
//! There `socket` may be made as such or as `socketcall(1, ...)`, and a rule is about both. The
//! first argument of the multiplexer says which call it stands for (linux/net.h, linux/ipc.h); the
//! call's own arguments are in memory, where no filter can look.

use crate::Arch;
use crate::syscalls::{self, Name};

/// The calls of a multiplexer, with the values of its first argument.
struct Multiplexer {
    name: &'static str,
    calls: &'static [(&'static str, u8)],
}

#[rustfmt::skip]
const MULTIPLEXERS: &[Multiplexer] = &[
    Multiplexer {
        name: "socketcall",
        calls: &[
            ("socket", 1), ("bind", 2), ("connect", 3), ("listen", 4), ("accept", 5),
            ("getsockname", 6), ("getpeername", 7), ("socketpair", 8), ("send", 9), ("recv", 10),
            ("sendto", 11), ("recvfrom", 12), ("shutdown", 13), ("setsockopt", 14),
            ("getsockopt", 15), ("sendmsg", 16), ("recvmsg", 17), ("accept4", 18),
            ("recvmmsg", 19), ("sendmmsg", 20),
        ],
    },
    Multiplexer {
        name: "ipc",
        calls: &[
            ("semop", 1), ("semget", 2), ("semctl", 3), ("semtimedop", 4), ("msgsnd", 11),
            ("msgrcv", 12), ("msgget", 13), ("msgctl", 14), ("shmat", 21), ("shmdt", 22),
            ("shmget", 23), ("shmctl", 24),
        ],
    },
];

/// For each name its place in [`MULTIPLEXERS`] and the value of the first argument.
static PLACES: [Option<(u8, u8)>; syscalls::LEN] = places();

const fn places() -> [Option<(u8, u8)>; syscalls::LEN] {
    let mut places = [None; syscalls::LEN];
    let mut at = 0;
    while at < MULTIPLEXERS.len() {
        let mut call = 0;
        while call < MULTIPLEXERS[at].calls.len() {
            let (name, value) = MULTIPLEXERS[at].calls[call];
            match syscalls::find(name) {
                Some(name) => places[name.place()] = Some((at as u8, value)),
                None => panic!("a multiplexed call is not in the table"),
            }
            call += 1;
        }
        at += 1;
    }
    places
}

/// The multiplexers of an architecture, by number.
pub(crate) struct Multiplexers([Option<u32>; MULTIPLEXERS.len()]);

impl Multiplexers {
    pub(crate) fn of(arch: Arch) -> Self {
        let number = |at: usize| arch.number_of(syscalls::find(MULTIPLEXERS[at].name)?);
        Self(std::array::from_fn(number))
    }

    /// The number of the call that makes this one, and the value of its first argument.
    pub(crate) fn making(&self, name: Name) -> Option<(u32, u8)> {
        let (at, value) = PLACES[name.place()]?;
        self.0[usize::from(at)].map(|number| (number, value))
    }
}
