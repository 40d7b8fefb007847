//! All that a filter does, in words: for each architecture its calls by what happens to them.

use crate::action::Action;
use crate::call::CallNumber;
use crate::calls::{Calls, ENOSYS};
use crate::order::{Alternative, Decision};
use crate::{Arch, Condition, Filter};
use std::cmp::Reverse;
use std::fmt;

/// What a filter does to every call of its architectures, for `Display`.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    filter: &'a Filter,
    arch: Option<Arch>,
}

impl Filter {
    /// What the filter does to every call.
    #[must_use]
    pub fn summary(&self) -> Summary<'_> {
        Summary { filter: self, arch: None }
    }
}

impl Summary<'_> {
    /// The same for one architecture.
    #[must_use]
    pub fn of(self, arch: Arch) -> Self {
        Self { arch: Some(arch), ..self }
    }

    fn asks_for(&self, arch: Arch) -> bool {
        self.arch.is_none_or(|asked| asked == arch)
    }
}

/// A section for each architecture, with a line for each action and for each call with conditions.
impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Filter { profile, calls, .. } = self.filter;
        let flags: Vec<_> = profile.flags.names().collect();
        writeln!(f, "default: {}", profile.default)?;
        writeln!(f, "flags: {}", if flags.is_empty() { "none".into() } else { flags.join(" ") })?;
        writeln!(f, "instructions: {}", self.filter.instructions().len())?;
        for calls in calls.iter().filter(|calls| self.asks_for(calls.arch)) {
            Section::new(self.filter, calls).fmt(f)?;
        }
        match self.arch.filter(|arch| !profile.arches.contains(arch)) {
            Some(arch) => write!(f, "\n{arch}: {} for all calls", Action::BAD_ARCH),
            None => write!(f, "\nother architectures: {}", Action::BAD_ARCH),
        }
    }
}

/// What happens to the calls of one architecture.
struct Section<'a> {
    calls: &'a Calls,
    default: Action,
    /// Names by action.
    always: Vec<(Action, Vec<&'static str>)>,
    conditional: Vec<(&'static str, Vec<Alternative<'a>>)>,
    newer: Vec<&'static str>,
}

impl<'a> Section<'a> {
    fn new(filter: &'a Filter, calls: &'a Calls) -> Self {
        let default = filter.profile.default;
        let (always, conditional, newer) = Default::default();
        let mut section = Self { calls, default, always, conditional, newer };
        for (name, number) in calls.arch.calls() {
            match calls.decision(&filter.profile, number).and_then(Result::ok) {
                Some(Decision::Always(rule)) => section.add(rule.action, name),
                Some(Decision::First(alternatives)) => {
                    section.conditional.push((name, alternatives));
                }
                None if calls.is_newer(number) => section.newer.push(name),
                None => section.add(default, name),
            }
        }
        // As the kernel orders them, what lets most through first.
        section.always.sort_by_key(|(action, _)| Reverse(action.code() as i32));
        section
    }

    fn add(&mut self, action: Action, name: &'static str) {
        match self.always.iter_mut().find(|group| group.0 == action) {
            Some((_, names)) => names.push(name),
            None => self.always.push((action, vec![name])),
        }
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.calls.arch)?;
        for (action, names) in &self.always {
            let default = if *action == self.default { ", the default" } else { "" };
            write_list(f, &format!("{action}{default}"), names)?;
        }
        for (name, alternatives) in &self.conditional {
            writeln!(f, "  {name}: {}", choice(alternatives, self.default))?;
        }
        if self.calls.zero_is_unknown() {
            writeln!(f, "  0, which the kernel makes of unknown numbers: {ENOSYS}")?;
        }
        writeln!(f, "  numbers without a name: {}", self.default)?;
        match self.calls.newest {
            Some(newest) => {
                let name = self.calls.arch.name_of(newest).unwrap_or_default();
                let newest = CallNumber(newest);
                let title = format!("{ENOSYS} for all that is newer than {name}, {newest}");
                write_list(f, &title, &self.newer)
            }
            None => Ok(()),
        }
    }
}

/// `SCMP_ACT_ALLOW if arg0 == 0 or arg0 == 8, else SCMP_ACT_ERRNO(EPERM)`.
fn choice(alternatives: &[Alternative], default: Action) -> String {
    let same = |one: &Alternative, other: &Alternative| one.rule.action == other.rule.action;
    let groups = alternatives.chunk_by(same).map(|group| {
        let texts: Vec<_> = group.iter().map(|one| together(&one.conditions, group)).collect();
        format!("{} if {}, else ", group[0].rule.action, texts.join(" or "))
    });
    groups.chain([default.to_string()]).collect()
}

fn together(conditions: &[Condition], group: &[Alternative]) -> String {
    let texts: Vec<_> = conditions.iter().map(Condition::to_string).collect();
    let text = texts.join(" and ");
    if texts.len() > 1 && group.len() > 1 { format!("({text})") } else { text }
}

/// Of a line.
const WIDTH: usize = 96;

fn write_list(f: &mut fmt::Formatter<'_>, title: &str, words: &[&str]) -> fmt::Result {
    write!(f, "  {title}:")?;
    let mut column = WIDTH;
    for word in words {
        if column + word.len() >= WIDTH {
            write!(f, "\n   ")?;
            column = 3;
        }
        write!(f, " {word}")?;
        column += word.len() + 1;
    }
    writeln!(f)
}
