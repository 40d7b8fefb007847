//! A profile: `linux.seccomp` of config.json, checked.

use crate::Arch;
use crate::action::Action;
use crate::condition::{Condition, LAST_ARGUMENT};
use crate::error::{Problem, Problems};
use crate::flags::Flags;
use crate::syscalls::{self, Name};
use oci_spec::runtime::{
    Arch as OciArch, LinuxSeccomp, LinuxSeccompAction as OciAction, LinuxSyscall,
};

/// A seccomp profile that can be compiled.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(crate) default: Action,
    pub(crate) arches: Vec<Arch>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) flags: Flags,
    notes: Vec<String>,
}

/// One entry of `syscalls`.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Its place in the profile.
    pub(crate) number: usize,
    pub(crate) names: Vec<Name>,
    pub(crate) action: Action,
    pub(crate) conditions: Vec<Condition>,
}

/// The highest error number that the kernel returns (`MAX_ERRNO`), and the highest value that a
/// tracer can be told.
const HIGHEST_ERRNO: u32 = 4095;
const HIGHEST_VALUE: u32 = u16::MAX as u32;

fn highest_errno(action: OciAction) -> Option<u32> {
    match action {
        OciAction::ScmpActErrno => Some(HIGHEST_ERRNO),
        OciAction::ScmpActTrace => Some(HIGHEST_VALUE),
        _ => None,
    }
}

impl Profile {
    /// Reads a profile for this machine.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its field below `linux.seccomp`.
    pub fn new(oci: &LinuxSeccomp) -> Result<Self, Problems> {
        Self::for_machine(oci, Arch::native())
    }

    /// Reads a profile for a machine whose own programs are of this architecture. It is always one of
    /// the profile's.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new).
    pub fn for_machine(oci: &LinuxSeccomp, native: Option<Arch>) -> Result<Self, Problems> {
        let mut reader = Reader { native, problems: Vec::new(), notes: Vec::new() };
        let profile = reader.profile(oci);
        match reader.problems.is_empty() {
            true => Ok(Self { notes: reader.notes, ..profile }),
            false => Err(Problems(reader.problems)),
        }
    }

    /// What has no effect, a line each: system calls that nobody has heard of.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What happens to a call that no rule is about.
    #[must_use]
    pub fn default_action(&self) -> Action {
        self.default
    }

    /// The architectures that the profile is for, each once.
    #[must_use]
    pub fn architectures(&self) -> &[Arch] {
        &self.arches
    }
}

/// Reads, and collects what is wrong.
struct Reader {
    native: Option<Arch>,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl Reader {
    fn wrong(&mut self, field: &str, text: impl Into<String>) {
        self.problems.push(Problem { field: format!("linux.seccomp{field}"), text: text.into() });
    }

    fn profile(&mut self, oci: &LinuxSeccomp) -> Profile {
        let syscalls = oci.syscalls().as_deref().unwrap_or_default();
        let rules: Vec<Rule> = syscalls
            .iter()
            .enumerate()
            .map(|(number, syscall)| self.rule(number, syscall))
            .collect();
        let notifies = rules.iter().any(|rule| rule.action == Action::Notify);
        self.listener(oci, notifies);
        Profile {
            default: self.default_action(oci),
            arches: self.arches(oci),
            rules,
            flags: Flags::of_oci(oci.flags().as_deref(), notifies),
            notes: Vec::new(),
        }
    }

    fn default_action(&mut self, oci: &LinuxSeccomp) -> Action {
        if oci.default_action() == OciAction::ScmpActNotify {
            self.wrong(
                ".defaultAction",
                "SCMP_ACT_NOTIFY cannot be the default; name the calls in syscalls",
            );
        }
        let errno = oci.default_errno_ret();
        self.errno(".defaultErrnoRet", oci.default_action(), errno);
        Action::of_oci(oci.default_action(), errno)
    }

    /// The native one is always there.
    fn arches(&mut self, oci: &LinuxSeccomp) -> Vec<Arch> {
        let Some(native) = self.native else {
            self.wrong(
                ".architectures",
                "this machine's own architecture has no name in the specification",
            );
            return Vec::new();
        };
        let mut arches = vec![native];
        for (at, oci) in oci.architectures().iter().flatten().enumerate() {
            let arch = match oci {
                // That of the machine which the profile is for.
                OciArch::ScmpArchNative => native,
                oci => Arch::of_oci(*oci).unwrap_or(native),
            };
            if arch.is_little_endian() != native.is_little_endian() {
                let text = format!("{arch} has another byte order than {native}; leave it out");
                self.wrong(&format!(".architectures[{at}]"), text);
            } else if !arches.contains(&arch) {
                arches.push(arch);
            }
        }
        arches
    }

    fn rule(&mut self, number: usize, syscall: &LinuxSyscall) -> Rule {
        let at = format!(".syscalls[{number}]");
        if syscall.names().is_empty() {
            self.wrong(
                &format!("{at}.names"),
                "is empty; name the system calls that the rule is about",
            );
        }
        self.errno(&format!("{at}.errnoRet"), syscall.action(), syscall.errno_ret());
        let mut conditions = Vec::new();
        for (place, arg) in syscall.args().iter().flatten().enumerate() {
            match Condition::of_oci(arg) {
                Some(condition) => conditions.push(condition),
                None => self.wrong(
                    &format!("{at}.args[{place}].index"),
                    format!("{} is no argument; they go from 0 to {LAST_ARGUMENT}", arg.index()),
                ),
            }
        }
        Rule {
            number,
            names: self.names(&at, syscall.names()),
            action: Action::of_oci(syscall.action(), syscall.errno_ret()),
            conditions,
        }
    }

    fn names(&mut self, at: &str, names: &[String]) -> Vec<Name> {
        let mut known = Vec::with_capacity(names.len());
        let mut unknown = Vec::new();
        for name in names {
            match syscalls::find(name) {
                Some(name) => known.push(name),
                None => unknown.push(name.as_str()),
            }
        }
        if !unknown.is_empty() {
            let list = unknown.join(", ");
            self.notes.push(format!(
                "linux.seccomp{at}.names: unknown system calls are left out: {list}"
            ));
        }
        known
    }

    /// The specification has a runtime refuse an errno where there is nothing to return.
    fn errno(&mut self, field: &str, action: OciAction, errno: Option<u32>) {
        let Some(errno) = errno else { return };
        let text = match highest_errno(action) {
            Some(highest) if errno <= highest => return,
            Some(highest) => format!("{errno} is out of range; it goes from 0 to {highest}"),
            None => format!("{} returns no errno; leave it out", Action::of_oci(action, None)),
        };
        self.wrong(field, text);
    }

    fn listener(&mut self, oci: &LinuxSeccomp, notifies: bool) {
        let path = oci.listener_path().as_ref().filter(|path| !path.as_os_str().is_empty());
        let metadata = oci.listener_metadata().as_ref().filter(|text| !text.is_empty());
        if metadata.is_some() && path.is_none() {
            self.wrong(
                ".listenerMetadata",
                "is for whoever listens at listenerPath, which is missing",
            );
        }
        if notifies && path.is_none() {
            self.wrong(
                ".listenerPath",
                "is missing; SCMP_ACT_NOTIFY needs the socket of whoever answers",
            );
        }
    }
}
