//! A profile's normal form: for each architecture, its numbers, and for each number what is to be
//! looked at, in order.

use crate::Arch;
use crate::action::Action;
use crate::multiplex::Multiplexers;
use crate::order::{self, Contradiction, Decision};
use crate::profile::Profile;

/// What a profile says about the calls of one architecture.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    pub(crate) arch: Arch,
    /// By number, then in the profile's order.
    mentions: Vec<Mention>,
    /// The highest number that the profile knows, if higher ones are to be [`ENOSYS`].
    pub(crate) newest: Option<u32>,
}

/// A rule's name as a number.
#[derive(Clone, Copy, Debug)]
struct Mention {
    number: u32,
    /// The rule's place in the profile.
    rule: u32,
    /// Through a multiplexer: the value of its first argument.
    subcall: Option<u8>,
}

impl Calls {
    pub(crate) fn new(profile: &Profile, arch: Arch) -> Self {
        let count = profile.rules.iter().map(|rule| rule.names.len()).sum();
        let mut mentions = Vec::with_capacity(count);
        let multiplexers = Multiplexers::of(arch);
        let mut newest = None;
        for (rule, says) in profile.rules.iter().enumerate() {
            // A rule that says what is said already does not count, but its names do.
            let counts = says.action != profile.default;
            for name in &says.names {
                let number = arch.number_of(*name);
                let subcall = multiplexers.making(*name);
                newest = newest.max(number).max(subcall.map(|(number, _)| number));
                if counts {
                    let mention =
                        |(number, subcall)| Mention { number, rule: rule as u32, subcall };
                    mentions.extend(number.map(|number| (number, None)).map(mention));
                    mentions
                        .extend(subcall.map(|(number, call)| (number, Some(call))).map(mention));
                }
            }
        }
        mentions.sort_by_key(|mention| mention.number);
        let newest = newest.filter(|newest| *newest > 0 && newer_are_unknown(profile.default));
        Self { arch, mentions, newest }
    }

    /// The numbers that the profile says something about, in order, with what it says.
    pub(crate) fn decisions<'a>(
        &'a self,
        profile: &'a Profile,
    ) -> impl Iterator<Item = (u32, Result<Decision<'a>, Contradiction>)> {
        let same = |one: &Mention, other: &Mention| one.number == other.number;
        let chunks = self.mentions.chunk_by(same);
        chunks.map(|mentions| (mentions[0].number, self.decide(profile, mentions)))
    }

    /// What it says about one number, if it says anything.
    pub(crate) fn decision<'a>(
        &'a self,
        profile: &'a Profile,
        number: u32,
    ) -> Option<Result<Decision<'a>, Contradiction>> {
        let begin = self.mentions.partition_point(|mention| mention.number < number);
        let mentions = self.mentions.get(begin..).unwrap_or_default();
        let count = mentions.partition_point(|mention| mention.number == number);
        (count > 0).then(|| self.decide(profile, &mentions[..count]))
    }

    /// Whether a number is behind all that the profile knows, and so [`ENOSYS`].
    pub(crate) fn is_newer(&self, number: u32) -> bool {
        self.newest.is_some_and(|newest| number > newest)
    }

    /// Whether 0 is [`ENOSYS`] too.
    pub(crate) fn zero_is_unknown(&self) -> bool {
        self.newest.is_some() && self.arch.unknown_is_zero()
    }

    fn decide<'a>(
        &self,
        profile: &'a Profile,
        mentions: &'a [Mention],
    ) -> Result<Decision<'a>, Contradiction> {
        let rule = |mention: &Mention| (&profile.rules[mention.rule as usize], mention.subcall);
        order::decide(self.arch, mentions.iter().map(rule))
    }
}

/// Whether calls that are newer than the profile return ENOSYS, as from a kernel that has not got
/// them: a libc then tries what came before. A default that lets calls through, or shows them to a
/// tracer, is for these too.
fn newer_are_unknown(default: Action) -> bool {
    !matches!(default, Action::Allow | Action::Log | Action::Trace(_))
}

/// What newer calls return.
pub(crate) const ENOSYS: Action = Action::Errno(libc::ENOSYS as u16);
