//! `events`: one line of JSON for each thing that happens, in runc's schema.

mod interval;
mod schema;

use std::time::{Duration, Instant};

use libcontainer::cgroup::Stats;
use libcontainer::{Container, ErrorKind, Event, Status};
use serde_json::json;

use crate::args::{CommandLine, flags};
use crate::failure::{Failure, Result};
use crate::json::compact;
use crate::output::print;

/// Prints statistics once, or again and again with what happens between, until the container ends.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let interval = interval::parse(line.args.text(&flags::INTERVAL).unwrap_or_default())?;
    let container = line.root()?.open(line.args.id())?;
    if container.state()?.status == Status::Stopped {
        let text = format!("container with id {} is not running", container.id());
        return Err(Failure::new(text));
    }
    if line.args.switch(&flags::STATS) {
        print_stats(container.id(), &container.stats()?)?;
    } else {
        follow(&container, interval)?;
    }
    Ok(0)
}

fn follow(container: &Container, interval: Duration) -> Result<()> {
    let mut events = container.events()?;
    // Where there is nothing to print, that is said now and not after the first interval.
    container.stats()?;
    let mut next = Instant::now() + interval;
    loop {
        match events.next(Some(next.saturating_duration_since(Instant::now())))? {
            Some(Event::Ended) => return Ok(()),
            Some(Event::Oom) => print(&event("oom", container.id(), None))?,
            _ => {
                match container.stats() {
                    // The cgroup went first; the end is about to be told.
                    Err(error) if error.kind() == ErrorKind::NotRunning => {}
                    stats => print_stats(container.id(), &stats?)?,
                }
                // A reader that was slow gets no line for the time that it has slept.
                next = (next + interval).max(Instant::now());
            }
        }
    }
}

fn print_stats(id: &str, stats: &Stats) -> Result<()> {
    let data = serde_json::to_string(&schema::Stats::from(stats));
    let data = data.map_err(|error| Failure::new(format!("write the statistics: {error}")))?;
    print(&event("stats", id, Some(&data)))
}

/// The line that runc prints, its order of keys included.
fn event(kind: &str, id: &str, data: Option<&str>) -> String {
    let head = compact(&vec![("type", json!(kind)), ("id", json!(id))]);
    match data {
        Some(data) => format!("{},\"data\":{data}}}\n", head.trim_end_matches('}')),
        None => format!("{head}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_runc() {
        assert_eq!(event("oom", "c", None), "{\"type\":\"oom\",\"id\":\"c\"}\n");
        let stats = event("stats", "c", Some("{\"cpu\":{}}"));
        assert_eq!(stats, "{\"type\":\"stats\",\"id\":\"c\",\"data\":{\"cpu\":{}}}\n");
    }
}
