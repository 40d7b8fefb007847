//! Pressure: how long tasks had to wait for a resource (PSI, Documentation/accounting/psi.rst).

use super::files::Files;
use super::parse::{nested_keyed, number};
use crate::error::Result;
use std::time::Duration;

/// The pressure on each resource: cgroup v2, on a kernel that has PSI turned on, else `None`. It
/// needs no controller.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Pressure {
    /// `cpu.pressure`.
    pub cpu: Option<Stalls>,
    /// `memory.pressure`.
    pub memory: Option<Stalls>,
    /// `io.pressure`.
    pub io: Option<Stalls>,
}

/// A file of pressure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stalls {
    /// Some task waited.
    pub some: Stall,
    /// All tasks that could have run waited. Zeroes for the processor before Linux 5.13.
    pub full: Stall,
}

/// A line of a file of pressure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stall {
    /// Share of the last ten seconds, in percent.
    pub avg10: f64,
    /// Share of the last minute, in percent.
    pub avg60: f64,
    /// Share of the last five minutes, in percent.
    pub avg300: f64,
    /// All of the time that was waited.
    pub total: Duration,
}

impl Pressure {
    pub(super) fn read(files: &Files<'_>) -> Result<Self> {
        let stalls = |name: &str| files.parsed(name, Stalls::parse);
        Ok(Self {
            cpu: stalls("cpu.pressure")?,
            memory: stalls("memory.pressure")?,
            io: stalls("io.pressure")?,
        })
    }
}

impl Stalls {
    /// `None` for an empty file.
    fn parse(text: &str) -> Option<Self> {
        let mut stalls = None;
        for (name, pairs) in nested_keyed(text) {
            let stalls: &mut Self = stalls.get_or_insert_default();
            match name {
                "some" => stalls.some = Stall::parse(pairs),
                "full" => stalls.full = Stall::parse(pairs),
                _ => {}
            }
        }
        stalls
    }
}

impl Stall {
    fn parse<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut stall = Self::default();
        let percent = |value: &str| value.parse().unwrap_or_default();
        for (key, value) in pairs {
            match key {
                "avg10" => stall.avg10 = percent(value),
                "avg60" => stall.avg60 = percent(value),
                "avg300" => stall.avg300 = percent(value),
                "total" => stall.total = Duration::from_micros(number(value).unwrap_or_default()),
                _ => {}
            }
        }
        stall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_are_read() {
        let stalls = Stalls::parse(
            "some avg10=1.71 avg60=0.50 avg300=0.00 total=6511\n\
             full avg10=0.00 avg60=0.00 avg300=100.00 total=2622\n",
        );
        let some =
            Stall { avg10: 1.71, avg60: 0.5, avg300: 0.0, total: Duration::from_micros(6511) };
        let full = Stall { avg300: 100.0, total: Duration::from_micros(2622), ..Stall::default() };
        assert_eq!(stalls, Some(Stalls { some, full }));
    }

    #[test]
    fn an_old_kernel_has_one_line_and_one_without_pressure_none() {
        let stalls = Stalls::parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n").unwrap();
        assert_eq!((stalls.some.total.as_micros(), stalls.full), (1, Stall::default()));
        assert_eq!(Stalls::parse(""), None);
    }
}
