//! `list`.

use libcontainer::State;

use crate::args::{CommandLine, flags};
use crate::failure::Result;
use crate::json::compact;
use crate::output::print;

const HEADER: [&str; 6] = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
/// Of each column but the last, and the space between two.
const MIN_WIDTH: usize = 12;
const SPACE: usize = 3;

/// Prints the containers below the root.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let states = line.root()?.list()?;
    let json = line.args.text(&flags::FORMAT) == Some("json");
    print(&match (line.args.switch(&flags::QUIET), json) {
        (true, _) => states.iter().map(|state| format!("{}\n", state.id)).collect(),
        (false, true) => as_json(&states),
        (false, false) => as_table(states.iter().map(row)),
    })?;
    Ok(0)
}

fn as_json(states: &[State]) -> String {
    let objects: Vec<_> =
        states.iter().map(|state| compact(&super::state::object(state))).collect();
    format!("[{}]\n", objects.join(","))
}

fn row(state: &State) -> [String; 6] {
    [
        state.id.clone(),
        state.pid.to_string(),
        state.status.to_string(),
        state.bundle.display().to_string(),
        state.created.clone(),
        state.owner.clone(),
    ]
}

fn as_table(rows: impl Iterator<Item = [String; 6]>) -> String {
    let rows: Vec<_> = std::iter::once(HEADER.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| {
        let widest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        MIN_WIDTH.max(widest + SPACE)
    };
    let widths: Vec<_> = (0..HEADER.len() - 1).map(width).chain([0]).collect();
    rows.iter().map(|row| table_line(row, &widths)).collect()
}

fn table_line(row: &[String; 6], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    format!("{}\n", cells.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = ["a-rather-long-id", "7", "running", "/b", "2026-01-01T00:00:00Z", "root"];
        assert_eq!(
            as_table(std::iter::once(row.map(str::to_owned))),
            "ID                 PID         STATUS      BUNDLE      CREATED                OWNER\n\
             a-rather-long-id   7           running     /b          2026-01-01T00:00:00Z   root\n"
        );
    }

    #[test]
    fn no_containers_leave_the_header() {
        assert_eq!(
            as_table(std::iter::empty()),
            "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"
        );
    }
}
