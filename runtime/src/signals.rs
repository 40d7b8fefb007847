//! Signal names as they are typed: `TERM`, `SIGTERM`, `sigterm`, `15`, `RTMIN+3`.

use libc::{
    SIGABRT, SIGALRM, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGHUP, SIGILL, SIGINT, SIGIO, SIGKILL,
    SIGPIPE, SIGPROF, SIGPWR, SIGQUIT, SIGSEGV, SIGSTKFLT, SIGSTOP, SIGSYS, SIGTERM, SIGTRAP,
    SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGUSR1, SIGUSR2, SIGVTALRM, SIGWINCH, SIGXCPU, SIGXFSZ,
};

use crate::failure::{Failure, Result};

/// Every name, without `SIG`; the synonyms come last.
const NAMES: &[(&str, i32)] = &[
    ("HUP", SIGHUP),
    ("INT", SIGINT),
    ("QUIT", SIGQUIT),
    ("ILL", SIGILL),
    ("TRAP", SIGTRAP),
    ("ABRT", SIGABRT),
    ("BUS", SIGBUS),
    ("FPE", SIGFPE),
    ("KILL", SIGKILL),
    ("USR1", SIGUSR1),
    ("SEGV", SIGSEGV),
    ("USR2", SIGUSR2),
    ("PIPE", SIGPIPE),
    ("ALRM", SIGALRM),
    ("TERM", SIGTERM),
    ("STKFLT", SIGSTKFLT),
    ("CHLD", SIGCHLD),
    ("CONT", SIGCONT),
    ("STOP", SIGSTOP),
    ("TSTP", SIGTSTP),
    ("TTIN", SIGTTIN),
    ("TTOU", SIGTTOU),
    ("URG", SIGURG),
    ("XCPU", SIGXCPU),
    ("XFSZ", SIGXFSZ),
    ("VTALRM", SIGVTALRM),
    ("PROF", SIGPROF),
    ("WINCH", SIGWINCH),
    ("IO", SIGIO),
    ("PWR", SIGPWR),
    ("SYS", SIGSYS),
    ("IOT", SIGABRT),
    ("CLD", SIGCHLD),
    ("POLL", SIGIO),
];

/// The kernel's highest signal.
const MAX: i32 = 64;

/// The number of the signal that was typed. 0 is allowed: it asks whether the process is there.
pub(crate) fn parse(typed: &str) -> Result<i32> {
    number(typed).or_else(|| name(typed)).ok_or_else(|| {
        Failure::new(format!(
            "unknown signal {typed:?}; expected a name such as TERM, SIGTERM or RTMIN+3, or a number up to {MAX}"
        ))
    })
}

fn number(typed: &str) -> Option<i32> {
    let digits = typed.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| typed.parse().ok()).flatten().filter(|number| *number <= MAX)
}

fn name(typed: &str) -> Option<i32> {
    let upper = typed.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    known.or_else(|| realtime(name))
}

/// `RTMIN`, `RTMIN+n`, `RTMAX`, `RTMAX-n`, within the two ends.
fn realtime(name: &str) -> Option<i32> {
    let (lowest, highest) = (libc::SIGRTMIN(), libc::SIGRTMAX());
    let found = if let Some(offset) = name.strip_prefix("RTMIN") {
        lowest.checked_add(distance(offset, '+')?)?
    } else {
        highest.checked_sub(distance(name.strip_prefix("RTMAX")?, '-')?)?
    };
    (lowest..=highest).contains(&found).then_some(found)
}

fn distance(offset: &str, sign: char) -> Option<i32> {
    if offset.is_empty() { Some(0) } else { number(offset.strip_prefix(sign)?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings() {
        for typed in ["TERM", "SIGTERM", "sigterm", "Term", "15", "015"] {
            assert_eq!(parse(typed), Ok(SIGTERM), "{typed}");
        }
        for (typed, number) in [
            ("0", 0),
            ("64", 64),
            ("RTMIN", 34),
            ("sigrtmin+3", 37),
            ("RTMAX", 64),
            ("SIGRTMAX-14", 50),
            ("cld", SIGCHLD),
        ] {
            assert_eq!(parse(typed), Ok(number), "{typed}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for typed in [
            "",
            "SIG",
            "65",
            "-1",
            "+9",
            "TERM ",
            "SIGSIGTERM",
            "RTMIN+31",
            "RTMAX-31",
            "RTMIN-1",
            "RTMIN+",
            "RTMAX+1",
            "4294967305",
            "9.0",
        ] {
            assert!(parse(typed).is_err(), "{typed}");
        }
    }
}
