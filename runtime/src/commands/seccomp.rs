//! `seccomp`.

use libcontainer::Bundle;
use skep_seccomp::{Arch, Call, Filter, Problems, Profile};

use crate::args::{Args, CommandLine, flags};
use crate::failure::{Failure, Result};
use crate::launch;
use crate::output::{print, print_bytes};

/// Prints what a bundle's profile does.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let asked = Asked::read(&line.args)?;
    let filter = filter(&launch::bundle(&line.args)?)?;
    match asked {
        Asked::Summary(None) => print(&format!("{}\n", filter.summary()))?,
        Asked::Summary(Some(arch)) => print(&format!("{}\n", filter.summary().of(arch)))?,
        Asked::Call(asked) => print(&format!("{}\n", filter.explain(&asked.call(&filter)?)))?,
        Asked::Text => print(&filter.listing().to_string())?,
        Asked::Raw => print_bytes(&raw(&filter))?,
    }
    Ok(0)
}

/// What is to be printed.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    Summary(Option<Arch>),
    Call(AskedCall<'a>),
    Text,
    Raw,
}

#[derive(Debug, PartialEq, Eq)]
struct AskedCall<'a> {
    arch: Option<Arch>,
    /// A name or a number.
    call: &'a str,
    args: [u64; 6],
}

impl<'a> Asked<'a> {
    fn read(line: &'a Args) -> Result<Self> {
        let arch = line.text(&flags::ARCH).map(self::arch).transpose()?;
        let call = line.operand("CALL");
        let program = match line.text(&flags::BPF) {
            Some("raw") => Some(Self::Raw),
            Some(_) => Some(Self::Text),
            None => None,
        };
        match (program, call) {
            (Some(_), Some(_)) => Err(wrong("--bpf prints the whole program; leave CALL out")),
            (Some(_), None) if arch.is_some() => {
                Err(wrong("--bpf prints the whole program; leave --arch out"))
            }
            (Some(program), None) => Ok(program),
            (None, None) => Ok(Self::Summary(arch)),
            (None, Some(call)) => {
                let args = arguments(&line.operands("ARG"))?;
                Ok(Self::Call(AskedCall { arch, call, args }))
            }
        }
    }
}

impl AskedCall<'_> {
    /// The call, of the machine's own architecture if no other one is asked for.
    fn call(&self, filter: &Filter) -> Result<Call> {
        let Self { call, args, .. } = *self;
        // A profile's first architecture is the machine's.
        let native = filter.profile().architectures().first().copied();
        let arch = self.arch.or(native).ok_or_else(|| wrong("--arch is missing"))?;
        let numbered = || call_number(call).map(|number| Call { arch, number, args });
        Call::named(arch, call, args).or_else(numbered).ok_or_else(|| unknown(arch, call))
    }
}

fn unknown(arch: Arch, call: &str) -> Failure {
    let has = |arch: &Arch| Call::named(*arch, call, [0; 6]).is_some();
    match Arch::all().find(has) {
        Some(other) => {
            wrong(&format!("CALL: {arch} has no '{call}', {other} has; choose with --arch"))
        }
        None => {
            wrong(&format!("CALL: no system call '{call}'; give a name, or a number of 32 bits"))
        }
    }
}

fn wrong(text: &str) -> Failure {
    Failure::new(format!("seccomp: {text}"))
}

fn arch(name: &str) -> Result<Arch> {
    Arch::of_name(name).ok_or_else(|| {
        let names: Vec<_> = Arch::all().map(Arch::name).collect();
        wrong(&format!(
            "--arch: unknown architecture '{name}', expected one of: {}",
            names.join(", ")
        ))
    })
}

fn arguments(texts: &[&str]) -> Result<[u64; 6]> {
    let mut args = [0; 6];
    if texts.len() > args.len() {
        return Err(wrong(&format!("ARG: there are {}; a system call has up to 6", texts.len())));
    }
    for (arg, text) in args.iter_mut().zip(texts) {
        *arg = number(text).ok_or_else(|| {
            wrong(&format!("ARG: '{text}' is no number of 64 bits; write it in decimal, or in hexadecimal with 0x, or in octal with 0"))
        })?;
    }
    Ok(args)
}

/// A number as in C; a negative one as it is in a register.
fn number(text: &str) -> Option<u64> {
    if let Some(positive) = text.strip_prefix('-') {
        return number(positive).filter(|_| !positive.starts_with('-')).map(u64::wrapping_neg);
    }
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    // `from_str_radix` would take a sign.
    let is_digit = |digit: u8| char::from(digit).is_digit(radix);
    u64::from_str_radix(digits, radix).ok().filter(|_| digits.bytes().all(is_digit))
}

