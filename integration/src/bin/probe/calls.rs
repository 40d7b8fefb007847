//! System calls as a filter sees them: `[i386:|x32:]NAME|NUMBER [ARG...]`, several divided by a comma.

use std::ffi::CString;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::sys::{self, Returned};

/// Names that cases use, with the numbers of this machine's entry and of the 32-bit x86 one.
const NAMES: &[(&str, libc::c_long, u32)] = &[
    ("clone", libc::SYS_clone, 120),
    ("getppid", libc::SYS_getppid, 64),
    ("ioctl", libc::SYS_ioctl, 54),
    ("mkdirat", libc::SYS_mkdirat, 296),
    ("munlockall", libc::SYS_munlockall, 153),
    ("sched_yield", libc::SYS_sched_yield, 158),
    ("semget", libc::SYS_semget, 393),
    ("setns", libc::SYS_setns, 346),
    ("socket", libc::SYS_socket, 359),
    ("unshare", libc::SYS_unshare, 310),
];

/// What only the 32-bit entry has: many calls behind one number.
const ONLY_I386: &[(&str, u32)] = &[("ipc", 117), ("socketcall", 102)];

const X32_BIT: u64 = 1 << 30;

enum Call {
    Native(u64, [u64; 6]),
    I386(u32, [u32; 5]),
}

impl Call {
    fn make(&self) -> Returned {
        match *self {
            Call::Native(number, args) => sys::native(number, args),
            Call::I386(number, args) => sys::int80(number, args),
        }
    }
}

/// Makes each call and prints what it returned: the number, or the error's name.
pub(crate) fn make(words: &[String]) {
    for call in parse(words) {
        println!("{}", shown(call.make()));
    }
}

/// As `make`, with SIGSYS caught; a call that was trapped prints what the signal said.
pub(crate) fn make_trapped(words: &[String]) {
    sys::catch_sigsys();
    for call in parse(words) {
        let returned = call.make();
        match sys::trapped() {
            Some(it) => {
                println!("SIGSYS syscall={} errno={} arch={:x}", it.syscall, it.errno, it.arch)
            }
            None => println!("{}", shown(returned)),
        }
    }
}

/// Makes each call in a thread of its own; prints what it returned, or 'killed' when it never did.
pub(crate) fn make_in_threads(words: &[String]) {
    for call in parse(words) {
        println!("{}", in_thread(call));
    }
}

fn in_thread(call: Call) -> String {
    let (send, receive) = std::sync::mpsc::channel();
    // The thread is not joined: that panics for one that was killed.
    std::thread::spawn(move || {
        let _received = send.send(call.make());
    });
    let end = Instant::now() + Duration::from_secs(5);
    while threads() > 1 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    match receive.try_recv() {
        Ok(returned) => shown(returned),
        Err(_) if threads() == 1 => "killed".into(),
        Err(_) => "still waits".into(),
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn shown(returned: Returned) -> String {
    match returned {
        Ok(value) => value.to_string(),
        Err(number) => match Errno::from_raw(number) {
            Errno::UnknownErrno => format!("errno {number}"),
            known => format!("{known:?}"),
        },
    }
}

fn parse(words: &[String]) -> Vec<Call> {
    words.split(|word| word == ",").map(parse_one).collect()
}

fn parse_one(words: &[String]) -> Call {
    let (name, args) = words.split_first().expect("the name of a call");
    if let Some(name) = name.strip_prefix("i386:") {
        let args: [u64; 5] = arguments(args);
        return Call::I386(i386_number(name), args.map(|arg| arg as u32));
    }
    match name.strip_prefix("x32:") {
        Some(name) => Call::Native(number(name) | X32_BIT, arguments(args)),
        None => Call::Native(number(name), arguments(args)),
    }
}

fn number(name: &str) -> u64 {
    let known = NAMES.iter().find(|row| row.0 == name).map(|row| row.1 as u64);
    known.or_else(|| value(name)).unwrap_or_else(|| panic!("no call {name}"))
}

fn i386_number(name: &str) -> u32 {
    let shared = NAMES.iter().map(|row| (row.0, row.2));
    let known = shared.chain(ONLY_I386.iter().copied()).find(|row| row.0 == name).map(|row| row.1);
    known.or_else(|| value(name)?.try_into().ok()).unwrap_or_else(|| panic!("no i386 call {name}"))
}

fn arguments<const N: usize>(words: &[String]) -> [u64; N] {
    let mut args = [0; N];
    for (arg, word) in args.iter_mut().zip(words) {
        *arg = value(word).unwrap_or_else(|| text(word));
    }
    args
}

fn value(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok().or_else(|| word.parse::<i64>().ok().map(|value| value as u64)),
    }
}

/// The address of the word as a C string, which stays until the end.
fn text(word: &str) -> u64 {
    CString::new(word).expect("an argument has no NUL").into_raw() as u64
}