/// -1 is what a tracer makes of the number of a call that is to be skipped.
fn call_number(text: &str) -> Option<u32> {
    let number = number(text)?;
    let negative = || i32::try_from(number as i64).ok().map(|number| number as u32);
    u32::try_from(number).ok().or_else(negative)
}

/// The filter of a bundle's profile; what is odd about the profile is logged.
fn filter(bundle: &Bundle) -> Result<Filter> {
    let linux = bundle.config.spec().linux().as_ref();
    let seccomp = linux.and_then(|linux| linux.seccomp().as_ref());
    let seccomp = seccomp.ok_or_else(|| {
        let config = bundle.path.join("config.json");
        Failure::new(format!(
            "linux.seccomp: {} has none, so nothing is filtered",
            config.display()
        ))
    })?;
    let profile = Profile::new(seccomp).map_err(refused)?;
    profile.notes().iter().for_each(|note| log::warn!("{note}"));
    profile.compile().map_err(refused)
}

fn refused(problems: Problems) -> Failure {
    Failure::new(problems.to_string())
}

fn raw(filter: &Filter) -> Vec<u8> {
    filter.instructions().iter().flat_map(|instruction| instruction.bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::typed;

    fn filter() -> Filter {
        let json = r#"{"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}"#;
        Profile::new(&serde_json::from_str(json).unwrap()).unwrap().compile().unwrap()
    }

    /// The line that a wrong command line is told by.
    fn refusal(arguments: &[&str]) -> String {
        let args = typed("seccomp", arguments);
        let call = Asked::read(&args).and_then(|asked| match asked {
            Asked::Call(asked) => asked.call(&filter()),
            other => panic!("{other:?}"),
        });
        call.unwrap_err().to_string()
    }

    #[test]
    fn what_is_asked_for() {
        let asked = |arguments: &[&str], wanted: Asked| {
            assert_eq!(Asked::read(&typed("seccomp", arguments)), Ok(wanted), "{arguments:?}");
        };
        asked(&[], Asked::Summary(None));
        asked(&["--arch", "arm"], Asked::Summary(Some(Arch::Arm)));
        asked(&["--bpf=text"], Asked::Text);
        asked(&["--bpf", "raw"], Asked::Raw);
        let args = [1, -1i64 as u64, 0, 0, 0, 0];
        let call = |arch, args| Asked::Call(AskedCall { arch, call: "read", args });
        asked(&["read", "1", "-1"], call(None, args));
        asked(&["--arch=SCMP_ARCH_X86", "read"], call(Some(Arch::X86), [0; 6]));
    }

    #[test]
    fn call_is_a_name_or_a_number_of_an_architecture() {
        let call = |arguments: &[&str]| match Asked::read(&typed("seccomp", arguments)) {
            Ok(Asked::Call(asked)) => asked.call(&filter()).unwrap(),
            other => panic!("{other:?}"),
        };
        let native = Arch::native().unwrap();
        assert_eq!(Some(call(&["read", "5"])), Call::named(native, "read", [5, 0, 0, 0, 0, 0]));
        assert_eq!(call(&["0x10"]).number, 16);
        assert_eq!(call(&["--", "-1"]).number, u32::MAX);
        assert_eq!(call(&["--arch", "x86", "socketcall", "1"]).number, 102);
    }

    #[test]
    fn mistakes_are_named() {
        let many = ["read", "1", "2", "3", "4", "5", "6", "7"];
        for (arguments, text) in [
            (&["opne"][..], "CALL: no system call 'opne'; give a name, or a number of 32 bits"),
            (&["0x100000000"], "CALL: no system call '0x100000000'; "),
            (
                &["--arch", "aarch64", "open"],
                "CALL: SCMP_ARCH_AARCH64 has no 'open', SCMP_ARCH_X86_64 has; choose with --arch",
            ),
            (&["--arch", "z80", "read"], "--arch: unknown architecture 'z80', expected one of: "),
            (&["read", "five"], "ARG: 'five' is no number of 64 bits; "),
            (&many, "ARG: there are 7; a system call has up to 6"),
            (&["--bpf=raw", "read"], "--bpf prints the whole program; leave CALL out"),
            (&["--bpf=raw", "--arch=x86"], "--bpf prints the whole program; leave --arch out"),
        ] {
            let found = refusal(arguments);
            assert!(found.starts_with(&format!("seccomp: {text}")), "{arguments:?}: {found}");
        }
    }

    #[test]
    fn numbers_are_as_in_c() {
        for (text, value) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("0x7e020000", Some(0x7e02_0000)),
            ("0XfF", Some(255)),
            ("0644", Some(0o644)),
            ("-100", Some(-100i64 as u64)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("+1", None),
            ("0x", None),
            ("0x-1", None),
            ("08", None),
            ("read", None),
        ] {
            assert_eq!(number(text), value, "{text}");
        }
    }
}
